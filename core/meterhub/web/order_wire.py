"""What an order did on the wire: the commands to its meter, and the raw frames as long as the line still has them."""

from __future__ import annotations

from typing import Any

from meterhub.money.room import Money
from meterhub.store.engine import Row
from meterhub.texts import Texts
from meterhub.web import values
from meterhub.web.frames import frames_of
from meterhub.web.order_steps import OrderView
from meterhub.web.rooms import Rooms

MOST_RUNS = 20
AROUND_MS = 15_000
"""A delivery reads the meter shortly before and after the times that its row keeps."""


async def wire_of(rooms: Rooms, money: Money, view: OrderView, texts: Texts) -> dict[str, Any]:
    """``runs`` and ``frames`` of the delivery and the withdrawals of an order, newest first; passwords are masked."""
    rows = [*view.withdrawals[::-1], *([view.delivery] if view.delivery is not None else [])]
    device = rooms.estate.get(view.order["meter"])
    runs: list[dict[str, Any]] = []
    frames: list[dict[str, Any]] = []
    for row in rows:
        params = {"target": row["meter"], "from_ms": row["created_ms"], "prefix": f"delivery/{row['id']}/%"}
        found = await money.all("runs_of_keys", **params, most=MOST_RUNS)
        runs += [{**run, "title": texts.pick(rooms.actions.get(run["action"]).title)} for run in found]
        if device is not None and row["sent_ms"] is not None:
            frames += frames_of(rooms, device, row["sent_ms"] - AROUND_MS, _end_ms(row))
    now_ms = rooms.clock.now()
    return {
        "runs": runs,
        "frames": [{**one, "time": values.clock_time(one["ms"], rooms.zone, now_ms)} for one in frames],
    }


def _end_ms(row: Row) -> int | None:
    """When the delivery was over; None while it is not."""
    return None if row["confirmed_ms"] is None else row["confirmed_ms"] + AROUND_MS

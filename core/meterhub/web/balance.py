"""What is left on an account and what is owed, as pages show it: with where the figure comes from and how old it is."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.money import ledger
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.money.states import Mode
from meterhub.store.engine import Row
from meterhub.web.rooms import Rooms


@dataclass(frozen=True, slots=True)
class Balance:
    """``left`` in yuan, None is unknown and never 0; ``owed`` in yuan, "" for nothing.

    ``source`` is ``meter`` or ``books``; ``ms`` is when it was so, None for never.
    """

    left: str | None
    owed: str
    source: str
    ms: int | None


async def balance_of(rooms: Rooms, money: Money, account: Row) -> Balance:
    """The balance of an account: the newest that the meter said, or what the books hold now."""
    owed = max(-await held(money, account, ledger.receivable(account["id"])), 0)
    debt = yuan(owed) if owed else ""
    if account["mode"] == Mode.METER:
        shown, ms = _of_meter(rooms, account["meter"])
        # What the meter said after a credit is newer than its next reading.
        for told in await money.all("money.balance_told", account=account["id"]):
            if told["confirmed_ms"] > (ms or 0):
                shown, ms = told["balance_after"], told["confirmed_ms"]
        return Balance(shown, debt, "meter", ms)
    left = None
    if account["mode"] == Mode.SERVER:
        left = yuan(await held(money, account, ledger.prepaid(account["id"])))
    return Balance(left, debt, "books", rooms.clock.now())


async def held(money: Money, account: Row, book: str) -> int:
    """What a book of an account's operator holds, in fen."""
    rows = await money.all("ledger.balance", operator=account["operator"], book=book)
    return int(rows[0]["fen"]) if rows else 0


def _of_meter(rooms: Rooms, meter: str) -> tuple[str | None, int | None]:
    device = rooms.estate.get(meter)
    for entity in device.entities if device is not None else ():
        # A meter may tell what is left as energy too; that is no money.
        known = entity.definition
        if known.meaning == "balance" and known.kind == "money" and entity.state is not None:
            shown = entity.shown
            return None if shown is None else str(shown), entity.state.measured_ms
    return None, None

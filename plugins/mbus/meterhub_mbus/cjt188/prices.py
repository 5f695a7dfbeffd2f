"""The price table: three prices with two limits between them, and the day of a month from which they are in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from meterhub.errors import BadInput
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub_mbus.cjt188.catalogue import catalogue
from meterhub_mbus.cjt188.exchange import Talk
from meterhub_mbus.cjt188.points import encode_fields
from meterhub_mbus.cjt188.reading import items_by_key
from meterhub_mbus.cjt188.registers import write_payload

PRICE_TABLE, SHOWN_BY = "A010", "8102"
PRICES, LIMITS = 3, 2


def set_prices(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write ``step_prices`` (or ``prices``) and ``limits``, in force from the day of ``when``; read the table back."""
    prices = _parts(params.get("step_prices") or params.get("prices", ""))
    limits = _parts(params.get("limits", ""))
    if len(prices) != PRICES or len(limits) != LIMITS:
        raise BadInput(
            f"the table has {PRICES} prices and {LIMITS} limits",
            where=meter.id,
            hint="such as step_prices 2.85, 4.10, 7.75 and limits 180, 260",
        )
    in_turn = [prices[0], limits[0], prices[1], limits[1], prices[2], _day(str(params["when"]))]
    row = catalogue().find(PRICE_TABLE, "water")
    assert row is not None
    reply = yield from write_payload(talk, PRICE_TABLE, encode_fields(row.request, ", ".join(in_turn), 0))
    points = [point for point in meter.points.values() if point.identifier == SHOWN_BY]
    payload = bytes.fromhex(reply.detail["data"])
    items = items_by_key(SHOWN_BY, talk.reply(payload), talk.dialect)
    return CommandReply({point.key: point.take(items, payload, talk.dialect)[0] for point in points}, reply.detail)


def _parts(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _day(when: str) -> str:
    """The day of the month: a meter knows no more of the time."""
    try:
        return str(date.fromisoformat(when.strip()[:10]).day)
    except ValueError:
        raise BadInput(f"{when[:40]!r} is no date", hint="such as 2026-12-01; the meter keeps its day only") from None

"""What a prepaid meter says of its purchases (8105), and how a purchase is written (A013).

========  ==========================================================================
A013      purchase number (1), amount (4); the answer repeats both
8105      purchase number (1), this amount (4), total (4), remaining (4), status (2)
========  ==========================================================================

Amounts are yuan with two decimals in BCD by the standard. A profile says otherwise with ``coding`` and ``decimals``:
one maker's water meters take tenths of a cubic metre in binary, high byte first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import Dialogue
from meterhub.texts import mark
from meterhub_mbus.cjt188.exchange import Reply, Talk, read_data
from meterhub_mbus.cjt188.formats import Format, parse, scaled, with_point

PURCHASES, PURCHASE, REFUND = "8105", "A013", "A0EC"
LARGEST_AMOUNT_BYTES = 4
FORMATS = {"bcd": "XXXXXXXX", "binary-high": "UINT32BE", "binary-low": "UINT32"}


class Standing(NamedTuple):
    """A meter's own books. ``number`` is that of the last purchase; amounts are scaled ints, None where unknown."""

    number: int
    this: int | None
    total: int | None
    remaining: int | None
    reply: Reply


class Coding(NamedTuple):
    """How amounts and numbers are written in one model."""

    form: Format
    decimals: int
    restart: int

    def amount(self, text: str) -> int:
        """``100.50`` as scaled int; raises ``BadInput`` for what is no positive amount."""
        try:
            amount = scaled(text, self.decimals)
        except BadInput:
            example = with_point(10 ** (self.decimals + 2), self.decimals)
            hint = mark(f"such as {example}")
            raise BadInput(f"{text[:40]!r} is no amount of at most {self.decimals} decimals", hint=hint) from None
        if amount == 0:
            raise BadInput("an amount of nothing cannot be credited")
        self.form.encode(amount)
        return amount

    def wire_number(self, number: int) -> int:
        """A purchase number as the one byte that it is on the wire; after 255 comes ``restart``."""
        if number < 1:
            raise BadInput(f"purchase numbers begin with 1, not {number}")
        return number & 0xFF if self.restart == 0 else (number - 1) % 255 + 1

    def follows(self, number: int, last: int) -> bool:
        """Whether the purchase ``number`` (on the wire) is the next one behind ``last``."""
        return number == (self.restart if last == 255 else last + 1)

    def shown(self, amount: int | None) -> str | None:
        """An amount as decimal string."""
        return None if amount is None else with_point(amount, self.decimals)


def coding_of(spec: Mapping[str, Any]) -> Coding:
    """What a profile says of ``meter.credit``."""
    return Coding(parse(FORMATS[spec.get("coding", "bcd")]), spec.get("decimals", 2), spec.get("restart", 0))


def standing(talk: Talk, coding: Coding) -> Dialogue[Standing]:
    """Ask the meter for its books. Raises ``BadFrame`` where its answer is none."""
    reply = yield from read_data(talk, PURCHASES)
    data = reply.payload
    if len(data) < 1 + 3 * LARGEST_AMOUNT_BYTES:
        raise BadFrame("the meter's answer on its purchases is too short", where=talk.where)
    this, total, remaining = (_whole(coding.form.decode(data[at : at + 4])) for at in (1, 5, 9))
    return Standing(data[0], this, total, remaining, reply)


def _whole(value: int | str | None) -> int | None:
    return value if isinstance(value, int) else None

"""Money into and out of a meter: read its books, send the purchase, read its books again.

The caller stores the purchase number before it calls. Called again with the same number after any doubt, the dialogue
first looks whether the meter has booked it already. Only else it sends the very same frame once more, with the same
number and the same serial number: a meter knows a repetition by one of the two. Without an answer nothing is sent again
before the books were read, so that a meter that knows repetitions by neither is not credited twice. What its books do
not prove, is not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.errors import NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_mbus.cjt188.exchange import Talk, ask
from meterhub_mbus.cjt188.purse import PURCHASE, PURCHASES, REFUND, Coding, Standing, coding_of, standing
from meterhub_mbus.cjt188.reading import items_by_key

WRITE = "04"
MONEY_DECIMALS = 2
ANSWER_S = 12.0
"""A meter may be busy with its memory for eight seconds before it answers."""


def balance(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """What the meter's books say."""
    coding = coding_of(meter.commands.get("meter.credit", {}))
    found = yield from standing(talk, coding)
    return _told(meter, talk, coding, found, {})


def credit(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Book a purchase under a number. Raises ``Refused`` where the books do not agree, ``NoAnswer`` while in doubt."""
    return (yield from _change(meter, talk, "meter.credit", PURCHASE, params))


def refund(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Take money back, where the maker has it."""
    return (yield from _change(meter, talk, "meter.refund", REFUND, params))


def _change(meter: Meter, talk: Talk, name: str, identifier: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    spec = {**meter.commands.get("meter.credit", {}), **meter.commands.get(name, {})}
    coding = coding_of(spec)
    amount = coding.amount(str(params["amount"]))
    number = coding.wire_number(int(params["number"]))
    before = yield from standing(talk, coding)
    if before.number == number and before.this == amount:
        return _told(meter, talk, coding, before, {"number": number, "already": True})
    _check_next(talk, coding, before, number)
    payload = bytes((number,)) + coding.form.encode(amount)
    control = int(spec.get("control", WRITE), 16)
    silence = yield from _send(talk, control, spec.get("identifier", identifier), payload, (number, amount))
    after = yield from standing(talk, coding)
    moved = _moved(before, after, amount, name == "meter.refund")
    if after.number == number and after.this == amount and moved:
        detail = {"number": number, "already": False, "acknowledged": silence is None}
        return _told(meter, talk, coding, after, detail)
    if silence is not None and after.number == before.number:
        silence.hint = "nobody knows whether the meter has it: call again with the same number, never with another"
        raise silence
    raise Refused(
        f"the meter accepted purchase {number}, but its books do not show it",
        where=meter.id,
        reasons=("books differ",),
        hint="stop and look at the meter before anything is credited again",
    )


def _check_next(talk: Talk, coding: Coding, before: Standing, number: int) -> None:
    """A number that skips one hides a lost purchase, and one that is taken already would be ignored."""
    if coding.follows(number, before.number):
        return
    reason = "number taken" if before.number == number else "purchase number wrong"
    raise Refused(
        f"the meter's last purchase is number {before.number} over {coding.shown(before.this)}; {number} cannot follow",
        where=talk.where,
        reasons=(reason,),
        hint="a purchase is missing in the books or at the meter: compare them before crediting",
    )


def _send(
    talk: Talk, control: int, identifier: str, payload: bytes, purchase: tuple[int, int]
) -> Dialogue[NoAnswer | None]:
    """Send the purchase once, the same frame at each call. The error when nobody answered; ``Refused`` passes."""
    known = talk.memory.purchase
    serial = known[2] if known is not None and known[:2] == purchase else talk.next_serial()
    talk.memory.purchase = (*purchase, serial)
    request = talk.frame(control, identifier, payload, serial)
    try:
        yield from ask(talk, request, mark("the purchase"), tries=1, timeout_s=ANSWER_S, hold=True)
    except NoAnswer as error:
        return error
    return None


def _moved(before: Standing, after: Standing, amount: int, back: bool) -> bool:
    """Whether the books changed by exactly the amount; the total of purchases does not shrink with a refund."""
    if back:
        return None not in (before.remaining, after.remaining) and before.remaining - after.remaining >= amount  # type: ignore[operator]
    return None not in (before.total, after.total) and after.total - before.total == amount  # type: ignore[operator]


def _told(meter: Meter, talk: Talk, coding: Coding, found: Standing, detail: dict[str, Any]) -> CommandReply:
    """The books as the result of an action, and as values of the entities that show them."""
    items = items_by_key(PURCHASES, found.reply, talk.dialect)
    points = [point for point in meter.points.values() if point.identifier == PURCHASES]
    values = {point.key: point.take(items, found.reply.payload, talk.dialect)[0] for point in points}
    amounts = {"balance": found.remaining, "total": found.total, "last": found.this}
    unit = "yuan" if coding.decimals == MONEY_DECIMALS else "m³"
    said = {"count": found.number, "unit": unit, **{name: coding.shown(amount) for name, amount in amounts.items()}}
    return CommandReply(values, {**said, **detail})

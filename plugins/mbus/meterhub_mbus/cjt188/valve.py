"""The valve: told once, then watched until its motor has done it.

The answer to A017 mostly shows the state before the motor has moved. So the state is read afterwards, every few
seconds with the line free between, until it is the wanted one, a fault, or the motor's time is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meterhub.errors import NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_mbus.cjt188.exchange import Talk, ask, read_data, settle_order
from meterhub_mbus.cjt188.points import STATUS, VALVE, Point
from meterhub_mbus.cjt188.reading import items_by_key
from meterhub_mbus.cjt188.status import FAULT

WRITE, VALVE_IDENTIFIER = "04", "A017"
CODES: Mapping[str, str] = {"meter.open_valve": "55", "meter.close_valve": "99"}
STATE = {"id": "901F", "field": "valve"}
"""Where the valve's state is read when the profile has no entity for it."""
ANSWER_S = 10.0
"""Some meters answer only when the motor has begun to move."""
MOTOR_S, LOOK_EVERY_S = 60.0, 5.0
UNTOLD = mark("in a state that it does not tell")


class Watch(NamedTuple):
    """What is waited for. ``silence`` is the error when the command itself was not answered.

    ``point`` tells the end, ``shown`` are all entities that the same answer shows the valve in.
    """

    wanted: bool
    point: Point
    shown: tuple[Point, ...]
    silence: NoAnswer | None


def move(meter: Meter, talk: Talk, name: str, point: Point) -> Dialogue[CommandReply]:
    """Open or close the valve. ``point`` is where its state stands: true means open. Raises ``Refused``."""
    spec = meter.commands.get(name, {})
    yield from settle_order(talk)
    control = int(spec.get("control", WRITE), 16)
    request = talk.frame(
        control, spec.get("identifier", VALVE_IDENTIFIER), bytes.fromhex(spec.get("code", CODES[name]))
    )
    silence = None
    try:
        yield from ask(talk, request, mark("to move its valve"), tries=1, timeout_s=ANSWER_S)
    except NoAnswer as error:
        silence = error
    same = [one for one in meter.points.values() if (one.identifier, one.field) == (point.identifier, VALVE)]
    shown = tuple(same) if point in same else (point, *same)
    watch = Watch(name == "meter.open_valve", point, shown, silence)
    return (yield from look(talk, watch, spec.get("motor", MOTOR_S)))


def look(talk: Talk, watch: Watch, left_s: float) -> Dialogue[CommandReply]:
    """Read the state; when it is not yet the wanted one, look again later while ``left_s`` lasts."""
    state: str | None = None
    seen: dict[str, int | bool | str | None] = {}
    try:
        reply = yield from read_data(talk, watch.point.identifier, watch.point.control)
    except NoAnswer:
        if left_s <= 0:
            raise
    else:
        items = items_by_key(watch.point.identifier, reply, talk.dialect)
        seen = {one.key: one.take(items, reply.payload, talk.dialect)[0] for one in watch.shown}
        state = talk.dialect.status.valve(items[STATUS].raw) if STATUS in items else None
    if seen.get(watch.point.key) is watch.wanted:
        detail = {"valve": "open" if watch.wanted else "closed", "acknowledged": watch.silence is None}
        return CommandReply(seen, detail)
    if state == FAULT:
        raise Refused("the meter reports a fault of its valve", where=talk.where, reasons=("valve fault",), seen=seen)
    if left_s > 0:
        follow = lambda: look(talk, watch, left_s - LOOK_EVERY_S)  # noqa: E731 - one line says more than a function
        return CommandReply(detail={"valve": state}, follow=follow, after_s=LOOK_EVERY_S)
    if watch.silence is not None:
        raise watch.silence
    raise Refused(
        f"the meter accepted the command, but its valve is {state or UNTOLD}",
        where=talk.where,
        hint="it may be stuck, or a prepaid meter without credit keeps it closed",
        seen=seen,
    )

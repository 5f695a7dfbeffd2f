"""Commands: the relay (control 1C of the supplements) and writing of settings, each proven by reading back.

Data of 1C before +33H::

    PA P0 P1 P2  C0 C1 C2 C3  N1 N2  ss mm hh DD MM YY
    |  password  operator     |  |   +- valid until, in the meter's own time
    +- level                  |  +- delay in 5 min, or a maker's channel
                              +- command

9C only says "accepted". A command is never repeated: without an answer the relay is read first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from meterhub.clock import Clock, utc
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.authority import authority, tell
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.points import Point

WRITE = {"2007": 0x14, "1997": 0x04}
REMOTE_CONTROL = 0x1C
CODES = {"meter.open_circuit": "1A", "meter.close_circuit": "1C"}
CLOSED_AFTER = {"meter.open_circuit": False, "meter.close_circuit": True}
HOLD_CODES = {"meter.keep_power": ("3A", "3B"), "meter.alarm": ("2A", "2B")}
"""On and off."""
ALLOW_CLOSE = "1B"
PRESS = {
    "next": {
        "en": "press the button at the meter to close the relay",
        "zh": "请按电表上的按键完成合闸",
        "ja": "電力量計のボタンを押すと投入されます",
    }
}
HINT = mark("keep-power or a wrong clock of the meter may be why: a command that is over by its clock is refused")
READ_BACKS = 3
"""A relay takes its time: so often its state is read before the command counts as failed."""
DEFAULT_VALID_FOR_S = 1200
DEFAULT_OFFSET = "+08:00"


def meter_time(options: Mapping[str, Any], now_ms: int) -> datetime:
    """The time of the meter's own zone."""
    sign, hours, minutes = re.fullmatch(r"([+-])(\d\d):(\d\d)", options.get("utc_offset", DEFAULT_OFFSET)).groups()  # type: ignore[union-attr]
    return utc(now_ms) + timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)


def valid_until(options: Mapping[str, Any], now_ms: int) -> bytes:
    """``ss mm hh DD MM YY``: what the option says, else some minutes from now in the meter's own time."""
    fixed = options.get("valid_until", "")
    if fixed:
        return bytes.fromhex(re.sub(r"\D", "", fixed)[-12:])[::-1]
    end = meter_time(options, now_ms) + timedelta(seconds=options.get("valid_for", DEFAULT_VALID_FOR_S))
    return bytes.fromhex(end.strftime("%y%m%d%H%M%S"))[::-1]


def switch(meter: Meter, name: str, edition: str, clock: Clock, relay: Point) -> Dialogue[CommandReply]:
    """Open or close the relay and read its state. ``relay`` is where the state stands: true means closed."""
    spec = meter.commands.get(name, {})
    talk = Talk(meter, edition)
    if "write" in spec:
        silence = yield from _by_write(talk, meter, spec)
    else:
        silence = yield from remote(talk, meter, clock, spec.get("code", CODES[name]), spec)
    expected = CLOSED_AFTER[name]
    closed, answer = yield from read_until(talk, relay, expected)
    seen = {relay.key: closed} | _contacts(meter, relay, answer)
    if closed is expected:
        waits = spec.get("code") == ALLOW_CLOSE and seen.get("relay") is not True
        return CommandReply(seen, {"acknowledged": silence is None} | (PRESS if waits else {}))
    if silence is not None:
        raise silence
    raise Refused(
        "the meter accepted the command, but its relay is still closed"
        if closed
        else "the meter accepted the command, but its relay is still open",
        where=meter.id,
        hint="keep-power, an overdraft lock or a button at the meter may hold it",
        seen=seen,
    )


def _contacts(meter: Meter, shown: Point, answer: bytes) -> dict[str, int | bool | str | None]:
    """Where the relay itself is, if the answer to another point of its word says that, too."""
    relay: Point | None = meter.points.get("relay")
    return {relay.key: relay.take(answer, relay.at)[0]} if relay and relay.identifier == shown.identifier else {}


def remote(talk: Talk, meter: Meter, clock: Clock, code: str, spec: Mapping[str, Any]) -> Dialogue[NoAnswer | None]:
    """One remote control command (1C), sent once. A command may have a level and an operator of its own."""
    options = {**meter.options, **{key: spec[key] for key in ("level", "operator", "valid_until") if key in spec}}
    data = authority(options) + bytes.fromhex(code + spec.get("delay", "00")) + valid_until(options, clock.now())
    try:
        return (yield from tell(talk, REMOTE_CONTROL, data, mark("remote control")))
    except Refused as error:
        error.hint = error.hint or HINT
        raise


def _by_write(talk: Talk, meter: Meter, spec: Mapping[str, Any]) -> Dialogue[NoAnswer | None]:
    """A relay that a maker lets be written like a setting."""
    wire = bytes.fromhex(spec["write"])[::-1]
    data = wire + authority(meter.options, talk.edition) + bytes.fromhex(spec["value"])
    return (yield from tell(talk, WRITE[talk.edition], data, mark("remote control")))


def read_until(talk: Talk, point: Point, expected: bool) -> Dialogue[tuple[int | bool | str | None, bytes]]:
    """Read a state until it is what is expected, a few times; returns the last one and the answer that holds it."""
    state: int | bool | str | None = None
    for _ in range(READ_BACKS):
        answer = yield from read_data(talk, point.identifier, point.length)
        state, _quality = point.take(answer, point.at)
        if state is expected:
            break
    return state, answer


def hold(meter: Meter, name: str, clock: Clock, on: bool, state: Point) -> Dialogue[CommandReply]:
    """Keep power on or alarm: switch it and read the bit that shows it."""
    spec = meter.commands.get(name, {})
    talk = Talk(meter, "2007")
    code = HOLD_CODES[name][not on]
    silence = yield from remote(talk, meter, clock, code, spec)
    shown, _answer = yield from read_until(talk, state, on)
    if shown is on:
        known: dict[str, int | bool | str | None] = {state.key: shown} if state.key in meter.points else {}
        return CommandReply(known, {"on": on, "acknowledged": silence is None})
    if silence is not None:
        raise silence
    raise Refused(f"the meter accepted the command, but it still shows {'off' if on else 'on'}", where=meter.id)


def write(meter: Meter, edition: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write one setting and compare what the meter then says."""
    point: Point | None = meter.points.get(params["entity"])
    if point is None:
        raise BadInput(f"{meter.id} has no setting {params['entity']}", where=meter.id)
    value = point.stored(params["value"])
    assert value is not None
    data = point.format.encode(value)
    talk = Talk(meter, edition)
    wire = bytes.fromhex(point.identifier)[::-1]
    silence = yield from tell(talk, WRITE[edition], wire + authority(meter.options, edition) + data)
    answer = yield from read_data(talk, point.identifier, point.length)
    written, _quality = point.take(answer, point.at)
    if answer[: len(data)] == data or point.format.decode(answer) == point.format.decode(data):
        return CommandReply({point.key: written}, {"acknowledged": silence is None})
    if silence is not None:
        raise silence
    raise Refused(f"the meter accepted {params['value']} for {point.key}, but still has {written}", where=meter.id)

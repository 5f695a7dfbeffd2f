"""What can be done to a meter: valve, settings, clock, address, speed; each proven by reading back.

An acknowledgement only says that the frame was heard. Whether the meter did it, the next readout tells: there a refusal
stands as an application error (CI 70), and there the new value stands. A meter that moves a valve or writes its memory
needs time first; until then the line is free for others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from meterhub.clock import Clock, utc
from meterhub.errors import BadInput, ConfigError, NoAnswer, Refused
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub_mbus.address import ANY_METER, EVERYBODY, Address, parse
from meterhub_mbus.encode import encode, head_of, moment_data
from meterhub_mbus.exchange import DATA_SEND, SND_UD, Talk
from meterhub_mbus.frame import long_frame
from meterhub_mbus.names import BAUD_RATES
from meterhub_mbus.narrowing import ANY_BYTE, ANY_MAKER, OPEN
from meterhub_mbus.points import Point, compile_point
from meterhub_mbus.reading import read_out
from meterhub_mbus.readout import Readout

Memory = MutableMapping[str, bool]
Handler = Callable[[Meter, Memory, Clock, Mapping[str, Any]], Dialogue[CommandReply]]
VALVE_CODES = {"meter.open_valve": "01FD1F01", "meter.close_valve": "01FD1F00"}
"""Remote control (FD 1F), the one code of the standard that switches anything; makers have their own."""
OPEN_AFTER = {"meter.open_valve": True, "meter.close_valve": False}
LOOK_EVERY_S, VALVE_WAIT_S = 5.0, 60
WRITTEN_AFTER_S = 1.0
"""A meter writes its memory; it hears nothing meanwhile."""
DEFAULT_OFFSET = "+08:00"
CLOCK_HEADS = {"F": bytes.fromhex("046D"), "I": bytes.fromhex("066D")}
CLOCK_TOLERANCE_S = 120
PRIMARY_HEAD, NUMBER_HEAD, IDENTITY_HEAD = b"\x01\x7a", b"\x0c\x79", b"\x07\x79"
OPEN_REST = b"\xff" * 4
"""Maker, version and medium that do not matter."""
SPEED_CODES = {speed: code for code, speed in BAUD_RATES.items()}


def valve(
    meter: Meter, memory: Memory, name: str, spec: Mapping[str, Any], point: Point | None = None
) -> Dialogue[CommandReply]:
    """Open or close the valve, then look every few seconds until it stands where it should."""
    point = point or state_point(meter, spec)
    silence = yield from _tell(
        meter, memory, int(spec.get("ci", "51"), 16), bytes.fromhex(spec.get("send", VALVE_CODES[name]))
    )
    looks = max(1, int(spec.get("wait", VALVE_WAIT_S) / LOOK_EVERY_S))
    return _look_later(meter, memory, point, OPEN_AFTER[name], looks, silence)


def state_point(meter: Meter, spec: Mapping[str, Any]) -> Point:
    """The point that shows the valve, true for open."""
    key = spec.get("state", "valve")
    point: Point | None = meter.points.get(key)
    if point is None:
        raise BadInput(f"{meter.id} has no entity {key} that shows its valve", where=meter.id)
    return point


def _look_later(
    meter: Meter, memory: Memory, point: Point, wanted: bool, looks: int, silence: NoAnswer | None
) -> CommandReply:
    def look() -> Dialogue[CommandReply]:
        state = (yield from _read_one(meter, memory, point))[0]
        if state is wanted:
            return CommandReply({point.name: state}, {"acknowledged": silence is None})
        if looks > 1:
            reply = _look_later(meter, memory, point, wanted, looks - 1, silence)
            reply.values[point.name] = state
            return reply
        if silence is not None:
            raise silence
        raise Refused(
            "the meter heard the command, but its valve is still open"
            if state
            else "the meter heard the command, but its valve is still closed",
            where=meter.id,
            hint="the valve may be stuck; look at its status and read again",
            seen={point.name: state},
        )

    return CommandReply(follow=look, after_s=LOOK_EVERY_S)


def write(meter: Meter, memory: Memory, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write the setting that an entity shows, and compare what the meter then sends."""
    key, text = params["entity"], params["value"]
    point: Point | None = meter.points.get(key)
    if point is None or not point.write or not isinstance(text, str):
        raise BadInput(f"{meter.id} has no setting {key}", where=meter.id)
    record = encode(point.write, text)
    wanted = point.store(head_of(point.write).read(record[len(point.write) :]), point.exponent)[0]
    silence = yield from _tell(meter, memory, DATA_SEND, record)

    def prove() -> Dialogue[CommandReply]:
        value = (yield from _read_one(meter, memory, point))[0]
        if value == wanted:
            return CommandReply({key: value}, {"acknowledged": silence is None})
        raise silence or Refused(f"the meter accepted {text} for {key}, but still has {value}", where=meter.id)

    return CommandReply(follow=prove, after_s=WRITTEN_AFTER_S)


def write_register(meter: Meter, memory: Memory, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write any record: ``register`` is its DIF and VIF in hex. What the meter sends under that code is shown."""
    try:
        block = bytes.fromhex(params["register"])
    except ValueError:
        raise BadInput("register is DIF and VIF in hex, such as 046D", where=meter.id) from None
    record = encode(block, params["value"])
    silence = yield from _tell(meter, memory, DATA_SEND, record)
    code = head_of(block).code

    def prove() -> Dialogue[CommandReply]:
        readout = yield from _read_all(meter, memory)
        found = [str(one.value) for one in readout.records if one.head.code == code]
        if silence is not None and not found:
            raise silence
        return CommandReply(detail={"register": block.hex().upper(), "sent_back": found})

    return CommandReply(follow=prove, after_s=WRITTEN_AFTER_S)


def set_clock(meter: Meter, memory: Memory, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Set date and time in the meter's own zone, alone or for everybody on the line."""
    head = CLOCK_HEADS[meter.options.get("clock", "F")]
    now = meter_time(meter.options, clock.now())
    record = head + moment_data(now, 6 if head == CLOCK_HEADS["I"] else 4)
    silence = None
    if params.get("how") == "broadcast":
        yield Ask(long_frame(SND_UD, EVERYBODY, DATA_SEND, record), None)
    else:
        silence = yield from _tell(meter, memory, DATA_SEND, record)

    def prove() -> Dialogue[CommandReply]:
        shown = yield from _read_one(meter, memory, compile_point("clock", {"quantity": "datetime"}, "clock", 0))
        text = str(shown[0])
        if shown[0] is None or abs(datetime.fromisoformat(text) - now) > timedelta(seconds=CLOCK_TOLERANCE_S):
            raise silence or Refused(f"the meter heard the time, but its clock says {text}", where=meter.id)
        return CommandReply(detail={"clock": text})

    return CommandReply(follow=prove, after_s=WRITTEN_AFTER_S)


def set_address(meter: Meter, memory: Memory, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Give a meter a new primary address (``5``), number (``12345678``) or all 8 bytes; proven at that address."""
    new = _whole_address(meter, params["address"])
    if not new.secondary:
        record = PRIMARY_HEAD + bytes((new.primary,))
    elif new.secondary[4:] == OPEN_REST:
        record = NUMBER_HEAD + new.secondary[:4]
    else:
        record = IDENTITY_HEAD + new.secondary
    silence = yield from _tell(meter, memory, DATA_SEND, record)

    def prove() -> Dialogue[CommandReply]:
        talk = Talk(meter, memory, new)
        try:
            yield from talk.begin()
            yield from talk.request()
        except NoAnswer:
            raise silence or Refused(
                f"the meter heard the order, but nobody answers at {new}", where=meter.id
            ) from None
        return CommandReply(detail={"address": str(new), "next": f"give it address: {new} in its configuration"})

    return CommandReply(follow=prove, after_s=WRITTEN_AFTER_S)


def set_speed(meter: Meter, memory: Memory, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Change the meter's speed; it acknowledges at the old one. Whoever calls tests it at the new one."""
    code = SPEED_CODES.get(params["speed"])
    if code is None:
        raise BadInput("there is no such speed", hint=", ".join(map(str, sorted(SPEED_CODES))), where=meter.id)
    talk = Talk(meter, memory)
    yield from talk.begin()
    yield from talk.tell(code)
    return CommandReply(detail={"speed": params["speed"]})


HANDLERS: Mapping[str, Handler] = {
    "meter.set_clock": set_clock,
    "meter.set_address": set_address,
    "meter.set_speed": set_speed,
    "meter.write_register": write_register,
}
"""What every meter of this protocol knows."""


def meter_time(options: Mapping[str, Any], now_ms: int) -> datetime:
    """The time of the meter's own zone, without zone."""
    sign, hours, minutes = re.fullmatch(r"([+-])(\d\d):(\d\d)", options.get("utc_offset", DEFAULT_OFFSET)).groups()  # type: ignore[union-attr]
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return (utc(now_ms) + offset).replace(tzinfo=None)


def _whole_address(meter: Meter, text: str) -> Address:
    """The address that a meter can be given: nothing left open, but for all that stands behind the number."""
    try:
        new = parse(text)
    except ConfigError as error:
        raise BadInput(error.message, hint=error.hint, where=meter.id) from None
    rest = new.secondary[4:]
    some_open = rest != OPEN_REST and (rest[:2] == ANY_MAKER or ANY_BYTE in rest[2:])
    if new.primary == ANY_METER or new.fabrication or some_open or OPEN in new.secondary[:4].hex():
        raise BadInput("a whole address is expected", where=meter.id, hint="5, 12345678 or 12345678-KAM-01-07")
    return new


def _tell(meter: Meter, memory: Memory, ci: int, data: bytes) -> Dialogue[NoAnswer | None]:
    """Send data; the silence that followed, if it did. A repeat has the same frame count bit and is not done twice."""
    talk = Talk(meter, memory)
    yield from talk.begin()
    try:
        yield from talk.tell(ci, data)
    except NoAnswer as silence:
        return silence
    return None


def _read_one(meter: Meter, memory: Memory, point: Point) -> Dialogue[tuple[int | bool | str | None, str]]:
    readout = yield from _read_all(meter, memory, point)
    found = readout.value(point, meter.points.values())
    if found is None:
        raise Refused(f"the meter does not send what shows {point.name}", where=meter.id)
    return found


def _read_all(meter: Meter, memory: Memory, *points: Point) -> Dialogue[Readout]:
    talk = Talk(meter, memory)
    yield from talk.begin()
    return (yield from read_out(talk, meter, points))

"""What the simulated meter does when it is programmed: writes, clock, address, speed, passwords, freezes, clearing.

Each handler takes the twin and the frame and returns the answer, or None for silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from meterhub.clock import utc
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.formats import parse
from meterhub_dlt645.frame import FROM_METER, Frame
from meterhub_dlt645.twin_events import CLOCK_SET, DEMAND_CLEARED, EVENTS_CLEARED, METER_CLEARED, PROGRAMMED, Event
from meterhub_dlt645.twin_relay import remote
from meterhub_dlt645.words import SPEEDS

if TYPE_CHECKING:
    from meterhub_dlt645.simulator import Twin

OTHER_ERROR, NO_SUCH_DATA, WRONG_PASSWORD, WRONG_SPEED = 0x01, 0x02, 0x04, 0x08
CLOCKS = {"04000101": "day", "04000102": "time", "0400010C": "moment", "C010": "day", "C011": "time"}
ADDRESS = "04000401"
PASSWORDS = "04000C"
DAY_MS = 86_400_000
FIVE_MINUTES_MS = 300_000
PROTECTED = (0x98, 0x99)
HEADS = {"2007": 8, "1997": 4}
"""Bytes of level, password and operator before the data of a write."""


def write(twin: Twin, frame: Frame) -> Frame:
    """A setting, under level and password."""
    identifier, payload = frame.identifier, frame.payload
    if not twin.authorised(payload):
        return twin.refuse_to(frame, WRONG_PASSWORD)
    data = payload[HEADS[twin.edition] :]
    layout = catalogue(twin.edition).find(identifier) if identifier else None
    if layout is None or "w" not in layout.access or layout.identifier in twin.refuse:
        return twin.refuse_to(frame, NO_SUCH_DATA)
    if layout.kind == "fields" and not layout.fits(len(data)):
        return twin.refuse_to(frame, OTHER_ERROR)
    if not _take(twin, layout.identifier, data):
        return twin.refuse_to(frame, OTHER_ERROR)
    _log(twin, CLOCK_SET if layout.identifier in CLOCKS else PROGRAMMED, payload, layout.identifier)
    return twin.say(frame.control | FROM_METER)


def _log(twin: Twin, kind: str, authority: bytes, identifier: str = "") -> None:
    """Remember what was done, when, and by which operator."""
    operator = authority[7:3:-1].hex().upper() if twin.edition == "2007" else "00000000"
    twin.state.events.add(
        kind, Event(twin.state.clock_ms, operator, identifier.rjust(8, "0") if identifier else "F" * 8)
    )


def _take(twin: Twin, identifier: str, data: bytes) -> bool:
    """Keep what was written, or let it have its effect; False for what makes no sense."""
    for name, spec in twin.commands.items():
        if spec.get("write") == identifier and bytes.fromhex(spec["value"]) == data:
            twin.state.open_relay() if name == "meter.open_circuit" else twin.state.close_relay()
    if identifier in CLOCKS:
        return _set_clock(twin, CLOCKS[identifier], data)
    if identifier == ADDRESS:
        twin.readdress(data)
    elif identifier.startswith(PASSWORDS):
        twin.passwords[data[0]] = data[1:4]
    else:
        twin.written[identifier] = data
    return True


def _set_clock(twin: Twin, part: str, data: bytes) -> bool:
    now = utc(twin.state.clock_ms).replace(microsecond=0)
    form = {"day": "YYMMDDWW", "time": "hhmmss", "moment": "YYMMDDWWhhmmss"}[part]
    text = parse(form).decode(data)
    if text is None:
        return False
    day, _, time = str(text).partition("T") if part == "moment" else (str(text), "", str(text))
    whole = f"{day if part != 'time' else now.date()}T{time if part != 'day' else now.time()}"
    _move_clock(twin, datetime.fromisoformat(whole).replace(tzinfo=now.tzinfo))
    return True


def _move_clock(twin: Twin, when: datetime) -> None:
    twin.state.clock_off_ms += int((when - utc(twin.state.clock_ms)).total_seconds() * 1000)


def broadcast_time(twin: Twin, frame: Frame) -> None:
    """Followed when the clock is off by at most five minutes, once a day; nobody answers."""
    text = parse("YYMMDDhhmmss").decode(frame.data) if len(frame.data) == 6 else None
    if text is None:
        return
    when = datetime.fromisoformat(str(text)).replace(tzinfo=utc(0).tzinfo)
    today = twin.state.clock_ms // DAY_MS
    off_ms = abs((when - utc(twin.state.clock_ms)).total_seconds() * 1000)
    if off_ms <= FIVE_MINUTES_MS and twin.broadcast_day != today:
        twin.broadcast_day = today
        _move_clock(twin, when)


def write_address(twin: Twin, frame: Frame) -> Frame | None:
    """The new address answers; without the button nothing does."""
    if len(frame.data) != 6 or not twin.button_pressed:
        return None
    twin.readdress(frame.data)
    return twin.say(frame.control | FROM_METER)


def change_speed(twin: Twin, frame: Frame) -> Frame:
    """Says yes at the old speed."""
    speed = SPEEDS.get(frame.data[0]) if len(frame.data) == 1 else None
    if speed is None:
        return twin.refuse_to(frame, WRONG_SPEED if twin.edition == "2007" else OTHER_ERROR)
    twin.speed = speed
    return twin.say(frame.control | FROM_METER, frame.data)


def change_password(twin: Twin, frame: Frame) -> Frame:
    """Old and new password of a level; the identifier of 2007 names the level, too."""
    payload = frame.payload
    if len(payload) != 8 or not twin.authorised(payload):
        return twin.refuse_to(frame, WRONG_PASSWORD)
    twin.passwords[payload[4]] = payload[5:8]
    return twin.say(frame.control | FROM_METER, payload[4:8])


def freeze(twin: Twin, frame: Frame) -> Frame:
    """Now, or a rule that is kept."""
    if len(frame.data) != 4:
        return twin.refuse_to(frame, OTHER_ERROR)
    if frame.data == b"\x99" * 4:
        twin.state.instants = [*twin.state.instants[-2:], twin.state.clock_ms]
    return twin.say(frame.control | FROM_METER)


def clear_demand(twin: Twin, frame: Frame) -> Frame:
    """Forget the greatest demands."""
    return _cleared(twin, frame, DEMAND_CLEARED, lambda: setattr(twin.state, "demand_cleared_ms", twin.state.now_ms))


def clear_meter(twin: Twin, frame: Frame) -> Frame:
    """Forget everything."""
    return _cleared(twin, frame, METER_CLEARED, twin.state.clear)


def clear_events(twin: Twin, frame: Frame) -> Frame:
    """Forget the events."""
    return _cleared(twin, frame, EVENTS_CLEARED, twin.state.clear_events)


def _cleared(twin: Twin, frame: Frame, kind: str, act: Callable[[], None]) -> Frame:
    if not twin.authorised(frame.data):
        return twin.refuse_to(frame, WRONG_PASSWORD)
    act()
    _log(twin, kind, frame.data)
    return twin.say(frame.control | FROM_METER)


def output(twin: Twin, frame: Frame) -> Frame:
    """What the multifunction output gives."""
    if len(frame.data) != 1 or frame.data[0] > 2:
        return twin.refuse_to(frame, OTHER_ERROR)
    twin.output = frame.data[0]
    return twin.say(frame.control | FROM_METER, frame.data)


def security(twin: Twin, frame: Frame) -> Frame:
    """Purse commands; the reasons of a refusal are two bytes."""
    identifier, payload = frame.identifier, frame.payload
    layout = catalogue("2007").find(identifier) if identifier else None
    if layout is not None and "w" in layout.access and len(payload) > 4:
        return _parameters(twin, frame, layout.identifier, payload[4:])
    if twin.purse is None or not identifier or len(payload) < 4:
        return twin.refuse_to(frame, 1, size=2)
    data, bit = twin.purse.answer(identifier, payload[4:])
    if data is None:
        return twin.refuse_to(frame, 1 << bit, size=2)
    return twin.say(frame.control | FROM_METER, bytes.fromhex(identifier)[::-1] + data)


def _parameters(twin: Twin, frame: Frame, identifier: str, data: bytes) -> Frame:
    """A maker's parameter block; a twin that ``takes_half`` says no with one byte and yet keeps the first half."""
    if twin.takes_half:
        half = len(data) // 2
        twin.written[identifier] = data[:half] + (twin.data(identifier) or data)[half:]
        return twin.refuse_to(frame, OTHER_ERROR)
    twin.written[identifier] = data
    return twin.say(frame.control | FROM_METER, bytes.fromhex(identifier)[::-1])


Handler = Callable[["Twin", Frame], Frame | None]

OF_2007: Mapping[int, Handler] = {
    0x03: security,
    0x08: broadcast_time,
    0x14: write,
    0x15: write_address,
    0x16: freeze,
    0x17: change_speed,
    0x18: change_password,
    0x19: clear_demand,
    0x1A: clear_meter,
    0x1B: clear_events,
    0x1C: remote,
    0x1D: output,
}
OF_1997: Mapping[int, Handler] = {
    0x04: write,
    0x08: broadcast_time,
    0x0A: write_address,
    0x0C: change_speed,
    0x0F: change_password,
    0x10: clear_demand,
}
PROGRAMMING: Mapping[str, Mapping[int, Handler]] = {"2007": OF_2007, "1997": OF_1997}

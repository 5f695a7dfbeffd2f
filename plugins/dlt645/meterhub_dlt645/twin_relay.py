"""What the simulated meter does with a remote control command: relay, alarm, keep-power."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterhub_dlt645.formats import parse
from meterhub_dlt645.frame import FROM_METER, Frame
from meterhub_dlt645.twin_events import CLOSED, TRIPPED, Event
from meterhub_dlt645.words import REASONS_RELAY

if TYPE_CHECKING:
    from meterhub_dlt645.simulator import Twin

OTHER_ERROR, WRONG_PASSWORD = 0x01, 0x04
FIVE_MINUTES_S = 300


def remote(twin: Twin, frame: Frame) -> Frame:
    """Relay, alarm and keep-power."""
    data, state = frame.data, twin.state
    if not twin.authorised(data, plain_only=False):
        return twin.refuse_to(frame, WRONG_PASSWORD)
    until = parse("YYMMDDhhmmss").decode(data[10:16])
    if len(data) != 16 or (until is not None and state.has_passed(str(until))):
        return _refused(twin, frame, "time tag invalid")
    command, delay_s = data[8], data[9] * FIVE_MINUTES_S
    if command in (0x1A, 0x1D, 0x1E) and state.keep_power:
        return _refused(twin, frame, "trip refused by keep-power")
    was_open = state.relay_open
    if not _obey(twin, command, delay_s):
        return twin.refuse_to(frame, OTHER_ERROR)
    if state.relay_open != was_open:
        kind = TRIPPED if state.relay_open else CLOSED
        state.events.add(kind, Event(state.clock_ms, data[7:3:-1].hex().upper()))
    return twin.say(frame.control | FROM_METER)


def _refused(twin: Twin, frame: Frame, reason: str) -> Frame:
    """One byte that says little, or two with the reason."""
    if twin.tells_why:
        return twin.refuse_to(frame, 1 << REASONS_RELAY.index(reason), size=2)
    return twin.refuse_to(frame, OTHER_ERROR)


def _obey(twin: Twin, command: int, delay_s: int) -> bool:
    """Carry out a remote command; False for an unknown one."""
    state = twin.state
    own = {int(spec["code"], 16): name for name, spec in twin.commands.items() if "code" in spec}.get(command)
    if own == "meter.open_circuit" and command != 0x1A:
        state.open_relay()
    elif own == "meter.close_circuit" and command != 0x1B:
        state.close_relay()
    elif command in (0x1A, 0x1D, 0x1E):
        state.open_relay(0 if command == 0x1A else delay_s)
    elif command in (0x1B, 0x1C):
        state.close_relay(at_once=command == 0x1C or not twin.needs_button)
    elif command in (0x2A, 0x2B):
        state.alarm = command == 0x2A
    elif command in (0x3A, 0x3B):
        state.keep_power = command == 0x3A
        if state.keep_power:
            state.close_relay()
    else:
        return False
    return True

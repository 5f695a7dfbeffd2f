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
from datetime import timedelta
from typing import Any

from meterhub.clock import Clock, utc
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.frame import PLUS_33
from meterhub_dlt645.points import Point

WRITE, REMOTE_CONTROL = 0x14, 0x1C
CODES = {"meter.open_circuit": "1A", "meter.close_circuit": "1C"}
CLOSED_AFTER = {"meter.open_circuit": False, "meter.close_circuit": True}
READ_BACKS = 3
"""A relay takes its time: so often its state is read before the command counts as failed."""
DEFAULT_VALID_FOR_S = 1200
DEFAULT_OFFSET = "+08:00"
DEFAULT_LEVEL, DEFAULT_PASSWORD, DEFAULT_OPERATOR = "02", "000000", "00000000"


def authority(options: Mapping[str, Any]) -> bytes:
    """Level, password and operator code as every programming command carries them, before +33H."""
    level = bytes.fromhex(options.get("level", DEFAULT_LEVEL))
    password = bytes.fromhex(options.get("password", DEFAULT_PASSWORD)[:])
    return level + password[::-1] + bytes.fromhex(options.get("operator", DEFAULT_OPERATOR))[::-1]


def valid_until(options: Mapping[str, Any], now_ms: int) -> bytes:
    """``ss mm hh DD MM YY``: what the option says, else some minutes from now in the meter's own time."""
    fixed = options.get("valid_until", "")
    if fixed:
        return bytes.fromhex(re.sub(r"\D", "", fixed)[-12:])[::-1]
    sign, hours, minutes = re.fullmatch(r"([+-])(\d\d):(\d\d)", options.get("utc_offset", DEFAULT_OFFSET)).groups()  # type: ignore[union-attr]
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    end = utc(now_ms) + offset + timedelta(seconds=options.get("valid_for", DEFAULT_VALID_FOR_S))
    return bytes.fromhex(end.strftime("%y%m%d%H%M%S"))[::-1]


def switch(meter: Meter, name: str, edition: str, clock: Clock, relay: Point) -> Dialogue[CommandReply]:
    """Open or close the relay and read its state. ``relay`` is where the state stands: true means closed."""
    spec = meter.commands.get(name, {})
    code = bytes.fromhex(spec.get("code", CODES[name]) + spec.get("delay", "00"))
    data = authority(meter.options) + code + valid_until(meter.options, clock.now())
    talk = Talk(meter, edition)
    silence = yield from _tell(talk, REMOTE_CONTROL, data, "remote control")
    expected = CLOSED_AFTER[name]
    closed: int | bool | str | None = None
    for _ in range(READ_BACKS):
        answer = yield from read_data(talk, relay.identifier, relay.length)
        closed, _quality = relay.take(answer, relay.at)
        if closed is expected:
            return CommandReply({relay.key: closed}, {"acknowledged": silence is None})
    if silence is not None:
        raise silence
    raise Refused(
        f"the meter accepted the command, but its relay is still {'closed' if closed else 'open'}",
        where=meter.id,
        hint="keep-power, an overdraft lock or a button at the meter may hold it",
    )


def write(meter: Meter, edition: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write one setting and compare what the meter then says."""
    point: Point | None = meter.points.get(params["entity"])
    if point is None:
        raise BadInput(f"{meter.id} has no setting {params['entity']}", where=meter.id)
    value = point.stored(params["value"])
    assert value is not None
    data = point.format.encode(value)
    talk = Talk(meter, edition)
    wire_identifier = bytes.fromhex(point.identifier)[::-1]
    silence = yield from _tell(talk, WRITE, wire_identifier + authority(meter.options) + data, "to be written")
    answer = yield from read_data(talk, point.identifier, point.length)
    written, _quality = point.take(answer, point.at)
    if answer[: len(data)] == data or point.format.decode(answer) == point.format.decode(data):
        return CommandReply({point.key: written}, {"acknowledged": silence is None})
    if silence is not None:
        raise silence
    raise Refused(f"the meter accepted {params['value']} for {point.key}, but still has {written}", where=meter.id)


def _tell(talk: Talk, control: int, data: bytes, what: str) -> Dialogue[NoAnswer | None]:
    """Send a command once; None when it was acknowledged, the ``NoAnswer`` when nothing came. Raises ``Refused``."""
    request = talk.frame(control, data.translate(PLUS_33))
    try:
        reply = yield Ask(request, talk.answers(control), tries=1, answer_bytes=13, hold=True)
    except NoAnswer as error:
        error.hint = "the command was sent once; whether it was carried out is read from the meter, never guessed"
        return error
    talk.check(reply, what)
    return None

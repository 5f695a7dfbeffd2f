"""Address and speed: what a meter is reached by. Where it then answers is what proves the change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.authority import authority, tell
from meterhub_dlt645.exchange import Talk, check_address, read_data
from meterhub_dlt645.frame import FROM_METER, PLUS_33, Frame, assemble
from meterhub_dlt645.words import SPEEDS

WRITE, WRITE_ADDRESS = 0x14, {"2007": 0x15, "1997": 0x0A}
CHANGE_SPEED = {"2007": 0x17, "1997": 0x0C}
ADDRESS = "04000401"
READ_THERE = {"2007": ADDRESS, "1997": "C032"}
"""What is read to see who answers; the number of a meter of 1997 need not be its address."""
ALONE = {"2007": "AAAAAAAAAAAA", "1997": "999999999999"}
"""Reaches whichever meter is on the line: only for one that is alone there."""
IMPOSSIBLE = (b"\x99" * 6, bytes(6))
NEXT_ADDRESS = {
    "en": "give the meter this address in the configuration",
    "zh": "请在配置中改为新地址",
    "ja": "設定ファイルのアドレスも新しいものにしてください",
}
NEXT_SPEED = {
    "en": "give the line this speed (baud) in the configuration, then read the meter",
    "zh": "请在配置中把线路改为此波特率，然后抄读电表",
    "ja": "設定ファイルの回線もこの速度にしてから検針してください",
}
"""What a person has to do then."""


def set_address(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Give the meter another address and see that it answers there; if it does not, whether it kept the old one.

    ``alone`` uses the command for the only meter on a line (no password), the one way that 1997 has; without it the
    address is written as a setting, with the password.
    """
    address = check_address(str(params["address"]))
    wire = bytes.fromhex(address)[::-1]
    if not address.isdigit() or wire in IMPOSSIBLE:
        raise BadInput(f"{address} cannot be a meter's address", where=meter.id)
    old, new = Talk(meter, edition), Talk(meter, edition, address)
    if params.get("alone"):
        head = b"\x68" + bytes.fromhex(ALONE[edition])[::-1] + b"\x68"
        request = assemble(head, WRITE_ADDRESS[edition], wire.translate(PLUS_33), edition, old.preamble)
        with suppress(NoAnswer):  # where it then answers shows what it did
            yield Ask(request, _any_answer(WRITE_ADDRESS[edition]), tries=1, answer_bytes=12, hold=True)
    elif edition == "2007":
        data = bytes.fromhex(ADDRESS)[::-1] + authority(meter.options, edition) + wire
        yield from _tell_anywhere(old, new, data)
    else:
        raise BadInput(
            "a meter of 1997 takes an address only when it is alone on its line", hint="alone", where=meter.id
        )
    try:
        yield from read_data(new, READ_THERE[edition], None)
    except NoAnswer:
        yield from read_data(old, READ_THERE[edition], None)
        raise Refused(
            f"the meter kept its address {meter.address}", where=meter.id, hint="many need a button pressed"
        ) from None
    return CommandReply(detail={"address": address, "next": NEXT_ADDRESS})


def _any_answer(control: int) -> Any:
    return lambda frame: frame.raw[8] == control | FROM_METER


def _tell_anywhere(old: Talk, new: Talk, data: bytes) -> Dialogue[None]:
    """Write the address; the meter may answer under its old one or its new one."""
    of_old, of_new = old.answers(WRITE), new.answers(WRITE)
    try:
        reply: Frame = yield Ask(
            old.frame(WRITE, data.translate(PLUS_33)),
            lambda frame: of_old(frame) or of_new(frame),
            tries=1,
            answer_bytes=13,
            hold=True,
        )
    except NoAnswer:
        return  # where it then answers shows what it did
    old.check(reply, mark("its new address"))


def set_speed(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Change the speed. The meter answers at the old one and then changes; the line has to follow."""
    word = {bits: code for code, bits in SPEEDS.items()}.get(int(params["speed"]))
    if word is None:
        raise BadInput(f"there is no speed {params['speed']}", hint="speeds: " + ", ".join(map(str, SPEEDS.values())))
    talk = Talk(meter, edition)
    silence = yield from tell(talk, CHANGE_SPEED[edition], bytes((word,)), mark("another speed"))
    if silence is not None:
        raise silence
    return CommandReply(detail={"speed": int(params["speed"]), "next": NEXT_SPEED})

"""What a technician does to a meter: clock, passwords, freezes, and clearing what it has recorded.

Every command goes out once. Where the meter can tell, what it then says is read and compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, Refused
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.authority import authority, password_of, tell
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.commands import meter_time
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.formats import parse
from meterhub_dlt645.frame import PLUS_33, assemble
from meterhub_dlt645.names import layout_of
from meterhub_dlt645.registers import write_data
from meterhub_dlt645.values import value
from meterhub_dlt645.words import OUTPUTS

BROADCAST_TIME, OUTPUT, FREEZE = 0x08, 0x1D, 0x16
CHANGE_PASSWORD = {"2007": 0x18, "1997": 0x0F}
CLEAR_DEMAND = {"2007": 0x19, "1997": 0x10}
CLEAR_METER, CLEAR_EVENTS = 0x1A, 0x1B
EVERYBODY = "999999999999"
CLOCK_ITEMS = {"2007": ("04000101", "04000102"), "1997": ("C010", "C011")}
BROADCAST_SLACK_S = 300
"""By the standard a meter follows a broadcast only when it is off by less than five minutes, and once a day."""
INSTANT_FREEZE_TIME = "05010001"
NEXT_PASSWORD = {
    "en": "make new_password the meter's password in the configuration",
    "zh": "请在配置中把 new_password 改为该表的密码",
    "ja": "設定ファイルで new_password を計器のパスワードにしてください",
}
"""What a person has to do then."""


def set_clock(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Set the clock by broadcast (no password, small corrections) or by writing; then read how far off it is."""
    talk = Talk(meter, edition)
    now = meter_time(meter.options, clock.now())
    if params.get("how", "write") == "broadcast":
        data = bytes.fromhex(now.strftime("%y%m%d%H%M%S"))[::-1].translate(PLUS_33)
        head = b"\x68" + bytes.fromhex(EVERYBODY) + b"\x68"
        yield Ask(assemble(head, BROADCAST_TIME, data, edition, talk.preamble), None)
    else:
        yield from _write_clock(talk, meter, now)
    shown = yield from _read_clock(talk)
    off_s = (
        None if shown is None else (shown - meter_time(meter.options, clock.now()).replace(tzinfo=None)).total_seconds()
    )
    if off_s is None or abs(off_s) > BROADCAST_SLACK_S:
        said = "no valid time" if shown is None else shown.isoformat()
        raise Refused(
            f"after the command the meter's clock says {said}",
            where=meter.id,
            hint="a broadcast corrects up to five minutes, once a day; write the clock instead",
        )
    detail = {"clock": shown.isoformat() if shown else None, "off_s": round(off_s)}
    return CommandReply(detail=detail | {"values": [value("off_s", "Clock off by", str(round(off_s)), "s")]})


def _write_clock(talk: Talk, meter: Meter, now: datetime) -> Dialogue[None]:
    """Date and time, or both in the one item that the option ``clock`` names."""
    known = catalogue(talk.edition)
    one = meter.options.get("clock", "")
    for identifier in (one,) if one else CLOCK_ITEMS[talk.edition]:
        layout = known.find(identifier)
        assert layout is not None
        form = layout.fields[0].format
        text = now.strftime("%Y-%m-%dT%H:%M:%S")
        part = text if form.size > 4 else text[:10] if "YY" in form.text else text[11:]
        yield from write_data(talk, meter, layout, form.encode(part))


def _read_clock(talk: Talk) -> Dialogue[datetime | None]:
    items = CLOCK_ITEMS[talk.edition]
    day = yield from read_data(talk, items[0], None)
    time = yield from read_data(talk, items[1], None)
    date_text = parse("YYMMDDWW").decode(day) if len(day) == 4 else None
    time_text = parse("hhmmss").decode(time) if len(time) == 3 else None
    return datetime.fromisoformat(f"{date_text}T{time_text}") if date_text and time_text else None


def set_password(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Change a level's password to the option ``new_password``: not a parameter, so that no record has it."""
    level = params.get("level") or meter.options.get("level", "02" if edition == "2007" else "00")
    new = meter.options.get("new_password")
    if new is None:
        raise BadInput(
            "the new password is the option new_password of the meter", where=meter.id, hint="best as !secret"
        )
    old_level = meter.options.get("level", level)
    data = _password(old_level, password_of(meter.options, old_level)) + _password(level, new)
    if edition == "2007":
        data = bytes((int(level) + 1, 0x0C, 0x00, 0x04)) + data
    silence = yield from tell(Talk(meter, edition), CHANGE_PASSWORD[edition], data, mark("another password"))
    if silence is not None:
        raise silence
    return CommandReply(detail={"level": level, "next": NEXT_PASSWORD})


def _password(level: str, password: str) -> bytes:
    return bytes.fromhex(level) + bytes.fromhex(password)[::-1]


def freeze(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Freeze now, or set when to: ``MM-DD hh:mm`` with 99 for every month, day or hour."""
    text = params.get("when", "now").strip().lower()
    digits = "99999999" if text in ("", "now") else re.sub(r"\D", "", text)
    if len(digits) != 8:
        raise BadInput(
            f"{text!r} is no time to freeze at", hint='"now", or MM-DD hh:mm such as 99-01 00:00 for each month'
        )
    talk = Talk(meter, edition)
    silence = yield from tell(talk, FREEZE, bytes.fromhex(digits)[::-1], mark("to freeze"))
    frozen_at = None
    if digits == "99999999":
        try:
            answer = yield from read_data(talk, INSTANT_FREEZE_TIME, 5)
            frozen_at = parse("YYMMDDhhmm").decode(answer) if len(answer) == 5 else None
        except Refused:
            frozen_at = None  # many meters keep no instant freezes apart
    if silence is not None and frozen_at is None:
        raise silence
    shown = [value("frozen_at", "Frozen at", str(frozen_at))] if frozen_at else []
    detail = {"freeze": digits, "frozen_at": frozen_at, "acknowledged": silence is None, "values": shown}
    return CommandReply(detail=detail)


def clear_demand(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Clear the maximum demands; needs level 04 or better at most meters."""
    return (yield from _clear(meter, edition, CLEAR_DEMAND[edition], b"", "to clear its demand"))


def clear_meter(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Clear energies, demands, freezes, events and load profile: all that a bill rests on."""
    return (yield from _clear(meter, edition, CLEAR_METER, b"", "to clear everything"))


def clear_events(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Clear all event records, or those of one kind (its identifier ends in FF then)."""
    which = params.get("events", "all").strip()
    identifier = "FFFFFFFF" if which in ("", "all") else layout_of(edition, which).identifier[:6] + "FF"
    return (yield from _clear(meter, edition, CLEAR_EVENTS, bytes.fromhex(identifier)[::-1], "to clear events"))


def _clear(meter: Meter, edition: str, control: int, tail: bytes, what: str) -> Dialogue[CommandReply]:
    silence = yield from tell(Talk(meter, edition), control, authority(meter.options, edition) + tail, what)
    if silence is not None:
        raise silence
    return CommandReply(detail={"acknowledged": True})


def set_output(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """What the multifunction output gives: second pulse, demand period or tariff switch."""
    number = {words: code for code, words in OUTPUTS.items()}.get(params["output"])
    if number is None:
        raise BadInput(f"there is no output {params['output']!r}", hint=", ".join(OUTPUTS.values()))
    silence = yield from tell(Talk(meter, edition), OUTPUT, bytes((number,)), mark("another output"))
    if silence is not None:
        raise silence
    return CommandReply(detail={"output": params["output"]})

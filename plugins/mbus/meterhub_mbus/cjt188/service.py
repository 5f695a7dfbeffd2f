"""What a technician does to a meter: clock, address, base value. Each is sent once, then read and compared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from meterhub.clock import Clock, utc
from meterhub.errors import BadFrame, BadInput, NoAnswer, Refused
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_mbus.cjt188.catalogue import READ_ADDRESS
from meterhub_mbus.cjt188.exchange import EVERYBODY, Talk, read_data, settle_order
from meterhub_mbus.cjt188.formats import parse, scaled
from meterhub_mbus.cjt188.frame import ADDRESS_BYTES, ANY_BYTE, OVERHEAD
from meterhub_mbus.cjt188.options import DEFAULT_OFFSET, check_address
from meterhub_mbus.cjt188.payload import FIRST, METERING, Item
from meterhub_mbus.cjt188.reading import items_by_key
from meterhub_mbus.cjt188.registers import tell
from meterhub_mbus.cjt188.units import CODES

WRITE, WRITE_ADDRESS, SET_BASE = 0x04, 0x15, 0x16
CLOCK, ADDRESS, NEW_ADDRESS, BASE = "A015", "810A", "A018", "A016"
ALONE = f"{ANY_BYTE:02X}" * ADDRESS_BYTES
"""Reaches whichever meter is on the line: only for one that is alone there."""
CLOCK_SLACK_S = 300
REGISTER = parse("XXXXXX.XX")
SET_SLACK = 100
"""Hundredths of a unit that may be used between setting a base value and reading it."""


def meter_time(options: Mapping[str, Any], now_ms: int) -> datetime:
    """The time of the meter's own zone, without its offset."""
    offset = options.get("utc_offset", DEFAULT_OFFSET)
    minutes = int(offset[1:3]) * 60 + int(offset[4:])
    return utc(now_ms).replace(tzinfo=None) + timedelta(minutes=-minutes if offset[0] == "-" else minutes)


def set_clock(meter: Meter, talk: Talk, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Set the clock, by broadcast to everybody or by writing; then read how far off it is.

    Meters without a clock answer with zeros or FF: then only the acknowledgement is known.
    """
    payload = parse("TIME").encode(f"{meter_time(meter.options, clock.now()):%Y-%m-%dT%H:%M:%S}")
    silence = None
    if params.get("how", "write") == "broadcast":
        everybody = Talk(_named(meter, EVERYBODY.hex()), talk.memory)
        yield Ask(everybody.frame(WRITE, CLOCK, payload), None)
    else:
        silence = yield from tell(talk, WRITE, CLOCK, payload, mark("another time"))
    reply = yield from read_data(talk, METERING)
    item = items_by_key(METERING, reply, talk.dialect).get("clock")
    shown = item.shown if item is not None else None
    if shown is None:
        if silence is not None:
            raise silence
        return CommandReply(detail={"clock": None, "verified": False})
    off_s = (datetime.fromisoformat(shown) - meter_time(meter.options, clock.now())).total_seconds()
    if abs(off_s) > CLOCK_SLACK_S:
        raise Refused(f"after the command the meter's clock says {shown}", where=meter.id)
    return CommandReply(detail={"clock": shown, "off_s": round(off_s), "verified": True})


def set_address(meter: Meter, talk: Talk, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Give the meter another address and see that it answers there; if it does not, whether it kept the old one."""
    address = check_address(str(params["address"]))
    wire = bytes.fromhex(address)[::-1]
    if ANY_BYTE in wire or wire in (EVERYBODY, bytes(ADDRESS_BYTES)):
        raise BadInput(f"{address} cannot be a meter's address", where=meter.id)
    if not params.get("alone"):
        yield from settle_order(talk)
    new = Talk(_named(meter, address), talk.memory)
    asked = Talk(_named(meter, ALONE), talk.memory) if params.get("alone") else talk
    request = asked.frame(WRITE_ADDRESS, NEW_ADDRESS, wire)
    with suppress(NoAnswer):  # where it then answers shows what it did
        reply = yield Ask(request, asked.answers(request, wire), tries=1, answer_bytes=OVERHEAD + 3, hold=True)
        asked.check(request, reply, mark("its new address"))
    try:
        yield from read_data(new, ADDRESS, READ_ADDRESS)
    except NoAnswer:
        yield from read_data(talk, ADDRESS, READ_ADDRESS)
        raise Refused(
            f"the meter kept its address {meter.address}", where=meter.id, hint="many refuse it once they are in use"
        ) from None
    return CommandReply(detail={"address": address, "next": mark("give the meter this address in the configuration")})


def set_base_value(meter: Meter, talk: Talk, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Set the register to what the mechanical counter shows, in the unit that the meter uses. Bills rest on it."""
    value = scaled(str(params["value"]), REGISTER.decimals)
    before = yield from _total(talk)
    unit = before.unit or talk.dialect.unit
    if unit not in CODES or before.decimals != REGISTER.decimals:
        raise BadInput("the meter's unit is none in which its base value can be set", where=meter.id)
    code, digits = bytes((CODES[unit],)), REGISTER.encode(value)
    payload = code + digits if talk.dialect.position == FIRST else digits + code
    silence = yield from tell(talk, SET_BASE, BASE, payload, mark("another base value"))
    after = yield from _total(talk)
    if isinstance(after.value, int) and 0 <= after.value - value <= SET_SLACK:
        detail = {"before": before.shown, "after": after.shown, "unit": unit, "acknowledged": silence is None}
        return CommandReply(detail=detail)
    if silence is not None:
        raise silence
    raise Refused(f"the meter accepted {params['value']}, but still shows {after.shown}", where=meter.id)


def _total(talk: Talk) -> Dialogue[Item]:
    """The register that a base value sets: volume, or heat."""
    reply = yield from read_data(talk, METERING)
    items = items_by_key(METERING, reply, talk.dialect)
    item = items.get("current") or items.get("current_heat")
    if item is None:
        raise BadFrame("the meter's answer holds no total", where=talk.where)
    return item


def _named(meter: Meter, address: str) -> Meter:
    """The same meter under another address."""
    named: Any = SimpleNamespace(
        id=meter.id, address=address, options=meter.options, points=meter.points, commands=meter.commands
    )
    return named  # type: ignore[no-any-return]

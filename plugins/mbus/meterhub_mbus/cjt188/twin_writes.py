"""What a simulated meter does when it is written to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from meterhub_mbus.cjt188.catalogue import catalogue
from meterhub_mbus.cjt188.formats import parse
from meterhub_mbus.cjt188.payload import FIRST, size_of
from meterhub_mbus.cjt188.units import UNITS, converted
from meterhub_mbus.cjt188.valve import CODES, VALVE_IDENTIFIER, WRITE

if TYPE_CHECKING:
    from meterhub_mbus.cjt188.simulator import Twin

FORCED = {b"\x66": True, b"\x77": False}
"""Makers' unforced commands beside 55 and 99."""


class Refusal(Exception):
    """The meter says no."""


class Command(NamedTuple):
    """What a valve command does."""

    opens: bool


def commands_of(commands: Mapping[str, Mapping[str, Any]]) -> dict[tuple[int, str], dict[bytes, Command]]:
    """The valve commands by control and identifier, then by payload: the profile's, and the standard's beside them."""
    if not set(CODES) & set(commands):
        return {}
    found = {(int(WRITE, 16), VALVE_IDENTIFIER): {code: Command(opens) for code, opens in FORCED.items()}}
    for name, usual in CODES.items():
        spec = commands.get(name, {})
        place = int(spec.get("control", WRITE), 16), spec.get("identifier", VALVE_IDENTIFIER)
        found.setdefault(place, {})[bytes.fromhex(spec.get("code", usual))] = Command(name == "meter.open_valve")
    return found


def _prices(twin: Twin, payload: bytes) -> bytes:
    row = catalogue().find("A010", twin.family)
    assert row is not None
    if len(payload) != size_of(row.request):
        raise Refusal
    at = 0
    for field in row.request:
        value = field.format.decode(payload[at : at + field.size])
        at += field.size
        if not isinstance(value, int):
            raise Refusal
        if field.key in twin.state.prices:
            twin.state.prices[field.key] = value
    return twin.status()


def _day(name: str) -> Callable[[Twin, bytes], bytes]:
    def write(twin: Twin, payload: bytes) -> bytes:
        day = parse("DAY").decode(payload) if len(payload) == 1 else None
        if day is None:
            raise Refusal
        setattr(twin.state, name, day)
        return b""

    return write


def _purchase(back: bool) -> Callable[[Twin, bytes], bytes | None]:
    def write(twin: Twin, payload: bytes) -> bytes | None:
        if twin.purse is None:
            return None
        if not twin.purse.book(payload, back):
            raise Refusal
        return payload

    return write


def _key(twin: Twin, payload: bytes) -> bytes:
    if len(payload) != 9:
        raise Refusal
    twin.state.key_version = payload[0]
    return payload[:1]


def _clock(twin: Twin, payload: bytes) -> bytes:
    moment = parse("TIME").decode(payload) if len(payload) == 7 else None
    if moment is None:
        raise Refusal
    twin.state.set_clock(str(moment))
    return b""


def _base_value(twin: Twin, payload: bytes) -> bytes:
    code, digits = (payload[:1], payload[1:]) if twin.dialect.position == FIRST else (payload[-1:], payload[:-1])
    value = parse("XXXXXX.XX").decode(digits) if len(payload) == 5 else None
    unit = UNITS.get(code[0]) if code else None
    if twin.locked or not isinstance(value, int) or unit is None:
        raise Refusal
    wanted_ml = converted(value, 2 - unit.tens, unit.word, "L", 3)
    if wanted_ml is None:
        raise Refusal
    twin.state.base_ml += int(wanted_ml * twin.dialect.volume_factor) - twin.state.volume_ml()
    return twin.status()


def _address(twin: Twin, payload: bytes) -> bytes:
    if twin.locked or len(payload) != 7:
        raise Refusal
    twin.readdress(payload)
    return b""


def _enable(twin: Twin, payload: bytes) -> bytes:
    twin.locked = True
    return b""


def _nothing(twin: Twin, payload: bytes) -> bytes:
    return b""


WRITES: Mapping[tuple[int, str], Callable[[Twin, bytes], bytes | None]] = {
    (0x04, "A010"): _prices,
    (0x04, "A011"): _day("settlement_day"),
    (0x04, "A012"): _day("reading_day"),
    (0x04, "A013"): _purchase(False),
    (0x04, "A014"): _key,
    (0x04, "A015"): _clock,
    (0x16, "A016"): _base_value,
    (0x15, "A018"): _address,
    (0x04, "A019"): _enable,
    (0x04, "A0EC"): _purchase(True),
    **{(0x04, f"A10{number}"): _nothing for number in range(1, 8)},
}

"""What a profile or a meter may say of its dialect, and the same compiled once per meter."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import voluptuous as vol

from meterhub.config import types
from meterhub.errors import ConfigError
from meterhub.texts import mark
from meterhub_mbus.cjt188.frame import HIGH, LOW
from meterhub_mbus.cjt188.payload import AUTO, FIRST, LAST
from meterhub_mbus.cjt188.status import STATES, StatusBits, bits_of
from meterhub_mbus.cjt188.units import FACTORS

DEFAULT_PREAMBLE = 4
DEFAULT_OFFSET = "+08:00"
COUNTING, NONE = "count", "none"
CODINGS = ("bcd", "binary-high", "binary-low")


LEAST_FACTOR, MOST_FACTOR = Decimal("0.000001"), 1_000_000


def _hex(least_bytes: int, most_bytes: int, needed: str) -> Any:
    """A validator of hex text of so many bytes."""

    def convert(value: Any) -> str:
        text = str(value).upper()
        if not 2 * least_bytes <= len(text) <= 2 * most_bytes or len(text) % 2 or set(text) - set("0123456789ABCDEF"):
            raise vol.Invalid(f"{needed} {'is' if most_bytes == 1 else 'are'} needed, in hex")
        return text

    return convert


def _serial(value: Any) -> str:
    if value in (COUNTING, NONE):
        return str(value)
    return str(_hex(1, 1, "count, none or one byte")(value))


def _states(value: Any) -> tuple[str, ...]:
    words = tuple(str(value).split())
    if len(words) not in (2, 4) or set(words) - set(STATES):
        raise vol.Invalid("two or four words are needed, by code, out of " + ", ".join(STATES))
    return words


OPTIONS: dict[Any, Any] = {
    vol.Optional("meter_type", description="T: 10 cold water, 11 hot water, 20 heat, 30 gas …; 10"): _hex(
        1, 1, "a byte"
    ),
    vol.Optional("edition", description="2004 or 2018; 2004"): types.choice("2004", "2018"),
    vol.Optional("identifier_order", description="byte of an identifier sent first; auto"): types.choice(
        AUTO, HIGH, LOW
    ),
    vol.Optional("serial", description="count, none, or a fixed byte such as AA; count"): _serial,
    vol.Optional("strict_serial", description="an answer must repeat the number; false"): types.boolean(),
    vol.Optional("preamble", description=f"FE bytes sent before each frame; {DEFAULT_PREAMBLE}"): types.whole(0, 16),
    vol.Optional("unit_position", description="place of a unit's code: auto, first or last; auto"): types.choice(
        AUTO, FIRST, LAST
    ),
    vol.Optional("unit", description="unit of totals sent without a known code, such as m³"): types.choice(*FACTORS),
    vol.Optional("volume_factor", description="what volumes are multiplied by; 1"): types.decimal(
        LEAST_FACTOR, MOST_FACTOR
    ),
    vol.Optional("valve_at", description="first bit of the valve's state; 0"): types.whole(0, 14),
    vol.Optional("valve_states", description="its states by code; open closed unknown fault"): _states,
    vol.Optional("battery_at", description="bit of a low battery; 2"): types.whole(0, 15),
    vol.Optional("utc_offset", description="the meter's own time zone; +08:00"): vol.Match(
        r"^[+-]\d\d:\d\d$", msg="an offset such as +08:00 is expected"
    ),
}

COMMAND_OPTIONS: dict[Any, Any] = {
    vol.Optional("control", description="control byte in place of the standard's"): _hex(1, 1, "a byte"),
    vol.Optional("identifier", description="identifier in place of the standard's, such as 461C"): _hex(
        2, 2, "two bytes"
    ),
    vol.Optional("code", description="what is written: 55 open, 99 close; further bytes where a maker wants them"): (
        _hex(1, 8, "bytes")
    ),
    vol.Optional("valve", description="entity that shows the state; valve"): types.key(),
    vol.Optional("motor", description="how long the motor may take; 60s"): types.seconds(1, 90),
    vol.Optional("coding", description="how an amount is written; bcd"): types.choice(*CODINGS),
    vol.Optional("decimals", description="decimals of an amount; 2"): types.whole(0, 4),
    vol.Optional("restart", description="purchase number after 255: 0 or 1; 0"): types.whole(0, 1),
}


class Dialect(NamedTuple):
    """The options of one meter, compiled."""

    meter_type: int
    edition: str
    order: str
    preferred_order: str
    serial: str
    strict_serial: bool
    preamble: int
    position: str
    unit: str
    volume_factor: Fraction
    status: StatusBits


def dialect_of(options: Mapping[str, Any]) -> Dialect:
    """Compile the options of a meter; those that it lacks are the standard's."""
    order = options.get("identifier_order", AUTO)
    edition = options.get("edition", "2004")
    usual = LOW if edition == "2018" else HIGH
    return Dialect(
        int(options.get("meter_type", "10"), 16),
        edition,
        order,
        usual if order == AUTO else order,
        options.get("serial", COUNTING),
        options.get("strict_serial", False),
        options.get("preamble", DEFAULT_PREAMBLE),
        options.get("unit_position", AUTO),
        options.get("unit", ""),
        Fraction(options.get("volume_factor", 1)),
        bits_of(options),
    )


def check_address(text: str) -> str:
    """14 digits, high byte first; shorter ones are padded with zeros on the left. Raises ``ConfigError``.

    Hex digits are taken, because some makers number so; AA bytes are placeholders.
    """
    address = text.strip().upper()
    if not 0 < len(address) <= 14 or set(address) - set("0123456789ABCDEF"):
        raise ConfigError(
            mark(f"a CJ/T 188 address has up to 14 digits, not {text!r}"), hint=mark('such as "00112233445566"')
        )
    return address.zfill(14)

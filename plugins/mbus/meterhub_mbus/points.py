"""Points: which record of a readout an entity shows, as a profile says under ``point:``, compiled once.

A record is named by what it is (``{quantity: volume, storage: 1}``), never by its place, because meters of one model
send different lists. ``{field: status, bit: 3}`` is part of the header, ``{field: others}`` everything that no other
point of the profile shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import voluptuous as vol

from meterhub.config import types
from meterhub.errors import ConfigError
from meterhub_mbus.dif import FUNCTIONS
from meterhub_mbus.head import Value
from meterhub_mbus.header import Header
from meterhub_mbus.lvar import shown
from meterhub_mbus.record import Record

INSTANTANEOUS = FUNCTIONS[0]
ALARM, OTHERS = "alarm", "others"
BOOLEAN_KINDS = ("switch", "boolean", "valve")
HEADER_FIELDS = ("status", "access", "medium", "manufacturer", "id", "version")
CONVERSIONS = {
    ("J", "kJ"): -3,
    ("J", "MJ"): -6,
    ("J", "GJ"): -9,
    ("kWh", "MWh"): -3,
    ("kWh", "Wh"): 3,
    ("W", "kW"): -3,
    ("m³", "L"): 3,
    ("m³/h", "L/h"): 3,
    ("V", "mV"): 3,
    ("A", "mA"): 3,
}
"""From the unit of a record to that of a profile: the power of ten."""

StateValue = int | bool | str | None


def _hex_code(value: Any) -> str:
    """A validator of bytes in hex."""
    text = str(value).upper()
    if not text or len(text) % 2 or set(text) - set("0123456789ABCDEF"):
        raise vol.Invalid("bytes in hex are expected, such as FD17")
    return text


POINT_SCHEMA: dict[Any, Any] = {
    vol.Optional("quantity", description="what the record is: volume, energy, flow_temperature …"): types.text(40),
    vol.Optional("unit", description="unit of the entity, where it is not the record's own"): types.text(12),
    vol.Optional("storage", description="storage number; 0: now"): types.whole(0, 2**41 - 1),
    vol.Optional("tariff", description="tariff; 0: all together"): types.whole(0, 2**20),
    vol.Optional("device", description="sub-unit; 0"): types.whole(0, 1023),
    vol.Optional("function", description="which value of its kind; instantaneous"): types.choice(*FUNCTIONS),
    vol.Optional("modifiers", description="words of the VIFEs that must be there, all and in order"): [str],
    vol.Optional("index", description="which one of several that are alike, from 0"): types.whole(0, 100),
    vol.Optional("code", description="VIF and VIFEs in hex, for a maker's own records"): _hex_code,
    vol.Optional("exponent", description="power of ten by which the number is multiplied"): vol.All(
        vol.Coerce(int), vol.Range(-12, 12)
    ),
    vol.Optional("bit", description="bit of a number, as true or false"): types.whole(0, 63),
    vol.Optional("width", description="several bits from that one on, as a number"): types.whole(1, 32),
    vol.Optional("invert", description="true where the bit is 0"): types.boolean(),
    vol.Optional("field", description="part of the header, alarm, or others"): types.choice(
        *HEADER_FIELDS, ALARM, OTHERS
    ),
    vol.Optional("optional", description="a meter may leave it out: then it is no error, but unknown"): types.boolean(),
    vol.Optional("write", description="DIF and VIF in hex that write it"): _hex_code,
}

Key = tuple[str | None, int | None, int | None, int | None, str]
"""What records are told apart by: quantity, storage, tariff, device, function."""


def key_of(record: Record) -> Key:
    """The key of a record."""
    head = record.head
    return (head.quantity, head.storage, head.tariff, head.device, head.function)


class Point:
    """One compiled point; ``field`` is "" for a record. ``write`` is the head of the record that writes it, or b''."""

    __slots__ = (
        "bit",
        "code",
        "exponent",
        "field",
        "index",
        "invert",
        "key",
        "mask",
        "modifiers",
        "name",
        "number",
        "optional",
        "scale",
        "unit",
        "write",
    )

    def __init__(self, name: str, spec: Mapping[str, Any], kind: str, scale: int) -> None:
        self.name = name
        self.field: str = spec.get("field", "")
        self.key: Key = (
            spec.get("quantity"),
            spec.get("storage", 0),
            spec.get("tariff", 0),
            spec.get("device", 0),
            spec.get("function", INSTANTANEOUS),
        )
        self.modifiers = tuple(spec.get("modifiers", ()))
        self.index: int = spec.get("index", 0)
        self.code: str = spec.get("code", "")
        self.unit: str | None = spec.get("unit")
        self.exponent: int = spec.get("exponent", 0)
        self.bit: int = spec.get("bit", -1)
        self.mask = (1 << spec.get("width", 1)) - 1
        self.invert: bool = spec.get("invert", False)
        self.number = kind in ("number", "money")
        self.scale = scale
        self.optional: bool = spec.get("optional", False)
        self.write = bytes.fromhex(spec.get("write", ""))

    def fits(self, record: Record) -> bool:
        """Whether a record with this point's key is what it names."""
        head = record.head
        if self.code and head.code != self.code:
            return False
        return head.modifiers == self.modifiers and self.shift_from(head.unit) is not None

    def shift_from(self, unit: str | None) -> int | None:
        """The power of ten from a record's unit to the point's; None when they have nothing to do with each other."""
        if self.unit is None or self.unit == unit:
            return 0
        return CONVERSIONS.get((unit or "", self.unit))

    def take(self, record: Record) -> tuple[StateValue, str]:
        """The value of a record that fits, as the entity stores it, with its quality."""
        return self.store(record.value, (self.shift_from(record.head.unit) or 0) + self.exponent)

    def store(self, value: Value, shift: int = 0) -> tuple[StateValue, str]:
        """A value in the entity's scale; None and ``invalid`` where there is none."""
        if value is None:
            return None, "invalid"
        if not isinstance(value, Decimal):
            return (value.isoformat() if isinstance(value, date) else shown(str(value))), "good"
        if self.bit >= 0:
            number = int(value) >> self.bit & self.mask
            return (str(number) if self.mask > 1 else bool(number) != self.invert), "good"
        if self.number:
            return int(value.scaleb(shift + self.scale).to_integral_value(ROUND_HALF_EVEN)), "good"
        return format(value.scaleb(shift), "f"), "good"

    def take_header(self, header: Header) -> tuple[StateValue, str]:
        """The part of the header that the point names."""
        value = getattr(header, self.field)
        if isinstance(value, int):
            return self.store(Decimal(value))
        return (None, "invalid") if value is None else (str(value), "good")


def compile_point(name: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
    """The point of the entity ``name``; raises ``ConfigError`` for one that names nothing or two things."""
    if sum(key in spec for key in ("quantity", "field")) != 1:
        raise ConfigError(f"point of {name}: either quantity or field is expected")
    if spec.get("bit") is None and kind in BOOLEAN_KINDS:
        raise ConfigError(f"point of {name}: a {kind} says which bit it is")
    if spec.get("field") == OTHERS and kind != "text":
        raise ConfigError(f"point of {name}: others are shown as kind: text")
    return Point(name, spec, kind, scale)

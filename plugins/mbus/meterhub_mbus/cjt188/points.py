"""Points: what a profile says under ``point:`` of an entity, compiled once.

A point names an identifier and a field of its answer (``{id: "901F", field: current}``); beside the catalogue's fields
there are ``valve`` and ``battery_low`` of a status. For makers' identifiers it names byte and format instead
(``{id: "8108", at: 0, format: "XXXX.XX"}``).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import voluptuous as vol

from meterhub.config import types
from meterhub.errors import BadInput, ConfigError
from meterhub_mbus.cjt188.catalogue import READ, WRITES, Field, catalogue
from meterhub_mbus.cjt188.formats import Format, parse, scaled
from meterhub_mbus.cjt188.options import LEAST_FACTOR, MOST_FACTOR, Dialect
from meterhub_mbus.cjt188.payload import Item
from meterhub_mbus.cjt188.status import CLOSED, OPEN
from meterhub_mbus.cjt188.units import FACTORS, USUAL, converted

VALVE, BATTERY, STATUS = "valve", "battery_low", "status"
BOOLEANS = ("switch", "valve", "boolean")
NOTHING: tuple[None, str] = (None, "invalid")

POINT_SCHEMA: dict[Any, Any] = {
    vol.Required("id", description="identifier in hex, high byte first"): types.text(4),
    vol.Optional("field", description="field of its answer, such as current, settlement, clock, valve"): types.key(),
    vol.Optional("bit", description="with field status: bit 0 to 15 as true or false"): types.whole(0, 15),
    vol.Optional("invert", description="true where the bit is 0"): types.boolean(),
    vol.Optional("unit", description="unit to convert to; kWh, kW, m³, m³/h"): types.choice(*FACTORS),
    vol.Optional("factor", description="what the value is multiplied by; 1"): types.decimal(LEAST_FACTOR, MOST_FACTOR),
    vol.Optional("at", description="with format: the byte behind the serial number where the value begins"): (
        types.whole(0, 250)
    ),
    vol.Optional("format", description="format where the catalogue knows no field"): types.text(20),
    vol.Optional("control", description="control byte of the question; 01"): types.text(2),
}

Answer = tuple[int | bool | str | None, str]


class Point:
    """Where one value stands. ``control`` is that of the question; ``form`` is set instead of a field's name."""

    __slots__ = (
        "at",
        "bit",
        "control",
        "factor",
        "field",
        "form",
        "identifier",
        "invert",
        "is_boolean",
        "is_text",
        "key",
        "scale",
        "unit",
    )

    def __init__(self, key: str, spec: Mapping[str, Any], kind: str, scale: int, control: int) -> None:
        self.key = key
        self.identifier: str = spec["id"].upper()
        self.control = control
        self.field: str = spec.get("field", "")
        self.bit: int = spec.get("bit", -1)
        self.invert: bool = spec.get("invert", False)
        self.unit: str = spec.get("unit", "")
        self.factor = Fraction(spec.get("factor", 1))
        self.at: int = spec.get("at", 0)
        self.form: Format | None = None
        self.scale = scale
        self.is_boolean = kind in BOOLEANS
        self.is_text = kind in ("text", "clock")

    def take(self, items: Mapping[str, Item], payload: bytes, dialect: Dialect) -> Answer:
        """The value in an answer and its quality; None and ``invalid`` when there is none."""
        if self.form is not None:
            return self._from_bytes(payload, self.form)
        if self.field in (VALVE, BATTERY, STATUS):
            status = items.get(STATUS)
            return NOTHING if status is None else self._from_status(status.raw, dialect)
        item = items.get(self.field)
        if item is None or item.value is None:
            return NOTHING
        if self.is_text or isinstance(item.value, str):
            return item.shown, "good"
        return self._number(item.value, item.decimals, item.field, item.unit, dialect)

    def stored(self, shown: str | bool) -> str:
        """A value as people write it, for a write; raises ``BadInput`` where the meter cannot be told."""
        if self.identifier not in WRITES or isinstance(shown, bool):
            raise BadInput(f"{self.key} cannot be written", hint="settlement and meter-reading day can")
        return shown

    def _number(self, value: int, decimals: int, field: Field, unit: str | None, dialect: Dialect) -> Answer:
        factor = self.factor * (dialect.volume_factor if field.quantity == "volume" else 1)
        if not field.quantity:
            return int(value * factor * Fraction(10) ** (self.scale - decimals) // 1), "good"
        word = unit or dialect.unit
        target = self.unit or USUAL[FACTORS[word][0]] if word else ""
        value, decimals = _times(value, decimals, factor)
        found = converted(value, decimals, word, target, self.scale) if word else None
        return NOTHING if found is None else (found, "good")

    def _from_bytes(self, payload: bytes, form: Format) -> Answer:
        part = payload[self.at : self.at + form.size]
        value = form.decode(part) if len(part) == form.size else None
        if value is None:
            return NOTHING
        if self.bit >= 0:
            return bool(int.from_bytes(part, "little") >> self.bit & 1) != self.invert, "good"
        if isinstance(value, str) or self.is_text:
            return form.show(value), "good"
        return int(value * self.factor * Fraction(10) ** (self.scale - form.decimals) // 1), "good"

    def _from_status(self, raw: bytes, dialect: Dialect) -> Answer:
        if self.field == BATTERY:
            return dialect.status.battery_low(raw), "good"
        if self.field == VALVE:
            state = dialect.status.valve(raw)
            if not self.is_boolean:
                return (state, "good") if state is not None else NOTHING
            return (state == OPEN, "good") if state in (OPEN, CLOSED) else NOTHING
        if self.bit >= 0:
            return bool(int.from_bytes(raw, "little") >> self.bit & 1) != self.invert, "good"
        return raw.hex().upper(), "good"


def _times(value: int, decimals: int, factor: Fraction) -> tuple[int, int]:
    """A value times an exact factor, with as many more decimals as the factor has."""
    while factor.denominator != 1 and decimals < 12:
        factor, decimals = factor * 10, decimals + 1
    return int(value * factor), decimals


def compile_point(key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
    """The point of the entity ``key``; raises ``ConfigError`` for an identifier or a field that does not exist."""
    identifier = spec["id"].upper()
    if len(identifier) != 4 or set(identifier) - set("0123456789ABCDEF"):
        raise ConfigError(f"point of {key}: an identifier has 4 hex digits, not {spec['id']!r}")
    point = Point(key, spec, kind, scale, _control(key, identifier, spec))
    if "format" in spec:
        try:
            point.form = parse(spec["format"])
        except ValueError as error:
            raise ConfigError(f"point of {key}: {error}", hint="such as XXXXXX.XX, UINT16BE, TIME, HEX2") from None
        return point
    field = _field(key, identifier, point.field)
    if field is not None and not field.quantity and field.format.decimals > scale and not point.is_text:
        raise ConfigError(f"{key}: {field.key} has {field.format.decimals} decimals; give the entity that scale")
    return point


def _control(key: str, identifier: str, spec: Mapping[str, Any]) -> int:
    if "control" in spec:
        try:
            return bytes.fromhex(spec["control"])[0]
        except (ValueError, IndexError):
            raise ConfigError(f"point of {key}: a control byte is two hex digits, not {spec['control']!r}") from None
    row = catalogue().find(identifier, "water")
    return row.control if row is not None and row.control < 0x10 and identifier[0] != "A" else READ


def _field(key: str, identifier: str, name: str) -> Field | None:
    """The field that a point names, None for parts of a status; raises ``ConfigError`` with those there are."""
    rows = [catalogue().find(identifier, family) for family in ("water", "heat")]
    fields = {field.key: field for row in rows if row is not None for field in row.answer}
    if name in (VALVE, BATTERY) and STATUS in fields:
        return None
    if name not in fields:
        known = ", ".join(fields) or "none; say format: to read it all the same"
        raise ConfigError(f"point of {key}: {identifier} has no field {name!r}", hint=f"fields: {known}")
    return fields[name]


def encode_fields(fields: tuple[Field, ...], text: str, unit_code: int) -> bytes:
    """The payload of a write; the values of several fields stand behind each other, with commas. ``BadInput``."""
    parts = [one.strip() for one in text.split(",")] if fields else []
    if len(parts) != len(fields):
        names = ", ".join(field.name for field in fields)
        raise BadInput(f"{len(fields)} values are needed and {len(parts)} are given", hint=f"in order: {names}")
    data = b""
    for field, part in zip(fields, parts, strict=True):
        form = field.format
        is_number = form.text.startswith(("X", "UINT", "DAY"))
        data += form.encode(scaled(part, form.decimals) if is_number else part)
        data += bytes((unit_code,)) if field.quantity else b""
    return data

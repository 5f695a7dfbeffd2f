"""Payloads: which items the bytes behind identifier and serial number hold.

The layout follows from identifier and meter type, and is checked by the length. Answers that makers cut short or
extend are understood where the length tells how; otherwise their bytes are kept as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from meterhub_mbus.cjt188.catalogue import READ, READS, Field, Fields, catalogue, family_of
from meterhub_mbus.cjt188.formats import Value, parse, with_point
from meterhub_mbus.cjt188.frame import FUNCTION, Frame
from meterhub_mbus.cjt188.units import UNITS

AUTO, LAST, FIRST = "auto", "last", "first"
"""Where the unit's code stands: told by which places hold a code, behind the value, before it."""
METERING = "901F"


@dataclass(frozen=True, slots=True)
class Item:
    """One decoded item. ``value`` is a scaled int or text, None when the bytes hold none; ``raw`` are its bytes.

    ``decimals`` counts the power of ten of the unit's code in, and is negative for a code such as m³ x 100.
    """

    field: Field
    value: Value
    decimals: int
    unit: str | None
    raw: bytes

    @property
    def shown(self) -> str | None:
        """The value as decimal string or text."""
        if isinstance(self.value, int):
            return with_point(self.value, self.decimals)
        return None if self.value is None else self.field.format.show(self.value)


def decode_payload(
    identifier: str | None, meter_type: int, from_meter: bool, payload: bytes, position: str = AUTO
) -> list[Item]:
    """The items of a payload, in order; bytes that no layout explains come last, as ``rest``. Never raises."""
    fields = layout_of(identifier, meter_type, from_meter, payload)
    known = b"".join([payload[: size_of(fields)]])
    items = list(_items(fields, known, unit_position(fields, known) if position == AUTO else position))
    rest = payload[len(known) :]
    if rest:
        field = Field("rest", "Further bytes", "其他数据", parse("HEX1"))
        items.append(Item(field, rest.hex().upper(), 0, None, rest))
    return items


def split(frame: Frame) -> tuple[int | None, bytes]:
    """Serial number and payload of a frame. A few makers leave the number out: then the length only fits without it."""
    serial, payload = frame.serial, frame.payload
    identifier, whole = frame.identifier, frame.data[2:]
    if frame.refused or identifier is None or layout_of(identifier, frame.meter_type, frame.from_meter, payload):
        return serial, payload
    row = catalogue().find(identifier, family_of(frame.meter_type))
    fields = () if row is None else row.answer if frame.from_meter else row.request
    is_write = row is not None and row.control not in READS and frame.control & FUNCTION != READ
    if fields and len(whole) == size_of(fields) and (frame.from_meter or is_write):
        return None, whole
    return serial, payload


def layout_of(identifier: str | None, meter_type: int, from_meter: bool, payload: bytes) -> Fields:
    """The fields that a payload holds; none where its length contradicts all that is known."""
    family, size = family_of(meter_type), len(payload)
    row = catalogue().find(identifier, family)
    if row is None or not size:
        return ()
    if identifier == METERING and from_meter:
        other = catalogue().find(identifier, "water" if family == "heat" else "heat")
        if other is not None and size == size_of(other.answer):
            return other.answer
        if family == "water" and size != size_of(row.answer):
            row = replace(row, answer=_short(size, payload) or row.answer)
    fields = row.answer if from_meter else row.request
    if from_meter and row.control not in READS and size <= 2 and size != size_of(fields):
        return _status(size)  # a write may be answered with a status, of one byte or two
    return _whole(fields, size)


def size_of(fields: Sequence[Field]) -> int:
    """Bytes on the wire."""
    return sum(field.size for field in fields)


def _whole(fields: Fields, size: int) -> Fields:
    """The fields that end exactly where the payload does, or all where it is longer."""
    for count in range(len(fields), 0, -1):
        if size_of(fields[:count]) == size or (count == len(fields) and size_of(fields) < size):
            return fields[:count]
    return ()


def _short(size: int, payload: bytes) -> Fields:
    """What makers of water meters answer in place of the standard's 19 bytes: only a total, with or without unit."""
    known = catalogue()
    current, settlement = known.field("current"), known.field("settlement")
    bare = replace(current, quantity="")
    unit = UNITS.get(payload[4]) if size > 4 else None
    has_unit = unit is not None and unit.quantity == "volume"
    status = _status(2)
    return {
        4: (bare,),
        6: (current,) if has_unit else (bare, *status),
        7: (current, *status),
        12: (current, settlement, *status),
    }.get(size, ())


def _status(size: int) -> Fields:
    return (replace(catalogue().field("status"), format=parse(f"HEX{size}")),)


def unit_position(fields: Sequence[Field], payload: bytes) -> str:
    """Whether the codes stand behind the values or before them.

    Before them only where nearly all codes there fit their quantities and fewer do behind; of a single value the code
    must be one that cannot be the low digits of a value.
    """
    behind = before = asked = certain = at = 0
    for field in fields:
        if field.quantity and at + field.size <= len(payload):
            asked += 1
            behind += _fits(field, payload[at + field.size - 1])
            before += _fits(field, payload[at])
            certain += _fits(field, payload[at]) and not f"{payload[at]:02X}".isdigit()
        at += field.size
    enough = asked > 1 or certain
    return FIRST if enough and before >= max(asked - 1, min(asked, 2)) and before > behind else LAST


def _fits(field: Field, code: int) -> bool:
    unit = UNITS.get(code)
    return unit is not None and (unit.quantity == field.quantity or (field.quantity == "volume" and code < 0x14))


def _items(fields: Fields, payload: bytes, position: str) -> Iterator[Item]:
    at = 0
    for field in fields:
        raw = payload[at : at + field.size]
        at += field.size
        form = field.format
        if not field.quantity:
            yield Item(field, form.decode(raw), form.decimals, field.unit or None, raw)
            continue
        code, part = (raw[0], raw[1:]) if position == FIRST else (raw[-1], raw[:-1])
        unit = UNITS.get(code)
        decimals = form.decimals - (unit.tens if unit is not None else 0)
        yield Item(field, form.decode(part), decimals, None if unit is None else unit.word, raw)

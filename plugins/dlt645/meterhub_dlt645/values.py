"""Items of a data field as the entries that ``decode`` prints: ``key``, ``name``, ``value``, ``unit``, ``valid``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meterhub_dlt645.catalogue import Field, Layout, catalogue
from meterhub_dlt645.formats import parse
from meterhub_dlt645.load_profile import records

PASSWORD_ITEMS = ("04000C", "C212")
"""Identifiers (or their beginning) of passwords: a level byte and three secret bytes."""
MAKERS_OWN = ("001D0000",)
"""Identifiers that makers use in another way, told by the length of the answer."""
END_OF_BLOCK = 0xAA


def value(key: str, name: str, text: str | None, unit: str = "") -> dict[str, Any]:
    """One entry of ``values``; None as text is no value."""
    return {"key": key, "name": name, "value": text, "unit": unit or None, "valid": text is not None}


def field_values(field: Field, data: bytes, whole: bool = True) -> Iterator[dict[str, Any]]:
    """The entry of one item, and one for each of its known bits."""
    decoded = field.format.decode(data) if whole and len(data) == field.format.size else None
    if decoded is None:
        yield value(field.key, field.name, None, field.unit)
        return
    yield value(field.key, field.name, field.format.show(decoded), field.unit)
    if isinstance(decoded, int):
        for bit in field.bits:
            yield value(f"{field.key}_{bit.key}", f"{field.name}: {bit.name}", bit.value(decoded))


def layout_values(layout: Layout, data: bytes) -> Iterator[dict[str, Any]]:
    """The items of an identifier's data; what does not fit its layout is not valid."""
    if layout.identifier.startswith(MAKERS_OWN):
        layout = catalogue("2007").sized(layout, len(data))
    if layout.kind == "raw" and data:
        yield value(layout.key, layout.name, data.hex().upper())
    elif layout.kind == "load":
        yield from load_values(layout, data)
    elif layout.kind == "joined":
        yield from joined_values(layout, data)
    elif layout.kind == "fields" and layout.identifier.startswith(PASSWORD_ITEMS):
        yield value(layout.key, layout.name, "********")
    elif layout.kind == "fields" and data:
        if layout.repeats and layout.size and len(data) % layout.size == 1 and data[-1] == END_OF_BLOCK:
            data = data[:-1]  # some meters end a block so
        if len(data) != layout.size and not layout.repeats and not layout.members:
            data = b""  # neither this item nor this record: nothing can be told from it
        if not data or (len(layout.fields) == 1 and not layout.fits(len(data))):
            yield from (value(field.key, field.name, None, field.unit) for field in layout.fields)
            return
        for field, at in layout.items(len(data)):
            yield from field_values(field, data[at : at + field.format.size])


def load_values(layout: Layout, data: bytes) -> Iterator[dict[str, Any]]:
    """All items of all load records; the keys of a second record end in ``_2``."""
    for number, (whole, items) in enumerate(records(data, int(layout.identifier[2:4], 16)), 1):
        for field, part in items:
            for one in field_values(field, part, whole or field.key == "time"):
                if number > 1:
                    one["key"] += f"_{number}"
                    one["name"] += f", record {number}"
                yield one


def joined_values(layout: Layout, data: bytes) -> Iterator[dict[str, Any]]:
    """The blocks of a group of 1997 (``90FF`` is ``901F``, ``902F`` …), each ended by AA."""
    for number, part in enumerate(data.split(bytes((END_OF_BLOCK,))), 1):
        block = catalogue("1997").find(f"{layout.identifier[:2]}{number:X}F") if number < 15 else None
        if block is None or not part:
            return
        yield from layout_values(block, part)


def moment(key: str, name: str, form: str, data: bytes) -> Iterator[dict[str, Any]]:
    """A time of ``data``, if it is one."""
    decoded = parse(form).decode(data) if len(data) == len(form) // 2 else None
    yield value(key, name, None if decoded is None else str(decoded))

"""Items of a data field as the entries that ``decode`` prints.

Each has ``key``, ``name``, ``name_zh``, ``value``, ``unit`` and ``valid``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meterhub_dlt645.catalogue import Field, Layout, catalogue
from meterhub_dlt645.chinese import in_chinese
from meterhub_dlt645.formats import parse
from meterhub_dlt645.load_profile import records

PASSWORD_ITEMS = ("04000C", "C212")
"""Identifiers (or their beginning) of passwords: a level byte and three secret bytes."""
END_OF_BLOCK = b"\xaa"
FREEZE_ITEMS = (*range(0x0B), 0x10)
"""What a freeze holds, in the order of its block: time, energies, demands, powers."""


def value(key: str, name: str, text: str | None, unit: str = "", name_zh: str = "") -> dict[str, Any]:
    """One entry of ``values``; None as text is no value."""
    found = {"key": key, "name": name, "name_zh": name_zh or in_chinese(name), "value": text, "unit": unit or None}
    return found | {"valid": text is not None}


def field_value(field: Field, text: str | None) -> dict[str, Any]:
    """The entry of one item."""
    return value(field.key, field.name, text, field.unit, field.name_zh)


def field_values(field: Field, data: bytes, whole: bool = True) -> Iterator[dict[str, Any]]:
    """The entry of one item, and one for each of its known bits."""
    decoded = field.format.decode(data) if whole and len(data) == field.format.size else None
    if decoded is None:
        yield field_value(field, None)
        return
    yield field_value(field, field.format.show(decoded))
    if isinstance(decoded, int):
        for bit in field.bits:
            name_zh = f"{field.name_zh}：{bit.name_zh}"
            yield value(f"{field.key}_{bit.key}", f"{field.name}: {bit.name}", bit.value(decoded), name_zh=name_zh)


def layout_values(layout: Layout, data: bytes, follows: bool = False) -> Iterator[dict[str, Any]]:
    """The items of an identifier's data; what does not fit its layout is not valid.

    ``follows``: the data are the first part of more, and the items that are whole in it count.
    """
    layout = catalogue("2007").sized(layout, len(data))
    if layout.kind == "raw" and data:
        yield value(layout.key, layout.name, data.hex().upper(), name_zh=layout.name_zh)
    elif layout.kind == "load":
        yield from load_values(layout, data)
    elif layout.kind == "joined":
        yield from joined_values(layout, data)
    elif layout.kind == "fields" and layout.identifier.startswith(PASSWORD_ITEMS):
        yield value(layout.key, layout.name, "********", name_zh=layout.name_zh)
    elif layout.kind == "fields" and data:
        yield from item_values(layout, data, follows)


def item_values(layout: Layout, data: bytes, follows: bool) -> Iterator[dict[str, Any]]:
    """The items of known formats; of data that are neither this item nor this record nothing can be told."""
    if layout.repeats and len(data) % layout.size == 1 and data.endswith(END_OF_BLOCK):
        data = data[:-1]  # some meters end a block so
    several = len(layout.fields) > 1 and (layout.members or layout.repeats)
    if not (several or follows or layout.fits(len(data))):
        yield from (field_value(field, None) for field in layout.fields)
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
                    one["name_zh"] += f" 第{number}条"
                yield one


def joined_values(layout: Layout, data: bytes) -> Iterator[dict[str, Any]]:
    """Blocks in one answer, each ended by AA, which is no BCD. A freeze without all of its items is told as bytes."""
    parts = data.removesuffix(END_OF_BLOCK).split(END_OF_BLOCK)
    edition, blocks = joined_blocks(layout.identifier)
    if edition == "2007" and len(parts) != len(blocks):
        yield value(layout.key, layout.name, data.hex().upper(), name_zh=layout.name_zh)
        return
    for identifier, part in zip(blocks, parts, strict=False):
        block = catalogue(edition).find(identifier)
        if block is None:
            return
        yield from layout_values(block, part)


def joined_blocks(identifier: str) -> tuple[str, list[str]]:
    """The edition and the identifiers that are joined: ``90FF`` is ``901F``, ``902F`` …; ``0506FF01`` is a freeze."""
    if len(identifier) == 4:
        return "1997", [f"{identifier[:2]}{number:X}F" for number in range(1, 15)]
    return "2007", [f"{identifier[:4]}{item:02X}{identifier[6:]}" for item in FREEZE_ITEMS]


def moment(key: str, name: str, form: str, data: bytes) -> Iterator[dict[str, Any]]:
    """A time of ``data``, if it is one."""
    decoded = parse(form).decode(data) if len(data) == len(form) // 2 else None
    yield value(key, name, None if decoded is None else str(decoded))

"""Points: what a profile says under ``point:`` of an entity, compiled once.

A point names an item either by its own identifier (``{id: "00010100"}``) or by its place in a block
(``{id: "0001FF00", item: 1}``). Both can be read either way, so that a meter without the block is read singly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config import types
from meterhub.errors import BadInput, ConfigError
from meterhub_dlt645.catalogue import Catalogue, Layout
from meterhub_dlt645.formats import Bits, Format, Value, parse

LONGEST_DATA = 243
"""Bytes of data that one answer can hold beside its identifier and sequence number."""

POINT_SCHEMA: dict[Any, Any] = {
    vol.Required("id", description="identifier in hex, high byte first; FF blocks with item"): types.text(8),
    vol.Optional("item", description="place in the block, from 0"): types.whole(0, 200),
    vol.Optional("bit", description="bit of a status word, as true or false"): types.whole(0, 63),
    vol.Optional("width", description="several bits from that one on, as a number"): types.whole(1, 16),
    vol.Optional("invert", description="true where the bit is 0"): types.boolean(),
    vol.Optional("at", description="with format: the byte of the data where the value begins"): types.whole(0, 240),
    vol.Optional("format", description="format of an identifier that the catalogue does not know"): types.text(20),
}


class Point:
    """Where one value stands: in the answer to ``identifier`` and, if ``block`` is not empty, also in a block's.

    ``at`` and ``block_at`` are the places of its bytes there; ``length`` and ``block_length`` are those of
    the whole data, None where the catalogue does not know.
    """

    __slots__ = (
        "at",
        "bit",
        "block",
        "block_at",
        "block_length",
        "factor",
        "format",
        "identifier",
        "invert",
        "key",
        "length",
        "mask",
        "writable",
    )

    def __init__(self, key: str, identifier: str, form: Format) -> None:
        self.key = key
        self.identifier = identifier
        self.format = form
        self.at = 0
        self.length: int | None = form.size
        self.block = ""
        self.block_at = 0
        self.block_length: int | None = None
        self.bit = -1
        self.mask = 1
        self.invert = False
        self.factor = 1
        self.writable = False

    def place_in(self, identifier: str | None) -> int | None:
        """Where the bytes stand in an answer to ``identifier``; None when they are not in it."""
        if identifier == self.identifier:
            return self.at
        return self.block_at if self.block and identifier == self.block else None

    def fits(self, identifier: str, size: int) -> bool:
        """Whether ``size`` bytes are what the catalogue knows of the identifier or its block, where it knows."""
        known = self.length if identifier == self.identifier else self.block_length
        return known is None or known == size

    def take(self, data: bytes, at: int) -> tuple[int | bool | str | None, str]:
        """The value at ``at`` of an answer's data and its quality; None and ``invalid`` when there is none."""
        form = self.format
        part = data[at : at + form.size]
        if len(part) != form.size:
            return None, "invalid"
        value = form.decode(part)
        if value is None:
            return None, "invalid"
        if self.bit >= 0:
            number = int(value) >> self.bit & self.mask
            return (str(number) if self.mask > 1 else bool(number) != self.invert), "good"
        if isinstance(value, int) and self.factor:
            return value * self.factor, "good"
        return form.show(value), "good"

    def stored(self, shown: str | bool) -> Value:
        """A value as people write it, in the units of the format; raises ``BadInput``."""
        if not self.writable or self.bit >= 0 or isinstance(shown, bool):
            raise BadInput(f"{self.key} cannot be written", hint="only whole items that the standard lets be written")
        if self.factor and not isinstance(self.format, Bits):
            return scaled(shown, self.format.decimals)
        return shown


def compile_point(catalogue: Catalogue, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
    """The point of the entity ``key``; raises ``ConfigError`` for an identifier or a place that does not exist."""
    identifier = spec["id"].upper()
    if len(identifier) != catalogue.width or set(identifier) - set("0123456789ABCDEF"):
        raise ConfigError(f"point of {key}: an identifier has {catalogue.width} hex digits, not {spec['id']!r}")
    point = _with_format(key, identifier, spec) if "format" in spec else _known(catalogue, key, identifier, spec)
    point.bit = spec.get("bit", -1)
    point.mask = (1 << spec.get("width", 1)) - 1
    point.invert = spec.get("invert", False)
    if point.bit >= 0 and not isinstance(point.format, Bits):
        raise ConfigError(f"point of {key}: {identifier} is no status word, it has no bits")
    if point.bit >= 8 * point.format.size:
        raise ConfigError(f"point of {key}: {identifier} has bits 0 to {8 * point.format.size - 1} only")
    as_text = isinstance(point.format, Bits) or kind in ("text", "clock")
    point.factor = 0 if as_text else _factor(key, point.format, scale)
    return point


def _with_format(key: str, identifier: str, spec: Mapping[str, Any]) -> Point:
    try:
        point = Point(key, identifier, parse(spec["format"]))
    except ValueError as error:
        raise ConfigError(f"point of {key}: {error}", hint="such as XXXXXX.XX, -XX.XXXX, BIN16, YYMMDDhhmm") from None
    point.at = spec.get("at", spec.get("item", 0) * point.format.size)
    point.length = None
    return point


def _known(catalogue: Catalogue, key: str, identifier: str, spec: Mapping[str, Any]) -> Point:
    layout = catalogue.find(identifier)
    if layout is None or layout.kind != "fields":
        raise ConfigError(
            f"point of {key}: the catalogue of {catalogue.edition} has no items for {identifier}",
            hint="say format: to read it all the same",
        )
    items = list(layout.items(LONGEST_DATA))
    place = spec.get("item", 0)
    if place >= len(items):
        raise ConfigError(f"point of {key}: {identifier} has items 0 to {len(items) - 1}")
    if layout.members:
        return _member(catalogue, key, layout, place)
    field, at = items[place]
    point = Point(key, identifier, field.format)
    point.at, point.length = at, layout.fixed()
    point.writable = "w" in layout.access and len(layout.fields) == 1
    block = catalogue.block_of(identifier)
    if block is not None:
        _put_in_block(catalogue, point, *block)
    return point


def _member(catalogue: Catalogue, key: str, block: Layout, place: int) -> Point:
    """A point given by its place in a block: as the single item, with the block beside it."""
    for number, identifier in enumerate(block.members):
        single = catalogue.find(identifier)
        assert single is not None
        if place < len(single.fields):
            point = _known(catalogue, key, identifier, {"item": place})
            _put_in_block(catalogue, point, block.identifier, number)
            return point
        place -= len(single.fields)
    raise ConfigError(f"point of {key}: {block.identifier} has fewer items")


def _put_in_block(catalogue: Catalogue, point: Point, block: str, member: int) -> None:
    """Note where the point stands in the data of a block that has its identifier as ``member``-th."""
    layout = catalogue.find(block)
    assert layout is not None
    sizes = (catalogue.find(one) for one in layout.members[:member])
    point.block = block
    point.block_at = sum(one.size for one in sizes if one is not None) + point.at
    point.block_length = layout.fixed()


def _factor(key: str, form: Format, scale: int) -> int:
    """What makes the format's integers the entity's; 0 for texts."""
    if form.decimals > scale:
        raise ConfigError(f"{key}: {form.text} has {form.decimals} decimals; give the entity scale: {form.decimals}")
    return int(10 ** (scale - form.decimals))


def scaled(shown: str, decimals: int) -> int:
    """``12.5`` with two decimals is 1250; raises ``BadInput`` for more decimals or no number."""
    sign, text = (-1, shown[1:]) if shown.startswith("-") else (1, shown)
    whole, _, part = text.partition(".")
    if not (whole + part).isdecimal() or not shown.isascii() or not whole or len(part) > decimals:
        raise BadInput(f"a number with at most {decimals} decimals is expected, not {shown!r}")
    return sign * int(whole + part.ljust(decimals, "0"))

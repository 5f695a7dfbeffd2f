"""The catalogue of identifiers: which items an identifier stands for, in which formats.

The rows are data (``tables/2007.txt``, ``tables/1997.txt``; their grammar stands at their top). A row may hold variable
places (tariff, settlement, record number); ``find`` puts the numbers in and also knows the blocks, where FF (1997: F)
stands in place of a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from meterhub_dlt645.chinese import in_chinese
from meterhub_dlt645.formats import Format, parse
from meterhub_dlt645.table import BitField, Row, Variable, bit, read_table

EDITIONS = ("2007", "1997")
REPEAT_LIMIT = 300
"""More items than the longest data field can hold."""
Names = tuple[str, str]
"""English and Chinese."""
SUFFIXES_ZH = {"tariff": " 费率{}", "settlement": " 上{}结算日", "": " 第{}项"}


@dataclass(frozen=True, slots=True)
class Field:
    """One item: how it is called, in which unit, in which format, which bits it has."""

    key: str
    name: str
    unit: str
    format: Format
    bits: tuple[BitField, ...] = ()
    name_zh: str = ""


class Layout:
    """What the data field of an identifier holds.

    ``kind`` is ``fields`` (known items), ``load``, ``joined``, ``raw`` or ``none``. ``fields`` are the items of one
    member; ``repeats`` says that they come as often as the data hold them. ``members`` are the identifiers of the
    single items in their order, where there are any.
    """

    __slots__ = (
        "access",
        "fields",
        "first",
        "identifier",
        "key",
        "kind",
        "members",
        "name",
        "name_zh",
        "repeats",
        "size",
        "word",
    )

    def __init__(self, identifier: str, row: Row, names: Names, kind: str, fields: tuple[Field, ...]) -> None:
        self.identifier = identifier
        self.access = row.access
        self.name, self.name_zh = names
        self.key = slug(self.name)
        self.kind = kind
        self.fields = fields
        self.size = sum(field.format.size for field in fields)
        self.repeats = False
        self.word = ""
        self.first = 0
        self.members: tuple[str, ...] = ()

    def items(self, length: int) -> Iterator[tuple[Field, int]]:
        """The items with their places in ``length`` bytes; stops at the first one that does not fit."""
        at = 0
        for number in range(REPEAT_LIMIT if self.repeats else 1):
            for field in self.fields:
                if at + field.format.size > length:
                    return
                yield (numbered(field, self.word, number + self.first) if self.repeats else field), at
                at += field.format.size

    def fits(self, length: int) -> bool:
        """Whether ``length`` bytes hold whole items."""
        if self.repeats:
            return length > 0 and self.size > 0 and length % self.size == 0
        return length == self.size

    def fixed(self) -> int | None:
        """The number of bytes, when the catalogue knows it."""
        return self.size if self.kind == "fields" and not self.repeats else None


class Catalogue:
    """The identifiers of one edition."""

    def __init__(self, edition: str) -> None:
        self.edition = edition
        self.width = 8 if edition == "2007" else 4
        text = (files("meterhub_dlt645") / "tables" / f"{edition}.txt").read_text("utf-8")
        rows, self._layouts = read_table(text)
        self.rows = [row for row in rows if not row.length]
        self._sized = {(row.pattern, row.length): row for row in rows if row.length}
        self._index: dict[int, dict[int, list[Row]]] = {}
        for row in self.rows:
            mask = int(re.sub("[a-z]", "0", re.sub("[0-9A-F]", "F", row.pattern)), 16)
            fixed = int(re.sub("[a-z]", "0", row.pattern), 16)
            self._index.setdefault(mask, {}).setdefault(fixed, []).append(row)
        self._masks = sorted(self._index, key=int.bit_count, reverse=True)
        self._found: dict[str, Layout | None] = {}

    def find(self, identifier: str) -> Layout | None:
        """The layout behind an identifier (upper-case hex, high byte first), or None for an unknown one."""
        try:
            return self._found[identifier]
        except KeyError:
            if len(self._found) > 20_000:
                self._found.clear()
            layout = self._found[identifier] = self._find(identifier)
            return layout

    def sized(self, layout: Layout, length: int) -> Layout:
        """The layout of an answer with ``length`` bytes: a maker may use an identifier in another way."""
        row = self._sized.get((layout.identifier, length)) if length != layout.size else None
        return layout if row is None else self._with_items(layout.identifier, row, (row.name, row.name_zh))

    def makers_own(self, identifier: str) -> Layout:
        """The layout that one maker gives an identifier of the standard."""
        row = next(row for (pattern, _), row in self._sized.items() if pattern == identifier)
        return self._with_items(identifier, row, (row.name, row.name_zh))

    def block_of(self, identifier: str) -> tuple[str, int] | None:
        """The block that holds the single item ``identifier``, and its place there; None when it is in no block."""
        for candidate in self._blocks(identifier):
            block = self.find(candidate)
            if block is not None and identifier in block.members:
                return candidate, block.members.index(identifier)
        return None

    def _blocks(self, identifier: str) -> Iterator[str]:
        """Identifiers of blocks that may hold ``identifier``, the likelier one first."""
        if self.edition == "1997":
            yield identifier[:3] + "F"
        else:
            yield identifier[:4] + "FF" + identifier[6:]
            yield identifier[:6] + "FF"

    def _find(self, identifier: str) -> Layout | None:
        number = int(identifier, 16)
        for whole in (True, False):
            for mask in self._masks:
                for row in self._index[mask].get(number & mask, ()):
                    blocks = [one for one in row.variables if one.of(number) == one.mask]
                    others = [one for one in row.variables if one not in blocks]
                    if all(one.least <= one.of(number) <= one.most for one in others) and len(blocks) == (not whole):
                        return self._layout(identifier, number, row, blocks[0] if blocks else None)
        return None

    def _layout(self, identifier: str, number: int, row: Row, block: Variable | None) -> Layout:
        layout = self._with_items(identifier, row, names_of(row, number, block))
        if block is not None and layout.kind == "fields":
            layout.repeats, layout.word, layout.first = True, block.word, block.least
            base = number & ~(block.mask << block.shift)
            layout.members = tuple(
                f"{base | place << block.shift:0{self.width}X}" for place in range(block.least, block.most + 1)
            )
        return layout

    def _with_items(self, identifier: str, row: Row, names: Names) -> Layout:
        text = row.format.lstrip("*+")
        if text in ("raw", "none", "load", "joined"):
            return Layout(identifier, row, names, text, ())
        members = tuple(text.strip("[]").split()) if text.startswith("[") else ()
        if members:
            fields = tuple(field for one in members for field in self._fields_of(one))
        else:
            fields = tuple(self._fields(row, names, text))
        layout = Layout(identifier, row, names, "fields", fields)
        layout.repeats = row.format[0] in "*+"
        layout.word, layout.first = ("tariff", 0) if row.format[0] == "*" else ("", 1)
        layout.members = () if layout.repeats else members
        return layout

    def _fields_of(self, identifier: str) -> tuple[Field, ...]:
        layout = self.find(identifier)
        return layout.fields if layout is not None else ()

    def _fields(self, row: Row, names: Names, text: str) -> Iterator[Field]:
        if text == "items" or text.startswith("@"):
            lines = row.below if text == "items" else self._layouts[text[1:]]
            for line in lines:
                form, unit, item = (part.strip() for part in line.split("|"))
                yield from fields((f"{names[0]}: {item}", f"{names[1]}：{in_chinese(item)}"), unit, form)
        else:
            yield from fields(names, row.unit, text, tuple(bit(line) for line in row.below))


def names_of(row: Row, number: int, block: Variable | None) -> Names:
    """The names of an identifier: with its numbers put in, or said behind; without that of the variable of a block."""
    shown = {one.name: str(one.of(number)) for one in row.variables if one is not block}
    name, name_zh = row.name, row.name_zh
    if block is not None:
        name = re.sub(" *{" + block.name + "}", "", name)
        name_zh = re.sub("[第上]?{" + block.name + "}次?", "", name_zh)
    name, name_zh = (re.sub(r"\{(\w+)\}", lambda match: shown[match[1]], one) for one in (name, name_zh))
    for one in row.variables:
        if one is not block and one.word and shown[one.name] != "0":
            name += "" if "{" in row.name else f", {one.word} {shown[one.name]}"
            name_zh += "" if "{" in row.name_zh else SUFFIXES_ZH[one.word].format(shown[one.name])
    return name, name_zh


def fields(names: Names, unit: str, text: str, bits: tuple[BitField, ...] = ()) -> Iterator[Field]:
    """The fields of ``format`` or ``format*count``; a name's ``{n}`` takes the count, else it is appended."""
    form, _, count = text.partition("*")
    for number in range(1, int(count or 1) + 1):
        name, name_zh = (
            one if not count else one.replace("{n}", str(number)) if "{n}" in one else f"{one} {number}"
            for one in names
        )
        yield Field(slug(name), name, unit, parse(form), bits, name_zh)


def numbered(field: Field, word: str, number: int) -> Field:
    """The field of one repetition. Tariff 0 is the total, settlement 0 the present: no suffix."""
    if word and number == 0:
        return field
    suffix = f"{word} {number}".strip()
    name_zh = field.name_zh + SUFFIXES_ZH[word].format(number)
    return replace(field, key=f"{field.key}_{slug(suffix)}", name=f"{field.name}, {suffix}", name_zh=name_zh)


def slug(name: str) -> str:
    """A key of the form ``[a-z0-9_]+``."""
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")


@lru_cache(maxsize=2)
def catalogue(edition: str) -> Catalogue:
    """The catalogue of an edition (``2007`` or ``1997``), loaded on first use."""
    return Catalogue(edition)

"""The catalogue of identifiers: which items an identifier stands for, in which formats.

The rows are data (``tables/2007.txt``, ``tables/1997.txt``; their grammar stands at their top). A row may hold variable
places (tariff, settlement, record number); ``find`` puts the numbers in and also knows the blocks, where FF (1997: F)
stands in place of a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from meterhub_dlt645.formats import Format, parse

EDITIONS = ("2007", "1997")
REPEAT_LIMIT = 300
"""More items than the longest data field can hold."""


@dataclass(frozen=True, slots=True)
class BitField:
    """Some bits of a word; ``words`` are the meanings of its values, empty for a yes/no bit."""

    key: str
    name: str
    shift: int
    width: int
    words: tuple[tuple[int, str], ...] = ()

    def value(self, word: int) -> str:
        """``0`` or ``1``, or the meaning of the value."""
        number = word >> self.shift & (1 << self.width) - 1
        return dict(self.words).get(number, str(number))


@dataclass(frozen=True, slots=True)
class Field:
    """One item: how it is called, in which unit, in which format, which bits it has."""

    key: str
    name: str
    unit: str
    format: Format
    bits: tuple[BitField, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable place of a row: ``shift`` and ``mask`` in the identifier, its range, and what it counts."""

    name: str
    shift: int
    mask: int
    least: int
    most: int

    @property
    def word(self) -> str:
        """The word for the number in names: tariff, settlement, or none where the name holds a place for it."""
        return {"tt": "tariff", "hh": "settlement", "x": "tariff" if self.least == 0 else ""}.get(self.name, "")

    def of(self, number: int) -> int:
        """Its value in an identifier."""
        return number >> self.shift & self.mask


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, with what stands indented below it."""

    pattern: str
    variables: tuple[Variable, ...]
    access: str
    format: str
    unit: str
    name: str
    name_zh: str
    below: tuple[str, ...]
    length: int = 0
    """Not 0: only answers of so many bytes are of this form."""


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

    def __init__(self, identifier: str, row: Row, name: str, kind: str, fields: tuple[Field, ...]) -> None:
        self.identifier = identifier
        self.access = row.access
        self.name = name
        self.name_zh = row.name_zh
        self.key = slug(name)
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
        return layout if row is None else self._with_items(layout.identifier, row, row.name)

    def makers_own(self, identifier: str) -> Layout:
        """The layout that one maker gives an identifier of the standard."""
        row = next(row for (pattern, _), row in self._sized.items() if pattern == identifier)
        return self._with_items(identifier, row, row.name)

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
        numbers = {one.name: one.of(number) for one in row.variables if one is not block}
        name = row.name
        if block is not None:
            name = re.sub(" +(?=,|$)", "", name.replace("{" + block.name + "}", "")).replace("  ", " ")
        name = re.sub(r"\{(\w+)\}", lambda match: str(numbers.get(match[1], match[0])), name)
        for one in row.variables:
            if one is not block and one.word and "{" not in row.name and numbers[one.name] > 0:
                name += f", {one.word} {numbers[one.name]}"
        layout = self._with_items(identifier, row, name)
        if block is not None and layout.kind == "fields":
            layout.repeats, layout.word, layout.first = True, block.word, block.least
            base = number & ~(block.mask << block.shift)
            layout.members = tuple(
                f"{base | place << block.shift:0{self.width}X}" for place in range(block.least, block.most + 1)
            )
        return layout

    def _with_items(self, identifier: str, row: Row, name: str) -> Layout:
        text = row.format.lstrip("*+")
        if text in ("raw", "none", "load", "joined"):
            return Layout(identifier, row, name, text, ())
        members = tuple(text.strip("[]").split()) if text.startswith("[") else ()
        if members:
            fields = tuple(field for one in members for field in self._fields_of(one))
        else:
            fields = tuple(self._fields(row, name, text))
        layout = Layout(identifier, row, name, "fields", fields)
        layout.repeats = row.format[0] in "*+"
        layout.word, layout.first = ("tariff", 0) if row.format[0] == "*" else ("", 1)
        layout.members = () if layout.repeats else members
        return layout

    def _fields_of(self, identifier: str) -> tuple[Field, ...]:
        layout = self.find(identifier)
        return layout.fields if layout is not None else ()

    def _fields(self, row: Row, name: str, text: str) -> Iterator[Field]:
        if text == "items" or text.startswith("@"):
            lines = row.below if text == "items" else self._layouts[text[1:]]
            for line in lines:
                form, unit, item = (part.strip() for part in line.split("|"))
                yield from fields(f"{name}: {item}", unit, form)
        else:
            yield from fields(name, row.unit, text, tuple(bit(line) for line in row.below))


def fields(name: str, unit: str, text: str, bits: tuple[BitField, ...] = ()) -> Iterator[Field]:
    """The fields of ``format`` or ``format*count``; a name's ``{n}`` takes the count, else it is appended."""
    form, _, count = text.partition("*")
    for number in range(1, int(count or 1) + 1):
        one = name if not count else name.replace("{n}", str(number)) if "{n}" in name else f"{name} {number}"
        yield Field(slug(one), one, unit, parse(form), bits)


def numbered(field: Field, word: str, number: int) -> Field:
    """The field of one repetition. Tariff 0 is the total, settlement 0 the present: no suffix."""
    if word and number == 0:
        return field
    suffix = f"{word} {number}".strip()
    return Field(f"{field.key}_{slug(suffix)}", f"{field.name}, {suffix}", field.unit, field.format, field.bits)


def slug(name: str) -> str:
    """A key of the form ``[a-z0-9_]+``."""
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")


def bit(line: str) -> BitField:
    """``bit 1-2 | supply | Supply | 0 main, 1 auxiliary`` as an object."""
    place, key, name, *words = (part.strip() for part in line.split("|"))
    least, _, most = place.removeprefix("bit ").partition("-")
    meanings = tuple(
        (int(number), text)
        for number, _, text in (one.strip().partition(" ") for one in "".join(words).split(",") if one)
    )
    return BitField(key, name, int(least), int(most or least) - int(least) + 1, meanings)


def read_table(text: str) -> tuple[list[Row], dict[str, list[str]]]:
    """The rows and the named layouts of a table."""
    heads: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("  "):
            heads[-1][1].append(line.strip())
        elif line and not line.startswith("#"):
            heads.append((line, []))
    layouts = {line[1:]: below for line, below in heads if line.startswith("@")}
    return [read_row(line, tuple(below)) for line, below in heads if not line.startswith("@")], layouts


def read_row(line: str, below: tuple[str, ...]) -> Row:
    """One row: ``identifier ranges | access | format | unit | name | Chinese name``."""
    place, access, form, unit, name, name_zh = line.split(" | ")
    pattern, *ranges = place.split()
    pattern, _, length = pattern.partition("#")
    variables = tuple(variable(pattern, one) for one in ranges)
    return Row(pattern, variables, access, form, unit, name, name_zh, below, int(length or 0))


def variable(pattern: str, text: str) -> Variable:
    """``tt=00..3F`` in ``0001tthh`` as an object."""
    name, _, span = text.partition("=")
    least, _, most = span.partition("..")
    shift = 4 * (len(pattern) - pattern.index(name) - len(name))
    return Variable(name, shift, (1 << 4 * len(name)) - 1, int(least, 16), int(most, 16))


@lru_cache(maxsize=2)
def catalogue(edition: str) -> Catalogue:
    """The catalogue of an edition (``2007`` or ``1997``), loaded on first use."""
    return Catalogue(edition)

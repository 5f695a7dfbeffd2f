"""The rows of a table of identifiers, read from text. The grammar stands at the top of ``tables/2007.txt``."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub_dlt645.chinese import in_chinese


@dataclass(frozen=True, slots=True)
class BitField:
    """Some bits of a word; ``words`` are the meanings of its values, empty for a yes/no bit."""

    key: str
    name: str
    shift: int
    width: int
    words: tuple[tuple[int, str], ...] = ()

    @property
    def name_zh(self) -> str:
        """Its Chinese name."""
        return in_chinese(self.name)

    def value(self, word: int) -> str:
        """``0`` or ``1``, or the meaning of the value."""
        number = word >> self.shift & (1 << self.width) - 1
        return dict(self.words).get(number, str(number))


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

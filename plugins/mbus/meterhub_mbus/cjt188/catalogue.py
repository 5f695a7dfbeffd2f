"""The catalogue: every identifier, what its request and its answer hold, read once from ``identifiers.txt``.

Sources: the tables of 2004 are confirmed by several implementations, published frames and makers' documents; those
marked 2018 have one source each, and a meter's own document comes before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from meterhub_mbus.cjt188.formats import Format, parse

HEAT_TYPES = range(0x20, 0x2A)
READ_ADDRESS, READ_KEY_VERSION, READ = 0x03, 0x09, 0x01
READS = (READ, READ_ADDRESS, READ_KEY_VERSION)


@dataclass(frozen=True, slots=True)
class Field:
    """One item of a payload. With a ``quantity`` the code of its unit stands beside the value on the wire."""

    key: str
    name: str
    name_zh: str
    format: Format
    unit: str = ""
    quantity: str = ""

    @property
    def size(self) -> int:
        """Bytes on the wire, the unit's code included."""
        return self.format.size + bool(self.quantity)


Fields = tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One identifier, or a range of them for the months and freezes before."""

    first: int
    last: int
    edition: str
    family: str
    control: int
    request: Fields
    answer: Fields
    name: str
    name_zh: str

    def back(self, identifier: str) -> int | None:
        """How many months or freezes ago; None where the identifier is no history."""
        is_history = self.last > self.first and self.answer
        return int(identifier, 16) - self.first + 1 if is_history else None

    @property
    def text(self) -> str:
        """The identifier, or the first and the last one."""
        return f"{self.first:04X}" + (f"-{self.last:04X}" if self.last > self.first else "")


class Catalogue:
    """All fields by key, all rows in the order of the file."""

    def __init__(self, text: str) -> None:
        self.fields: dict[str, Field] = {}
        self.rows: list[Row] = []
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if line.startswith("field "):
                self._add_field(cells)
            elif line and not line.startswith("#"):
                self._add_row(cells)

    def find(self, identifier: str | None, family: str) -> Row | None:
        """The row of an identifier (hex, high byte first) for a family of meters, ``water`` or ``heat``."""
        number = int(identifier, 16) if identifier else -1
        for row in self.rows:
            if row.first <= number <= row.last and row.family in (family, "any"):
                return row
        return None

    def field(self, text: str) -> Field:
        """A field by its key, ``key:FORMAT`` where a row has it in another format."""
        key, _, form = text.partition(":")
        found = self.fields[key]
        return replace(found, format=parse(form)) if form else found

    def _add_field(self, cells: list[str]) -> None:
        key, name, name_zh, form, unit = cells
        key = key.removeprefix("field ")
        quantity = unit[1:] if unit.startswith("=") else ""
        self.fields[key] = Field(key, name, name_zh, parse(form), "" if quantity else unit, quantity)

    def _add_row(self, cells: list[str]) -> None:
        numbers, edition, family, control, request, answer, name, name_zh = cells
        first, _, last = numbers.partition("-")
        self.rows.append(
            Row(
                int(first, 16),
                int(last or first, 16),
                edition,
                family,
                int(control, 16),
                self._fields(request),
                self._fields(answer),
                name,
                name_zh,
            )
        )

    def _fields(self, text: str) -> Fields:
        return () if text == "-" else tuple([self.field(one) for one in text.split()])


@cache
def catalogue() -> Catalogue:
    """The catalogue of both editions."""
    return Catalogue(files("meterhub_mbus.cjt188").joinpath("identifiers.txt").read_text("utf-8"))


def family_of(meter_type: int) -> str:
    """``heat`` or ``water``; gas and electricity meters answer as water meters do."""
    return "heat" if meter_type in HEAT_TYPES else "water"


WRITES: Mapping[str, str] = {"8102": "A010", "8103": "A011", "8104": "A012"}
"""By which identifier that is written what is read by another."""

"""Compact profiles: many values of one quantity in one record of variable length. EN 13757-3, annex F.

::

    LVAR | spacing control | spacing value | element | element | ...

    spacing control   D7 D6 mode   D5 D4 unit of the step   D3..D0 coding of the elements, as in a DIF

With the VIFEs 1E and 1F the elements go back in time from the base value, with 13 forward from it. The base is the
record with the same quantity and storage number; its date is the one with that storage number, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from meterhub_mbus import dif
from meterhub_mbus.head import Head, raw_reader, scaled
from meterhub_mbus.vif import ValueInformation

ABSOLUTE, INCREMENTS, DECREMENTS, DIFFERENCES = range(4)
MODES = ("absolute values", "positive increments", "negative increments", "signed differences")
STEP_UNITS = ("s", "min", "h", "d")
LONGEST_STEP, HALF_MONTH, MONTHS = 250, 253, 254
MONTHS_BY_UNIT = {3: 1, 2: 3, 1: 6}
"""What spacing value 254 means, in months, by the unit bits."""


@dataclass(slots=True)
class Profile:
    """What a compact profile holds. ``step`` None: the elements are not spaced in time, or in a reserved way.

    ``elements`` are in the unit of their record; None is one without a value.
    """

    mode: int
    step: Decimal | None
    step_unit: str | None
    elements: tuple[Decimal | None, ...]

    def values(self, base: Decimal | None) -> Iterator[Decimal | None]:
        """The elements as values, the next one to the base first; after an unknown one nothing more is known."""
        current = base
        for element in self.elements:
            if self.mode == ABSOLUTE:
                yield element
                continue
            if current is not None:
                current = None if element is None else current + (-element if self.mode == DECREMENTS else element)
            yield current


def decode_profile(head: Head, data: bytes) -> Profile | None:
    """The profile in the data (LVAR included) of a record with ``head``; None where it cannot be one."""
    if len(data) < 3 or head.meaning is None:
        return None
    control, spacing = data[1], data[2]
    mode, unit, coding = control >> 6, control >> 4 & 3, control & 0x0F
    size = dif.SIZES[coding]
    if size <= 0 or (len(data) - 3) % size:
        return None
    read = raw_reader(coding, is_unsigned=mode in (INCREMENTS, DECREMENTS))
    number = scaled(read, ValueInformation(head.meaning))
    elements = tuple(number(data[at : at + size]) for at in range(3, len(data), size))
    return Profile(mode, *_step(unit, spacing), elements)


def _step(unit: int, spacing: int) -> tuple[Decimal | None, str | None]:
    """How far the elements are apart."""
    if 1 <= spacing <= LONGEST_STEP:
        return Decimal(spacing), STEP_UNITS[unit]
    if spacing == HALF_MONTH and unit == 3:
        return Decimal("0.5"), "month"
    if spacing == MONTHS and unit in MONTHS_BY_UNIT:
        return Decimal(MONTHS_BY_UNIT[unit]), "month"
    return None, None

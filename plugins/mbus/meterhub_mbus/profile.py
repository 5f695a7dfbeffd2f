"""Compact profiles: many values of one quantity in one record of variable length. EN 13757-3, annex F.

::

    LVAR | spacing control | spacing value | element | element | ...

    spacing control   D7 D6 mode   D5 D4 unit of the step   D3..D0 coding of the elements, as in a DIF

The elements begin at a base: the value and the time that other records give with the same storage number. From there
they go on in time (VIFE 1F), or back (13, the inverse profile); each has a storage number one higher than that before.
In three modes an element is the difference between two neighbours, the younger minus the older. The form with register
numbers (1E) is not taken apart.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from meterhub_mbus import dif, vife
from meterhub_mbus.head import Head, raw_reader, scaled
from meterhub_mbus.meaning import Meaning
from meterhub_mbus.record import Record
from meterhub_mbus.vif import ValueInformation

ABSOLUTE, INCREMENTS, DECREMENTS, DIFFERENCES = range(4)
STEPS = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
LONGEST_STEP, MONTHS = 250, 254
MONTHS_BY_UNIT = {3: 1, 2: 3, 1: 6}
"""What spacing value 254 means, in months, by the unit bits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a profile; None where it, or its time, is not known."""

    storage: int
    time: date | None
    value: Decimal | None


def expand(record: Record, others: Iterable[Record]) -> list[Entry] | None:
    """The values of a profile; ``others`` are the records of its telegram. None where the data are no profile."""
    head, data = record.head, record.data
    if len(data) < 3 or head.meaning is None or head.storage is None or head.profile == vife.REGISTER_PROFILE:
        return None
    control, spacing = data[1], data[2]
    mode, unit, coding = control >> 6, control >> 4 & 3, control & 0x0F
    size = dif.SIZES[coding]
    if size <= 0 or (len(data) - 3) % size:
        return None
    base, moment = _base(head, others)
    backwards = head.profile == vife.INVERSE_PROFILE
    elements = _elements(head.meaning, data[3:], coding, size, mode)
    values = _values(elements, base, mode, backwards)
    times = _times(moment, unit, spacing, -1 if backwards else 1)
    return [Entry(head.storage + place, next(times), value) for place, value in enumerate(values, 1)]


def _base(head: Head, others: Iterable[Record]) -> tuple[Decimal | None, date | None]:
    """The value and the time that the profile begins at."""
    base, moment = None, None
    for other in others:
        if other.head.storage == head.storage and not other.head.profile:
            same = other.head.quantity == head.quantity and other.head.unit == head.unit
            if same and isinstance(other.value, Decimal) and other.head.tariff == head.tariff:
                base = other.value
            elif isinstance(other.value, date):
                moment = other.value
    return base, moment


def _elements(meaning: Meaning, data: bytes, coding: int, size: int, mode: int) -> Iterator[Decimal | None]:
    """The elements in the unit of the record; the highest or lowest number of its size stands for none."""
    is_unsigned = mode in (INCREMENTS, DECREMENTS)
    number = scaled(raw_reader(coding, is_unsigned), ValueInformation(meaning))
    none = b"\xff" * size if is_unsigned else b"\x00" * (size - 1) + b"\x80"
    for at in range(0, len(data), size):
        raw = data[at : at + size]
        yield None if coding in dif.INTEGERS and raw == none else number(raw)


def _values(
    elements: Iterable[Decimal | None], base: Decimal | None, mode: int, backwards: bool
) -> Iterator[Decimal | None]:
    """The values that the elements lead to; behind one that is not known no other is, but for absolute ones."""
    if mode == ABSOLUTE:
        yield from elements
        return
    sign = -1 if backwards != (mode == DECREMENTS) else 1
    current = base
    for element in elements:
        current = None if current is None or element is None else current + sign * element
        yield current


def _times(moment: date | None, unit: int, spacing: int, sign: int) -> Iterator[date | None]:
    """The times behind the base, without end; None where the spacing is reserved or not one in time."""
    for count in range(1, 2**16):
        if moment is None:
            yield None
        elif 1 <= spacing <= LONGEST_STEP:
            yield _shifted(moment, sign * count * spacing * STEPS[unit])
        elif spacing == MONTHS and unit in MONTHS_BY_UNIT:
            yield add_months(moment, sign * count * MONTHS_BY_UNIT[unit])
        else:
            yield None


def _shifted(moment: date, step: timedelta) -> date | None:
    """A moment some time later; a date without time takes whole days only."""
    if not isinstance(moment, datetime) and step % STEPS[3]:
        return None
    try:
        return moment + step
    except OverflowError:
        return None


def add_months(moment: date, months: int) -> date:
    """The same day months later; the last day of a month leads to last days, and so do days that a month lacks."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    is_last = moment.day == calendar.monthrange(moment.year, moment.month)[1]
    return moment.replace(year=year, month=month + 1, day=last if is_last else min(moment.day, last))

"""Slots: the stretches of time by which readings lie in their file.

A slot is a quarter hour. One that takes in very many readings is continued in another slot, which begins after the
last of them: within a slot readings are ordered by series, so the more it holds, the more pages the next reading of
every series touches. Slots do not overlap: a reading belongs to one of them, and written twice it is one reading.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meterhub.store.calendar import SLOT_MS
from meterhub.store.engine import Reading
from meterhub.store.queries import Queries

SLOT_ROWS = 100_000
"""From so many readings on, a quarter hour is continued in another slot: some 2 MB of the file."""

KNOWN_SLOTS = 1_000
"""Slots whose readings are counted at once; live readings go to one, older ones that are fetched later to a few."""

FIRST_NUMBER = 100_000_000
"""Slots are numbered from here on by the second in which they begin; the first version counted quarter hours."""

WRITTEN, FOLDED, ROLLED = range(3)
"""How far a slot is: written, taken into ``latest``, taken into ``days`` too."""


class Slot(NamedTuple):
    """One slot: the number that its readings carry, its first instant, and how far it is."""

    number: int
    start_ms: int
    state: int


KnownSlots = dict[int, list[Slot]]
"""The slots of quarter hours, oldest first."""


class Slots:
    """Tells where readings go, and begins new slots. Used by the writer thread alone."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._filled: Counter[int] = Counter()
        self._last_ms: dict[int, int] = {}
        """The newest reading of each slot that was begun here; of others the file is asked."""

    def sort(
        self, conn: sqlite3.Connection, rows: Sequence[Reading], known: KnownSlots
    ) -> Iterator[tuple[Slot, Sequence[Reading]]]:
        """The readings by slot; slots that are missing are made. ``known``: what this transaction has seen of them."""
        for quarter, some in _by_quarter(rows):
            if quarter not in known:
                known[quarter] = self._slots(conn, quarter)
            for slot, part in _by_slot(known[quarter], some):
                self._note(slot.number, part)
                yield slot, part

    def _note(self, number: int, rows: Sequence[Reading]) -> None:
        self._filled[number] += len(rows)
        if number in self._last_ms:
            self._last_ms[number] = max(self._last_ms[number], max(row[1] for row in rows))

    def _slots(self, conn: sqlite3.Connection, quarter: int) -> list[Slot]:
        """The slots of a quarter hour, oldest first."""
        span = (quarter * SLOT_MS, (quarter + 1) * SLOT_MS)
        slots = [Slot(*row) for row in conn.execute(self._queries.sql("readings.slots_of"), span)]
        if not slots:
            if len(self._filled) >= KNOWN_SLOTS:
                self._filled.clear()
                self._last_ms.clear()
            slots.append(self._begin(conn, span[0]))
        elif self._filled[slots[-1].number] >= SLOT_ROWS:
            self._filled[slots[-1].number] = 0
            start_ms = self._end_s(conn, slots[-1]) * 1000
            if start_ms < span[1]:
                slots.append(self._begin(conn, start_ms))
        return slots

    def _begin(self, conn: sqlite3.Connection, start_ms: int) -> Slot:
        slot = Slot(FIRST_NUMBER + start_ms // 1000, start_ms, WRITTEN)
        conn.execute(self._queries.sql("readings.put_slot"), slot)
        self._last_ms[slot.number] = start_ms
        return slot

    def _end_s(self, conn: sqlite3.Connection, slot: Slot) -> int:
        """The first whole second after all that a slot holds."""
        last_ms = self._last_ms.get(slot.number)
        if last_ms is None:
            last_ms = conn.execute(self._queries.sql("readings.last_ms"), {"slot": slot.number}).fetchone()[0]
        return int(last_ms) // 1000 + 1


def _by_quarter(rows: Sequence[Reading]) -> Iterator[tuple[int, Sequence[Reading]]]:
    quarters = {row[1] // SLOT_MS for row in rows}
    if len(quarters) == 1:
        yield quarters.pop(), rows
        return
    parts: defaultdict[int, list[Reading]] = defaultdict(list)
    for row in rows:
        parts[row[1] // SLOT_MS].append(row)
    yield from parts.items()


def _by_slot(slots: list[Slot], rows: Sequence[Reading]) -> Iterator[tuple[Slot, Sequence[Reading]]]:
    if len(slots) == 1 or all(row[1] >= slots[-1].start_ms for row in rows):
        yield slots[-1], rows
        return
    starts = [slot.start_ms for slot in slots]
    parts: defaultdict[int, list[Reading]] = defaultdict(list)
    for row in rows:
        parts[bisect_right(starts, row[1]) - 1].append(row)
    for index, part in parts.items():
        yield slots[index], part

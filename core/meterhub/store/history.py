"""The reading side of readings.db: the points of a series, and its hours, days and months.

Days come from the daily figures; slots that are not in them yet, and days that late readings changed, from
the readings themselves, so that an answer is right at any moment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import tzinfo

from meterhub.errors import BadInput
from meterhub.store.calendar import SLOT_MS, day_of, day_start, hour_start, month_after, month_of
from meterhub.store.engine import Bucket, Point, Step
from meterhub.store.queries import Queries
from meterhub.store.readings import counts, single

MAX_DAYS = {Step.RAW: 3_700, Step.HOUR: 400, Step.DAY: 3_700, Step.MONTH: 37_000}
"""The longest time that one question may cover."""

# How far before the time the last value is looked for, so that the first bucket's consumption is whole.
LOOK_BACK_DAYS = {Step.HOUR: 1, Step.DAY: 7, Step.MONTH: 31}

DAY_MS = 86_400_000

Cells = dict[int, Bucket]


class History:
    """Questions about one series, on one reading connection inside one read transaction."""

    def __init__(self, conn: sqlite3.Connection, queries: Queries, series: int, zone: tzinfo) -> None:
        self._conn = conn
        self._queries = queries
        self._series = series
        self._zone = zone

    def points(self, from_ms: int, to_ms: int, limit: int) -> list[Point]:
        """Numbers and texts with ``from_ms <= measured_ms < to_ms``, oldest first."""
        whole: list[Point] = []
        for name in ("readings.numbers", "readings.texts"):
            whole += self._fetch(name, from_ms, to_ms, limit)
        whole.sort(key=lambda point: point[0])
        return whole[:limit]

    def buckets(self, from_ms: int, to_ms: int, step: Step, *, use_days: bool) -> list[Bucket]:
        """Whole buckets. ``use_days``: the daily figures are those of this zone."""
        first, last = day_of(from_ms, self._zone), day_of(to_ms - 1, self._zone)
        if step is Step.HOUR:
            start, end = hour_start(from_ms, self._zone), hour_start(to_ms - 1, self._zone) + 4 * SLOT_MS
            cells = self._hours(start - LOOK_BACK_DAYS[step] * DAY_MS, end)
        else:
            if step is Step.MONTH:
                first, last = month_of(first), month_after(last) - 1
            start = day_start(first, self._zone)
            cells = self._days(first - LOOK_BACK_DAYS[step], last, use_days)
            if step is Step.MONTH:
                cells = gathered(cells.items(), month_of)
            cells = {day_start(day, self._zone): one for day, one in cells.items()}
        return chained(cells, start)

    def _hours(self, start_ms: int, end_ms: int) -> Cells:
        rows = self._conn.execute(self._queries.sql("readings.numbers"), (start_ms, end_ms - 1, self._series, -1))
        singles = ((ms, single(ms, value)) for ms, value, quality in rows if counts(value, quality))
        return gathered(singles, lambda ms: hour_start(ms, self._zone))

    def _days(self, first: int, last: int, use_days: bool) -> Cells:
        if not use_days:
            return self._raw_days("readings.numbers", first, last, -1)
        ask = (first, last, self._series)
        stale = {day for (day,) in self._conn.execute(self._queries.sql("readings.stale_days"), ask)}
        cells = {
            day: Bucket(0, *figures)
            for day, *figures in self._conn.execute(self._queries.sql("readings.days"), ask)
            if day not in stale
        }
        fresh = self._raw_days("readings.open_points", first, last)
        for day in stale:
            fresh |= self._raw_days("readings.numbers", day, day, -1)
        for day, one in fresh.items():
            if day in cells:
                cells[day].merge(one)
            else:
                cells[day] = one
        return cells

    def _raw_days(self, name: str, first: int, last: int, *more: int) -> Cells:
        span = (day_start(first, self._zone), day_start(last + 1, self._zone) - 1)
        rows = self._conn.execute(self._queries.sql(name), (*span, self._series, *more))
        singles = ((ms, single(ms, value)) for ms, value, quality in rows if counts(value, quality))
        return gathered(singles, lambda ms: day_of(ms, self._zone))

    def _fetch(self, name: str, from_ms: int, to_ms: int, limit: int) -> list[Point]:
        found: list[Point] = []
        quarter_ms = from_ms // SLOT_MS * SLOT_MS  # from_ms lies in a slot that began then or later
        for row in self._conn.execute(self._queries.sql(name), (quarter_ms, to_ms - 1, self._series, -1)):
            if from_ms <= row[0] < to_ms:
                found.append(row)
                if len(found) == limit:
                    break
        return found


def check_span(from_ms: int, to_ms: int, step: Step) -> None:
    """Raise ``BadInput`` for a time that is empty, out of the calendar, or too long for the step."""
    if not 0 <= from_ms < to_ms < 32_503_680_000_000:
        raise BadInput("the time asked for is empty or out of range", where="from, to", hint="from must be before to")
    if to_ms - from_ms > MAX_DAYS[step] * DAY_MS:
        raise BadInput(
            f"at most {MAX_DAYS[step]} days can be asked for by {step}", where="from, to", hint="use a coarser step"
        )


def gathered(parts: Iterable[tuple[int, Bucket]], cell_of: Callable[[int], int]) -> Cells:
    """The parts merged by the cell they fall in."""
    cells: Cells = {}
    for key, part in parts:
        cell = cell_of(key)
        if cell in cells:
            cells[cell].merge(part)
        else:
            cells[cell] = part
    return cells


def chained(cells: Cells, start_ms: int) -> list[Bucket]:
    """The buckets from ``start_ms`` on, each knowing the last value before it."""
    found: list[Bucket] = []
    previous: int | None = None
    for begin, one in sorted(cells.items()):
        one.start_ms, one.previous = begin, previous
        previous = one.last
        if begin >= start_ms:
            found.append(one)
    return found

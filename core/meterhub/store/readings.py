"""The writing side of readings.db: readings in, then their newest value and their daily figures.

Runs in the writer thread. What is written costs one insert per reading; the newest values (``latest``) and the daily
figures (``days``) are made from whole slots afterwards, by SQL alone, in the transaction that marks the slot as done.
So nothing is counted twice after a crash, and everything can be made again from the readings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from functools import lru_cache
from itertools import chain

from meterhub.store.calendar import day_of, day_start, zone_name
from meterhub.store.engine import INVALID, Bucket, Reading
from meterhub.store.queries import Queries
from meterhub.store.slots import FOLDED, ROLLED, WRITTEN, KnownSlots, Slot, Slots

ROWS_AT_ONCE = 256
"""Readings that are looked through, then inserted in one statement or a few. One statement for many takes half the time
of one each, and gives the interpreter lock up once, where a busy loop would keep it; looking through many more would
keep it from the business transactions meanwhile."""


def register(conn: sqlite3.Connection, entity_ids: Iterable[str]) -> dict[str, int]:
    """The numbers of these entities' series; unknown ones get a new number."""
    known = dict(conn.execute("SELECT entity, id FROM series"))
    wanted = list(entity_ids)
    new = [(one,) for one in wanted if one not in known]
    if new:
        conn.executemany("INSERT OR IGNORE INTO series (entity) VALUES (?)", new)
        known = dict(conn.execute("SELECT entity, id FROM series"))
    return known if len(known) == len(wanted) else {one: known[one] for one in wanted}


def write(conn: sqlite3.Connection, queries: Queries, slots: Slots, rows: Sequence[Reading], zone: tzinfo) -> None:
    """Insert readings and note which slots they changed."""
    known: KnownSlots = {}
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        for slot, some in slots.sort(conn, rows[begin : begin + ROWS_AT_ONCE], known):
            _write_to(conn, queries, slot, some, zone)


def _write_to(conn: sqlite3.Connection, queries: Queries, slot: Slot, rows: Sequence[Reading], zone: tzinfo) -> None:
    texts = [row for row in rows if type(row[2]) is str]
    _insert(conn, "texts", slot, texts)
    _insert(conn, "readings", slot, rows if not texts else [row for row in rows if type(row[2]) is not str])
    if slot.state == FOLDED:
        conn.execute(queries.sql("readings.set_slot"), (slot.number, WRITTEN))
    elif slot.state == ROLLED:
        conn.executemany(queries.sql("readings.put_latest"), rows)
        days = {(series, day_of(ms, zone)) for series, ms, value, _ in rows if type(value) is not str}
        conn.executemany(queries.sql("readings.mark_stale"), days)


def fold(conn: sqlite3.Connection, queries: Queries) -> None:
    """Take what was written since the last time into ``latest``."""
    for number, start_ms in conn.execute(queries.sql("readings.unfolded_slots")).fetchall():
        _fold_slot(conn, queries, number, start_ms)
        conn.execute(queries.sql("readings.set_slot"), (number, FOLDED))


def roll(conn: sqlite3.Connection, queries: Queries, number: int, zone: tzinfo) -> None:
    """Take a slot whose quarter hour is over into ``latest`` and ``days``, once however often it is asked for."""
    start_ms, state = conn.execute(queries.sql("readings.slot"), (number,)).fetchone()
    if state == ROLLED:
        return
    if state == WRITTEN:
        _fold_slot(conn, queries, number, start_ms)
    params = {"slot": number, "start_ms": start_ms, "day": day_of(start_ms, zone)}
    conn.execute(queries.sql("readings.roll_slot"), params)
    conn.execute(queries.sql("readings.set_slot"), (number, ROLLED))


def refresh(conn: sqlite3.Connection, queries: Queries, limit: int, zone: tzinfo) -> int:
    """Make the figures of days again that late readings changed; returns how many there were."""
    stale = conn.execute("SELECT series, day FROM stale LIMIT ?", (limit,)).fetchall()
    for series, day in stale:
        span = (day_start(day, zone), day_start(day + 1, zone) - 1)
        rows = conn.execute(queries.sql("readings.rolled_points"), (*span, series)).fetchall()
        figures = [single(ms, value) for ms, value, quality in rows if counts(value, quality)]
        conn.execute("DELETE FROM days WHERE day = ? AND series = ?", (day, series))
        if figures:
            whole = figures[0]
            for one in figures[1:]:
                whole.merge(one)
            conn.execute(queries.sql("readings.put_day"), (day, series, *_columns(whole)))
        conn.execute("DELETE FROM stale WHERE series = ? AND day = ?", (series, day))
    return len(stale)


def use_zone(conn: sqlite3.Connection, zone: tzinfo) -> None:
    """Days are local: when the zone changed since the last start, all daily figures are made again."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'zone'").fetchone()
    if row is not None and row[0] != zone_name(zone):
        conn.execute("DELETE FROM days")
        conn.execute("DELETE FROM stale")
        conn.execute("UPDATE slots SET state = ? WHERE state = ?", (FOLDED, ROLLED))
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('zone', ?)", (zone_name(zone),))


def counts(value: int | None, quality: int) -> bool:
    """Whether a reading takes part in figures."""
    return value is not None and quality != INVALID


def single(ms: int, value: int) -> Bucket:
    """The figures of one reading alone."""
    return Bucket(ms, ms, value, ms, value, value, value, 1)


def _insert(conn: sqlite3.Connection, table: str, slot: Slot, rows: Sequence[Reading]) -> None:
    """In statements of 256, 128, 64 rows and so on, so that few have to be prepared."""
    begin = 0
    while left := len(rows) - begin:
        count = 1 << (left.bit_length() - 1)
        values = chain.from_iterable(rows[begin : begin + count])
        conn.execute(_insert_sql(table, count), (*values, slot.number, slot.start_ms))
        begin += count


@lru_cache(maxsize=32)
def _insert_sql(table: str, count: int) -> str:
    slot, start_ms = 4 * count + 1, 4 * count + 2
    one = f"(?{slot}, ?{{0}}, ?{{1}} - ?{start_ms}, ?{{2}}, ?{{3}})"
    values = ", ".join(one.format(n, n + 1, n + 2, n + 3) for n in range(1, 4 * count, 4))
    return f"INSERT OR REPLACE INTO {table} (slot, series, offset_ms, value, quality) VALUES {values}"


def _fold_slot(conn: sqlite3.Connection, queries: Queries, number: int, start_ms: int) -> None:
    conn.execute(queries.sql("readings.fold_numbers"), {"slot": number, "start_ms": start_ms})
    conn.execute(queries.sql("readings.fold_texts"), {"slot": number, "start_ms": start_ms})


def _columns(one: Bucket) -> tuple[int, ...]:
    return (one.first_ms, one.first, one.last_ms, one.last, one.minimum, one.maximum, one.count)

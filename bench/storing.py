"""G8: storing readings through the recorder, against raw sqlite3 and sqlite-utils into the same table.

One run alternates all three over several rounds, each on a fresh file: a thousand meters of eight quantities, swept
every quarter hour. Ours starts from polled values (it makes the rows, buffers them, hands them to the writer thread,
notes the quarter hours and commits); the floors start from ready rows. Wall-clock time, median of the rounds; the
roll-up that follows in the background is shown by itself.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlite_utils

from meterhub.clock import Clock
from meterhub.store.engine import Reading
from meterhub.store.files import connect
from meterhub.store.migrate import READINGS_STEPS, migrate
from meterhub.store.recorder import BATCH_ROWS, Recorder
from meterhub.store.sqlite import SqliteStore

ROUNDS = 5
METERS = 1_000
QUANTITIES = 8
SWEEPS = 50
SLOT_MS = 900_000
START_MS = 1_767_225_600_000
COUNT = METERS * QUANTITIES * SWEEPS

Poll = tuple[int, int, list[int]]
"""First series of the meter, time, values."""


def polls() -> list[Poll]:
    """What the meters say."""
    return [
        (
            1 + meter * QUANTITIES,
            START_MS + sweep * SLOT_MS + meter * 700,
            [meter * 1000 + sweep * (k + 1) for k in range(QUANTITIES)],
        )
        for sweep in range(SWEEPS)
        for meter in range(METERS)
    ]


def rows_of(poll: Poll) -> list[Reading]:
    """One poll as the recorder takes it."""
    first, ms, values = poll
    return [(first + k, ms, value, 0) for k, value in enumerate(values)]


def ours(folder: Path, given: list[Poll]) -> dict[str, float]:
    """Through the recorder; the seconds for storing and for the roll-up."""

    async def run() -> dict[str, float]:
        clock = Clock()
        store = await SqliteStore.open(folder, clock)
        await store.series(f"m-{meter}.q{k}" for meter in range(METERS) for k in range(QUANTITIES))
        recorder = Recorder(store, clock)
        task = asyncio.create_task(recorder.run())
        started = time.perf_counter()
        for number, poll in enumerate(given):
            recorder.add(rows_of(poll))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await recorder.flush()
        stored = time.perf_counter()
        task.cancel()
        await store.roll_up()
        rolled = time.perf_counter()
        assert recorder.written == COUNT
        await store.close()
        return {"ours": stored - started, "roll-up": rolled - stored}

    return asyncio.run(run())


def floor(folder: Path, rows: list[tuple[int, ...]], insert: Callable[[sqlite3.Connection, list], None]) -> float:
    """Seconds for the ready rows in transactions of the recorder's size, into the same empty table."""
    conn = connect(folder / "readings.db", synchronous="NORMAL")
    migrate(conn, folder / "readings.db", READINGS_STEPS, keep_copy=False)
    started = time.perf_counter()
    for begin in range(0, len(rows), BATCH_ROWS):
        conn.execute("BEGIN IMMEDIATE")
        insert(conn, rows[begin : begin + BATCH_ROWS])
        conn.execute("COMMIT")
    elapsed = time.perf_counter() - started
    conn.close()
    return elapsed


def raw(conn: sqlite3.Connection, rows: list[tuple[int, ...]]) -> None:
    """The floor."""
    conn.executemany("INSERT INTO readings (slot, series, offset_ms, value, quality) VALUES (?, ?, ?, ?, ?)", rows)


def by_sqlite_utils(conn: sqlite3.Connection, rows: list[tuple[int, ...]]) -> None:
    """The peer, which takes dicts."""
    names = ("slot", "series", "offset_ms", "value", "quality")
    sqlite_utils.Database(conn)["readings"].insert_all(dict(zip(names, row, strict=True)) for row in rows)


def fdatasync_ms(folder: Path) -> float:
    """Median of appending 4 KiB and waiting for the disk."""
    handle = os.open(folder / "sync", os.O_RDWR | os.O_CREAT)
    times = []
    for _ in range(100):
        started = time.perf_counter()
        os.write(handle, b"x" * 4096)
        os.fdatasync(handle)
        times.append(time.perf_counter() - started)
    os.close(handle)
    return statistics.median(times) * 1000


def main() -> None:
    """Run and print."""
    given = polls()
    rows = [
        (ms // SLOT_MS, series, ms % SLOT_MS, value, quality)
        for poll in given
        for series, ms, value, quality in rows_of(poll)
    ]
    seconds: dict[str, list[float]] = {"ours": [], "roll-up": [], "sqlite3": [], "sqlite-utils": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / part for part in ("ours", "raw", "peer")]
            for folder in folders:
                folder.mkdir()
            for key, value in ours(folders[0], given).items():
                seconds[key].append(value)
            seconds["sqlite3"].append(floor(folders[1], rows, raw))
            seconds["sqlite-utils"].append(floor(folders[2], rows, by_sqlite_utils))
            sync_ms = fdatasync_ms(Path(name))
    report(seconds, sync_ms)


def report(seconds: dict[str, list[float]], sync_ms: float) -> None:
    """Absolutes, then the medians of the ratios within each round."""
    print(f"G8 storing: {COUNT:,} readings, {ROUNDS} rounds, median; sqlite {sqlite3.sqlite_version}")
    for name, taken in seconds.items():
        print(f"  {name:13} {COUNT / statistics.median(taken):12,.0f} readings/s")
    for peer, goal in (("sqlite3", 0.5), ("sqlite-utils", 1.3)):
        pairs = zip(seconds[peer], seconds["ours"], strict=True)
        print(f"  ours / {peer}: {statistics.median(a / b for a, b in pairs):.2f} (goal {goal})")
    together = [a + b for a, b in zip(seconds["ours"], seconds["roll-up"], strict=True)]
    print(f"  with the roll-up: {COUNT / statistics.median(together):,.0f} readings/s (goal 500,000 stored)")
    print(f"  load {os.getloadavg()[0]:.2f}, fdatasync {sync_ms:.2f} ms, python {platform.python_version()}")


if __name__ == "__main__":
    main()

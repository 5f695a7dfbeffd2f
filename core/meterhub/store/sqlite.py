"""The SQLite engine: two files, one writer thread each, a few reading threads.

``hub.db`` holds all that must survive a power cut with every commit; ``readings.db`` commits often and briefly in its
own file, so that no business transaction waits for a sweep.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from meterhub.clock import Clock
from meterhub.errors import Misuse, StoreError
from meterhub.store import readings
from meterhub.store.calendar import SLOT_MS, zone_name
from meterhub.store.engine import Bucket, Paging, Params, Point, Reading, Row, Rows, Step, Store, Transaction
from meterhub.store.faults import translate
from meterhub.store.files import HUB, READINGS, DataLock, connect
from meterhub.store.history import History, check_span
from meterhub.store.migrate import HUB_STEPS, READINGS_STEPS, file_version, migrate
from meterhub.store.paging import page
from meterhub.store.queries import FOLDER, Queries
from meterhub.store.slots import Slots
from meterhub.store.transaction import SqliteTransaction
from meterhub.store.writer import Writer

T = TypeVar("T")

READERS = 3
GRACE_SLOTS = 1
"""Quarter hours that one stays open after its end, for readings that come a little late."""
STALE_AT_ONCE = 200
CHECKPOINT_ROWS = {HUB: 1_500, READINGS: 20_000}
"""Rows changed between two checkpoints: of orders that are committed alone some 30 MB of the log. Readings come in
bulk and are flushed then, which everybody else on that disk waits for: so a megabyte or two at a time."""


class SqliteStore(Store):
    """An open data folder; see ``engine.Store``. Make one with ``await SqliteStore.open(...)``."""

    _writer_type = Writer
    _synchronous = "FULL"

    def __init__(self, data_dir: Path, clock: Clock, zone: tzinfo, queries: Queries, lock: DataLock) -> None:
        self._paths = {HUB: data_dir / HUB, READINGS: data_dir / READINGS}
        self._clock = clock
        self._zone = zone
        self._queries = queries
        self._slots = Slots(queries)
        self._lock = lock
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writers: dict[str, Writer] = {}

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        clock: Clock,
        *,
        zone: tzinfo = UTC,
        beside: bool = False,
        query_folders: Iterable[Path] = (),
    ) -> SqliteStore:
        """Open the files of a folder and bring them up to date; makes them when they are missing.

        ``zone`` is where the daily figures' midnights lie. ``beside`` is for commands that work on ``hub.db`` while a
        hub may be running; readings must not be written then. Raises ``StoreError``: another hub runs here, the files
        are damaged, newer, or not ours.
        """
        queries = Queries(FOLDER, *query_folders)
        lock = DataLock(data_dir)
        store = cls(data_dir, clock, zone, queries, lock)
        with clock.outside():
            await asyncio.get_running_loop().run_in_executor(store._readers, store._start, data_dir, beside)
        store._writers = {
            name: cls._writer_type(store._paths[name], conn, clock, CHECKPOINT_ROWS[name])
            for name, conn in store._fresh.items()
        }
        return store

    def _start(self, data_dir: Path, beside: bool) -> None:
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            message = f"the data folder cannot be made: {error.strerror}"
            raise StoreError(message, where=str(data_dir), hint="choose another one: hub: {data: …}") from error
        alone = self._lock.take()
        if not alone and not beside:
            raise StoreError(
                "another hub is running on this data folder", where=str(data_dir), hint="stop it, or use another folder"
            )
        self._fresh: dict[str, sqlite3.Connection] = {}
        try:
            _check_complete(data_dir)
            for name, synchronous, steps in ((HUB, self._synchronous, HUB_STEPS), (READINGS, "NORMAL", READINGS_STEPS)):
                conn = self._fresh[name] = connect(self._paths[name], synchronous=synchronous)
                self._check(conn, self._paths[name], steps, alone)
            if alone:
                readings.use_zone(self._fresh[READINGS], self._zone)
        except BaseException as error:
            for conn in self._fresh.values():
                conn.close()
            self._lock.free()
            if isinstance(error, sqlite3.Error):
                raise translate(error, data_dir) from error
            raise

    @staticmethod
    def _check(conn: sqlite3.Connection, path: Path, steps: Sequence[str], alone: bool) -> None:
        if alone:
            migrate(conn, path, steps, keep_copy=path.name == HUB)
        elif file_version(conn, path) != len(steps):
            raise StoreError("the running hub is of another version", where=str(path), hint="use its own command")

    @property
    def commits(self) -> int:
        """Commits on ``hub.db`` since the start; many transactions share one under load."""
        return self._writers[HUB].commits

    @property
    def fault(self) -> str:
        """Why the latest commit on one of the files failed; "" when all is well."""
        return next((one.fault for one in self._writers.values() if one.fault), "")

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """One transaction on ``hub.db``."""
        queries, after = self._queries, list[Callable[[], object]]()
        return await self._writers[HUB].submit(lambda conn: fn(SqliteTransaction(conn, queries, after)), after)

    async def query(self, name: str, params: Params = ()) -> list[Row]:
        """All rows of a named query on ``hub.db``."""
        sql = self._queries.sql(name)

        def run(conn: sqlite3.Connection) -> list[Row]:
            cursor = conn.execute(sql, params)
            columns = [one[0] for one in cursor.description]
            return [dict(zip(columns, row, strict=True)) for row in cursor]

        return await self._read(HUB, run, alone=True)

    async def query_page(self, name: str, paging: Paging, params: Mapping[str, Any] | None = None) -> Rows:
        """One page of a named query on ``hub.db``."""
        sql = self._queries.sql(name)
        return await self._read(HUB, lambda conn: page(conn, sql, paging, params or {}))

    async def series(self, entity_ids: Iterable[str]) -> dict[str, int]:
        """The numbers of these entities' series."""
        wanted = list(entity_ids)
        return await self._writers[READINGS].submit(lambda conn: readings.register(conn, wanted))

    async def record(self, batch: Sequence[Reading]) -> None:
        """Keep readings in ``readings.db``."""
        await self._writers[READINGS].submit(
            lambda conn: readings.write(conn, self._queries, self._slots, batch, self._zone)
        )

    async def load_latest(self, after: int = 0, limit: int = 10_000) -> list[Reading]:
        """The newest reading of each series."""

        def run(conn: sqlite3.Connection) -> list[Reading]:
            readings.fold(conn, self._queries)
            found = conn.execute(self._queries.sql("readings.latest"), {"after": after, "limit": limit}).fetchall()
            if len(found) < limit:
                conn.execute("PRAGMA shrink_memory")  # the pages of a table that is read once, at the start
            return found

        return await self._writers[READINGS].submit(run)

    async def points(self, entity_id: str, from_ms: int, to_ms: int, limit: int = 10_000) -> list[Point]:
        """The readings of one entity."""
        check_span(from_ms, to_ms, Step.RAW)
        return await self._history(entity_id, self._zone, lambda history: history.points(from_ms, to_ms, limit)) or []

    async def buckets(
        self, entity_id: str, from_ms: int, to_ms: int, step: Step, zone: tzinfo | None = None
    ) -> list[Bucket]:
        """The hours, days or months of one entity."""
        check_span(from_ms, to_ms, step)
        local = zone or self._zone
        use_days = zone_name(local) == zone_name(self._zone)
        return (
            await self._history(
                entity_id, local, lambda history: history.buckets(from_ms, to_ms, step, use_days=use_days)
            )
            or []
        )

    async def roll_up(self) -> int:
        """Take over slots into the daily figures, each in a commit of its own so that readings pass between."""
        before_ms = (self._clock.now() // SLOT_MS - GRACE_SLOTS) * SLOT_MS
        writer = self._writers[READINGS]
        done = 0
        while slots := await writer.submit(lambda conn: self._due_slots(conn, before_ms)):
            for number in slots:
                await writer.submit(partial(readings.roll, queries=self._queries, number=number, zone=self._zone))
            done += len(slots)
        while await writer.submit(lambda conn: readings.refresh(conn, self._queries, STALE_AT_ONCE, self._zone)):
            pass
        return done

    def _due_slots(self, conn: sqlite3.Connection, before_ms: int) -> list[int]:
        rows = conn.execute(self._queries.sql("readings.due_slots"), {"before_ms": before_ms, "limit": 100})
        return [number for number, _ in rows]

    async def close(self) -> None:
        """Finish what is queued, then let the files go."""
        for writer in self._writers.values():
            await writer.close()
        with self._clock.outside():
            await asyncio.get_running_loop().run_in_executor(None, self._readers.shutdown)
        for conn in self._opened:
            conn.close()
        self._lock.free()

    async def _history(self, entity_id: str, zone: tzinfo, ask: Callable[[History], T]) -> T | None:
        """The answer for an entity's series, None when it has none."""

        def run(conn: sqlite3.Connection) -> T | None:
            row = conn.execute("SELECT id FROM series WHERE entity = ?", (entity_id,)).fetchone()
            return ask(History(conn, self._queries, row[0], zone)) if row is not None else None

        return await self._read(READINGS, run)

    async def _read(self, file: str, fn: Callable[[sqlite3.Connection], T], *, alone: bool = False) -> T:
        """Run ``fn(conn)`` in a reading thread, in one read transaction; a statement ``alone`` is one by itself."""

        def run() -> T:
            conn = self._reader(file)
            try:
                if alone:
                    return fn(conn)
                conn.execute("BEGIN")
                try:
                    return fn(conn)
                finally:
                    conn.execute("ROLLBACK")
            except (sqlite3.Error, OverflowError) as error:
                if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY:
                    raise Misuse("a query must not write", hint="use transact()") from error
                raise translate(error, self._paths[file]) from error

        return await self._read_outside(run)

    async def _read_outside(self, run: Callable[[], T]) -> T:
        with self._clock.outside():
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def _reader(self, file: str) -> sqlite3.Connection:
        """This thread's reading connection."""
        conn: sqlite3.Connection | None = getattr(self._local, file, None)
        if conn is None:
            self._writers[file].check_in_place()  # what is not there would be made anew, and its log taken away
            conn = connect(self._paths[file], query_only=True)
            setattr(self._local, file, conn)
            self._opened.append(conn)
        return conn


def _check_complete(data_dir: Path) -> None:
    """A folder that lost its ``hub.db`` is no new one: an empty one in its place would know of no money."""
    if (data_dir / READINGS).exists() and not (data_dir / HUB).exists():
        raise StoreError(
            "the file is missing, and readings.db beside it is there",
            where=str(data_dir / HUB),
            hint="put it back or restore a backup: meterhub restore FILE; to begin anew, move readings.db away",
        )

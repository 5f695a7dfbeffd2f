"""The SQLite store without its threads, for simulations: every step happens in the loop, so a run repeats exactly.

Statements, savepoints, group commit and the two files are the real ones. What is left out: waiting for threads, whose
order no seed can repeat; the write-ahead log and waiting for the disk, as the file is thrown away afterwards; and the
reading connections: between two turns nothing is open, so the writing one reads what is committed, and keeps its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from sqlite3 import Connection
from typing import Any, TypeVar

from meterhub.store.engine import Params, Row
from meterhub.store.files import HUB
from meterhub.store.sqlite import SqliteStore
from meterhub.store.writer import Job, Writer

T = TypeVar("T")

CACHE_KB = 64_000


class InlineWriter(Writer):
    """Takes its jobs in the loop, at the turn after the first of them came; all that wait by then share a commit."""

    def _start(self) -> None:
        self._due = False
        self._conn.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._conn.execute("PRAGMA journal_mode = MEMORY")
        self._conn.execute(f"PRAGMA cache_size = -{CACHE_KB}")

    @property
    def connection(self) -> Connection:
        """The one connection to the file, in no transaction between two turns."""
        return self._conn

    def _put(self, job: Job | None) -> None:
        super()._put(job)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._turn)

    def lose(self, error: BaseException) -> None:
        """The power goes: what is not committed never was, and whoever waits for it hears ``error``."""
        while not self._queue.empty():
            job = self._queue.get_nowait()
            if job is not None and not job.future.done():
                job.future.set_exception(error)

    def _tell(self, callback: Callable[..., object], *args: Any) -> None:
        callback(*args)

    def _turn(self) -> None:
        self._due = False
        while not self._queue.empty():
            if not self._take():
                self._conn.close()
                self._ended.set_result(None)


class Turn:
    """Awaited, lets the loop run once: others go on between two queries, as they would with threads."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class InlineStore(SqliteStore):
    """A throw-away store whose every step happens in the loop."""

    _writer_type = InlineWriter
    _synchronous = "OFF"

    def lose(self, error: BaseException) -> None:
        """The power goes: see ``InlineWriter.lose``. What is on disk can be read, and written to, at once."""
        for writer in self._writers.values():
            assert isinstance(writer, InlineWriter)
            writer.lose(error)

    def snapshot(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a statement, at once: nothing else happens between several of them."""
        return list(self.each(sql, params))

    def each(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """As ``snapshot``, row by row, for more than fits into memory; nothing may be awaited meanwhile."""
        cursor = self._reader(HUB).execute(sql, params)
        columns = [one[0] for one in cursor.description]
        for row in cursor:
            yield dict(zip(columns, row, strict=True))

    def _reader(self, file: str) -> Connection:
        writer = self._writers[file]
        assert isinstance(writer, InlineWriter)
        return writer.connection

    async def _read_outside(self, run: Callable[[], T]) -> T:
        await Turn()
        return run()

"""The SQLite store without its threads, for simulations: every step happens in the loop, so a run repeats exactly.

Statements, savepoints, group commit and the two files are the real ones. What is left out: waiting for threads, whose
order no seed can repeat, and waiting for the disk (``synchronous`` is OFF: the file is thrown away afterwards).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from meterhub.store.engine import Params, Row
from meterhub.store.files import HUB
from meterhub.store.sqlite import SqliteStore
from meterhub.store.writer import Job, Writer

T = TypeVar("T")


class InlineWriter(Writer):
    """Takes its jobs in the loop, at the turn after the first of them came; all that wait by then share a commit."""

    def _start(self) -> None:
        self._due = False

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
        cursor = self._reader(HUB).execute(sql, params)
        columns = [one[0] for one in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]

    async def _read_outside(self, run: Callable[[], T]) -> T:
        await Turn()
        return run()

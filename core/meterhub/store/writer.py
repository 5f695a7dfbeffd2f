"""The writer thread of one file: a queue of jobs, many of which share one commit.

Each job runs in a savepoint of its own, so that one that fails is undone alone. A caller goes on only after the
outer commit, so what it was told is safe.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from meterhub.clock import Clock
from meterhub.errors import MeterHubError, StoreError
from meterhub.store.checkpoints import LOG_PAGES, Checkpoints
from meterhub.store.faults import translate

T = TypeVar("T")

MAX_GROUP = 256
"""Jobs that share one commit at most, so that the first of them is not kept waiting."""

MAX_QUEUED = 10_000
"""Jobs that may wait; the next caller waits for room before it is taken in."""

log = logging.getLogger(__name__)


class Job:
    """One function to run in the writer thread and what came of it."""

    __slots__ = ("after", "error", "fn", "future", "result")

    def __init__(
        self,
        fn: Callable[[sqlite3.Connection], Any],
        future: asyncio.Future[Any],
        after: Sequence[Callable[[], object]],
    ) -> None:
        self.fn = fn
        self.future = future
        self.after = after
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Owns the writing connection of one file. Create and close it on the loop."""

    def __init__(self, path: Path, conn: sqlite3.Connection, clock: Clock, checkpoint_rows: int) -> None:
        self._path = path
        self._checkpoint_rows = checkpoint_rows
        self._conn = conn
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._file = _identity(path)
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MAX_QUEUED)
        self._closed = False
        self._ended = self._loop.create_future()
        self.commits = 0
        self.fault = ""
        """Why the latest commit failed, "" after one that did not."""
        self._start()

    def _start(self) -> None:
        threading.Thread(target=self._work, name=f"writer {self._path.name}", daemon=True).start()

    def _put(self, job: Job | None) -> None:
        self._queue.put(job)

    async def submit(self, fn: Callable[[sqlite3.Connection], T], after: Sequence[Callable[[], object]] = ()) -> T:
        """Run ``fn(conn)`` in a savepoint and return its result after the commit; raises what it raised.

        What ``fn`` has added to ``after`` is called after the commit, even if whoever waits here has gone.
        """
        await self._room.acquire()
        try:
            if self._closed:
                raise StoreError("the store is closed", where=str(self._path))
            future: asyncio.Future[T] = self._loop.create_future()
            self._put(Job(fn, future, after))
            with self._clock.outside():
                return await future
        finally:
            self._room.release()

    async def close(self) -> None:
        """Finish the queue, close the connection and wait for the thread's end."""
        if not self._closed:
            self._closed = True
            self._put(None)
        with self._clock.outside():
            await asyncio.shield(self._ended)

    def _work(self) -> None:
        """The thread: take what there is until the empty job that ends it."""
        self._conn.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        checkpoints = Checkpoints(self._path, self._checkpoint_rows)
        while self._take():
            checkpoints.note(self._conn.total_changes)
        checkpoints.close()
        self._conn.close()
        self._tell(self._ended.set_result, None)

    def _take(self) -> bool:
        """Carry out a job, and with it all that wait by then; False after the empty job. Keeps no result of them."""
        job = self._queue.get()
        if job is None:
            return False
        group = [job]
        stopping = self._commit(group)
        self._tell(self._deliver, group)
        return not stopping

    def _commit(self, group: list[Job]) -> bool:
        """Carry out the jobs of ``group``, and those that join it, in one commit; True when the thread is to end."""
        stopping = False
        try:
            self.check_in_place()
            self._conn.execute("BEGIN IMMEDIATE")
            self._run(group[0])
            while len(group) < MAX_GROUP and not self._queue.empty():
                job = self._queue.get_nowait()
                if job is None:
                    stopping = True
                    break
                group.append(job)
                self._run(job)
            self._conn.execute("COMMIT")
            self.commits += 1
            self.fault = ""
        except (sqlite3.Error, StoreError) as error:
            self._undo(group, translate(error, self._path))
        return stopping

    def check_in_place(self) -> None:
        """What is written to a file that somebody removed or replaced is gone with the process.

        Raises ``StoreError``. May be called from any thread.
        """
        if _identity(self._path) != self._file:
            raise StoreError(
                "the file was removed or replaced while the hub runs",
                where=str(self._path),
                hint="stop the hub, put the file back or restore a backup, and start it again",
            )

    def _run(self, job: Job) -> None:
        if job.future.cancelled():
            return
        self._conn.execute("SAVEPOINT job")
        try:
            job.result = job.fn(self._conn)
        except Exception as error:  # noqa: BLE001 - the boundary to the caller's function
            job.error = translate(error, self._path) if isinstance(error, (sqlite3.Error, OverflowError)) else error
            if isinstance(error, StoreError) and not error.where:
                error.where = str(self._path)  # a statement does not know its file
        if not self._conn.in_transaction:
            # SQLite undoes everything by itself on some errors, a full disk among them.
            raise StoreError("the transaction could not be kept", where=str(self._path), hint="the disk may be full")
        if job.error is not None:
            self._conn.execute("ROLLBACK TO job")
        self._conn.execute("RELEASE job")

    def _undo(self, group: list[Job], fault: MeterHubError) -> None:
        """Nothing of the group was kept: say so to all of them."""
        self.fault = str(fault)
        log.error("nothing was written: %s", fault)
        for job in group:
            job.error = job.error or fault
        try:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("cannot undo: %s", translate(error, self._path))

    def _tell(self, callback: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            log.warning("the loop ended before the store was closed", extra={"file": self._path.name})

    @staticmethod
    def _deliver(group: list[Job]) -> None:
        for job in group:
            if job.error is None:
                for callback in job.after:
                    callback()
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to, None when to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Checkpoints of one file beside its writer: what the log holds goes to the file while transactions go on.

SQLite does this within a commit by default, every thousand pages, and whoever commits then waits for all of them to be
written and flushed. A thread with a connection of its own does most of it beforehand; the writer's own checkpoint,
which also lets the log begin anew, finds little left to do. Large and rare is better than small and often: each flush
of the file delays the commits of that moment, and pages that changed often are written once.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from pathlib import Path

from meterhub.errors import StoreError
from meterhub.store.faults import translate
from meterhub.store.files import connect

LOG_PAGES = 10_000
"""From so many pages (40 MB) on, each commit tries to let the log begin anew."""

log = logging.getLogger(__name__)


class Checkpoints:
    """Call ``note`` after commits, and ``close`` before the writer closes its connection."""

    def __init__(self, path: Path, every_rows: int) -> None:
        self._path = path
        self._every_rows = every_rows
        self._done_rows = 0
        self._due: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"checkpoints {path.name}", daemon=True)
        self._thread.start()

    def note(self, rows: int) -> None:
        """So many rows were changed since the file was opened."""
        if rows - self._done_rows >= self._every_rows:
            self._done_rows = rows
            self._due.put(True)

    def close(self) -> None:
        """Finish what is due, close the connection and wait for the thread's end."""
        self._due.put(False)
        self._thread.join()

    def _work(self) -> None:
        try:
            conn = connect(self._path)
        except StoreError as error:
            log.warning("checkpoints are left to the commits: %s", error)
            return
        while self._due.get():
            try:
                conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                # Nothing is lost: the log holds it. Whether new things can be kept, the next commit tells.
                log.warning("no checkpoint: %s", translate(error, self._path))
        conn.close()

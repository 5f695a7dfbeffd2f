"""The files of a data folder: opening them, and the lock that says a hub is running on them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from meterhub.errors import StoreError
from meterhub.store.faults import translate

HUB = "hub.db"
READINGS = "readings.db"
LOCK = "hub.lock"

BUSY_TIMEOUT_S = 10.0


def connect(path: Path, *, synchronous: str = "FULL", query_only: bool = False) -> sqlite3.Connection:
    """Open a file in WAL mode without implicit transactions; raises ``StoreError``.

    ``synchronous``: FULL survives a power cut with every commit, NORMAL may lose the last ones but stays whole.
    """
    try:
        if not query_only:
            # People's data: nobody but the hub's user reads it. SQLite gives its side files the same rights.
            path.touch(mode=0o600)
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise StoreError(f"cannot be opened: {error.strerror}", where=str(path)) from error
    except sqlite3.Error as error:
        raise translate(error, path) from error
    try:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute(f"PRAGMA synchronous = {synchronous}")
        conn.execute("PRAGMA foreign_keys = ON")
        # INSERT OR REPLACE must not slip past the guards of the audit.
        conn.execute("PRAGMA recursive_triggers = ON")
        conn.execute("PRAGMA cache_size = -8000")
        if not query_only:
            # What a savepoint may have to restore is kept in memory: by default SQLite writes it to a temporary file.
            conn.execute("PRAGMA temp_store = MEMORY")
        conn.execute(f"PRAGMA query_only = {int(query_only)}")
    except sqlite3.Error as error:
        conn.close()
        raise translate(error, path) from error
    return conn


class DataLock:
    """Held by the one hub that runs on a data folder; the system lets it go when the process dies."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether the folder is ours now; False when a hub is running on it."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the data folder cannot be used: {error.strerror}", where=str(self._path)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def free(self) -> None:
        """Let the folder go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

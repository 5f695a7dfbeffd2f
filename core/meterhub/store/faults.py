"""What an SQLite error means in the words of the house."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from meterhub.errors import BadInput, Conflict, MeterHubError, Misuse, StoreError

TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)

# SQLITE_CONSTRAINT_DATATYPE; the sqlite3 module does not name it yet.
WRONG_TYPE = sqlite3.SQLITE_CONSTRAINT | (12 << 8)

STORE_FAULTS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space; nothing that was acknowledged is lost"),
    sqlite3.SQLITE_IOERR: ("the disk gave an error", "look at the system's log; the disk or its connection may fail"),
    sqlite3.SQLITE_READONLY: ("the file cannot be written", "give the hub's user the right to write the data folder"),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "check that the data folder exists and who may use it"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "stop the hub and restore a backup: meterhub restore FILE"),
    sqlite3.SQLITE_NOTADB: ("the file is no database", "stop the hub and restore a backup: meterhub restore FILE"),
    sqlite3.SQLITE_BUSY: ("another program holds the file", "close it; a hub must have its data folder to itself"),
    sqlite3.SQLITE_LOCKED: ("another program holds the file", "close it; a hub must have its data folder to itself"),
    sqlite3.SQLITE_INTERRUPT: ("the query was interrupted", "ask for less"),
}


def translate(error: Exception, path: Path | str = "") -> MeterHubError:
    """The error to raise instead: ``StoreError`` (may work later), ``Conflict``, ``BadInput`` or ``Misuse``."""
    where = str(path)
    if isinstance(error, MeterHubError):
        return error
    if isinstance(error, OverflowError):
        return BadInput("a number is too large to be kept", where=where, hint="at most 18 digits")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return Misuse(f"the store was misused: {error}", where=where)
    if code in TAKEN:
        return Conflict(f"it exists already: {error}", where=where)
    if code in (WRONG_TYPE, sqlite3.SQLITE_TOOBIG):
        return BadInput(f"a value does not fit its column: {error}", where=where)
    fault = STORE_FAULTS.get(code & 0xFF)
    if fault is None:
        return Misuse(f"a statement failed: {error}", where=where)
    return StoreError(fault[0], where=where, hint=fault[1])

"""Migrations: numbered, forward only, each in a transaction of its own.

A file carries the number of its last migration in ``PRAGMA user_version``. sqlite-utils makes the schema and is
imported only when there is something to do.
"""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from meterhub.errors import StoreError
from meterhub.store.faults import translate

HUB_STEPS = ("hub_001", "hub_002", "hub_003", "hub_004", "hub_005", "hub_006", "hub_007", "hub_008")
READINGS_STEPS = ("readings_001", "readings_002")
"""Modules of ``meterhub.store.migrations``, in order; each has ``up(db)``."""


def migrate(conn: sqlite3.Connection, path: Path, steps: Sequence[str], *, keep_copy: bool) -> None:
    """Bring a file up to date. Raises ``StoreError`` for a foreign, damaged or newer file.

    With ``keep_copy`` the file as it was is kept beside it as ``NAME.before-N``.
    """
    try:
        version = file_version(conn, path)
        if version > len(steps):
            raise StoreError(
                f"was written by a newer MeterHub (schema {version}, this one knows {len(steps)})",
                where=str(path),
                hint="install that version, or restore a backup made by this one",
            )
        if keep_copy and 0 < version < len(steps):
            copy_to(conn, path.with_name(f"{path.name}.before-{version + 1}"))
        for number in range(version, len(steps)):
            _apply(conn, steps[number], number + 1)
    except (sqlite3.Error, OSError) as error:
        raise translate(error, path) from error


def file_version(conn: sqlite3.Connection, path: Path) -> int:
    """The number of the last migration, 0 for an empty file; raises ``StoreError`` for a file that is not ours."""
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if version == 0 and conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StoreError("is not a file of MeterHub", where=str(path), hint="give the hub a data folder of its own")
    return version


def copy_to(conn: sqlite3.Connection, target: Path) -> None:
    """Write a whole copy of the open file; a copy appears under its name only when it is complete."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    copy = sqlite3.connect(part)
    try:
        conn.backup(copy)
        # One file without side files: it may be moved or packed.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
    part.replace(target)


def _apply(conn: sqlite3.Connection, step: str, number: int) -> None:
    import sqlite_utils

    module = importlib.import_module(f"meterhub.store.migrations.{step}")
    # An explicit BEGIN: `with db.conn:` of sqlite-utils 4 commits half of what fails.
    conn.execute("BEGIN IMMEDIATE")
    try:
        module.up(sqlite_utils.Database(conn))
        conn.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    conn.execute("COMMIT")

"""readings.db, first version: readings by quarter hour, their newest and their daily figures."""

from __future__ import annotations

from sqlite_utils import Database

# Readings are keyed by quarter hour, then series: a sweep writes neighbouring pages, and one series is found by one
# seek per quarter hour. `offset_ms` is the time within it. Days are counted from 0001-01-01 in the store's zone.
# sqlite-utils has no WITHOUT ROWID, which halves the file.
TABLES = """
CREATE TABLE readings (
    slot INTEGER NOT NULL, series INTEGER NOT NULL, offset_ms INTEGER NOT NULL,
    value INTEGER, quality INTEGER NOT NULL,
    PRIMARY KEY (slot, series, offset_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE texts (
    slot INTEGER NOT NULL, series INTEGER NOT NULL, offset_ms INTEGER NOT NULL,
    value TEXT, quality INTEGER NOT NULL,
    PRIMARY KEY (slot, series, offset_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE days (
    day INTEGER NOT NULL, series INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, first INTEGER NOT NULL, last_ms INTEGER NOT NULL, last INTEGER NOT NULL,
    minimum INTEGER NOT NULL, maximum INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, series)
) STRICT, WITHOUT ROWID;
CREATE TABLE stale (
    series INTEGER NOT NULL, day INTEGER NOT NULL,
    PRIMARY KEY (series, day)
) STRICT, WITHOUT ROWID;
"""


def up(db: Database) -> None:
    """Make the tables.

    ``slots`` says how far each quarter hour is: 0 written, 1 also taken into ``latest``, 2 also taken into ``days``.
    ``stale`` names days whose figures must be made again because a reading came late.
    """
    for statement in TABLES.split(";"):
        if statement.strip():
            db.execute(statement)
    db.table("series").create({"id": int, "entity": str}, pk="id", not_null={"entity"}, strict=True)
    db.table("series").create_index(["entity"], unique=True)
    db.table("slots").create({"slot": int, "state": int}, pk="slot", not_null={"state"}, strict=True)
    db.table("slots").create_index(["state", "slot"])
    db.execute(
        "CREATE TABLE latest (series INTEGER PRIMARY KEY, measured_ms INTEGER NOT NULL, value ANY, "
        "quality INTEGER NOT NULL) STRICT"
    )
    db.table("meta").create({"key": str, "value": str}, pk="key", strict=True)

"""hub.db, fourth version: purchase counts that a person let the books take over from a meter, each with its cause."""

from __future__ import annotations

from sqlite_utils import Database

TABLES = """
CREATE TABLE count_adoptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    account TEXT NOT NULL,
    order_no TEXT NOT NULL,
    known INTEGER,
    adopted INTEGER,
    reason TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX count_adoptions_account ON count_adoptions (account, id)
"""


def up(db: Database) -> None:
    """Add the table. ``adopted`` is filled in when the meter is read for the delivery that goes on."""
    for statement in TABLES.split(";"):
        db.execute(statement)

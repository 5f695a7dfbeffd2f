"""hub.db, sixth version: deeds of money over a limit, which wait for a second person."""

from __future__ import annotations

from sqlite_utils import Database

TABLES = """
CREATE TABLE approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    scope TEXT NOT NULL,
    action TEXT NOT NULL,
    about TEXT NOT NULL,
    params_json TEXT NOT NULL,
    amount_fen INTEGER NOT NULL,
    reason TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused')),
    asked_by TEXT NOT NULL,
    asked_ms INTEGER NOT NULL,
    decided_by TEXT NOT NULL DEFAULT '',
    decided_ms INTEGER
) STRICT;
CREATE INDEX approvals_waiting ON approvals (operator, id) WHERE state = 'waiting'
"""


def up(db: Database) -> None:
    """Add the table."""
    for statement in TABLES.split(";"):
        db.execute(statement)

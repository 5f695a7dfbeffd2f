"""hub.db, third version: messages to people outside, each with its history."""

from __future__ import annotations

from sqlite_utils import Database

TABLES = """
CREATE TABLE messages (
    no TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    about TEXT NOT NULL,
    recipient TEXT NOT NULL,
    shown TEXT NOT NULL,
    template TEXT NOT NULL,
    params_json TEXT NOT NULL,
    notifier TEXT NOT NULL DEFAULT '',
    provider_id TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('new', 'sending', 'sent', 'delivered', 'failed', 'unknown')),
    reason TEXT NOT NULL DEFAULT '',
    checks INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    sent_ms INTEGER,
    done_ms INTEGER
) STRICT;
CREATE INDEX messages_created ON messages (created_ms);
CREATE INDEX messages_recipient ON messages (recipient, created_ms);
CREATE INDEX messages_provider ON messages (notifier, provider_id) WHERE provider_id <> '';
CREATE TABLE message_steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message TEXT NOT NULL REFERENCES messages (no),
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    notifier TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX message_steps_message ON message_steps (message, id);
ALTER TABLE money_accounts ADD COLUMN phone TEXT NOT NULL DEFAULT ''
"""


def up(db: Database) -> None:
    """Add the tables."""
    for statement in TABLES.split(";"):
        db.execute(statement)

"""hub.db, seventh version: when a refund was asked for, because companies want a time between those of one payment."""

from __future__ import annotations

from sqlite_utils import Database


def up(db: Database) -> None:
    """Add the column."""
    db.execute("ALTER TABLE refunds ADD COLUMN asked_ms INTEGER")

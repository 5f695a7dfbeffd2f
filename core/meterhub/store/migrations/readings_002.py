"""readings.db, second version: slots know when they begin, for a quarter hour may have several."""

from __future__ import annotations

from sqlite_utils import Database


def up(db: Database) -> None:
    """Slots that exist keep their numbers, which their readings carry: quarter hours since 1970."""
    db.table("slots").add_column("start_ms", int, not_null_default=0)
    db.execute("UPDATE slots SET start_ms = slot * 900000")
    db.execute("DROP INDEX idx_slots_state_slot")
    db.table("slots").create_index(["start_ms"], unique=True)
    db.table("slots").create_index(["state", "start_ms"])

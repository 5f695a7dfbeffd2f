"""hub.db, fifth version: deliveries that take credit back out of a meter, so that an order may have several."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = """
CREATE TABLE deliveries_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    order_no TEXT NOT NULL REFERENCES orders (no),
    account TEXT NOT NULL,
    meter TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'unknown', 'confirmed', 'not_delivered')),
    number INTEGER,
    counted INTEGER,
    count_before INTEGER,
    balance_before TEXT,
    balance_after TEXT,
    round INTEGER NOT NULL DEFAULT 0,
    sends INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    needs_person INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    sent_ms INTEGER,
    confirmed_ms INTEGER,
    takes_back INTEGER NOT NULL DEFAULT 0 CHECK (takes_back IN (0, 1)),
    payment INTEGER REFERENCES payments (id),
    reason TEXT NOT NULL DEFAULT '',
    asked_by TEXT NOT NULL DEFAULT '',
    CHECK (takes_back = (payment IS NOT NULL))
) STRICT;
INSERT INTO deliveries_new (id, operator, order_no, account, meter, amount_fen, state, number, counted, count_before,
    balance_before, balance_after, round, sends, tries, needs_person, error, created_ms, sent_ms, confirmed_ms)
SELECT id, operator, order_no, account, meter, amount_fen, state, number, counted, count_before,
    balance_before, balance_after, round, sends, tries, needs_person, error, created_ms, sent_ms, confirmed_ms
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_order ON deliveries (order_no) WHERE takes_back = 0;
CREATE UNIQUE INDEX deliveries_withdrawal ON deliveries (order_no)
    WHERE takes_back = 1 AND state IN ('planned', 'sending', 'unknown');
CREATE INDEX deliveries_all ON deliveries (order_no);
CREATE UNIQUE INDEX deliveries_in_flight ON deliveries (meter) WHERE state IN ('sending', 'unknown');
CREATE UNIQUE INDEX deliveries_number ON deliveries (account, number) WHERE state = 'confirmed';
CREATE INDEX deliveries_state ON deliveries (state)
"""


def up(db: Database) -> None:
    """Make the table anew: SQLite cannot drop the old rule of one delivery per order."""
    for statement in STATEMENTS.split(";"):
        db.execute(statement)

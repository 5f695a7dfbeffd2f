"""hub.db, eighth version: indexes by which no question of money takes longer the more was done before.

Each kind of work in the outbox is looked at by itself; what is open is found without what is over.
"""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = """
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (kind, next_ms) WHERE state = 'waiting';
DROP INDEX policy_decisions_account;
CREATE INDEX policy_decisions_account ON policy_decisions (account);
CREATE INDEX policy_decisions_cuts ON policy_decisions (operator, at_ms) WHERE wanted = 'off' AND allow = 1;
CREATE INDEX orders_unpaid ON orders (account, expires_ms) WHERE state IN ('created', 'paying');
CREATE INDEX money_accounts_meter ON money_accounts (meter);
CREATE INDEX anomalies_open ON anomalies (operator) WHERE solved_ms IS NULL;
CREATE INDEX anomalies_order ON anomalies (order_no)
"""


def up(db: Database) -> None:
    """Make the indexes."""
    for statement in STATEMENTS.split(";"):
        db.execute(statement)

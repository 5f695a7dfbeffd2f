"""hub.db, second version: money. Accounts, orders, attempts, payments, refunds, deliveries, outbox, ledger, proofs.

Amounts are integer fen. A line of the ledger moves an amount from one book to another, so that all of them sum to
zero by construction; lines, payments, bill rows and decisions are never changed or deleted. Unique keys carry
what must not happen twice.
"""

from __future__ import annotations

from sqlite_utils import Database

TABLES = """
CREATE TABLE money_accounts (
    id TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    scope TEXT NOT NULL,
    meter TEXT NOT NULL,
    utility TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('meter', 'server', 'postpaid')),
    state TEXT NOT NULL CHECK (state IN ('open', 'closing', 'closed')),
    holder TEXT NOT NULL DEFAULT '',
    link TEXT NOT NULL,
    purchase_count INTEGER,
    supply TEXT NOT NULL DEFAULT '' CHECK (supply IN ('', 'on', 'off')),
    opened_by TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX money_accounts_one ON money_accounts (meter, utility) WHERE state <> 'closed';
CREATE UNIQUE INDEX money_accounts_link ON money_accounts (link);
CREATE TABLE orders (
    no TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    scope TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES money_accounts (id),
    meter TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    state TEXT NOT NULL,
    client_key TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    paid_ms INTEGER,
    done_ms INTEGER,
    prints INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX orders_key ON orders (account, client_key);
CREATE INDEX orders_created ON orders (created_ms);
CREATE INDEX orders_state ON orders (state, expires_ms);
CREATE TABLE attempts (
    no TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    order_no TEXT NOT NULL REFERENCES orders (no),
    provider TEXT NOT NULL,
    merchant TEXT NOT NULL,
    payment_account TEXT NOT NULL,
    way TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    state TEXT NOT NULL CHECK (state IN ('new', 'pending', 'unknown', 'success', 'failed', 'closed')),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    transaction_id TEXT NOT NULL DEFAULT '',
    checkout_json TEXT,
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempts_order ON attempts (order_no);
CREATE TABLE payments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    provider TEXT NOT NULL,
    merchant TEXT NOT NULL,
    payment_account TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    attempt TEXT NOT NULL,
    order_no TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    kind TEXT NOT NULL CHECK (kind IN ('first', 'second', 'late', 'unmatched')),
    source TEXT NOT NULL,
    paid_ms INTEGER NOT NULL,
    recorded_ms INTEGER NOT NULL,
    UNIQUE (provider, merchant, transaction_id)
) STRICT;
CREATE INDEX payments_order ON payments (order_no);
CREATE INDEX payments_paid ON payments (paid_ms);
CREATE TABLE refunds (
    no TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    payment INTEGER NOT NULL REFERENCES payments (id),
    order_no TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    state TEXT NOT NULL CHECK (state IN ('requested', 'unknown', 'processing', 'done', 'abnormal', 'closed')),
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    done_ms INTEGER,
    refund_id TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX refunds_order ON refunds (order_no);
CREATE INDEX refunds_payment ON refunds (payment);
CREATE TABLE deliveries (
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
    UNIQUE (order_no)
) STRICT;
CREATE UNIQUE INDEX deliveries_in_flight ON deliveries (meter) WHERE state IN ('sending', 'unknown');
CREATE UNIQUE INDEX deliveries_number ON deliveries (account, number) WHERE state = 'confirmed';
CREATE INDEX deliveries_state ON deliveries (state);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    lane TEXT NOT NULL,
    payload_json TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'no_way')),
    tries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    next_ms INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    done_ms INTEGER,
    error TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_ms) WHERE state = 'waiting';
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state = 'waiting';
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL CHECK (target <> source),
    fen INTEGER NOT NULL CHECK (fen > 0),
    order_no TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    cause TEXT NOT NULL,
    UNIQUE (operator, kind, ref)
) STRICT;
CREATE INDEX ledger_order ON ledger (order_no);
CREATE INDEX ledger_source ON ledger (operator, source);
CREATE INDEX ledger_target ON ledger (operator, target);
CREATE TABLE book_balances (
    operator TEXT NOT NULL,
    book TEXT NOT NULL,
    fen INTEGER NOT NULL,
    guarded INTEGER NOT NULL,
    PRIMARY KEY (operator, book),
    CHECK (guarded = 0 OR fen >= 0)
) STRICT;
CREATE TABLE anomalies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    order_no TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    solved_ms INTEGER,
    solved_by TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, ref)
) STRICT;
CREATE TABLE bills (
    payment_account TEXT NOT NULL,
    day TEXT NOT NULL,
    operator TEXT NOT NULL,
    rows INTEGER NOT NULL,
    imported_ms INTEGER NOT NULL,
    PRIMARY KEY (payment_account, day)
) STRICT;
CREATE TABLE bill_rows (
    payment_account TEXT NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    amount_fen INTEGER NOT NULL,
    fee_fen INTEGER NOT NULL,
    PRIMARY KEY (payment_account, kind, ref)
) STRICT;
CREATE TABLE policy_decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL,
    account TEXT NOT NULL,
    meter TEXT NOT NULL,
    wanted TEXT NOT NULL CHECK (wanted IN ('on', 'off')),
    allow INTEGER NOT NULL,
    reason TEXT NOT NULL,
    inputs_json TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX policy_decisions_account ON policy_decisions (account, at_ms);
CREATE TABLE proofs (
    day TEXT NOT NULL,
    operator TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    differences INTEGER NOT NULL,
    content_json TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (operator, day)
) STRICT
"""

APPEND_ONLY = ("ledger", "payments", "bill_rows", "policy_decisions")
GUARD = "CREATE TRIGGER {0}_no_{1} BEFORE {1} ON {0} BEGIN SELECT RAISE(ABORT, '{0} is append-only'); END"


def up(db: Database) -> None:
    """Make the tables of money and the guards of those that only grow."""
    for statement in TABLES.split(";"):
        db.execute(statement)
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            db.execute(GUARD.format(table, change))

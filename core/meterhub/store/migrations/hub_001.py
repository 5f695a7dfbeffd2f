"""hub.db, first version: devices, occasions, action runs, people, audit, settings.

Times are UTC epoch milliseconds; ``operator`` is the root of tenancy on every business table; ``_json`` columns hold
JSON; flags are 0 or 1.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

# table: (key, columns, columns that may be empty of a value)
TABLES: dict[str, tuple[str | tuple[str, ...], dict[str, Any], set[str]]] = {
    "devices": (
        "id",
        {
            "id": str,
            "operator": str,
            "kind": str,
            "config_json": str,
            "disabled": int,
            "created_by": str,
            "created_ms": int,
            "updated_ms": int,
        },
        set(),
    ),
    "spells": (
        "id",
        {
            "id": int,
            "operator": str,
            "device": str,
            "state": str,
            "since_ms": int,
            "until_ms": int,
            "cause": str,
            "detail": str,
        },
        {"until_ms"},
    ),
    "due": (
        ("schedule", "due_ms"),
        {
            "schedule": str,
            "due_ms": int,
            "operator": str,
            "state": str,
            "claimed_ms": int,
            "finished_ms": int,
            "run": str,
            "detail": str,
        },
        {"claimed_ms", "finished_ms"},
    ),
    "action_runs": (
        "id",
        {
            "id": str,
            "operator": str,
            "action": str,
            "target": str,
            "params_json": str,
            "actor": str,
            "key": str,
            "reason": str,
            "cause": str,
            "state": str,
            "result_json": str,
            "error_json": str,
            "created_ms": int,
            "updated_ms": int,
        },
        {"result_json", "error_json"},
    ),
    "users": (
        "id",
        {
            "id": str,
            "operator": str,
            "name": str,
            "password_hash": str,
            "language": str,
            "disabled": int,
            "created_ms": int,
            "updated_ms": int,
            "password_ms": int,
        },
        {"password_ms"},
    ),
    "roles": (
        ("operator", "id"),
        {"id": str, "operator": str, "title": str, "built_in": int, "created_ms": int},
        set(),
    ),
    "grants": (
        "id",
        {
            "id": int,
            "operator": str,
            "role": str,
            "permission": str,
            "scope": str,
            "allow": int,
            "reason": str,
        },
        set(),
    ),
    "user_roles": (
        ("user", "role", "scope"),
        {"user": str, "role": str, "scope": str, "operator": str, "created_ms": int},
        set(),
    ),
    "sessions": (
        "id",
        {
            "id": int,
            "operator": str,
            "user": str,
            "token_hash": str,
            "address": str,
            "agent": str,
            "created_ms": int,
            "seen_ms": int,
            "expires_ms": int,
            "revoked_ms": int,
        },
        {"revoked_ms"},
    ),
    "tokens": (
        "id",
        {
            "id": int,
            "operator": str,
            "user": str,
            "name": str,
            "kind": str,
            "token_hash": str,
            "created_ms": int,
            "used_ms": int,
            "expires_ms": int,
            "revoked_ms": int,
        },
        {"used_ms", "expires_ms", "revoked_ms"},
    ),
    "login_history": (
        "id",
        {
            "id": int,
            "operator": str,
            "user": str,
            "at_ms": int,
            "outcome": str,
            "method": str,
            "address": str,
            "agent": str,
            "place": str,
            "carrier": str,
            "detail": str,
        },
        set(),
    ),
    "settings": (
        ("operator", "key"),
        {"operator": str, "key": str, "value_json": str, "updated_ms": int},
        set(),
    ),
}

DEFAULTS = {"operator": "main", "disabled": 0, "built_in": 0, "scope": "", "allow": 1, "kind": "api"}

INDEXES: dict[str, list[list[str]]] = {
    "spells": [["device", "since_ms"], ["since_ms"]],
    "due": [["state", "due_ms"]],
    "action_runs": [["target", "created_ms"], ["created_ms"], ["state"]],
    "grants": [["operator", "role"]],
    "sessions": [["user", "created_ms"]],
    "tokens": [["user", "created_ms"]],
    "login_history": [["user", "at_ms"], ["address", "at_ms"], ["at_ms"]],
}

# Numbers are never used again, so that a row cut off the end of the chain leaves a gap.
AUDIT = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operator TEXT NOT NULL DEFAULT 'main',
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL DEFAULT '',
    before_json TEXT,
    after_json TEXT,
    cause TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '',
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_at ON audit (at_ms);
CREATE INDEX audit_target ON audit (target, at_ms);
"""

GUARD = "CREATE TRIGGER audit_no_{0} BEFORE {0} ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"


def up(db: Database) -> None:
    """Make the tables, their indexes, and the guards of the audit."""
    for name, (key, columns, empty) in TABLES.items():
        keys = {key} if isinstance(key, str) else set(key)
        texts = {column for column, kind in columns.items() if kind is str and column not in empty | keys}
        defaults = {column: DEFAULTS.get(column, "") for column in columns if column in texts or column in DEFAULTS}
        # A table's own `kind` of device has no sensible default.
        if name == "devices":
            del defaults["kind"]
        db.table(name).create(columns, pk=key, not_null=set(columns) - empty, defaults=defaults, strict=True)
        for index in INDEXES.get(name, []):
            db.table(name).create_index(index)
    for table in ("sessions", "tokens"):
        db.table(table).create_index(["token_hash"], unique=True)
    db.execute("CREATE UNIQUE INDEX action_runs_key ON action_runs (operator, actor, key) WHERE key <> ''")
    for statement in [*AUDIT.split(";"), GUARD.format("UPDATE"), GUARD.format("DELETE")]:
        if statement.strip():
            db.execute(statement)

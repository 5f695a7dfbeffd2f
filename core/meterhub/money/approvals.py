"""Approvals: a deed over the limit is kept, and done in the very transaction in which a second person approves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterhub.errors import Conflict, NotFound
from meterhub.store.engine import Row, Transaction


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody wants to do. ``about`` is the order or account, ``params`` are what carrying it out needs.

    ``key`` names the wish: the same again is the same wish.
    """

    action: str
    about: str
    scope: str
    params: Mapping[str, Any]
    amount_fen: int
    reason: str
    key: str
    by: str


def keep(tx: Transaction, deed: Deed, operator: str, now_ms: int) -> Row:
    """Store a deed that waits for a second person, and return it; the one there is for a key that is known."""
    known = tx.one("approvals.by_key", {"key": deed.key})
    if known is not None:
        return known
    place = {"operator": operator, "scope": deed.scope, "action": deed.action, "about": deed.about}
    content = {"params_json": json.dumps(dict(deed.params)), "amount_fen": deed.amount_fen, "reason": deed.reason}
    row = {**place, **content, "key": deed.key, "state": "waiting", "asked_by": deed.by, "asked_ms": now_ms}
    return {**row, "id": tx.insert("approvals", row)}


def take(tx: Transaction, approval_id: int, state: str, by: str, now_ms: int) -> Row:
    """Decide on a deed: ``approved`` or ``refused``; the one who asked may only take it back.

    Raises ``NotFound``, and ``Conflict`` for a deed that is decided already or whose approver asked for it.
    """
    row = tx.one("approvals.one", {"id": approval_id})
    if row is None:
        raise NotFound(f"nothing waits under {approval_id}")
    if row["state"] != "waiting":
        raise Conflict(f"this was {row['state']} already", where=row["about"])
    if state == "approved" and row["asked_by"] == by:
        raise Conflict("a second person has to approve this", where=row["about"], hint="whoever asked may not")
    tx.update("approvals", {"id": approval_id}, {"state": state, "decided_by": by, "decided_ms": now_ms})
    return row

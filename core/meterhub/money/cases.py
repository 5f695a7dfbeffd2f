"""Cases that need a person: each has a kind, what it is about, and stays open until somebody solved it."""

from __future__ import annotations

from meterhub.store.engine import Transaction

AMOUNT, CURRENCY, UNKNOWN_ORDER, OTHER_CHANNEL = "amount", "currency", "unknown_order", "other_channel"
LATE, SECOND, UNMATCHED = "late_payment", "second_payment", "unmatched_payment"
UNCERTAIN, REFUSED, COUNT_GAP = "uncertain_delivery", "refused_delivery", "count_gap"
BOOKS_DIFFER = "books_differ"
DELIVERY = (UNCERTAIN, REFUSED, COUNT_GAP, BOOKS_DIFFER)
"""Cases about a delivery; each is named by the delivery and how often it was sent."""
REFUND_ABNORMAL, REFUND_CLOSED, REFUND_REFUSED = "refund_abnormal", "refund_closed", "refund_refused"
UNPAID_UNKNOWN = "attempt_unknown"


def flag(tx: Transaction, kind: str, ref: str, detail: str, *, operator: str, at_ms: int, order_no: str = "") -> None:
    """Open a case. The same kind and ref is one case, however often it is flagged; one that was solved stays so."""
    row = {"operator": operator, "kind": kind, "ref": ref, "order_no": order_no, "detail": detail, "at_ms": at_ms}
    tx.execute("cases.flag", row)


def solve(tx: Transaction, kind: str, ref: str, *, by: str, at_ms: int) -> None:
    """Close a case, if it is open."""
    tx.execute("cases.solve", {"kind": kind, "ref": ref, "by": by, "at_ms": at_ms})

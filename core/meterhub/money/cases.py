"""Cases that need a person: each has a kind, what it is about, and stays open until somebody solved it."""

from __future__ import annotations

from meterhub.errors import BadInput, Conflict, NotFound
from meterhub.money.states import DeliveryState, OrderState
from meterhub.store.engine import Row, Transaction
from meterhub.texts import mark

AMOUNT, CURRENCY, UNKNOWN_ORDER, OTHER_CHANNEL = "amount", "currency", "unknown_order", "other_channel"
LATE, SECOND, UNMATCHED = "late_payment", "second_payment", "unmatched_payment"
UNCERTAIN, REFUSED, COUNT_GAP = "uncertain_delivery", "refused_delivery", "count_gap"
BOOKS_DIFFER = "books_differ"
DELIVERY = (UNCERTAIN, REFUSED, COUNT_GAP, BOOKS_DIFFER)
"""Cases about a delivery; each is named by ``of_delivery``."""
REFUND_ABNORMAL, REFUND_CLOSED, REFUND_REFUSED = "refund_abnormal", "refund_closed", "refund_refused"
UNPAID_UNKNOWN = "attempt_unknown"


def flag(tx: Transaction, kind: str, ref: str, detail: str, *, operator: str, at_ms: int, order_no: str = "") -> None:
    """Open a case. The same kind and ref is one case, however often it is flagged; one that was solved stays so."""
    row = {"operator": operator, "kind": kind, "ref": ref, "order_no": order_no, "detail": detail, "at_ms": at_ms}
    tx.execute("cases.flag", row)


def solve(tx: Transaction, kind: str, ref: str, *, by: str, at_ms: int) -> None:
    """Close a case, if it is open."""
    tx.execute("cases.solve", {"kind": kind, "ref": ref, "by": by, "at_ms": at_ms})


def settle(tx: Transaction, case_id: int, reason: str, *, operator: str, by: str, at_ms: int) -> Row:
    """Close a case by hand and return it: a person has seen to it, or it was seen to elsewhere.

    Raises ``Conflict`` while there is something to decide about it here: money and credit are not talked away.
    """
    if not reason.strip():
        raise BadInput("a case is closed with a reason", hint="what was found out, and by whom")
    case = tx.one("cases.one", {"id": case_id})
    if case is None or case["operator"] != operator:
        raise NotFound(f"there is no case {case_id}")
    if case["solved_ms"] is not None:
        raise Conflict("this case was closed already", where=case["order_no"])
    if left := _left(tx, case):
        raise Conflict(left, where=case["order_no"], hint="decide that, and the case closes by itself")
    solve(tx, case["kind"], case["ref"], by=by, at_ms=at_ms)
    return case


def of_delivery(delivery: Row) -> str:
    """The ref of a case about a delivery as it stands: how often it was sent, and how often planned anew."""
    ref = f"{delivery['id']}/{delivery['sends']}"
    return f"{ref}/{delivery['round']}" if delivery["round"] else ref


def solve_delivery(tx: Transaction, delivery: Row, *, by: str, at_ms: int) -> None:
    """Close what was open about the last sending of a delivery."""
    for kind in DELIVERY:
        solve(tx, kind, of_delivery(delivery), by=by, at_ms=at_ms)


def _left(tx: Transaction, case: Row) -> str:
    """What there still is to decide about a case, "" when nothing is."""
    kind, ref = case["kind"], case["ref"]
    if kind in DELIVERY:
        delivery = tx.one("money.delivery", {"id": int(ref.partition("/")[0])})
        assert delivery is not None
        return undecided(tx, delivery)
    if kind in (LATE, SECOND):
        return mark("the money of this payment still waits for a decision") if _waits(tx, int(ref)) else ""
    if kind == REFUND_ABNORMAL:
        refund = tx.one("money.refund", {"no": ref})
        return mark("the refund cannot reach the payer yet") if refund and refund["state"] == "abnormal" else ""
    return ""


def undecided(tx: Transaction, delivery: Row) -> str:
    """What there still is to decide about a delivery, "" when nothing is."""
    if delivery["needs_person"]:
        return mark("the delivery waits for a decision")
    order = tx.one("money.order", {"no": delivery["order_no"]})
    assert order is not None
    if delivery["state"] == DeliveryState.NOT_DELIVERED and order["state"] == OrderState.PAID:
        return mark("the meter does not have the credit, and the money was not given back")
    return ""


def _waits(tx: Transaction, payment_id: int) -> bool:
    """Whether money of a payment beside the one that was wanted has found no place yet."""
    payment = tx.one("money.payment", {"id": payment_id})
    back = tx.one("money.refunded", {"payment": payment_id})
    assert payment is not None and back is not None
    applied = tx.one("ledger.line", {"operator": payment["operator"], "kind": "applied", "ref": f"{payment_id}"})
    return applied is None and int(back["fen"]) < int(payment["amount_fen"])

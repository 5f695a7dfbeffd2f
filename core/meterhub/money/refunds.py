"""Refunds: money that goes back the way it came. Set aside in the books first, asked for by the outbox after.

Never while nobody knows whether the meter has the credit, never more than was paid by that payment, and never credit
that was used. Credit in a meter is taken out there first, where the meter can do that.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadInput, Conflict, NotFound
from meterhub.money import cases
from meterhub.money.amount import positive, yuan
from meterhub.money.books import Books
from meterhub.money.evidence import Evidence, Outcome
from meterhub.money.follow import DELIVERY, REFUND, tell
from meterhub.money.outbox import Outbox
from meterhub.money.policy import Policy
from meterhub.money.statements import RefundState, RefundStatement
from meterhub.money.states import DeliveryState, Mode, OrderState, move_delivery, move_order
from meterhub.money.withdrawals import plan_withdrawal, taken_out
from meterhub.store.engine import Row, Transaction

MOST_PARTS = 50
"""How many parts a payment may be given back in; one of the big companies takes no more."""


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What a manager wants to give back of a payment. ``meter_gives_back``: its meter can do ``meter.refund``."""

    payment: int
    fen: int
    reason: str
    meter_gives_back: bool = False


def request_refund(tx: Transaction, wish: RefundWish, books: Books, outbox: Outbox) -> Row | None:
    """Set a refund aside and have it asked for; returns it. None when the meter has to give the credit back first.

    Raises ``Conflict`` in words for a person: the delivery is under way, the credit is used, or the meter keeps it.
    """
    payment_id, fen, reason = wish.payment, wish.fen, wish.reason
    payment = tx.one("money.payment", {"id": payment_id})
    if payment is None:
        raise NotFound(f"there is no payment {payment_id}")
    positive(fen)
    if not reason.strip():
        raise BadInput("a refund needs a reason")
    _check(tx, payment, fen)
    if not books.waits(payment) and _in_meter(tx, payment, wish, outbox):
        plan_withdrawal(tx, payment, fen, reason, books, outbox)
        return None
    return plan_refund(tx, payment, fen, reason, books, outbox)


def plan_refund(tx: Transaction, payment: Row, fen: int, reason: str, books: Books, outbox: Outbox) -> Row:
    """Set a refund aside. Raises ``Conflict`` when the money is not there, or more than was paid would go back."""
    before = _check(tx, payment, fen)
    order = tx.one("money.order", {"no": payment["order_no"]})
    account = None if order is None else tx.one("money.account", {"id": order["account"]})
    refund = _keep(tx, payment, fen, reason, books)
    books.refund_planned(refund, payment, account)
    delivery = None if books.waits(payment) else tx.one("money.delivery_of_order", {"order_no": payment["order_no"]})
    if delivery is not None and delivery["state"] == DeliveryState.NOT_DELIVERED:
        cases.solve_delivery(tx, delivery, by=books.cause, at_ms=books.at_ms)
    if order is not None and not books.waits(payment) and before + fen == payment["amount_fen"]:
        move_order(tx, order, OrderState.REFUNDING)
    outbox.put(tx, REFUND, refund["no"], refund["no"], {"refund": refund["no"]}, operator=books.operator)
    return refund


def _check(tx: Transaction, payment: Row, fen: int) -> int:
    """How much of a payment went back before; raises ``Conflict`` when ``fen`` more, or one part more, are too much."""
    before = tx.one("money.refunded", {"payment": payment["id"]})
    assert before is not None
    if before["fen"] + fen > payment["amount_fen"]:
        left = payment["amount_fen"] - before["fen"]
        raise Conflict(f"only {yuan(left)} of this payment can still be given back", where=payment["order_no"])
    if before["n"] >= MOST_PARTS:
        raise Conflict(f"a payment can be given back in {MOST_PARTS} parts at most", where=payment["order_no"])
    return int(before["fen"])


def _in_meter(tx: Transaction, payment: Row, wish: RefundWish, outbox: Outbox) -> bool:
    """Whether the meter has an order's credit and can give it back. Credit that is not sent yet is stopped.

    Raises ``Conflict`` for credit on its way, and for credit in a meter that keeps it.
    """
    fen = wish.fen
    delivery = tx.one("money.delivery_of_order", {"order_no": payment["order_no"]})
    if delivery is None:
        return False
    where = payment["order_no"]
    if delivery["state"] in (DeliveryState.SENDING, DeliveryState.UNKNOWN):
        raise Conflict(
            "nobody knows yet whether the meter has this credit", where=where, hint="wait until the delivery is settled"
        )
    if delivery["state"] == DeliveryState.CONFIRMED:
        if taken_out(tx, payment, fen):
            return False
        if wish.meter_gives_back:
            return True
        raise Conflict(
            "the meter has this credit already", where=where, hint="credit in a meter is used up or taken back there"
        )
    if fen != payment["amount_fen"]:
        raise Conflict("an order for the meter is given back whole or not at all", where=where)
    if delivery["state"] == DeliveryState.PLANNED:
        changes = {"error": "given back before it was sent", "needs_person": 0}
        move_delivery(tx, delivery, DeliveryState.NOT_DELIVERED, **changes)
        # One that waited for a person must not hold up those behind it.
        outbox.wake_row(tx, DELIVERY, f"{delivery['id']}")
    return False


def _keep(tx: Transaction, payment: Row, fen: int, reason: str, books: Books) -> Row:
    attempt = payment["attempt"] or f"P{payment['id']:08d}"
    parts = tx.one("money.refund_parts", {"payment": payment["id"]})
    assert parts is not None
    row = {
        "no": f"{attempt}R{parts['n']:02d}",
        "operator": books.operator,
        "payment": payment["id"],
        "order_no": payment["order_no"],
        "amount_fen": fen,
        "state": "requested",
        "reason": reason,
        "created_by": books.cause,
        "created_ms": books.at_ms,
    }
    tx.insert("refunds", row)
    return row


def note_refund(
    tx: Transaction, evidence: Evidence, statement: RefundStatement, policy: Policy, now_ms: int, outbox: Outbox
) -> Outcome:
    """Book what a company says of a refund, once."""
    refund = tx.one("money.refund", {"no": statement.refund_no})
    if refund is None:
        return _strange(tx, evidence, statement, policy, now_ms)
    payment = tx.one("money.payment", {"id": refund["payment"]})
    assert payment is not None
    if (payment["provider"], payment["merchant"]) != (evidence.provider, evidence.merchant):
        return Outcome.OTHER_CHANNEL
    if statement.amount_fen not in (None, refund["amount_fen"]):
        _flag(tx, Outcome.WRONG_AMOUNT, refund, f"refund of {statement.amount_fen} fen", now_ms)
        return Outcome.WRONG_AMOUNT
    if refund["state"] in ("done", "closed"):
        return _after_the_end(tx, refund, statement, now_ms)
    books = Books(tx, refund["operator"], now_ms, f"refund:{refund['no']}")
    if statement.state is RefundState.DONE:
        _done(tx, refund, payment, statement, books, outbox)
        return Outcome.REFUND_DONE
    if statement.state is RefundState.CLOSED:
        _not_done(tx, refund, payment, statement, books)
    elif statement.state is not RefundState.MISSING:
        tx.update("refunds", {"no": refund["no"]}, {"state": statement.state, "refund_id": statement.refund_id})
        if statement.state is RefundState.ABNORMAL:
            _flag(tx, cases.REFUND_ABNORMAL, refund, statement.reason, now_ms)
    return Outcome.REFUND_NOTED


def _done(tx: Transaction, refund: Row, payment: Row, statement: RefundStatement, books: Books, outbox: Outbox) -> None:
    done_ms = statement.refunded_ms or books.at_ms
    changes = {"state": "done", "done_ms": done_ms, "refund_id": statement.refund_id, "error": ""}
    tx.update("refunds", {"no": refund["no"]}, changes)
    books.refunded(refund, payment)
    for kind in (cases.REFUND_ABNORMAL, cases.REFUND_REFUSED):
        cases.solve(tx, kind, refund["no"], by="system", at_ms=books.at_ms)
    _solve_if_all_is_back(tx, payment, books.at_ms)
    order = tx.one("money.order", {"no": refund["order_no"]})
    if order is None or books.waits(payment):
        return
    if order["state"] == OrderState.REFUNDING:
        move_order(tx, order, OrderState.REFUNDED, done_ms=books.at_ms)
        tell(tx, order, "refunded", outbox)


def _solve_if_all_is_back(tx: Transaction, payment: Row, at_ms: int) -> None:
    """Nobody is needed any more for a payment that was late, or the second; while a part of it waits, somebody is."""
    back = tx.one("money.refunded", {"payment": payment["id"]})
    if back is None or back["fen"] < payment["amount_fen"]:
        return
    for kind in (cases.LATE, cases.SECOND):
        cases.solve(tx, kind, f"{payment['id']}", by="system", at_ms=at_ms)


def _not_done(tx: Transaction, refund: Row, payment: Row, statement: RefundStatement, books: Books) -> None:
    tx.update("refunds", {"no": refund["no"]}, {"state": "closed", "error": statement.reason})
    books.refund_dropped(refund)
    _flag(tx, cases.REFUND_CLOSED, refund, statement.reason, books.at_ms)
    order = tx.one("money.order", {"no": refund["order_no"]})
    if order is not None and order["state"] == OrderState.REFUNDING and not books.waits(payment):
        move_order(tx, order, _state_before(tx, order))


def _state_before(tx: Transaction, order: Row) -> OrderState:
    account = tx.one("money.account", {"id": order["account"]})
    on_meter = account is not None and account["mode"] == Mode.METER
    return OrderState.PAID if on_meter else OrderState.FULFILLED


def _after_the_end(tx: Transaction, refund: Row, statement: RefundStatement, now_ms: int) -> Outcome:
    """A word after the last one: the same again, or a contradiction that a person must look at."""
    ends = {"done": RefundState.DONE, "closed": RefundState.CLOSED}
    if statement.state in (RefundState.DONE, RefundState.CLOSED) and statement.state is not ends[refund["state"]]:
        _flag(tx, Outcome.CONTRADICTION, refund, f"first {refund['state']}, then {statement.state.value}", now_ms)
        return Outcome.CONTRADICTION
    return Outcome.KNOWN


def _strange(tx: Transaction, evidence: Evidence, statement: RefundStatement, policy: Policy, now_ms: int) -> Outcome:
    """A refund that we did not ask for under a number of ours: told of by a total only, or made at the company.

    Of a payment of ours it is taken note of, and a person called: telling of it again would change nothing.
    """
    if not statement.refund_no:
        return Outcome.REFUND_NOTED
    ref = f"{evidence.provider}/{evidence.merchant}/{statement.refund_no}"
    detail = f"{evidence.source.value}: refund of {statement.amount_fen} fen that was not asked for here"
    order_no = statement.no[:-2]
    cases.flag(tx, Outcome.UNKNOWN_ORDER, ref, detail, operator=policy.operator, at_ms=now_ms, order_no=order_no)
    attempt = tx.one("money.attempt", {"no": statement.no})
    if attempt is None or (attempt["provider"], attempt["merchant"]) != (evidence.provider, evidence.merchant):
        return Outcome.UNKNOWN_ORDER
    return Outcome.REFUND_NOTED


def _flag(tx: Transaction, kind: str, refund: Row, detail: str, now_ms: int) -> None:
    cases.flag(tx, kind, refund["no"], detail, operator=refund["operator"], at_ms=now_ms, order_no=refund["order_no"])

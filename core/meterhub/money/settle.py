"""Settle: the one function that turns what a payment company says into money in the books.

Notice, answer to a query, row of a bill and cash over the counter all come here, in one transaction: the payment
(unique by company, merchant and transaction), the lines of the ledger (unique by event), the state of the order, and
the outbox row of what follows. Called again with the same statement, in any order and from any side, it does nothing.
"""

from __future__ import annotations

from meterhub.errors import Misuse
from meterhub.money import cases
from meterhub.money.books import Books
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.expiry import closed
from meterhub.money.follow import follow
from meterhub.money.outbox import Outbox
from meterhub.money.policy import LateRule, Policy
from meterhub.money.refunds import note_refund, plan_refund
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import OPEN_ATTEMPTS, AttemptState, OrderState, move_order
from meterhub.store.engine import Row, Transaction

WATCH = "watch"
"""Outbox kind: ask about an attempt, until its end is known."""


class Settling:
    """``settle(tx, evidence, now_ms)`` with the rules of an operator."""

    def __init__(self, policy: Policy, outbox: Outbox) -> None:
        self._policy = policy
        self._outbox = outbox

    def settle(self, tx: Transaction, evidence: Evidence, now_ms: int) -> Outcome:
        """Book what the statement says, once; the outcome says what that was."""
        statement = evidence.statement
        if not isinstance(statement, PaymentStatement):
            return note_refund(tx, evidence, statement, self._policy, now_ms, self._outbox)
        attempt = tx.one("money.attempt", {"no": statement.no})
        if statement.state is not PaymentState.PAID:
            return self._unpaid(tx, attempt, evidence, statement, now_ms)
        return self._paid(tx, attempt, evidence, statement, now_ms)

    def _unpaid(
        self, tx: Transaction, attempt: Row | None, evidence: Evidence, statement: PaymentStatement, now_ms: int
    ) -> Outcome:
        if attempt is None or not _same_channel(attempt, evidence):
            return Outcome.PENDING
        if statement.state is PaymentState.CLOSED and attempt["state"] in OPEN_ATTEMPTS:
            self._end(tx, attempt, AttemptState.CLOSED, now_ms)
            closed(tx, attempt, now_ms, self._outbox)
            return Outcome.CLOSED
        return Outcome.PENDING

    def _paid(
        self, tx: Transaction, attempt: Row | None, evidence: Evidence, statement: PaymentStatement, now_ms: int
    ) -> Outcome:
        if not statement.transaction_id:
            raise Misuse("a paid statement has no transaction id", where=f"{evidence.provider} {statement.no}")
        known = tx.one("money.payment_by_transaction", _transaction(evidence, statement))
        if known is not None:
            return self._known(tx, known, evidence, statement, now_ms)
        wrong = self._wrong(attempt, evidence, statement)
        if wrong is not None:
            return self._reject(tx, wrong, evidence, statement, now_ms)
        assert attempt is not None
        order = tx.one("money.order", {"no": attempt["order_no"]})
        account = tx.one("money.account", {"id": order["account"] if order else ""})
        assert order is not None and account is not None
        kind, outcome = _kind(order, account)
        payment = _keep(tx, evidence, statement, attempt, kind, now_ms, order["operator"])
        self._end(tx, attempt, AttemptState.SUCCESS, now_ms, transaction_id=statement.transaction_id)
        books = Books(tx, order["operator"], now_ms, f"payment:{payment['id']}")
        if kind == "first":
            books.paid(payment, account)
            move_order(tx, order, OrderState.PAID, paid_ms=payment["paid_ms"])
            follow(tx, payment, account, books, self._outbox)
        else:
            books.paid(payment, None)
            self._besides(tx, payment, order, account, books)
        return outcome

    def _end(self, tx: Transaction, attempt: Row, state: AttemptState, now_ms: int, **changes: object) -> None:
        """The end of an attempt is known: nobody asks about it any more, and whoever was called need not come."""
        tx.update("attempts", {"no": attempt["no"]}, {**changes, "state": state})
        self._outbox.finish(tx, WATCH, attempt["no"])
        cases.solve(tx, cases.UNPAID_UNKNOWN, attempt["no"], by="system", at_ms=now_ms)

    def _wrong(self, attempt: Row | None, evidence: Evidence, statement: PaymentStatement) -> Outcome | None:
        if attempt is None:
            return Outcome.UNKNOWN_ORDER
        if not _same_channel(attempt, evidence):
            return Outcome.OTHER_CHANNEL
        if statement.currency != self._policy.currency:
            return Outcome.WRONG_CURRENCY
        if statement.amount_fen != attempt["amount_fen"]:
            return Outcome.WRONG_AMOUNT
        return None

    def _known(
        self, tx: Transaction, known: Row, evidence: Evidence, statement: PaymentStatement, now_ms: int
    ) -> Outcome:
        if known["amount_fen"] == statement.amount_fen and known["attempt"] in ("", statement.no):
            return Outcome.KNOWN
        self._flag(tx, Outcome.CONTRADICTION, evidence, statement, now_ms)
        return Outcome.CONTRADICTION

    def _reject(
        self, tx: Transaction, wrong: Outcome, evidence: Evidence, statement: PaymentStatement, now_ms: int
    ) -> Outcome:
        """Credit nothing and call a person. A bill proves that the money is there: it is kept as unmatched."""
        self._flag(tx, wrong, evidence, statement, now_ms)
        bookable = statement.currency == self._policy.currency and statement.amount_fen
        if evidence.source is not Source.BILL or not bookable:
            return wrong
        payment = _keep(tx, evidence, statement, None, "unmatched", now_ms, self._policy.operator)
        Books(tx, self._policy.operator, now_ms, f"payment:{payment['id']}").paid(payment, None)
        return Outcome.UNMATCHED

    def _flag(
        self, tx: Transaction, kind: Outcome, evidence: Evidence, statement: PaymentStatement, now_ms: int
    ) -> None:
        ref = f"{evidence.provider}/{evidence.merchant}/{statement.transaction_id or statement.no}"
        detail = f"{evidence.source.value} {statement.no}: {statement.amount_fen} fen {statement.currency}"
        cases.flag(tx, kind, ref, detail, operator=self._policy.operator, at_ms=now_ms, order_no=statement.no[:-2])

    def _besides(self, tx: Transaction, payment: Row, order: Row, account: Row, books: Books) -> None:
        """A payment beside the one that was wanted: too late, or a second time."""
        late = payment["kind"] == "late"
        if late and self._policy.late is LateRule.APPLY and account["state"] == "open":
            apply_payment(tx, payment, order, account, books, self._outbox)
            return
        kind = cases.LATE if late else cases.SECOND
        cases.flag(
            tx,
            kind,
            f"{payment['id']}",
            f"{payment['amount_fen']} fen",
            operator=order["operator"],
            at_ms=books.at_ms,
            order_no=order["no"],
        )
        if not late or self._policy.late is LateRule.REFUND:
            plan_refund(tx, payment, payment["amount_fen"], kind, books, self._outbox)


def apply_payment(tx: Transaction, payment: Row, order: Row, account: Row, books: Books, outbox: Outbox) -> None:
    """Let a payment that waits do what its order wanted."""
    books.applied(payment, account)
    move_order(tx, order, OrderState.PAID, paid_ms=payment["paid_ms"])
    follow(tx, payment, account, books, outbox)


def _kind(order: Row, account: Row) -> tuple[str, Outcome]:
    if order["state"] in (OrderState.CREATED, OrderState.PAYING) and account["state"] != "closed":
        return "first", Outcome.CREDITED
    if order["state"] in (OrderState.CREATED, OrderState.PAYING, OrderState.EXPIRED):
        return "late", Outcome.LATE
    return "second", Outcome.SECOND


def _same_channel(attempt: Row, evidence: Evidence) -> bool:
    return (attempt["provider"], attempt["merchant"]) == (evidence.provider, evidence.merchant)


def _transaction(evidence: Evidence, statement: PaymentStatement) -> dict[str, str]:
    return {
        "provider": evidence.provider,
        "merchant": evidence.merchant,
        "transaction_id": statement.transaction_id,
    }


def _keep(
    tx: Transaction,
    evidence: Evidence,
    statement: PaymentStatement,
    attempt: Row | None,
    kind: str,
    now_ms: int,
    operator: str,
) -> Row:
    """Store the payment; its unique key is what makes two of the same impossible."""
    row = {
        **_transaction(evidence, statement),
        "payment_account": evidence.account,
        "attempt": "" if attempt is None else attempt["no"],
        "order_no": "" if attempt is None else attempt["order_no"],
        "amount_fen": statement.amount_fen,
        "kind": kind,
        "source": evidence.source,
        "paid_ms": statement.paid_ms or now_ms,
        "recorded_ms": now_ms,
        "operator": operator,
    }
    return {**row, "id": tx.insert("payments", row)}

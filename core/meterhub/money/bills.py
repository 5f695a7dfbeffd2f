"""Bills: the third way in which a company says what was paid, and the proof that the two others missed nothing."""

from __future__ import annotations

from datetime import date

from meterhub.clock import Clock
from meterhub.money.books import Books
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.merchants import Merchant
from meterhub.money.settle import Settling
from meterhub.money.statements import Bill, BillRow, PaymentState, PaymentStatement, RefundState
from meterhub.store.engine import Store, Transaction

BOOKED = (Outcome.CREDITED, Outcome.KNOWN, Outcome.LATE, Outcome.SECOND, Outcome.UNMATCHED, Outcome.REFUND_DONE)
"""Outcomes of a row whose whole amount is in the books."""


class Bills:
    """Takes the bills of merchant accounts in."""

    def __init__(self, store: Store, clock: Clock, settling: Settling, operator: str) -> None:
        self._store = store
        self._clock = clock
        self._settling = settling
        self._operator = operator

    async def take(self, merchant: Merchant, day: date) -> Bill:
        """Settle every row of a day's bill, with its fee; returns the bill. Taken twice, it is taken once.

        Raises ``ProviderUnknown`` while the bill is not ready.
        """
        bill = await merchant.account.bill(day)
        now_ms = self._clock.now()
        await self._store.transact(lambda tx: self._book(tx, merchant, bill, now_ms))
        return bill

    def _book(self, tx: Transaction, merchant: Merchant, bill: Bill, now_ms: int) -> None:
        company, merchant_id, account = merchant.key
        books = Books(tx, self._operator, now_ms, f"bill:{account}/{bill.day}")
        for row in bill.rows:
            kind, ref = _name(row)
            amount = row.statement.amount_fen or 0
            known = {"payment_account": account, "day": f"{bill.day}", "kind": kind, "ref": ref}
            if tx.execute("bills.add_row", {**known, "amount_fen": amount, "fee_fen": row.fee_fen}):
                evidence = Evidence(company, merchant_id, account, Source.BILL, row.statement)
                outcome = self._settling.settle(tx, evidence, now_ms)
                books.fee(company, merchant_id, f"{account}/{kind}/{ref}", row.fee_fen)
                if outcome in BOOKED:
                    books.discount(company, merchant_id, f"{account}/{kind}/{ref}", row.discount_fen)
        done = {"payment_account": account, "day": f"{bill.day}", "operator": self._operator}
        tx.execute("bills.add", {**done, "rows": len(bill.rows), "now_ms": now_ms})


def _name(row: BillRow) -> tuple[str, str]:
    """What a row is about, for ever: a payment by the company's number, a refund by ours."""
    statement = row.statement
    if isinstance(statement, PaymentStatement):
        return (
            "payment" if statement.state is PaymentState.PAID else "other"
        ), statement.transaction_id or statement.no
    done = statement.state is RefundState.DONE
    return ("refund" if done else "other"), statement.refund_no or statement.refund_id or statement.no

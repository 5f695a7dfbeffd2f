"""What a payment company says, as checked facts: about one payment, one refund, one day's bill.

Notice, answer to a query and row of a bill all become the same statements, so that the same ``settle()`` takes them.
A statement is made only of what was verified (signature, merchant); amounts are integer fen and never negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class PaymentState(StrEnum):
    """What the company says of a payment."""

    PENDING = "pending"
    """Nobody has paid yet, or it is still at work."""
    PAID = "paid"
    """The money is there, also when some or all of it was given back later."""
    CLOSED = "closed"
    """It was never paid and cannot be paid any more."""
    MISSING = "missing"
    """The company does not know it. No final word: a QR code that nobody scanned is not known either."""


class RefundState(StrEnum):
    """What the company says of a refund."""

    PROCESSING = "processing"
    DONE = "done"
    CLOSED = "closed"
    """It was not carried out and will not be."""
    ABNORMAL = "abnormal"
    """It cannot reach the payer (a card that is no more): a person must act."""
    MISSING = "missing"
    """The company has no such refund: asking for it again under the same number is safe."""


@dataclass(frozen=True, slots=True)
class PaymentStatement:
    """One payment. ``no`` is our number of the attempt, ``transaction_id`` the company's, set when ``PAID``.

    ``amount_fen`` is what the customer owes by this payment, before the company's own coupons; None when not told.
    """

    no: str
    state: PaymentState
    amount_fen: int | None = None
    transaction_id: str = ""
    currency: str = "CNY"
    paid_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RefundStatement:
    """One refund of the payment ``no``. ``refund_no`` is our number ("" when a bill or notice does not tell it).

    ``amount_fen`` is this refund alone; ``total_fen`` all refunds of the payment so far, where that is what is told.
    """

    no: str
    refund_no: str
    state: RefundState
    amount_fen: int | None = None
    total_fen: int | None = None
    transaction_id: str = ""
    refund_id: str = ""
    refunded_ms: int | None = None
    reason: str = ""


Statement = PaymentStatement | RefundStatement


@dataclass(frozen=True, slots=True)
class BillRow:
    """One row of a day's bill; ``fee_fen`` is what the company keeps, negative when it gives its fee back.

    ``booked_fen`` is what the merchant's account gets or gives for it where it differs (coupons), else None.
    """

    statement: Statement
    fee_fen: int = 0
    booked_fen: int | None = None

    @property
    def discount_fen(self) -> int:
        """How much less than its amount a payment brought at the merchant's own cost; a refund's is below zero."""
        fen = self.statement.amount_fen or 0
        less = 0 if self.booked_fen is None else fen - self.booked_fen
        return less if isinstance(self.statement, PaymentStatement) else -less


@dataclass(frozen=True, slots=True)
class Bill:
    """All payments and refunds of one day in the company's zone, as it counts them."""

    day: date
    rows: tuple[BillRow, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """What the merchant's account at the company got (or, below zero, gave) for one payment or refund.

    ``number`` is the company's, of the payment or of the refund; ``fee_fen`` what it took for it, apart from that.
    """

    number: str
    amount_fen: int
    fee_fen: int = 0


@dataclass(frozen=True, slots=True)
class Funds:
    """All payments and refunds of one day as the merchant's account at the company shows them."""

    day: date
    movements: tuple[Movement, ...]

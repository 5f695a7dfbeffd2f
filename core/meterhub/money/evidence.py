"""Evidence: a verified statement of a payment company, with whom it came from and by which way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meterhub.money.statements import Statement


class Source(StrEnum):
    """How a statement came to us."""

    NOTICE = "notice"
    QUERY = "query"
    BILL = "bill"
    CASH = "cash"


class Outcome(StrEnum):
    """What ``settle`` made of a statement."""

    CREDITED = "credited"
    KNOWN = "known"
    LATE = "late"
    SECOND = "second"
    UNMATCHED = "unmatched"
    PENDING = "pending"
    CLOSED = "closed"
    REFUND_NOTED = "refund_noted"
    REFUND_DONE = "refund_done"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    UNKNOWN_ORDER = "unknown_order"
    OTHER_CHANNEL = "other_channel"
    CONTRADICTION = "contradiction"

    @property
    def accepted(self) -> bool:
        """Whether the company may hear that its notice was taken. What needs an answer from a person is not."""
        return self not in REJECTED


REJECTED = frozenset(
    {
        Outcome.WRONG_AMOUNT,
        Outcome.WRONG_CURRENCY,
        Outcome.UNKNOWN_ORDER,
        Outcome.OTHER_CHANNEL,
        Outcome.CONTRADICTION,
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """``provider`` is the type's name, ``merchant`` and ``account`` those of the account that verified it."""

    provider: str
    merchant: str
    account: str
    source: Source
    statement: Statement

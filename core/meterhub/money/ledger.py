"""The ledger: an append-only list of lines, each of which moves fen from one book to another.

A line has a source and a target, so every line sums to zero and so do all of them. ``(operator, kind, ref)`` names a
line for ever: posting it again is the same line, posting it with other content is an error. The balance of a book
(what came in less what went out) is kept beside the lines in the same transaction and proved equal to their sum.

====================  ==============================================================  =========
book                  what its balance is                                             may be < 0
====================  ==============================================================  =========
clearing/…            less what a payment company (or the cash box) holds for us      yes
prepaid/ACCOUNT       credit that the customer has on the server                      no
in_flight/ACCOUNT     on its way to the meter, or nobody knows yet                    no
meter/ACCOUNT         credit inside the meter                                         yes
receivable/ACCOUNT    less what the customer owes                                     yes
revenue/UTILITY       what was earned                                                 yes
suspense              money that came and has no order to go to yet                   no
refunds_payable       promised to be given back                                       no
write_off             what was given up when an account was closed                   yes
fees/COMPANY          what payment companies kept                                     yes
discounts/COMPANY     what customers paid less at our own cost (coupons)              yes
====================  ==============================================================  =========
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meterhub.errors import Conflict
from meterhub.money.amount import positive, yuan
from meterhub.store.engine import Row, Transaction

SUSPENSE = "suspense"
REFUNDS_PAYABLE = "refunds_payable"
WRITE_OFF = "write_off"
CASH = "cash"
"""The provider of money that was taken over the counter."""

GUARDED = ("prepaid/", "in_flight/", SUSPENSE, REFUNDS_PAYABLE)
"""Books that never go below zero."""


def clearing(provider: str, merchant: str) -> str:
    """What a payment company holds for us."""
    return f"clearing/{provider}/{merchant}"


def fees(provider: str) -> str:
    """What a payment company kept."""
    return f"fees/{provider}"


def discounts(provider: str) -> str:
    """What customers of a payment company paid less at our own cost."""
    return f"discounts/{provider}"


def prepaid(account: str) -> str:
    """Credit of an account on the server."""
    return f"prepaid/{account}"


def in_flight(account: str) -> str:
    """Credit of an account on its way to the meter."""
    return f"in_flight/{account}"


def on_meter(account: str) -> str:
    """Credit of an account inside its meter."""
    return f"meter/{account}"


def receivable(account: str) -> str:
    """What an account owes, as a negative balance."""
    return f"receivable/{account}"


def revenue(utility: str) -> str:
    """What was earned with a utility."""
    return f"revenue/{utility}"


@dataclass(frozen=True, slots=True)
class Line:
    """``fen`` go from ``source`` to ``target``. ``kind`` and ``ref`` name the event that this line is the effect of."""

    kind: str
    ref: str
    source: str
    target: str
    fen: int
    order_no: str = ""


def post(tx: Transaction, line: Line, *, operator: str, at_ms: int, cause: str) -> bool:
    """Add a line in the caller's transaction; False when it is there already.

    Raises ``Conflict``: the line is there with other content, or a guarded book would go below zero.
    """
    positive(line.fen)
    row = {"operator": operator, "kind": line.kind, "ref": line.ref, "source": line.source, "target": line.target}
    more = {"fen": line.fen, "order_no": line.order_no, "at_ms": at_ms, "cause": cause}
    if not tx.execute("ledger.add", {**row, **more}):
        _same(tx, operator, line)
        return False
    _take(tx, operator, line.source, line.fen)
    _give(tx, operator, line.target, line.fen)
    return True


def balance(tx: Transaction, operator: str, book: str) -> int:
    """What a book holds now, 0 for one that was never used."""
    row = tx.one("ledger.balance", {"operator": operator, "book": book})
    return 0 if row is None else int(row["fen"])


def guarded(book: str) -> bool:
    """Whether a book may not go below zero."""
    return book.startswith(GUARDED)


def wrong_balances(rows: Iterable[Row]) -> list[str]:
    """What the proof says of books whose kept balance is not the sum of their lines (query ``ledger.unequal``)."""
    return [f"{row['book']}: kept {yuan(row['kept'])}, lines {yuan(row['summed'])}" for row in rows]


def _same(tx: Transaction, operator: str, line: Line) -> None:
    known = tx.one("ledger.line", {"operator": operator, "kind": line.kind, "ref": line.ref})
    assert known is not None
    if (known["source"], known["target"], known["fen"]) != (line.source, line.target, line.fen):
        raise Conflict(
            f"the line {line.kind} {line.ref} is in the ledger with other content",
            where=line.order_no,
            hint="one event has one effect: look at both before anything is corrected by hand",
        )


def _take(tx: Transaction, operator: str, book: str, fen: int) -> None:
    if not guarded(book):
        _give(tx, operator, book, -fen)
    elif not tx.execute("ledger.take", {"operator": operator, "book": book, "fen": fen}):
        here = balance(tx, operator, book)
        raise Conflict(f"{book} has {yuan(here)}, which is less than {yuan(fen)}", where=book)


def _give(tx: Transaction, operator: str, book: str, fen: int) -> None:
    tx.execute("ledger.give", {"operator": operator, "book": book, "fen": fen, "guarded": int(guarded(book))})

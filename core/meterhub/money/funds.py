"""Funds: whether what a company booked to the merchant's account is what its bill says. Pure."""

from __future__ import annotations

from meterhub.money.amount import yuan
from meterhub.money.statements import Bill, BillRow, Funds, PaymentState, PaymentStatement, RefundState


def differences(bill: Bill, funds: Funds) -> list[str]:
    """Every payment and refund of a day that one of the two does not have, or has with another amount or fee."""
    billed = dict(_booked(row) for row in bill.rows if _moved(row))
    moved = {one.number: (one.amount_fen, one.fee_fen) for one in funds.movements}
    found = [f"{number} is in the bill and not in the account" for number in billed if number not in moved]
    found += [f"{number} is in the account and not in the bill" for number in moved if number not in billed]
    for number in billed.keys() & moved.keys():
        for what, ours, theirs in zip(("amount", "fee"), billed[number], moved[number], strict=True):
            if ours != theirs:
                found.append(f"{number}: {what} {yuan(ours)} in the bill, {yuan(theirs)} in the account")
    return sorted(found)


def _moved(row: BillRow) -> bool:
    """Whether money moved: a refund at work, or one that was not carried out, did not move any."""
    return row.statement.state in (PaymentState.PAID, RefundState.DONE)


def _booked(row: BillRow) -> tuple[str, tuple[int, int]]:
    """The company's number of a row, and what its amount and fee are for the account."""
    statement = row.statement
    fen = statement.amount_fen or 0 if row.booked_fen is None else row.booked_fen
    if isinstance(statement, PaymentStatement):
        return statement.transaction_id, (fen, row.fee_fen)
    return statement.refund_id or statement.refund_no, (-fen, row.fee_fen)

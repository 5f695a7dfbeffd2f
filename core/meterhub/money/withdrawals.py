"""Credit that is taken back out of a meter so that its money can be given back.

A withdrawal is a delivery the other way round: same lane, same guard by number and read-back, a line of the ledger for
each step. Only when the meter has confirmed it is the refund set aside, in the very commit of the confirmation.
"""

from __future__ import annotations

from meterhub.errors import Conflict
from meterhub.money.amount import yuan
from meterhub.money.books import Books
from meterhub.money.follow import DELIVERY
from meterhub.money.outbox import Outbox
from meterhub.money.states import DeliveryState
from meterhub.store.engine import Row, Transaction

UNDER_WAY = (DeliveryState.PLANNED, DeliveryState.SENDING, DeliveryState.UNKNOWN)


def taken_out(tx: Transaction, payment: Row, fen: int) -> bool:
    """Whether this amount was taken out of the meter already and is still here: a refund of it was not carried out.

    Raises ``Conflict`` when only a part of it is here, or more is being taken out just now.
    """
    where, rows = payment["order_no"], tx.all("money.withdrawals_of_order", {"order_no": payment["order_no"]})
    if any(row["state"] in UNDER_WAY for row in rows):
        raise Conflict(
            "credit of this order is being taken out of the meter", where=where, hint="wait until that is over"
        )
    before = tx.one("money.refunded", {"payment": payment["id"]})
    assert before is not None
    taken: list[int] = [row["amount_fen"] for row in rows if row["state"] == DeliveryState.CONFIRMED]
    here = sum(taken) - int(before["fen"])
    if 0 < here < fen:
        hint = "give that back first"
        raise Conflict(f"{yuan(here)} of this order were taken out of the meter already", where=where, hint=hint)
    return here >= fen


def plan_withdrawal(tx: Transaction, payment: Row, fen: int, reason: str, books: Books, outbox: Outbox) -> None:
    """Store that the meter is to give back this much of a payment; raises ``Conflict`` for a closed account."""
    order = tx.one("money.order", {"no": payment["order_no"]})
    assert order is not None
    account = tx.one("money.account", {"id": order["account"]})
    if account is None or account["state"] == "closed":
        raise Conflict("the account is closed, so its meter is not asked any more", where=order["account"])
    row = {name: order[name] for name in ("operator", "account", "meter")}
    cause = {"payment": payment["id"], "reason": reason, "asked_by": books.cause}
    times = {"state": DeliveryState.PLANNED, "created_ms": books.at_ms}
    delivery = tx.insert(
        "deliveries", {**row, **cause, **times, "order_no": order["no"], "amount_fen": fen, "takes_back": 1}
    )
    outbox.put(tx, DELIVERY, f"{delivery}", order["meter"], {"delivery": delivery}, operator=order["operator"])

"""What follows when an order is paid: credit is sent to the meter, or stands on the server at once."""

from __future__ import annotations

from meterhub.money.books import Books
from meterhub.money.outbox import Outbox
from meterhub.money.states import DeliveryState, Mode, OrderState, move_order
from meterhub.store.engine import Row, Transaction

DELIVERY, SUPPLY, REFUND, MESSAGE = "delivery", "supply", "refund", "message"
"""The kinds of rows that money puts into the outbox."""


def follow(tx: Transaction, payment: Row, account: Row, books: Books, outbox: Outbox) -> None:
    """Do what a paid order wants, in the transaction that made it paid."""
    order = tx.one("money.order", {"no": payment["order_no"]})
    assert order is not None
    if account["mode"] == Mode.METER:
        plan_delivery(tx, order, outbox, books.at_ms)
        return
    if account["mode"] == Mode.SERVER:
        books.debt_paid(payment, account)
        check_supply(tx, account, f"payment/{payment['id']}", outbox)
    fulfil(tx, order, outbox, books.at_ms)


def plan_delivery(tx: Transaction, order: Row, outbox: Outbox, now_ms: int) -> None:
    """Store that the meter is to get the order's credit; the outbox carries it there."""
    row = {name: order[name] for name in ("operator", "account", "meter", "amount_fen")}
    delivery = tx.insert(
        "deliveries",
        {**row, "order_no": order["no"], "state": DeliveryState.PLANNED, "created_ms": now_ms},
    )
    outbox.put(tx, DELIVERY, f"{delivery}", order["meter"], {"delivery": delivery}, operator=order["operator"])


def check_supply(tx: Transaction, account: Row, ref: str, outbox: Outbox) -> None:
    """Credit on the server has changed: whether the supply is to be on must be looked at."""
    outbox.put(tx, SUPPLY, ref, account["meter"], {"account": account["id"]}, operator=account["operator"])


def fulfil(tx: Transaction, order: Row, outbox: Outbox, now_ms: int) -> None:
    """The customer has what was paid for; a message says so."""
    move_order(tx, order, OrderState.FULFILLED, done_ms=now_ms)
    tell(tx, order, "credited", outbox)


def tell(tx: Transaction, order: Row, what: str, outbox: Outbox) -> None:
    """Put a message to the customer out: ``credited`` or ``refunded``."""
    payload = {"order": order["no"], "account": order["account"], "what": what, "amount_fen": order["amount_fen"]}
    outbox.put(tx, MESSAGE, f"{order['no']}/{what}", order["no"], payload, operator=order["operator"])

"""The states of orders, attempts, refunds and deliveries, and which may follow which.

::

    order      created -> paying -> paid -> fulfilled        paid, fulfilled -> refunding -> refunded
               created, paying -> expired -> paid (late)     refunding -> paid, fulfilled (refund not carried out)
    delivery   planned -> sending -> confirmed | unknown     unknown -> sending (same number) | confirmed
               sending, unknown -> not_delivered -> planned  planned -> not_delivered (refunded before it was sent)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from meterhub.errors import Conflict
from meterhub.store.engine import Row, Transaction


class OrderState(StrEnum):
    """How far an order is."""

    CREATED = "created"
    PAYING = "paying"
    PAID = "paid"
    FULFILLED = "fulfilled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    EXPIRED = "expired"


class AttemptState(StrEnum):
    """How far one try to pay an order is. ``unknown``: the company did not say whether it was opened."""

    NEW = "new"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCESS = "success"
    FAILED = "failed"
    CLOSED = "closed"


class DeliveryState(StrEnum):
    """How far a credit is on its way to its meter."""

    PLANNED = "planned"
    SENDING = "sending"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    NOT_DELIVERED = "not_delivered"


class Mode(StrEnum):
    """Where an account keeps credit: in the meter, on the server, or nowhere (bills are paid later)."""

    METER = "meter"
    SERVER = "server"
    POSTPAID = "postpaid"


OPEN_ATTEMPTS = (AttemptState.NEW, AttemptState.PENDING, AttemptState.UNKNOWN)
"""Attempts of which the company may still say that they were paid."""

ORDERS: Mapping[str, frozenset[str]] = {
    "created": frozenset({"paying", "paid", "expired"}),
    "paying": frozenset({"paid", "expired"}),
    "expired": frozenset({"paid"}),
    "paid": frozenset({"fulfilled", "refunding"}),
    "fulfilled": frozenset({"refunding"}),
    "refunding": frozenset({"refunded", "paid", "fulfilled"}),
    "refunded": frozenset(),
}

DELIVERIES: Mapping[str, frozenset[str]] = {
    "planned": frozenset({"sending", "not_delivered"}),
    "sending": frozenset({"confirmed", "unknown", "not_delivered", "planned"}),
    "unknown": frozenset({"sending", "confirmed", "not_delivered"}),
    "not_delivered": frozenset({"planned"}),
    "confirmed": frozenset(),
}


def move_order(tx: Transaction, order: Row, state: OrderState, **changes: object) -> None:
    """Take an order to another state; raises ``Conflict`` when that may not follow or somebody was faster."""
    _move(tx, "orders", {"no": order["no"]}, order["state"], state, ORDERS, changes)


def move_delivery(tx: Transaction, delivery: Row, state: DeliveryState, **changes: object) -> None:
    """Take a delivery to another state; raises ``Conflict`` as ``move_order`` does."""
    _move(tx, "deliveries", {"id": delivery["id"]}, delivery["state"], state, DELIVERIES, changes)


def _move(
    tx: Transaction,
    table: str,
    key: Mapping[str, object],
    before: str,
    after: StrEnum,
    allowed: Mapping[str, frozenset[str]],
    changes: Mapping[str, object],
) -> None:
    (name,) = key.values()
    if after.value not in allowed[before]:
        raise Conflict(f"what is {before} cannot become {after.value}", where=f"{table} {name}")
    if not tx.update(table, {**key, "state": before}, {**changes, "state": after.value}):
        raise Conflict(f"it is not {before} any more", where=f"{table} {name}", hint="look at it again")

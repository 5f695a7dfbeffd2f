"""Orders: what a customer wants to pay for, stored before any payment company hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from meterhub.clock import utc
from meterhub.errors import BadInput, Conflict, NotFound, TooMany
from meterhub.money.amount import positive, yuan
from meterhub.money.policy import Policy
from meterhub.money.states import OrderState, move_order
from meterhub.store.engine import Row, Transaction

if TYPE_CHECKING:
    from random import Random

DAY_MS = 86_400_000
MAX_KEY = 255
UNPAID_MOST = 20
"""Orders of one account that may wait to be paid: the page is open to everybody, and must not fill the books.

Those of passers-by are counted apart, so that nobody keeps a tenant from paying.
"""
OPEN_ATTEMPTS_MOST = 20
"""Tries to pay one order; whoever needs more starts a new one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An order to create. ``key`` is made by the client and names the order however often it is sent."""

    account: str
    amount_fen: int
    key: str
    by: str


def new_number(prefix: str, random: Random, now_ms: int) -> str:
    """``E20261124``, 5 hex digits of the time of day, and 16 by chance: nobody guesses it.

    Those that are made one after the other stand side by side in every index, so that a commit touches few pages.
    With two digits for an attempt it has 32 characters, which is the most that WeChat takes.
    """
    moment = (now_ms % DAY_MS << 20) // DAY_MS
    return f"{prefix}{_date(now_ms // DAY_MS)}{moment:05x}{random.getrandbits(64):016x}"


@lru_cache(maxsize=8)
def _date(day: int) -> str:
    return f"{utc(day * DAY_MS):%Y%m%d}"


def create_order(tx: Transaction, wish: Wish, no: str, policy: Policy, now_ms: int) -> Row:
    """Store an order and return it; the one there is when the key was used for the same wish before.

    Raises ``NotFound``, ``TooMany``, ``BadInput`` for amounts out of range, ``Conflict`` for a key used for another
    amount or an account that takes no more orders.
    """
    asked = {"account": wish.account, "client_key": wish.key, "by": wish.by, "now_ms": now_ms}
    account = _found(tx.one("money.account_for_order", asked), "account", wish.account)
    if not 0 < len(wish.key) <= MAX_KEY:
        raise BadInput(f"an order needs a key of 1 to {MAX_KEY} characters")
    if account["known_no"] is not None:
        known = order_of(tx, account["known_no"])
        if known["amount_fen"] != wish.amount_fen:
            raise Conflict("the key was used for another amount", where=known["no"], hint="use a new key")
        return known
    if not policy.least_fen <= positive(wish.amount_fen) <= policy.most_fen:
        least, most = yuan(policy.least_fen), yuan(policy.most_fen)
        raise BadInput(f"between {least} and {most} can be paid, not {yuan(wish.amount_fen)}")
    if account["state"] != "open":
        raise Conflict("the account is being closed and takes no more orders", where=wish.account)
    if account["unpaid"] >= UNPAID_MOST:
        raise TooMany(
            "too many orders of this account wait to be paid", where=wish.account, hint="pay one of them first"
        )
    order = _row(account, wish, no, now_ms, now_ms + policy.expiry_s * 1000)
    tx.insert("orders", order)
    return order


def _row(account: Row, wish: Wish, no: str, now_ms: int, expires_ms: int) -> Row:
    """All columns of the table: reading them back would cost as much as writing them."""
    return {
        "no": no,
        "operator": account["operator"],
        "scope": account["scope"],
        "account": wish.account,
        "meter": account["meter"],
        "amount_fen": wish.amount_fen,
        "state": "created",
        "client_key": wish.key,
        "created_by": wish.by,
        "created_ms": now_ms,
        "expires_ms": expires_ms,
        "paid_ms": None,
        "done_ms": None,
        "prints": 0,
    }


def create_attempt(tx: Transaction, order_no: str, provider: tuple[str, str, str], way: str, now_ms: int) -> Row:
    """Store a try to pay an order; ``provider`` is company, merchant and payment account. The order is ``paying``.

    Raises ``Conflict`` for an order that is paid or whose time is over.
    """
    order = order_of(tx, order_no)
    if order["state"] not in ("created", "paying"):
        raise Conflict(f"the order is {order['state']} already", where=order_no)
    if now_ms >= order["expires_ms"]:
        raise Conflict("the time to pay this order is over", where=order_no, hint="start a new one")
    tried = len(tx.all("money.attempts_of_order", {"order_no": order_no}))
    if tried >= OPEN_ATTEMPTS_MOST:
        raise Conflict("this order was tried too often", where=order_no, hint="start a new one")
    no = f"{order_no}{tried:02d}"
    company, merchant, account = provider
    row = {"no": no, "operator": order["operator"], "order_no": order_no, "provider": company, "merchant": merchant}
    times = {"created_ms": now_ms, "expires_ms": order["expires_ms"]}
    more = {"payment_account": account, "way": way, "amount_fen": order["amount_fen"], "state": "new"}
    tx.insert("attempts", {**row, **more, **times})
    if order["state"] == OrderState.CREATED:
        move_order(tx, order, OrderState.PAYING)
    return attempt_of(tx, no)


def account_of(tx: Transaction, account: str) -> Row:
    """An account; raises ``NotFound``."""
    return _found(tx.one("money.account", {"id": account}), "account", account)


def order_of(tx: Transaction, no: str) -> Row:
    """An order; raises ``NotFound``."""
    return _found(tx.one("money.order", {"no": no}), "order", no)


def attempt_of(tx: Transaction, no: str) -> Row:
    """An attempt; raises ``NotFound``."""
    return _found(tx.one("money.attempt", {"no": no}), "attempt", no)


def _found(row: Row | None, what: str, name: str) -> Row:
    if row is None:
        raise NotFound(f"there is no {what} {name}")
    return row

"""Accounts: who pays for what a meter counts, and where the credit is kept. One open account per meter and utility."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import Conflict
from meterhub.money import ledger
from meterhub.money.amount import yuan
from meterhub.money.books import Books
from meterhub.money.ledger import Line, post
from meterhub.money.orders import account_of
from meterhub.money.states import Mode
from meterhub.store.engine import Row, Transaction
from meterhub.texts import mark


@dataclass(frozen=True, slots=True)
class Opening:
    """An account to open. ``purchase_count`` is what the meter's purse says at this moment, None without one.

    ``link`` is the unguessable end of the tenant page's address, for the sticker at the meter.
    """

    meter: str
    operator: str
    scope: str
    mode: Mode
    link: str
    by: str
    utility: str = "energy"
    holder: str = ""
    phone: str = ""
    purchase_count: int | None = None


def open_account(tx: Transaction, opening: Opening, now_ms: int) -> Row:
    """Store an account and return it. Raises ``Conflict`` while the meter has one that is not closed."""
    known = tx.one("money.account_of_meter", {"name": opening.meter})
    if known is not None:
        raise Conflict(f"the meter has the account {known['id']} already", where=opening.meter, hint="close it first")
    before = tx.one("money.accounts_like", {"meter": opening.meter})
    assert before is not None
    account_id = f"{opening.meter}-{before['n'] + 1}"
    place = {"operator": opening.operator, "scope": opening.scope, "meter": opening.meter, "link": opening.link}
    more = {
        "utility": opening.utility,
        "mode": opening.mode,
        "state": "open",
        "holder": opening.holder,
        "phone": opening.phone,
    }
    times = {"opened_by": opening.by, "opened_ms": now_ms, "purchase_count": opening.purchase_count}
    tx.insert("money_accounts", {"id": account_id, **place, **more, **times})
    return account_of(tx, account_id)


def renew_link(tx: Transaction, account_id: str, link: str) -> Row:
    """Give the tenant's page another address; the one on older stickers finds nothing any more."""
    account = account_of(tx, account_id)
    if account["state"] == "closed":
        raise Conflict("the account is closed already", where=account_id)
    tx.update("money_accounts", {"id": account_id}, {"link": link})
    return account_of(tx, account_id)


def freeze(tx: Transaction, account_id: str) -> Row:
    """Take no new orders for an account; what is under way goes on."""
    account = account_of(tx, account_id)
    if account["state"] == "closed":
        raise Conflict("the account is closed already", where=account_id)
    tx.update("money_accounts", {"id": account_id}, {"state": "closing"})
    return account_of(tx, account_id)


def close_account(tx: Transaction, account_id: str, meter_credit_fen: int, by: str, now_ms: int) -> Row:
    """Close a frozen account whose orders and deliveries are all over and whose credit on the server is zero.

    ``meter_credit_fen`` is what stays in the meter and was agreed to be forfeited or carried over by hand: it must be
    what the books say is there, and is written off. Raises ``Conflict`` with what still stands in the way.
    """
    account = account_of(tx, account_id)
    if account["state"] != "closing":
        raise Conflict("freeze the account first", where=account_id)
    _nothing_open(tx, account)
    operator = account["operator"]
    held = ledger.balance(tx, operator, ledger.on_meter(account_id))
    if held != meter_credit_fen:
        raise Conflict(
            f"the books say that {yuan(held)} were sent to the meter and not accounted for",
            where=account_id,
            hint="settle what was used, or agree on this very amount",
        )
    if held > 0:
        line = Line("written_off", account_id, ledger.on_meter(account_id), ledger.WRITE_OFF, held)
        post(tx, line, operator=operator, at_ms=now_ms, cause=by)
    tx.update("money_accounts", {"id": account_id}, {"state": "closed", "closed_ms": now_ms})
    return account_of(tx, account_id)


def _nothing_open(tx: Transaction, account: Row) -> None:
    name = account["id"]
    for query, what in (("money.orders_open", mark("order")), ("money.deliveries_open", mark("delivery"))):
        rows = tx.all(query, {"account": name})
        if rows:
            one = rows[0].get("no", rows[0].get("id"))
            raise Conflict(f"not over yet: {what} {one}, {rows[0]['state']}", where=name, hint="wait until it is over")
    for book in (ledger.prepaid(name), ledger.in_flight(name), ledger.receivable(name)):
        left = ledger.balance(tx, account["operator"], book)
        if left:
            hint = mark("give it back, or have it paid, before the account is closed")
            raise Conflict(f"{book} is not zero: {yuan(left)}", where=name, hint=hint)


def charge(tx: Transaction, account_id: str, ref: str, fen: int, now_ms: int) -> Row:
    """Let an account pay for what was used; ``ref`` names the charge for ever. Returns the account.

    Raises ``Conflict`` for an account whose credit is in the meter: the meter takes it by itself.
    """
    account = account_of(tx, account_id)
    if account["mode"] == Mode.METER:
        raise Conflict("this account's meter takes its credit itself", where=account_id)
    Books(tx, account["operator"], now_ms, f"charge:{ref}").charged(account, ref, fen)
    return account

"""The counter: what a manager does with money. Everything is noted in the audit, in the transaction of the deed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from meterhub.clock import Clock
from meterhub.errors import BadInput, Conflict
from meterhub.money import accounts, cases
from meterhub.money import delivery_steps as steps
from meterhub.money.accounts import Opening
from meterhub.money.books import Books
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.follow import check_supply
from meterhub.money.ledger import CASH
from meterhub.money.orders import Wish, account_of, create_attempt, create_order, new_number, order_of
from meterhub.money.outbox import Outbox
from meterhub.money.policy import Policy
from meterhub.money.purse import PurseReading
from meterhub.money.refunds import RefundWish, request_refund
from meterhub.money.settle import apply_payment
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import DeliveryState
from meterhub.store.engine import Row, Transaction

T = TypeVar("T")

Note = Callable[[Transaction, str, str, str, Mapping[str, Any]], None]
"""``note(tx, action, target, by, after)`` writes a row of the audit in the transaction of the deed."""


class Till(Protocol):
    """What the counter needs of the room of money."""

    policy: Policy
    outbox: Outbox

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """One transaction."""

    def settle_in(self, tx: Transaction, evidence: Evidence) -> Outcome:
        """Book a statement in the caller's transaction."""


class Counter:
    """Deeds of managers. ``by`` is the actor's id; reasons are kept with the deed."""

    def __init__(self, till: Till, clock: Clock, note: Note) -> None:
        self._till = till
        self._clock = clock
        self._note = note

    async def open_account(self, opening: Opening) -> Row:
        """See ``accounts.open_account``."""

        def write(tx: Transaction) -> Row:
            account = accounts.open_account(tx, opening, self._clock.now())
            self._note(tx, "money.open_account", account["id"], opening.by, {"mode": account["mode"]})
            return account

        return await self._till.transact(write)

    async def sell_for_cash(self, wish: Wish) -> Row:
        """Take cash for an account: order, payment, ledger and what follows in one commit. Returns the order.

        The same key again is the same sale.
        """
        now_ms = self._clock.now()
        no = new_number("E", self._clock.random, now_ms)

        def write(tx: Transaction) -> Row:
            order = create_order(tx, wish, no, self._till.policy, now_ms)
            if order["no"] != no:
                return order
            merchant = order["operator"]
            attempt = create_attempt(tx, no, (CASH, merchant, CASH), "counter", now_ms)
            fen = order["amount_fen"]
            statement = PaymentStatement(attempt["no"], PaymentState.PAID, fen, attempt["no"], paid_ms=now_ms)
            self._till.settle_in(tx, Evidence(CASH, merchant, CASH, Source.CASH, statement))
            self._note(tx, "money.cash", no, wish.by, {"account": wish.account, "amount_fen": fen})
            return order_of(tx, no)

        return await self._till.transact(write)

    async def refund(self, wish: RefundWish, by: str) -> Row | None:
        """Give a payment, or part of it, back; see ``refunds.request_refund``."""

        def write(tx: Transaction) -> Row | None:
            payment = tx.one("money.payment", {"id": wish.payment})
            operator = self._till.policy.operator if payment is None else payment["operator"]
            books = Books(tx, operator, self._clock.now(), by)
            refund = request_refund(tx, wish, books, self._till.outbox)
            told = {"payment": wish.payment, "amount_fen": wish.fen, "reason": wish.reason}
            if refund is None:
                assert payment is not None
                self._note(tx, "money.withdraw", payment["order_no"], by, told)
                return None
            self._note(tx, "money.refund", refund["no"], by, told)
            order = tx.one("money.order", {"no": refund["order_no"]})
            if order is not None:
                check_supply(tx, account_of(tx, order["account"]), f"refund/{refund['no']}", self._till.outbox)
            return refund

        return await self._till.transact(write)

    async def redirected(self, refund_no: str, to: str, by: str) -> None:
        """Note that a refund was sent elsewhere than back the way it came; ``to``: ``payer`` or ``merchant``."""
        await self._till.transact(lambda tx: self._note(tx, "money.redirect_refund", refund_no, by, {"to": to}))

    async def apply_late(self, payment_id: int, by: str, reason: str = "") -> None:
        """Let a late payment do what its order wanted."""

        def write(tx: Transaction) -> None:
            payment = tx.one("money.payment", {"id": payment_id})
            if payment is None or payment["kind"] != "late":
                raise BadInput(f"{payment_id} is no late payment")
            order = order_of(tx, payment["order_no"])
            if tx.one("money.refunded", {"payment": payment_id}) != {"fen": 0, "n": 0}:
                raise Conflict("this payment is being given back", where=order["no"])
            account = account_of(tx, order["account"])
            if account["state"] != "open":
                raise Conflict("the account takes no more credit", where=account["id"], hint="give the payment back")
            now_ms = self._clock.now()
            books = Books(tx, order["operator"], now_ms, by)
            apply_payment(tx, payment, order, account, books, self._till.outbox)
            cases.solve(tx, cases.LATE, f"{payment_id}", by=by, at_ms=now_ms)
            self._note(tx, "money.apply_late", order["no"], by, {"payment": payment_id, "reason": reason})

        await self._till.transact(write)

    async def resolve_delivery(self, order_no: str, what: str, reason: str, by: str) -> Row:
        """Decide on a delivery that waits for a person; returns it.

        ``what``: ``arrived`` (the meter has it; of a withdrawal: it gave it back), ``not_arrived``,
        ``adopt_count`` (the meter's count is right, and the books take it over),
        ``send_again`` (a delivery that came back). Raises ``Conflict``.
        """
        if not reason.strip():
            raise BadInput("a decision needs a reason", hint="what was seen at the meter, and by whom")

        def write(tx: Transaction) -> Row:
            delivery = tx.one("money.delivery_to_decide", {"order_no": order_no})
            if delivery is None:
                raise BadInput(f"the order {order_no} has no delivery")
            desk = steps.Desk(tx, self._till.outbox, self._clock.now())
            if what == "adopt_count":
                steps.adopt_count(desk, delivery, reason, by)
            else:
                self._resolve(desk, delivery, what)
            after = desk.again(delivery)
            if not cases.undecided(tx, after):
                cases.solve_delivery(tx, delivery, by=by, at_ms=desk.now_ms)
            self._note(tx, f"money.delivery.{what}", order_no, by, {"reason": reason})
            return after

        return await self._till.transact(write)

    async def settle_case(self, case_id: int, reason: str, by: str) -> Row:
        """Close a case by hand; see ``cases.settle``."""
        now_ms = self._clock.now()

        def write(tx: Transaction) -> Row:
            operator = self._till.policy.operator
            case = cases.settle(tx, case_id, reason, operator=operator, by=by, at_ms=now_ms)
            told = {"kind": case["kind"], "ref": case["ref"], "reason": reason}
            self._note(tx, "money.settle_case", case["order_no"] or case["ref"], by, told)
            return case

        return await self._till.transact(write)

    def _resolve(self, desk: steps.Desk, delivery: Row, what: str) -> None:
        unknown = delivery["state"] == DeliveryState.UNKNOWN and delivery["needs_person"]
        if what in ("arrived", "not_arrived") and not unknown:
            raise Conflict("this delivery is not in doubt", where=delivery["order_no"])
        if what == "arrived":
            steps.confirm(desk, delivery, PurseReading(None, None))
        elif what == "not_arrived":
            steps.fail(desk, delivery, "a person saw that it did not arrive")
        elif what == "send_again":
            steps.send_anew(desk, delivery)
            return
        else:
            raise BadInput(f"{what!r} is no decision", hint="arrived, not_arrived, adopt_count, send_again")
        steps.hurry(desk, delivery)

    async def renew_link(self, account_id: str, link: str, by: str) -> Row:
        """See ``accounts.renew_link``."""

        def write(tx: Transaction) -> Row:
            account = accounts.renew_link(tx, account_id, link)
            self._note(tx, "money.renew_link", account_id, by, {})
            return account

        return await self._till.transact(write)

    async def freeze(self, account_id: str, by: str) -> Row:
        """The first step to the end of an account: it takes no more orders."""

        def write(tx: Transaction) -> Row:
            account = accounts.freeze(tx, account_id)
            self._note(tx, "money.freeze", account_id, by, {})
            return account

        return await self._till.transact(write)

    async def close_account(self, account_id: str, meter_credit_fen: int, by: str) -> Row:
        """The last step; see ``accounts.close_account``."""

        def write(tx: Transaction) -> Row:
            account = accounts.close_account(tx, account_id, meter_credit_fen, by, self._clock.now())
            self._note(tx, "money.close_account", account_id, by, {"meter_credit_fen": meter_credit_fen})
            return account

        return await self._till.transact(write)

    async def charge(self, account_id: str, ref: str, fen: int, by: str = "", reason: str = "") -> Row:
        """Let an account pay for what was used, and look whether its supply stays on. ``by`` is set when a person did.

        ``ref`` names the charge for ever: the same again is the same charge.
        """

        def write(tx: Transaction) -> Row:
            account = accounts.charge(tx, account_id, ref, fen, self._clock.now())
            check_supply(tx, account, f"charge/{account_id}/{ref}", self._till.outbox)
            if by:
                self._note(tx, "money.charge", account_id, by, {"amount_fen": fen, "ref": ref, "reason": reason})
            return account

        return await self._till.transact(write)

    async def printed(self, order_no: str, by: str) -> int:
        """A receipt of an order is printed; returns how often it was printed before."""

        def write(tx: Transaction) -> int:
            order = order_of(tx, order_no)
            tx.update("orders", {"no": order_no}, {"prints": order["prints"] + 1})
            self._note(tx, "money.receipt", order_no, by, {"copy": order["prints"]})
            return int(order["prints"])

        return await self._till.transact(write)

"""Refunding: asks the company for a refund that is set aside, under one number for ever, until its end is known."""

from __future__ import annotations

from meterhub.clock import Clock
from meterhub.errors import Conflict, NotFound, ProviderError, ProviderRefused
from meterhub.money import cases
from meterhub.money.evidence import Evidence, Source
from meterhub.money.follow import REFUND
from meterhub.money.ledger import CASH
from meterhub.money.merchants import Merchants
from meterhub.money.outbox import Again, Outbox, wait_s
from meterhub.money.paying import as_attempt
from meterhub.money.provider import BankCard, PaymentAccount, RefundRequest
from meterhub.money.settle import Settling
from meterhub.money.statements import RefundState, RefundStatement
from meterhub.store.engine import Row, Store, Transaction

SOON_S, LATER_S = 60, 3600
"""Between two questions while a company works on a refund, at first and later."""
SOON_TRIES = 5


class Refunding:
    """The handler of outbox rows of kind ``refund``."""

    def __init__(
        self, store: Store, clock: Clock, merchants: Merchants, settling: Settling, outbox: Outbox, public_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._merchants = merchants
        self._settling = settling
        self._public_url = public_url.rstrip("/")
        outbox.handle(REFUND, self.carry)

    async def carry(self, row: Row) -> Again | None:
        """Ask for the refund, or how it is; None when it is over."""
        (refund,) = await self._store.query("money.refund", {"no": row["key"]})
        if refund["state"] in ("done", "closed"):
            return None
        (payment,) = await self._store.query("money.payment", {"id": refund["payment"]})
        known_after_s = 0.0
        try:
            account = self._account(payment)
            known_after_s = 0.0 if account is None else account.refund_known_after_s
            left_s = 0.0 if account is None else await self._turn(refund, account.refund_gap_s)
            if left_s > 0:
                return Again(left_s)
            statement = await self._statement(refund, payment, account)
        except ProviderRefused as error:
            return await self._refused(row, refund, str(error))
        except (ProviderError, NotFound) as error:
            # One that cannot reach the payer stays so until the company says something else: a person is at work on it.
            state = refund["state"] if refund["state"] == RefundState.ABNORMAL else "unknown"
            changes = {"state": state, "error": str(error)}
            key = {"no": refund["no"], "state": refund["state"]}  # a notice may have been faster
            await self._store.transact(lambda tx: tx.update("refunds", key, changes))
            return Again(max(wait_s(row["failures"]), known_after_s), str(error))
        await self._settle(payment, statement)
        if statement.state in (RefundState.DONE, RefundState.CLOSED):
            return None
        return Again(SOON_S if row["tries"] < SOON_TRIES else LATER_S)

    async def redirect(self, refund_no: str, card: BankCard | None) -> None:
        """Send a refund that cannot reach the payer to a bank card, or (None) to the merchant's own account.

        Raises ``Conflict`` for any other refund, and what ``redirect_refund`` raises.
        """
        refund = await self.stranded(refund_no)
        (payment,) = await self._store.query("money.payment", {"id": refund["payment"]})
        account = self._merchants.get(payment["payment_account"], payment["provider"]).account
        request = await self._request(refund, payment)
        await self._settle(payment, await account.redirect_refund(request, refund["refund_id"], card))

    async def stranded(self, refund_no: str) -> Row:
        """The refund, which cannot reach the payer; raises ``Conflict`` for any other."""
        rows = await self._store.query("money.refund", {"no": refund_no})
        if not rows or rows[0]["state"] != RefundState.ABNORMAL:
            raise Conflict("only a refund that cannot reach the payer is sent elsewhere", where=refund_no)
        return rows[0]

    def _account(self, payment: Row) -> PaymentAccount | None:
        """The account that takes the money back, None for cash. Raises ``NotFound``."""
        if payment["provider"] == CASH:
            return None
        return self._merchants.get(payment["payment_account"], payment["provider"]).account

    async def _turn(self, refund: Row, gap_s: float) -> float:
        """Seconds until it is this refund's turn among those of its payment; at 0 the turn is taken, on disk."""
        if not gap_s or refund["state"] not in ("requested", "unknown"):
            return 0
        now_ms = self._clock.now()

        def write(tx: Transaction) -> float:
            last = tx.one("money.refund_asked", {"payment": refund["payment"], "no": refund["no"]})
            left_ms = 0 if last is None or last["asked_ms"] is None else last["asked_ms"] + gap_s * 1000 - now_ms
            if left_ms <= 0:
                tx.update("refunds", {"no": refund["no"]}, {"asked_ms": now_ms})
            return max(left_ms, 0) / 1000

        return await self._store.transact(write)

    async def _statement(self, refund: Row, payment: Row, account: PaymentAccount | None) -> RefundStatement:
        if account is None:  # whoever gave it back stood at the counter
            return RefundStatement(payment["attempt"], refund["no"], RefundState.DONE, refund["amount_fen"])
        request = await self._request(refund, payment)
        if refund["state"] == "requested":
            return await account.refund(request)
        statement = await account.query_refund(request)
        return await account.refund(request) if statement.state is RefundState.MISSING else statement

    async def _request(self, refund: Row, payment: Row) -> RefundRequest:
        rows = await self._store.query("money.attempt", {"no": payment["attempt"]})
        if not rows:
            raise ProviderRefused("the payment belongs to no order of ours", hint="give it back at the company itself")
        attempt = as_attempt(rows[0] | {"transaction_id": payment["transaction_id"]})
        notify_url = f"{self._public_url}/pay/notify/{payment['provider']}/{payment['payment_account']}"
        return RefundRequest(attempt, refund["no"], refund["amount_fen"], refund["reason"], notify_url)

    async def _settle(self, payment: Row, statement: RefundStatement) -> None:
        who = (payment["provider"], payment["merchant"], payment["payment_account"])
        evidence = Evidence(*who, Source.QUERY, statement)
        now_ms = self._clock.now()
        await self._store.transact(lambda tx: self._settling.settle(tx, evidence, now_ms))

    async def _refused(self, row: Row, refund: Row, why: str) -> Again:
        """A definite no (no funds, too late): it stays set aside, and a person is called."""
        more = {"operator": refund["operator"], "at_ms": self._clock.now(), "order_no": refund["order_no"]}
        await self._store.transact(lambda tx: cases.flag(tx, cases.REFUND_REFUSED, refund["no"], why, **more))
        return Again(wait_s(row["failures"]), why)

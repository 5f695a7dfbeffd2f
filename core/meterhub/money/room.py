"""The room of money: its parts put together, and what the web and the actions ask of it."""

from __future__ import annotations

import collections
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from meterhub.clock import Clock
from meterhub.errors import NotFound, StoreError
from meterhub.money import approvals
from meterhub.money.approvals import Deed
from meterhub.money.asking import Ask
from meterhub.money.bills import Bills
from meterhub.money.counter import Counter, Note
from meterhub.money.delivery import Deliveries
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.expiry import Expiry
from meterhub.money.follow import DELIVERY
from meterhub.money.merchants import Merchants
from meterhub.money.orders import Wish, create_order, new_number
from meterhub.money.outbox import STORE_WAIT_S, Outbox
from meterhub.money.paying import Paying
from meterhub.money.policy import Policy
from meterhub.money.proof import Prover
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.money.refunding import Refunding
from meterhub.money.seal import Seal
from meterhub.money.settle import Settling
from meterhub.money.supply import Supply
from meterhub.money.switching import Switching
from meterhub.store.engine import Row, Store, Transaction

T = TypeVar("T")


def _nobody_knows(meter: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Outside:
    """What money gets from the rest of the hub. ``proofs`` is the folder of the nightly proofs.

    ``answered(meter)``: when a meter answered last, None when nobody knows.
    """

    ask: Ask
    spawn: Callable[[str, Coroutine[Any, Any, Any]], Any]
    merchants: Merchants
    note: Note
    proofs: Path
    public_url: str = ""
    zone: tzinfo = UTC
    answered: Callable[[str], int | None] = _nobody_knows


class Money:
    """All that can be done with money. ``run()`` carries out what is due until cancelled."""

    def __init__(self, store: Store, clock: Clock, policy: Policy, outside: Outside) -> None:
        self._store = store
        self._clock = clock
        self.policy = policy
        self.ask = outside.ask
        self.merchants = outside.merchants
        self.outbox = Outbox(store, clock, outside.spawn)
        self._settling = Settling(policy, self.outbox)
        self.deliveries = Deliveries(store, clock, outside.ask, self.outbox)
        self.outbox.handle(DELIVERY, self.deliveries.carry)
        parts = (store, clock, outside.merchants, self._settling, self.outbox, outside.public_url)
        self.paying = Paying(*parts)
        self.refunding = Refunding(*parts)
        self._expiry = Expiry(store, clock, self.outbox)
        switching = Switching(policy, clock, outside.zone, outside.answered)
        self.supply = Supply(store, clock, outside.ask, self.outbox, switching)
        bills = Bills(store, clock, self._settling, policy.operator)
        seal = Seal(outside.proofs)
        self.prover = Prover(
            store, clock, self.outbox, bills, outside.merchants, outside.ask, seal, policy.operator, outside.zone
        )
        self._note = outside.note
        self.turned_away: collections.Counter[str] = collections.Counter()
        """Notices that proved nothing since the start, by why."""
        self.counter = Counter(self, clock, outside.note)

    async def run(self) -> None:
        """Carry out what the outbox holds until cancelled; a store that fails is waited for."""
        while True:
            try:
                await self.prover.begin()
                await self.outbox.run()
            except StoreError as error:
                self.outbox.stand_still(error)
                await self._clock.sleep(STORE_WAIT_S)

    @property
    def fault(self) -> str:
        """Why nothing is carried out at present, "" when all is well."""
        return self.outbox.fault

    async def order(self, wish: Wish) -> Row:
        """Create an order, or find the one that holds the wish's key; see ``orders.create_order``."""
        now_ms = self._clock.now()
        no = new_number("E", self._clock.random, now_ms)
        expires_ms = now_ms + self.policy.expiry_s * 1000

        def write(tx: Transaction) -> Row:
            self._expiry.keep(tx, expires_ms, now_ms, self.policy.operator)
            return create_order(tx, wish, no, self.policy, now_ms)

        return await self.transact(write)

    async def ask_second(self, deed: Deed) -> Row:
        """Keep a deed until a second person has approved it; see ``approvals.keep``."""
        now_ms = self._clock.now()

        def write(tx: Transaction) -> Row:
            self._note(
                tx, "money.ask_second", deed.about, deed.by, {"deed": deed.action, "amount_fen": deed.amount_fen}
            )
            return approvals.keep(tx, deed, self.policy.operator, now_ms)

        return await self.transact(write)

    async def refuse(self, approval_id: int, by: str) -> None:
        """Let a deed that waits not be done."""
        await self.transact(lambda tx: self._taken(tx, approval_id, "refused", by))

    async def accept(self, approval_id: int, by: str) -> None:
        """Approve a deed that cannot be done in one transaction: its approval is used up before it begins."""
        await self.transact(lambda tx: self._taken(tx, approval_id, "approved", by))

    def approved(self, approval_id: int, by: str) -> Counter:
        """A counter whose next deed is done in one transaction with its approval."""
        return Counter(
            _Approved(self, lambda tx: self._taken(tx, approval_id, "approved", by)), self._clock, self._note
        )

    def _taken(self, tx: Transaction, approval_id: int, state: str, by: str) -> None:
        row = approvals.take(tx, approval_id, state, by, self._clock.now())
        self._note(tx, f"money.{state}", row["about"], by, {"deed": row["action"], "asked_by": row["asked_by"]})

    def new_link(self) -> str:
        """The unguessable end of a tenant page's address."""
        return f"r{self._clock.random.getrandbits(64):016x}"

    async def notice(self, provider: str, account_id: str, notice: Notice) -> NoticeAnswer:
        """Take a notice of a payment company and say what it wants to hear.

        Raises ``NotFound`` for an account that there is not, ``NoticeRejected`` for what proves nothing, and
        ``StoreError`` when it could not be kept; the company sends it again in these cases.
        """
        merchant = self.merchants.get(account_id, provider)
        statement = merchant.account.parse_notice(notice)
        if statement is None:
            return merchant.account.notice_answer(True)
        company, merchant_id, account = merchant.key
        outcome = await self.settle(Evidence(company, merchant_id, account, Source.NOTICE, statement))
        return merchant.account.notice_answer(outcome.accepted)

    async def settle(self, evidence: Evidence) -> Outcome:
        """Book a statement in one transaction; returns once it is safe on disk."""
        now_ms = self._clock.now()
        return await self.transact(lambda tx: self._settling.settle(tx, evidence, now_ms))

    def settle_in(self, tx: Transaction, evidence: Evidence) -> Outcome:
        """Book a statement in the caller's transaction."""
        return self._settling.settle(tx, evidence, self._clock.now())

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """One transaction."""
        return await self._store.transact(fn)

    async def one(self, query: str, **params: Any) -> Row:
        """The only row of a named query; raises ``NotFound``."""
        rows = await self._store.query(query, params)
        if not rows:
            raise NotFound(f"there is no {next(iter(params.values()))}")
        return rows[0]

    async def all(self, query: str, **params: Any) -> list[Row]:
        """The rows of a named query."""
        return await self._store.query(query, params)


class _Approved:
    """The till of a deed that was approved: ``first(tx)`` happens in the deed's own transaction."""

    def __init__(self, money: Money, first: Callable[[Transaction], None]) -> None:
        self.policy, self.outbox = money.policy, money.outbox
        self.settle_in = money.settle_in
        self._money, self._first = money, first

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """One transaction for both."""

        def both(tx: Transaction) -> T:
            self._first(tx)
            return fn(tx)

        return await self._money.transact(both)

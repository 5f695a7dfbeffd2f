"""Paying an order: an attempt is stored, then opened at the company, then asked about until its end is known."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from meterhub.clock import Clock
from meterhub.errors import ConfigError, NotFound, ProviderError, ProviderRefused, ProviderUnknown
from meterhub.money import cases
from meterhub.money.evidence import Evidence, Source
from meterhub.money.merchants import Merchant, Merchants
from meterhub.money.openings import Openings
from meterhub.money.orders import create_attempt
from meterhub.money.outbox import DONE, Again, Outbox
from meterhub.money.provider import Attempt, Checkout, PaymentRequest
from meterhub.money.settle import WATCH, Settling
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import OPEN_ATTEMPTS, AttemptState
from meterhub.store.engine import Row, Store, Transaction

FINAL = (PaymentState.PAID, PaymentState.CLOSED)
"""What a company may say of a payment that changes anything."""

ASKING_S = (5, 10, 15, 30, 60, 180, 300, 300, 900)
"""Seconds between questions while the payment may come; the last one goes on."""
SILENT_S = (5, 30, 120, 600, 3600, 86_400)
"""Seconds between questions to a company that gives no clear answer; after the last, a person is called."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Who wants to pay, as the company needs to know: the browser, its address, and the payer's id there or ""."""

    agent: str = ""
    address: str = ""
    payer: str = ""


class Paying:
    """Opens attempts and watches them. ``public_url`` is where companies and payers reach this hub."""

    def __init__(
        self, store: Store, clock: Clock, merchants: Merchants, settling: Settling, outbox: Outbox, public_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._merchants = merchants
        self._settling = settling
        self._outbox = outbox
        self._public_url = public_url.rstrip("/")
        self._openings = Openings(clock)
        outbox.handle(WATCH, self.watch)

    async def open(self, order_no: str, merchant: Merchant, way: str, subject: str, browser: Browser) -> Checkout:
        """What the payer's page has to show. An attempt that is open for the same way is opened again, not twice.

        Raises ``ProviderRefused``, ``ProviderUnknown`` (the page shows "checking", and the answer is looked for), and
        ``Conflict`` for an order that cannot be paid.
        """
        attempt = await self._attempt(order_no, merchant, way)
        kept = None if attempt["checkout_json"] is None else Checkout(**json.loads(attempt["checkout_json"]))
        if kept is not None and (kept.expires_ms is None or kept.expires_ms > self._clock.now()):
            return kept
        try:
            checkout = await self._create(merchant, self._request(attempt, merchant, subject, browser))
        except ProviderRefused as error:
            await self._was_refused(attempt, merchant, error)
            raise
        except ProviderUnknown as error:
            await self._note(attempt, AttemptState.UNKNOWN, str(error))
            raise
        await self._note(attempt, AttemptState.PENDING, "", json.dumps(asdict(checkout)))
        return checkout

    async def watch(self, row: Row) -> Again | None:
        """Ask the company about an attempt; the handler of outbox rows of kind ``watch``."""
        rows = await self._store.query("money.attempt", {"no": row["key"]})
        attempt = rows[0]
        if attempt["state"] not in OPEN_ATTEMPTS:
            return None
        try:
            merchant = self._merchants.get(attempt["payment_account"], attempt["provider"])
            state = await self._ask(attempt, merchant)
            if state not in FINAL and self._clock.now() >= attempt["expires_ms"]:
                left_s = self._openings.left_s(attempt["no"], merchant.account.close_after_s)
                if left_s > 0:
                    return Again(left_s)
                state = await self._end(attempt, merchant)
        except (ProviderError, NotFound) as error:
            return await self._no_answer(row, attempt, str(error))
        if state in FINAL:
            return DONE
        wait_s = ASKING_S[min(row["tries"] + 1, len(ASKING_S) - 1)]
        left_s = (attempt["expires_ms"] - self._clock.now()) / 1000
        return Again(min(wait_s, left_s) if left_s > 0 else wait_s)

    async def look_now(self, order_no: str) -> None:
        """The payer says it is paid: ask the company at once."""

        def write(tx: Transaction) -> None:
            for attempt in tx.all("money.attempts_of_order", {"order_no": order_no}):
                self._outbox.wake_row(tx, WATCH, attempt["no"])

        await self._store.transact(write)

    async def _create(self, merchant: Merchant, request: PaymentRequest) -> Checkout:
        """Open the payment at the company; without an answer it may be opened at any moment until now."""
        try:
            return await merchant.account.create(request)
        finally:
            self._openings.note(request.no, merchant.account.close_after_s)

    async def _attempt(self, order_no: str, merchant: Merchant, way: str) -> Row:
        now_ms = self._clock.now()

        def write(tx: Transaction) -> Row:
            for known in tx.all("money.attempts_of_order", {"order_no": order_no}):
                same = (known["payment_account"], known["way"]) == (merchant.id, way)
                if same and known["state"] in OPEN_ATTEMPTS and now_ms < known["expires_ms"]:
                    return known
            attempt = create_attempt(tx, order_no, merchant.key, way, now_ms)
            operator = attempt["operator"]
            self._outbox.put(tx, WATCH, attempt["no"], attempt["no"], {}, operator=operator, after_s=ASKING_S[0])
            return attempt

        return await self._store.transact(write)

    def _request(self, attempt: Row, merchant: Merchant, subject: str, browser: Browser) -> PaymentRequest:
        return PaymentRequest(
            attempt["no"],
            attempt["way"],
            attempt["amount_fen"],
            subject,
            attempt["created_ms"],
            attempt["expires_ms"],
            notify_url=self.notify_url(merchant),
            return_url=self.order_url(attempt["order_no"]),
            client_ip=browser.address,
            agent=browser.agent,
            payer=browser.payer,
        )

    def order_url(self, order_no: str) -> str:
        """The page of an order as the payer's browser and the companies reach it."""
        return f"{self._public_url}/pay/order/{order_no}"

    def page_url(self, path: str) -> str:
        """A path of this hub as phones reach it, "" when the hub has no public address."""
        return f"{self._public_url}{path}" if self._public_url else ""

    def notify_url(self, merchant: Merchant) -> str:
        """Where the company sends its notices. Raises ``ConfigError`` when the hub has no public address."""
        if not self._public_url:
            raise ConfigError("the hub has no public address", where="web.public_url", hint="https://pay.example.org")
        return f"{self._public_url}/pay/notify/{merchant.type.name}/{merchant.id}"

    async def _note(self, attempt: Row, state: AttemptState, error: str, checkout: str | None = None) -> None:
        changes = {"no": attempt["no"], "state": state, "error": error, "checkout_json": checkout}
        await self._store.transact(lambda tx: tx.execute("money.note_attempt", changes))

    async def _was_refused(self, attempt: Row, merchant: Merchant, refusal: ProviderRefused) -> None:
        """The company opens no payment. It may be because it has this one already, even paid: ask before giving up."""
        try:
            state = await self._ask(attempt, merchant)
        except ProviderError as error:
            await self._note(attempt, AttemptState.UNKNOWN, str(error))
            return
        if state is PaymentState.MISSING:
            await self._note(attempt, AttemptState.FAILED, str(refusal))

    async def _ask(self, attempt: Row, merchant: Merchant) -> PaymentState:
        statement = await merchant.account.query(as_attempt(attempt))
        return await self._settle(attempt, merchant, statement)

    async def _settle(self, attempt: Row, merchant: Merchant, statement: PaymentStatement) -> PaymentState:
        """Book what the company says, and ask no more; what is not final changes nothing and needs no transaction."""
        if statement.state not in FINAL:
            return statement.state
        company, merchant_id, account = merchant.key
        evidence = Evidence(company, merchant_id, account, Source.QUERY, statement)
        now_ms = self._clock.now()

        def write(tx: Transaction) -> None:
            self._settling.settle(tx, evidence, now_ms)
            self._outbox.finish(tx, WATCH, attempt["no"])

        await self._store.transact(write)
        return statement.state

    async def _end(self, attempt: Row, merchant: Merchant) -> PaymentState:
        """The time is over: close the payment at the company, and believe only its answer after that."""
        try:
            await merchant.account.close(as_attempt(attempt))
        except ProviderRefused:
            return await self._ask(attempt, merchant)
        state = await self._ask(attempt, merchant)
        if state is PaymentState.MISSING:  # closed before anybody scanned it
            return await self._settle(attempt, merchant, PaymentStatement(attempt["no"], PaymentState.CLOSED))
        return state

    async def _no_answer(self, row: Row, attempt: Row, error: str) -> Again:
        failures = row["failures"]
        if failures >= len(SILENT_S):
            now_ms = self._clock.now()
            more = {"operator": attempt["operator"], "at_ms": now_ms, "order_no": attempt["order_no"]}
            await self._store.transact(lambda tx: cases.flag(tx, cases.UNPAID_UNKNOWN, attempt["no"], error, **more))
        return Again(SILENT_S[min(failures, len(SILENT_S) - 1)], error)


def as_attempt(row: Row) -> Attempt:
    """An attempt as the payment plugin sees it."""
    names = ("no", "way", "amount_fen", "created_ms", "expires_ms", "transaction_id")
    return Attempt(*(row[name] for name in names))

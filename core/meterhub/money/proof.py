"""The nightly proof: bills of companies = orders = ledger = counts of meters. A difference is told, not mended."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from meterhub.clock import Clock, utc
from meterhub.errors import ProviderError
from meterhub.money.amount import yuan
from meterhub.money.asking import Ask
from meterhub.money.bills import Bills
from meterhub.money.funds import differences
from meterhub.money.ledger import wrong_balances
from meterhub.money.merchants import Merchants
from meterhub.money.outbox import Again, Outbox
from meterhub.money.purse import PurseReading
from meterhub.money.seal import Seal
from meterhub.store.engine import Row, Store, Transaction

PROOF = "proof"
READY = time(10, 30)
"""Local time at which the companies' bills of the day before are ready."""
BILL_TRIES = 8
"""Hours to wait for a bill; after that the proof is made without it, and says so."""
DAY_MS = 86_400_000
MOST_TOLD = 100
"""Corrections that a proof lists, the newest."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: its name, what was compared, and everything that differs."""

    name: str
    compared: int
    differences: list[str]


class Prover:
    """Makes the proof of each day; the handler of outbox rows of kind ``proof``."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        bills: Bills,
        merchants: Merchants,
        ask: Ask,
        seal: Seal,
        operator: str,
        zone: tzinfo,
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._bills = bills
        self._merchants = merchants
        self._ask = ask
        self._seal = seal
        self._operator = operator
        self._zone = zone
        outbox.handle(PROOF, self.carry)

    async def begin(self) -> None:
        """See that the proof of yesterday is on the list; each one puts the next one there."""
        yesterday = self._today() - timedelta(days=1)
        await self._store.transact(lambda tx: self._plan(tx, yesterday))

    async def carry(self, row: Row) -> Again | None:
        """Take in the bills, compare, sign, keep; then plan the next day."""
        day = date.fromisoformat(row["key"])
        missing, funds = await self._take_bills(day)
        if missing and row["failures"] < BILL_TRIES:
            return Again(3600, "; ".join(missing))
        checks = [Check("bills", len(list(self._merchants)), missing), funds, *await self._compare(day)]
        await self._keep(day, checks)
        return None

    async def _take_bills(self, day: date) -> tuple[list[str], Check]:
        """What could not be had, and each bill against the merchant's account where the company shows that."""
        missing: list[str] = []
        differing: list[str] = []
        compared = 0
        for merchant in self._merchants:
            try:
                bill = await self._bills.take(merchant, day)
                funds = await merchant.account.funds(day)
            except ProviderError as error:
                missing.append(f"{merchant.id}: {error}")
                continue
            if funds is not None:
                compared += len(funds.movements)
                differing += [f"{merchant.id}: {one}" for one in differences(bill, funds)]
        return missing, Check("funds", compared, differing)

    async def _compare(self, day: date) -> list[Check]:
        """All comparisons; none changes anything."""
        return [await self._ledger(), await self._clearing(), await self._orders(day), *await self._meters(),
                await self._waiting()]  # fmt: skip

    async def _ledger(self) -> Check:
        wrong = wrong_balances(await self._rows("ledger.unequal"))
        (total,) = await self._rows("proof.sum")
        if total["fen"]:
            wrong.append(f"all books together hold {yuan(total['fen'])}, not 0.00")
        return Check("ledger", len(await self._rows("ledger.books")), wrong)

    async def _clearing(self) -> Check:
        rows = await self._rows("proof.clearing")
        wrong = [
            f"{row['provider']} {row['merchant']}: payments say {yuan(due)}, the ledger {yuan(row['held'])}"
            for row in rows
            if (due := row["paid"] - row["refunded"] - row["fees"] - row["discounts"]) != row["held"]
        ]
        return Check("clearing", len(rows), wrong)

    async def _orders(self, day: date) -> Check:
        wrong = [f"{row['no']} is {row['state']} without a payment" for row in await self._rows("proof.unpaid_orders")]
        undelivered = await self._rows("proof.undelivered_orders")
        wrong += [f"{row['no']} is done, its delivery {row['state']}" for row in undelivered]
        (paid,) = await self._rows("proof.paid", **_times(day, self._zone))
        absent: list[Row] = []
        for merchant in self._merchants:
            of = {"day": f"{day}", "payment_account": merchant.id, **_times(day, merchant.account.zone or self._zone)}
            absent += await self._rows("proof.not_in_bill", **of)
        wrong += [f"{row['transaction_id']} of {row['order_no']} is not in the company's bill" for row in absent]
        return Check("orders", paid["n"], wrong)

    async def _meters(self) -> list[Check]:
        """The books against the deliveries, and the counts in the books against those in the meters."""
        rows, adoptions = await self._rows("proof.meters"), await self._rows("proof.adoptions")
        books, counts, asked = [], [], 0
        for row in rows:
            missing = _unexplained(row, [one for one in adoptions if one["account"] == row["id"]])
            if missing:
                books.append(
                    f"{row['meter']}: purchases {row['first']} to {row['last']}, but {row['purchases']} of them"
                )
            if row["purchases"] and row["confirmed"] > row["booked"]:
                books.append(f"{row['meter']}: confirmed {yuan(row['confirmed'])}, booked {yuan(row['booked'])}")
            if row["state"] == "closed" or row["purchase_count"] is None:
                continue
            asked += 1
            answer = await self._ask("meter.balance", row["meter"], {}, "", "schedule:proof")
            count = PurseReading.of(answer.result).count if answer.ok else None
            if not answer.ok:
                counts.append(f"{row['meter']}: not asked, {answer.message}")
            elif count != row["purchase_count"]:
                counts.append(f"{row['meter']}: the meter says {count}, the books {row['purchase_count']}")
        return [Check("deliveries", len(rows), books), Check("meters", asked, counts)]

    async def _waiting(self) -> Check:
        before_ms = self._clock.now() - DAY_MS
        stuck = await self._rows("proof.stuck", before_ms=before_ms)
        cases = await self._rows("cases.open", most=100)
        words = [f"{row['kind']} {row['key']} waits: {row['error']}" for row in stuck]
        words += [f"a person is needed: {row['kind']} {row['order_no']}" for row in cases]
        return Check("waiting", len(stuck) + len(cases), words)

    async def _keep(self, day: date, checks: list[Check]) -> None:
        made_ms = self._clock.now()
        told = [{"name": one.name, "compared": one.compared, "differences": one.differences} for one in checks]
        books = {row["book"]: row["fen"] for row in await self._rows("ledger.books")}
        named = {"day": f"{day}", "operator": self._operator, "made_ms": made_ms}
        adopted = [_correction(row) for row in (await self._rows("proof.adoptions"))[-MOST_TOLD:]]
        content = json.dumps(
            {**named, "checks": told, "corrections": adopted, "books_fen": books},
            ensure_ascii=False, sort_keys=True, indent=1,
        )  # fmt: skip
        with self._clock.outside():
            signature = await asyncio.to_thread(self._seal.write, f"{day}", content.encode())
        row = {"day": f"{day}", "operator": self._operator, "made_ms": made_ms, "content_json": content}
        count = sum(len(one.differences) for one in checks)

        def write(tx: Transaction) -> None:
            tx.execute("proof.keep", {**row, "differences": count, "signature": signature})
            self._plan(tx, day + timedelta(days=1))

        await self._store.transact(write)

    def _plan(self, tx: Transaction, day: date) -> None:
        due = datetime.combine(day + timedelta(days=1), READY, self._zone)
        after_s = max(due.timestamp() - self._clock.now() / 1000, 0)
        self._outbox.put(tx, PROOF, f"{day}", "all", {}, operator=self._operator, after_s=after_s)

    def _today(self) -> date:
        return utc(self._clock.now()).astimezone(self._zone).date()

    async def _rows(self, query: str, **params: object) -> list[Row]:
        return await self._store.query(query, {"operator": self._operator, **params})


def _times(day: date, zone: tzinfo) -> dict[str, int]:
    """From when to when a day is, in epoch milliseconds."""
    begins = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return dict(zip(("from_ms", "to_ms"), (int(one.timestamp() * 1000) for one in begins), strict=True))


def _unexplained(row: Row, adoptions: list[Row]) -> int:
    """How many purchase numbers from an account's first to its last one are neither ours nor taken over."""
    if not row["purchases"]:
        return 0
    taken_over = [
        one["adopted"] - one["known"]
        for one in adoptions
        if one["known"] is not None and row["first"] <= one["known"] < row["last"]
    ]
    return int(row["last"] - row["first"] + 1 - row["purchases"] - sum(taken_over))


def _correction(row: Row) -> str:
    """A count that was taken over, with its cause."""
    change = f"the meter's count {row['adopted']} was taken over in place of {row['known']}"
    return f"{row['meter']}: {change}, by {row['decided_by']} for {row['order_no']}: {row['reason']}"

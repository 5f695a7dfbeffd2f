"""A world of customers, a payment company, meters and power cuts, played from one seed on the movable clock.

The rooms of money, their statements and their commits are the real ones, on a store without threads, so that a seed
repeats a run byte for byte: ``fingerprint`` of two of them is equal.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from random import Random

from bank import Purse
from stops import Stopped, StoppingStore
from till_house import Till

from meterhub.errors import MeterHubError
from meterhub.money.policy import LateRule, Policy
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import PaymentState
from meterhub.money.states import Mode
from meterhub.testing.clock import MovableClock
from meterhub.testing.inline_store import InlineStore


class Cuts:
    """Cuts the power at a step of the rooms, and hashes every step that was taken."""

    def __init__(self):
        self.at, self.count, self.stopped = None, 0, False
        self.told = hashlib.sha256()

    def trip(self, label):
        self.count += 1
        if self.at is not None and self.count >= self.at:
            self.stopped = True
        if self.stopped:
            raise Stopped(label)
        self.told.update(label.encode())

    def heal(self):
        self.at, self.stopped = None, False


class Faults(list):
    """Endless faults by chance; ``calm()`` ends them."""

    def __init__(self, random, words, share):
        super().__init__()
        self.random, self.words, self.share = random, words, share

    def __bool__(self):
        return self.share > 0

    def __len__(self):
        return 2 if self.share > 0 else 0

    def pop(self, index=0):
        return self.random.choice(self.words) if self.random.random() < self.share else None

    def calm(self):
        self.share = 0


class World:
    """Customers, a company, meters and power cuts."""

    def __init__(self, folder, clock, seed, recharges):
        self.random = Random(seed)
        self.clock = clock
        self.recharges = recharges
        self.busy = min(1000, max(40, recharges // 100))
        """Customers who pay at the same time."""
        self.meter_count = max(12, recharges // 150)
        self.cut_every = min(50_000, max(700, recharges * 2))
        """Steps of the rooms between two power cuts, on average."""
        self.stops = Cuts()
        policy = Policy(late=LateRule.APPLY, no_cut_hours=(0, 0))
        self.till = Till(folder, clock, policy, self.stops.trip)
        meter, company = ("before", "lost", "after"), ("before", "after")
        self.faults = {
            **{name: Faults(self.random, meter, 0.2) for name in ("meter.balance", "meter.credit")},
            **{name: Faults(self.random, company, 0.15) for name in ("create", "query", "close", "refund")},
        }
        self.till.meters.fail = self.faults
        self.till.company.fail = self.faults
        self.cuts = 0
        self.fingerprint = ""

    async def open(self):
        self.stops.at = self.stops.count + self.random.randint(self.cut_every // 2, self.cut_every * 3 // 2)
        await self.till.open(lambda store: StoppingStore(store, self.stops.trip), InlineStore)

    async def power_cut(self):
        self.cuts += 1
        await self.till.close()
        self.stops.heal()
        await self.open()

    async def customer(self, number):
        """Somebody buys credit, in a hurry, twice, too late, or not at all. Ends with what the company then knows."""
        random, account = self.random, f"m{number % self.meter_count}-1"
        await self.clock.sleep(random.random() * 900)
        order = await self.till.order(account, random.randint(100, 50_000), f"key{number}")
        ways = ["qr", "h5"] if random.random() < 0.1 else ["qr"]
        for way in ways:
            await self.till.start(order, way)
        await self.clock.sleep(random.choice([1, 30, 300, 890, 899, 901, 950]))
        for index in range(len(ways)):
            no = f"{order['no']}{index:02d}"
            if no in self.till.company.trades and random.random() < 0.95:
                self.till.company.pay(no, self.clock.now())
                for _ in range(random.randint(0, 3)):
                    await self.till.notify(no)
                    await self.clock.sleep(random.random() * 5)
        if random.random() < 0.05:
            await self.refund(order["no"])

    async def refund(self, order_no):
        """A manager gives an order's money back, or a part of it, at a bad moment: while it is delivered, or after."""
        for payment in await self.till.money.all("money.payments_of_order", order_no=order_no):
            fen = self.random.choice([payment["amount_fen"], max(payment["amount_fen"] // 3, 1)])
            await self.till.money.counter.refund(RefundWish(payment["id"], fen, "moved", True), "user:anna")

    async def play(self):
        """All customers; whoever was interrupted by a power cut begins again with the same key."""
        waiting = list(range(self.recharges))
        while waiting:
            now, waiting = waiting[: self.busy], waiting[self.busy :]
            ended = await asyncio.gather(*[self.customer(one) for one in now], return_exceptions=True)
            again = [one for one, error in zip(now, ended, strict=True) if isinstance(error, Stopped)]
            for error in ended:
                if isinstance(error, Exception) and not isinstance(error, MeterHubError):
                    raise error
            if self.stops.stopped:
                await self.power_cut()
                waiting = again + waiting
        for faults in self.faults.values():
            faults.calm()
        self.stops.at = None
        if self.stops.stopped:
            await self.power_cut()
            self.stops.at = None
        await self.clock.advance(2 * 86_400)


async def run(folder, clock, seed, recharges):
    """Play a world to its end, check it, and return it; what fails tells the seed that repeats it."""
    world = World(folder, clock, seed, recharges)
    try:
        await world.open()
        world.stops.at = None
        for number in range(world.meter_count):
            await world.till.account(f"m{number}", mode=Mode.METER)
        world.stops.at = world.cut_every
        await world.play()
        world.fingerprint = await fingerprint(world)
        await check(world)
    except AssertionError:
        print(f"repeat with METERHUB_SEED={seed} METERHUB_RECHARGES={recharges} (fingerprint {world.fingerprint})")
        raise
    finally:
        await world.till.close()
    assert [(owner, error) for owner, error in world.till.errors if not isinstance(error, Stopped)] == []
    return world


def play(folder, seed, recharges):
    """``run`` on a loop and a clock of its own."""
    clock = MovableClock(seed=seed)

    async def main():
        clock.install(asyncio.get_running_loop())
        try:
            return await run(folder, clock, seed, recharges)
        finally:
            clock.uninstall()

    return asyncio.run(main())


TABLES = ("orders", "attempts", "payments", "refunds", "deliveries", "ledger", "book_balances", "outbox", "anomalies")


async def fingerprint(world):
    """A hash of every step and of every row of money: equal for two runs of one seed."""
    told = world.stops.told.copy()
    for table in TABLES:
        for row in await world.till.rows(f"select * from {table} order by 1, 2, 3"):
            told.update(repr(tuple(row.values())).encode())
    return told.hexdigest()


async def check(world):
    till = world.till
    books = await till.books()
    assert await till.real.query("ledger.unequal", {"operator": "main"}) == []
    assert sum(books.values()) == 0  # 1, 2
    assert -books["clearing/acme/M1"] == till.company.money()
    paid = {trade.no for trade in till.company.trades.values() if trade.state is PaymentState.PAID}
    assert {row["attempt"] for row in await till.rows("select attempt from payments")} == paid
    deliveries = await till.rows("select * from deliveries where state = 'confirmed' order by meter, number")
    confirmed = {}
    for row in deliveries:
        fen = -row["amount_fen"] if row["takes_back"] else row["amount_fen"]
        confirmed.setdefault(row["meter"], []).append((row["number"], fen))
    for number in range(world.meter_count):
        purse: Purse = till.meters.purses[f"m{number}"]
        known = confirmed.get(f"m{number}", [])
        assert purse.ledger == known  # 9: the meter has what was confirmed
        assert purse.balance_fen == books.get(f"meter/m{number}-1", 0)
        assert [count for count, _ in known] == list(range(1, len(known) + 1))  # 8: without hole or repeat
    closed = ("prepaid/", "in_flight/", "suspense", "refunds_payable")
    assert [book for book, fen in books.items() if fen and book.startswith(closed)] == []  # 5: nothing between two
    assert await till.rows(OVER_REFUNDED) == []  # 7
    assert [kind for kind in await till.cases() if kind not in NAMED] == []
    assert await till.rows("select kind, key, error from outbox where state = 'waiting' and kind <> 'proof'") == []
    states = Counter(row["state"] for row in await till.rows("select state from orders"))
    assert set(states) <= {"fulfilled", "expired", "refunded"} and states["fulfilled"] > world.recharges // 3
    assert world.cuts > 0
    proofs = await till.rows("select day, content_json from proofs order by day")
    assert proofs and all(checked(row) for row in proofs[-1:])


OVER_REFUNDED = """
select p.id from payments p join refunds r on r.payment = p.id and r.state <> 'closed'
group by p.id having sum(r.amount_fen) > p.amount_fen
"""
NAMED = ()
"""Cases that a person solves; every other one is a fault of ours."""


def checked(proof):
    """Whether a nightly proof, made when all was quiet, found no difference."""
    return [one for one in json.loads(proof["content_json"])["checks"] if one["differences"]] == []

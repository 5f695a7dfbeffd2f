"""A world of customers, payment companies, meters, managers and power cuts, played from one seed on the movable clock.

The rooms of money, their statements and their commits are the real ones, on a store without threads, so that a seed
repeats a run byte for byte: ``fingerprint`` of two of them is equal. What goes wrong, and how often, stands in
``sim_weather``; what must hold, in ``sim_invariants``.
"""

from __future__ import annotations

import asyncio
from random import Random

from bank import merchant
from sim_companies import as_notice, companies
from sim_customers import Customers
from sim_invariants import Inspector
from sim_meters import SimMeters
from sim_weather import Cuts, Life, Weather
from stops import Stopped, StoppingStore
from till_house import Till

from meterhub.clock import utc
from meterhub.errors import MeterHubError
from meterhub.money.accounts import Opening
from meterhub.money.merchants import Merchants
from meterhub.money.policy import LateRule, Policy
from meterhub.money.states import Mode
from meterhub.store.files import HUB
from meterhub.testing.clock import START_MS, MovableClock
from meterhub.testing.inline_store import InlineStore

LATE = (LateRule.PERSON, LateRule.APPLY, LateRule.REFUND)
REOPENED_EVERY = 20
"""Power cuts after which the files are opened anew; after the others the hub begins on the open ones."""
INSPECTED_EVERY = 200
"""Recharges between two inspections, beside the one at each power cut."""
CHARGED_EVERY_S = 2400
CHARGED_AT_ONCE = 100
CREDIT = "select coalesce(sum(fen), 0) as fen from book_balances where book = ?"
CALM_DAYS = 3


class World:
    """All of it. ``till`` is the hub, which dies and comes back."""

    def __init__(self, folder, clock, seed, recharges, follow=lambda world: True):
        self.follow = follow
        """Called after each recharge; False lets no more begin."""
        self.goes_on = True
        self.seed, self.clock, self.recharges = seed, clock, recharges
        self.random = Random(seed)
        self.busy = min(1000, max(40, recharges // 50))
        """Customers at the same time."""
        self.meter_count = max(20, min(recharges // 150, 667), recharges // 800)
        """A meter of the plugin keeps a thousand purchases; and of many more meters no nightly proof, which asks them
        one by one, would be ready between two power cuts."""
        self.cuts, self.life = Cuts(self), None
        self.weather = Weather(self)
        self.company_fault, self.meter_fault = self.weather.company_fault, self.weather.meter_fault
        self.late = self.dialogues = self.signed = self.forged = self.ended = 0
        self.broken, self.switched, self.fingerprint = [], [], ""
        policy = Policy(late=LATE[seed % len(LATE)], no_cut_hours=(0, 0))
        self.till = Till(folder, clock, policy)
        self.accounts = companies(self)
        self.till.merchants = Merchants(
            [merchant_of(name, company, account) for name, (company, account) in self.accounts.items()]
        )
        self.meters = self.till.meters = SimMeters(self)
        self.up = asyncio.Event()
        self.inspector = Inspector(self)
        self.customers = Customers(self)

    def trip(self, label):
        """A company or a meter does something for the hub."""
        self.cuts.trip(label)

    def true_ms(self):
        """The time of everybody but the hub."""
        return START_MS + round((self.clock.monotonic() - 1000) * 1000)

    async def open(self):
        """The house is built: its meters, an account for each."""
        await self.till.open(self.wrapped, InlineStore)
        for number in range(self.meter_count):
            name, mode = f"m{number}", mode_of(number)
            self.meters.add(name, counted=number % 10 != 5, wired=number % 20 == 0)
            opening = Opening(name, "main", "main/main", mode, f"link-{name}", "user:anna")
            await self.till.money.counter.open_account(opening)
        self.up.set()
        self.cuts.next()

    def wrapped(self, store):
        """The store of a new life of the hub."""
        self.life = Life(self.cuts)
        return StoppingStore(store, self.life.trip)

    async def hub(self, call):
        """What somebody asks of the hub, asked again after a power cut."""
        while True:
            await self.up.wait()
            try:
                return await call()
            except Stopped:
                await self.clock.sleep(1 + self.random.random() * 20)

    async def power(self):
        """Whenever the power goes, it comes back."""
        while True:
            await self.cuts.went.wait()
            self.up.clear()
            self.till.real.lose(Stopped("the power went"))
            await self.till.tasks.stop()
            self.meters.restart()
            if self.cuts.count % REOPENED_EVERY == 0:
                await self.till.real.close()
                assert (self.till.folder / HUB).exists(), f"somebody took {self.till.folder} away during the run"
                self.till.real = await InlineStore.open(self.till.folder, self.clock)
            self.inspector.look()
            self.cuts.next()
            self.till.begin(self.wrapped)
            self.up.set()

    async def charges(self):
        """Accounts whose credit is on the server pay for what was used, sometimes asked twice."""
        accounts = [f"m{number}-1" for number in range(self.meter_count) if mode_of(number) is not Mode.METER]
        for turn in range(1_000_000):
            await self.clock.sleep(CHARGED_EVERY_S)
            for account in self.random.sample(accounts, min(CHARGED_AT_ONCE, len(accounts))):
                (row,) = self.till.real.snapshot(CREDIT, [f"prepaid/{account}"])
                fen = self.random.randint(1, row["fen"] * 4 // 3 + 5_000)  # often more than there is: supplies are cut
                for _ in range(1 + (self.random.random() < 0.1)):
                    await self.hub(lambda a=account, f=fen, t=turn: self.till.money.counter.charge(a, f"{a}/{t}", f))

    async def notify(self, name, trade, forge=False):
        """A company tells of a payment; whether the hub took it. A forgery is never taken."""
        company, account = self.accounts[name]
        genuine, forgery = company.notice(trade, self.random)
        self.signed += forgery is not None
        self.forged += forge
        notice = as_notice(forgery if forge else genuine, self.clock.now())
        answer = await self.hub(lambda: self.till.money.notice(account.type_name, name, notice))
        if forge:
            self.broken.append(f"a forged notice of {trade.no} was taken")
        return answer.status < 300 and answer.body in (b"success", b"")

    async def play(self):
        """Everybody, then three calm days."""
        others = [self.power(), self.weather.spells(), self.customers.manage(), self.customers.use(), self.charges()]
        tasks = [asyncio.ensure_future(one) for one in others]
        waiting = iter(range(self.recharges))
        try:
            await first(asyncio.gather(*[self._worker(waiting) for _ in range(self.busy)]), *tasks)
            self.weather.calm()
            for task in (tasks.pop(4), tasks.pop(1)):
                task.cancel()
            await first(asyncio.ensure_future(self.clock.advance(CALM_DAYS * 86_400)), *tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _worker(self, waiting):
        for number in waiting:
            await self.customers.customer(number)
            self.ended += 1
            self.goes_on = self.goes_on and self.follow(self)
            if not self.goes_on:
                return
            if self.ended % INSPECTED_EVERY == 0:
                self.inspector.look()


async def first(wanted, *tasks):
    """Wait for ``wanted``; a task that fails meanwhile ends it with its error."""
    done, _ = await asyncio.wait([wanted, *tasks], return_when=asyncio.FIRST_COMPLETED)
    if wanted not in done:
        wanted.cancel()
        await asyncio.gather(wanted, return_exceptions=True)
    for task in done:
        task.result()  # raises


def mode_of(number):
    """How an account pays: a tenth on the server, a twentieth later, the others into the meter."""
    return {3: Mode.SERVER, 13: Mode.SERVER, 7: Mode.POSTPAID}.get(number % 20, Mode.METER)


def merchant_of(name, company, account):
    """A payment account of the site file."""
    account.type_name = "acme" if name == "court" else name
    made = merchant(company, name, name=account.type_name)
    return type(made)(name, made.type, account)


async def run(folder, clock, seed, recharges, *follow):
    """Play a world to its end, check it, and return it; what fails tells the seed that repeats it."""
    world = World(folder, clock, seed, recharges, *follow)
    try:
        await world.open()
        await world.play()
        world.fingerprint = await world.inspector.fingerprint()
        await world.inspector.final()
    except (AssertionError, MeterHubError):
        when = f"{utc(world.true_ms()):%m-%d %H:%M:%S}, {world.ended} ended"
        print(f"repeat with METERHUB_SEED={seed} METERHUB_RECHARGES={recharges} ({when}, {world.cuts.told()})")
        raise
    finally:
        await world.till.close()
    return world


def play(folder, seed, recharges, *follow):
    """``run`` on a loop and a clock of its own."""
    clock = MovableClock(seed=seed)

    async def main():
        clock.install(asyncio.get_running_loop())
        try:
            return await run(folder, clock, seed, recharges, *follow)
        finally:
            clock.uninstall()

    return asyncio.run(main())

"""What goes wrong in the world of recharges: power cuts, lost answers, spells, a clock that is set."""

from __future__ import annotations

import asyncio
import hashlib

from sim_meters import COLLECTORS
from stops import Stopped

METER_FAULTS = (("before", 0.06), ("lost", 0.06), ("after", 0.06))
"""Not sent; sent and not arrived; arrived and the answer lost: each this often."""
COMPANY_FAULTS = (("before", 0.05), ("after", 0.05), ("hangs", 0.02), ("late", 0.02))
OFFSETS_S = (0, -3, 3, -600, 600, -7200, 7200)
"""What the hub's clock may be wrong by."""


class Cuts:
    """Cuts the power at a step of the rooms, and hashes every step that was taken."""

    def __init__(self, world):
        self.world, self.count, self.steps = world, 0, 0
        self.every = max(min(25_000, max(1_500, world.recharges * 2)), world.recharges // 10)
        """Steps between two power cuts, on average: one in some 250 recharges, fewer where they would be thousands."""
        self.at = None
        self.went = asyncio.Event()
        self._hash = hashlib.sha256()

    def trip(self, label):
        """One step; raises ``Stopped`` when the power goes, or is away."""
        if self.went.is_set():
            raise Stopped(label)
        self.steps += 1
        if self.at is not None and self.steps >= self.at:
            self.count += 1
            self.world.life.dead = True
            self.went.set()
            raise Stopped(label)
        self._hash.update(label.encode())

    def next(self):
        """The power is back until the next time."""
        calm = self.world.weather.is_calm
        self.at = None if calm else self.steps + self.world.random.randint(self.every // 2, self.every * 3 // 2)
        self.went.clear()

    def told(self):
        """A hash of all steps so far."""
        return self._hash.hexdigest()


class Life:
    """One life of the hub, from its start to the power cut; nothing of it does anything after that."""

    def __init__(self, cuts):
        self.cuts, self.dead = cuts, False

    def trip(self, label):
        if self.dead:
            raise Stopped(label)
        self.cuts.trip(label)


class Weather:
    """The faults by chance, and spells of the larger ones."""

    def __init__(self, world):
        self.world, self.is_calm = world, False
        self.offset_s = 0.0
        self.seen = dict.fromkeys(("collector", "company", "clock"), 0)

    def calm(self):
        """From now on all goes well."""
        self.is_calm = True
        self.world.cuts.at = None
        self._set_clock(0.0)
        for collector in sorted(self.world.meters.away):
            self.world.meters.dial_in(collector)
        for company, _ in self.world.accounts.values():
            company.hangs_until_s = 0.0
        for bus in self.world.meters.buses:
            bus.wire.faults = type(bus.wire.faults)()

    def meter_fault(self):
        """What befalls a command, None for nothing."""
        return self._one_of(METER_FAULTS)

    def company_fault(self, company):
        """What befalls a call."""
        if self.world.clock.monotonic() < company.hangs_until_s:
            return "hangs"
        return self._one_of(COMPANY_FAULTS)

    def _one_of(self, faults):
        if self.is_calm:
            return None
        chance = self.world.random.random()
        for name, share in faults:
            if chance < share:
                return name
            chance -= share
        return None

    async def spells(self):
        """One after the other: a collector is away, a company hangs, the hub's clock is set."""
        random, clock = self.world.random, self.world.clock
        while True:
            await clock.sleep(random.uniform(60, 2400))
            kind = random.choice(sorted(self.seen))
            self.seen[kind] += 1
            if kind == "company":
                company, _ = random.choice(list(self.world.accounts.values()))
                company.hangs_until_s = clock.monotonic() + random.uniform(60, 1200)
            elif kind == "clock":
                self._set_clock(random.choice(OFFSETS_S) * random.random())
            else:
                collector = random.randrange(COLLECTORS)
                if collector not in self.world.meters.away:
                    self.world.meters.hang_up(collector)
                    clock.call_later(random.uniform(60, 7200), self._dial_in, collector)

    def _dial_in(self, collector):
        if collector in self.world.meters.away:
            self.world.meters.dial_in(collector)

    def _set_clock(self, offset_s):
        self.world.clock.jump(offset_s - self.offset_s)
        self.offset_s = offset_s

"""Meters that lose, use up and are away; some are twins of the DL/T 645 plugin at the end of a real line."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from bank import Meters, Purse

import meterhub_dlt645
from meterhub.config.loader import load
from meterhub.devices.profile_file import build_profile
from meterhub.errors import LinkDown, MeterHubError
from meterhub.field.line import Line, LineConfig, Priority
from meterhub.field.link import Channel, LinkFacts
from meterhub.money.asking import Answer
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World as Field
from meterhub.testing.conformance_protocol import SampleMeter
from meterhub_dlt645.protocol import Dlt645

PROFILE, CODEC = "kede-2007-prepaid", "dlt645-2007"
COLLECTORS = 8
METERS_ON_A_LINE = 8
BAD_WIRE = Faults(drop=0.05, corrupt=0.05, late=0.05, noise=0.1, split=0.2)


@dataclass
class SimPurse(Purse):
    """A purse that is used up. ``foreigners`` are purchases that somebody else made."""

    used_fen: int = 0
    foreigners: list = field(default_factory=list)

    def use(self, fen):
        used = min(fen, self.balance_fen)
        self.balance_fen -= used
        self.used_fen += used

    def foreign(self, fen):
        super().foreign(fen)
        self.foreigners.append(self.ledger[-1])


class Pipe(Channel):
    """The way of one life of the hub to a wire."""

    peer = "simulated"

    def __init__(self, wire, line):
        self.wire, self.line = wire, line
        wire.receive = line.received
        line.attached(self)

    def send(self, data):
        if self.line is None:
            raise LinkDown("the collector is away")
        self.wire.send(data)

    def close(self, cause):
        line, self.line = self.line, None
        self.wire.receive = None
        if line is not None:
            line.lost(cause)


class Bus:
    """A wire of 2400 baud with twins on it, and the hub's line to it, which is new in every life of the hub."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.speaker = Dlt645("2007", world.clock)
        self.wire = Wire(Field(world.clock, world.seed), name, faults=BAD_WIRE)
        self.line = self.pipe = None
        self.begin()

    def add(self, meter, twin):
        self.wire.add(self.speaker, twin)

    def begin(self):
        """The hub starts."""
        self.line = Line(LineConfig(self.name), self.world.clock, {CODEC: self.speaker.codec}, facts=LinkFacts())
        self.dial_in()

    def dial_in(self):
        self.pipe = Pipe(self.wire, self.line)

    def hang_up(self):
        self.pipe.close("reset")

    def die(self):
        """The hub's end of the line is gone with the hub."""
        self.line.close()

    async def ask(self, meter, action, params):
        sent = False

        def start():
            nonlocal sent
            sent = True
            return self.speaker.command(meter, action, params)

        try:
            reply = await self.line.run(meter.id, meter.address, CODEC, start, priority=Priority.MONEY, deadline_s=60)
        except MeterHubError as error:
            return Answer(code=error.code, message=str(error), sent=sent)
        return Answer(reply.detail)


class SimMeters(Meters):
    """All meters. Those of ``twins`` are asked over a real line, the others at once."""

    def __init__(self, world):
        super().__init__(world.trip)
        self.world = world
        self.twins, self.wired, self.buses = {}, {}, []
        self.away = set()
        """Collectors that are offline."""
        self.moving = set()

    def add(self, name, counted=True, wired=False):
        """A meter in the house."""
        self.purses[name] = SimPurse(counted)
        if not wired:
            return
        if len(self.twins) % METERS_ON_A_LINE == 0:
            self.buses.append(Bus(self.world, f"bus {len(self.buses)}"))
        bus = self.buses[-1]
        model = profile()
        address = f"{len(self.twins) + 1:012d}"
        meter = SampleMeter(name, address, dict(model.options), model.points, model.commands)
        twin = bus.speaker.simulate(meter, Field(self.world.clock, self.world.seed))
        bus.add(meter, twin)
        self.twins[name], self.wired[name] = twin, (bus, meter)

    def collector(self, name):
        """The collector behind which a meter is."""
        return self.buses.index(self.wired[name][0]) if name in self.wired else hash_of(name) % COLLECTORS

    def hang_up(self, collector):
        """A collector goes away."""
        self.away.add(collector)
        if collector < len(self.buses):
            self.buses[collector].hang_up()

    def dial_in(self, collector):
        """It is back."""
        self.away.discard(collector)
        if collector < len(self.buses):
            self.buses[collector].dial_in()

    def restart(self):
        """The hub died and comes back: its lines are new."""
        self.moving.clear()
        for number, bus in enumerate(self.buses):
            bus.die()
            bus.begin()
            if number in self.away:
                bus.hang_up()

    async def ask(self, action, meter, params, key, cause):
        """Carry an action out, or lose it, or its answer."""
        self.trip(f"before {action}")
        if action.endswith("_circuit"):
            self.world.switched.append((action, meter, cause))
        moves = action in ("meter.credit", "meter.refund")
        if moves and meter in self.moving:
            self.world.broken.append(f"10: two purchases are on their way to {meter} at once")
        if moves:
            self.moving.add(meter)
        try:
            answer = await self._carry(action, meter, params)
        finally:
            if moves:
                self.moving.discard(meter)
        self.trip(f"after {action}")
        return answer

    async def _carry(self, action, meter, params):
        if meter in self.wired and not action.endswith("_circuit"):
            bus, one = self.wired[meter]
            self.world.dialogues += 1
            return await bus.ask(one, action, params)
        if self.collector(meter) in self.away:
            return Answer(code="link_down", message="the collector is away", sent=False)
        fault = self.world.meter_fault()
        if fault == "before":
            return Answer(code="link_down", message="the collector is away", sent=False)
        await self.world.clock.sleep(self.world.random.random())
        answer = None if fault == "lost" else self._do(action, meter, params)
        if fault:
            await self.world.clock.sleep(5)
            return Answer(code="no_answer", message="the meter did not answer")
        return answer

    def use(self, name, share):
        """A meter uses some of its credit up, a twin somewhat more: it holds less."""
        if name not in self.twins:
            self.purses[name].use(round(share * 20_000))
            return
        state = self.twins[name].state
        state.credited_fen -= min(round(share * 40_000), max(state.credited_fen, 0))

    def ledger(self, name):
        """What a meter itself has on record: ``[(number, fen)]``."""
        if name in self.twins:
            return [(one.number, one.amount) for one in self.twins[name].purse.ledger]
        return self.purses[name].ledger

    def count(self, name):
        """The number of its last purchase."""
        return self.twins[name].purse.count if name in self.twins else self.purses[name].count


def hash_of(name):
    """The same for the same name in every run."""
    return sum(name.encode())


@cache
def profile():
    """The prepaid meter of the plugin whose purse can give back."""
    files = {path.stem: path for path in meterhub_dlt645.register_profiles()}
    content = load(files[PROFILE])
    kinds = {kind.name: (kind, Dlt645(kind.name[-4:], None)) for kind in meterhub_dlt645.register_protocols()}
    base = build_profile(load(files[content["extends"]]), kinds, known={})
    return build_profile(content, kinds, known={content["extends"]: base})

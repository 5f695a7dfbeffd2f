"""The twin dials in over real TCP; hub side, line and simulated wire work together in real time."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "field"))

from toy import ToyMeter, ToyProtocol, read

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.field.collector import Collector, CollectorOffline
from meterhub.field.line import Line, LineConfig, Priority
from meterhub.field.link import CollectorConfig
from meterhub.field.link_desk import LinkDesk
from meterhub.sim.caller import Twin, simulate
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World
from meterhub.testing.conformance_link import until
from meterhub_gprs import open_link
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA


class Estate:
    """Two collectors with a line each, over one gprs link, and their twins."""

    def __init__(self, port, faults=None, speed=20.0, **link):
        self.clock = Clock(1)
        self.bus = Bus()
        self.config = check({"listen": f"127.0.0.1:{port}", "latency_max": "200ms"} | link, LINK_SCHEMA)
        self.lines = {
            one: Line(LineConfig(f"{one}-a", timeout_s=0.1), self.clock, {"toy": ToyProtocol().codec})
            for one in ("c1", "c2")
        }
        configs = [
            CollectorConfig("c1", check({"registration": "DTU00001"}, COLLECTOR_SCHEMA)),
            CollectorConfig("c2", check({"registration": "hex:00112233"}, COLLECTOR_SCHEMA)),
        ]
        every = link.get("heartbeat", {}).get("every")
        heartbeat_s = self.config["heartbeat"]["every"] if every else None
        self.collectors = [Collector(one, [self.lines[one.id]], self.clock, self.bus, heartbeat_s) for one in configs]
        self.desk = LinkDesk("field", self.collectors, self.clock, self.bus)
        self.link = open_link(self, self.config)
        self.world = World(self.clock, 1, speed)
        self.wires = {one.id: Wire(self.world, one.id, faults=faults) for one in configs}
        protocol = ToyProtocol()
        for wire in self.wires.values():
            for address in range(1, 5):
                wire.add(protocol, ToyMeter(address))

    async def __aenter__(self):
        self.desk.start()
        await self.link.open(self.desk)
        self.twins = asyncio.create_task(
            simulate(self.config, [one.config for one in self.collectors], self.wires, self.world)
        )
        await until(lambda: self.desk.online() == 2)
        return self

    async def __aexit__(self, *error):
        self.twins.cancel()
        self.desk.stop()
        await self.link.close()

    async def read(self, collector_id, address, *keys):
        line = self.lines[collector_id]
        return await line.run(f"m-{address}", "1", "toy", lambda: read(address, *keys), priority=Priority.OPERATOR)


async def test_values_come_from_the_simulated_meters_over_tcp(free_port):
    async with Estate(free_port) as estate:
        values = await asyncio.gather(*(estate.read(one, address, 5, 6) for one in ("c1", "c2") for address in (1, 4)))
    assert values == [[12, 13], [33, 34]] * 2


async def test_a_bad_wire_still_gives_right_values(free_port):
    faults = Faults(drop=0.02, corrupt=0.02, noise=0.3, split=0.5)
    async with Estate(free_port, faults, speed=50.0) as estate:
        for _ in range(20):
            assert await estate.read("c1", 2, 1, 2, 3) == [15, 16, 17]


async def test_twins_breathe_and_call_again_when_they_are_cut_off(free_port, monkeypatch):
    monkeypatch.setattr("meterhub.sim.caller.FIRST_REDIAL_S", 0.05)
    async with Estate(free_port, heartbeat={"every": "1s", "packet": "HB"}) as estate:
        offline = []
        estate.bus.on(CollectorOffline, offline.append)
        alive_ms = estate.collectors[0].alive_ms
        await until(lambda: estate.collectors[0].alive_ms > alive_ms + 500)
        assert estate.collectors[0].heard_ms is None
        estate.collectors[0].sessions[0].channel.close("reset")
        assert estate.collectors[0].state == "offline"
        await until(lambda: estate.desk.online() == 2)
        assert [(one.collector_id, one.cause) for one in offline] == [("c1", "reset")]
        assert await estate.read("c1", 1, 5) == [12]


async def test_a_twin_waits_longer_and_longer_for_a_hub_that_is_not_there(clock, free_port, monkeypatch):
    config = check({"listen": f"0.0.0.0:{free_port}"}, LINK_SCHEMA)
    twin = Twin(config, CollectorConfig("c1"), None, World(clock))
    tried_at = []

    async def refuse(factory, host, port):
        assert host == "127.0.0.1"
        tried_at.append(clock.monotonic())
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse)
    task = asyncio.create_task(twin.run())
    await clock.advance(600)
    task.cancel()
    gaps = [later - earlier for earlier, later in pairwise(tried_at)]
    assert gaps[0] < 2 and max(gaps) <= 45 and len(tried_at) < 40

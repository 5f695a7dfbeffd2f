"""The mesh link over real sockets: conformance, and meters behind a simulated concentrator."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import ConfigError
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import FarEnd, LinkConformance, RecordingHost, until
from meterhub_mesh import open_link
from meterhub_mesh.link import COLLECTOR_SCHEMA, LINK_SCHEMA
from meterhub_mesh.local_frame import LocalFrame, Scanner, encode


def make_link(clock=None, **options):
    return open_link(SimpleNamespace(clock=clock or Clock()), check(options, LINK_SCHEMA))


class Concentrator(FarEnd):
    """A plain socket."""

    def __init__(self, reader, writer):
        super().__init__()
        self.reader, self.writer = reader, writer
        self._task = asyncio.create_task(self._read())

    async def _read(self):
        while data := await self.reader.read(65536):
            self.data += data

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self):
        self.writer.close()

    def stop_reading(self):
        self._task.cancel()
        self.writer.transport.pause_reading()


async def call(link, first):
    far = Concentrator(*await asyncio.open_connection(*link.address))
    await far.send(first)
    return far


class TestMeshConformance(LinkConformance):
    collector = CollectorConfig("m1", check({"registration": "MESH0001"}, COLLECTOR_SCHEMA))

    def make_link(self, clock):
        return make_link(clock, listen="127.0.0.1:0", module="transparent")

    async def make_far_end(self, link):
        return await call(link, b"MESH0001")


class TestDialledConformance(LinkConformance):
    """The hub calls the concentrator."""

    dial_in = False

    @pytest.fixture
    async def host(self, monkeypatch):
        monkeypatch.setattr("meterhub.field.calls.dialler.FIRST_RETRY_S", 0.02)
        self.callers = asyncio.Queue()
        self.server = await asyncio.start_server(lambda *ends: self.callers.put_nowait(ends), "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        yield RecordingHost([CollectorConfig("m1", check({"connect": f"{host}:{port}"}, COLLECTOR_SCHEMA))])
        self.server.close()

    def make_link(self, clock):
        return make_link(clock, module="transparent")

    async def make_far_end(self, link):
        return Concentrator(*await self.callers.get())


async def test_a_collector_that_can_neither_call_nor_be_called_is_a_mistake():
    with pytest.raises(ConfigError, match="m1 can neither call nor be called"):
        await make_link().open(RecordingHost([CollectorConfig("m1", check({}, COLLECTOR_SCHEMA))]))


async def test_the_module_is_asked_for_its_map_and_answered_over_the_connection(monkeypatch):
    monkeypatch.setattr("meterhub.field.calls.link.TICK_S", 0.02)
    host = RecordingHost([CollectorConfig("m1", check({}, COLLECTOR_SCHEMA))])
    link = make_link(listen="127.0.0.1:0")
    await link.open(host)
    try:
        far = await call(link, b"m1")
        await until(lambda: [(one.afn, one.fn) for one, _ in Scanner().find(far.data)] == [(3, 10)])
        far.data.clear()
        await far.send(encode(LocalFrame(0xCA, 0x14, 2, route=bytes(5) + b"\x09")))
        await until(lambda: [(one.afn, one.sequence) for one, _ in Scanner().find(far.data)] == [(0x14, 9)])
        assert host.users[0].data == b"" and host.users[0].beats
    finally:
        await link.close()


SITE = """
hub: {{data: ./data}}
plugins: {{dlt645: , mesh: }}
links:
  - {{id: air, type: mesh, listen: "127.0.0.1:{port}", heartbeat: {{every: 5s}}, survey: 10s, latency_max: 5s}}
collectors:
  - {{id: m1, link: air, nodes: ["000000000101", "000000000102"], lines: [{{id: m1-a}}]}}
meters:
  - {{id: a-101, line: m1-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: a-102, line: m1-a, profile: dlt645-2007-single-phase, address: "000000000102"}}
"""


async def test_meters_are_read_through_the_nodes_of_a_concentrator(live_site, free_port):
    live = await live_site(SITE.format(port=free_port), speed=50)
    collector = live.hub.field.collectors["m1"]
    await until(lambda: collector.state == "online")
    runs = [await live.act("meter.read", one) for one in ("a-101", "a-102")]
    assert [run.state for run in runs] == ["confirmed", "confirmed"]
    assert live.value("a-101.energy_total") > 0
    await until(lambda: len(collector.nodes) == 2 and all(one.facts.hops for one in collector.nodes.values()))
    assert all(one.facts.online and one.facts.quality for one in collector.nodes.values())

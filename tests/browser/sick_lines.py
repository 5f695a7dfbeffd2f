"""A hub as a process, and the far end of lines on which something is wrong, each in its own way."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from meterhub.assembly import build_devices
from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import load_plugins
from meterhub.sim.wire import Faults
from meterhub.sim.world import World
from meterhub.tasks import Tasks
from meterhub.twins import string_wire
from meterhub_dlt645 import encode_read
from meterhub_serial.twin import SocketTwin

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("process", "core/estate")]

from process_house import House  # noqa: E402
from uart import through  # noqa: E402

from meterhub.testing.ports import free_port  # noqa: E402

METERS = 3
CASES = {
    "right": "healthy",
    "away": "offline",
    "empty": "silence",
    "cut": "silence",
    "parity": "wrong_parity",
    "slow": "slower_meters",
    "fast": "faster_meters",
    "echo": "echo",
    "deaf": "echo_only",
    "twins": "same_address",
    "clash": "spoilt_meter",
    "crowd": "collision",
    "master": "foreign_master",
    "noise": "noise",
    "lossy": "lossy",
    "quiet": "quiet_meters",
    "roof": "other_speed",
}
"""What is wrong behind a collector, and the finding that must come of it."""
SITE = """
hub: {{name: Sick Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{web}"}}
plugins: {{dlt645: , gprs: , serial: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{field}", latency_max: 1s}}
  - {{id: roof, type: serial, port: "rfc2217://127.0.0.1:{roof}", lines: [{{id: roof-a}}]}}
schedules:
  - {{id: sweep, every: 5s, action: meter.read, params: {{entities: [energy_total]}}}}
collectors:
{collectors}
meters:
{meters}
"""


def site(web, field, roof):
    dialled = [name for name in CASES if name != "roof"]
    collectors = [
        f'  - {{id: {one}, link: field, registration: "T-{one}", lines: [{{id: {one}-a}}]}}' for one in dialled
    ]
    meters = [
        f'  - {{id: {one}-{number}, line: {one}-a, profile: dlt645-2007-single-phase, address: "{place}{number}"}}'
        for place, one in enumerate(CASES, 10)
        for number in range(1, METERS + 1)
    ]
    return SITE.format(web=web, field=field, roof=roof, collectors="\n".join(collectors), meters="\n".join(meters))


class Far(asyncio.Protocol):
    """A collector that calls the hub and passes on what its wire says, spoilt by ``spoil``."""

    def __init__(self, name, wire, spoil):
        self._name, self._wire, self._spoil = name, wire, spoil

    def connection_made(self, transport):
        transport.write(f"T-{self._name}".encode())
        self.transport = transport
        self._wire.receive = lambda data: transport.write(self._spoil(data))

    def data_received(self, data):
        self._wire.send(data)


def forged(frame):
    """The same answer with another value and a right sum: what a second meter with this address says."""
    body = bytearray(frame.lstrip(b"\xfe"))
    body[-3] ^= 0x01
    body[-2] = sum(body[:-2]) & 0xFF
    return bytes(body)


class SickLines:
    """``async with SickLines(folder)``: ``url`` of the hub, ``CASES`` behind it."""

    def __init__(self, folder):
        self._house = House(folder)
        self._roof = free_port()
        self._house.file.write_text(site(self._house.web, self._house.field, self._roof), encoding="utf-8")
        self._tasks = Tasks(Clock())
        self._chance = random.Random(7)
        self.url = f"http://127.0.0.1:{self._house.web}"

    async def __aenter__(self):
        await self._house.log_in()
        await self._house.start("run", "-c", "site.yaml")
        await self._house.until("/api/v1/devices?kind=collector", bool, within_s=60)
        clock = Clock()
        entries = load_site(self._house.file)
        _, registry, plans = load_plugins(entries, clock, lambda owner, coroutine: coroutine.close())
        world, devices = World(clock), build_devices(entries, registry)
        for plan in plans:
            for name, (line,) in plan.lines.items():
                alive = [one for one in devices if name not in ("empty", "deaf") and one.id != "quiet-2"]
                wire, twins = string_wire(line, alive, registry, world)
                await self._begin(name, wire, twins, world, {one.id: one for one in devices})
        return self

    async def __aexit__(self, *_):
        await self._tasks.stop()
        await self._house.stop()

    async def _begin(self, name, wire, twins, world, meters):
        loop = asyncio.get_running_loop()
        if name == "roof":
            for _, twin in twins.values():
                twin.only_at = 9600
            server = await loop.create_server(lambda: SocketTwin(wire, telnet=True), "127.0.0.1", self._roof)
            self._tasks.spawn(name, server.serve_forever())
            return
        if name == "away":
            return
        self._second = bytes.fromhex(meters["twins-2"].address)[::-1]
        if name == "clash":
            protocol, _ = twins["clash-2"]
            wire.add(protocol, protocol.simulate(meters["clash-2"], World(world.clock, "another")))
        wire.connected = name != "cut"
        wire.faults = {"echo": Faults(echo=True), "deaf": Faults(echo=True), "lossy": Faults(drop=0.4)}.get(
            name, Faults()
        )
        _, far = await loop.create_connection(
            lambda: Far(name, wire, getattr(self, f"_{name}", bytes)), "127.0.0.1", self._house.field
        )
        if name in ("master", "noise"):
            self._tasks.spawn(name, self._disturb(far.transport, name))

    async def _disturb(self, transport, name):
        while True:
            await asyncio.sleep(0.9)
            transport.write(encode_read("000000000777", "00010000") if name == "master" else b"\x00\xff\x3c\x81\x00")

    def _parity(self, data):
        return through(data, 2400, 2400, bits=7)

    def _slow(self, data):
        return through(data, 1200, 2400)

    def _fast(self, data):
        return through(data, 9600, 2400)

    def _twins(self, data):
        return data + forged(data) if self._second in data else data

    def _crowd(self, data):
        """Somebody else speaks at the same time: the wire is low where either of them pulls it down."""
        if self._chance.random() < 0.3:
            return data
        other = encode_read("000000000777", "00010000")
        return data[:8] + bytes(one & two for one, two in zip(data[8:], other * 3, strict=False))

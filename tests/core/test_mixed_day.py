"""A mixed site through a simulated day in foul weather: every link and both protocols at once, over real sockets.

The hub, its links, and the twins' far ends are the real ones; only time is simulated. ``METERHUB_FULL=1`` runs the
whole day, a thousand broken connections and twenty restarts; else an hour and a half, and fewer of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from meterhub.assembly import build_devices
from meterhub.clock import seeded
from meterhub.config.site import load_site
from meterhub.devices.states import StatesChanged
from meterhub.field.link import wire_key
from meterhub.hub import Hub, load_plugins
from meterhub.schedules import DueFinished
from meterhub.sim.weather import WEATHERS
from meterhub.sim.world import World
from meterhub.tasks import Tasks
from meterhub.testing.clock import MovableClock
from meterhub.twins import string_wire
from meterhub_dlt645 import encode_read
from meterhub_dlt645.codec import Dlt645Codec

FULL = bool(os.environ.get("METERHUB_FULL"))
SLOT_S = 900
SLOTS = 96 if FULL else 6
FLAPS, RESTARTS = (1000, 20) if FULL else (40, 3)
GRACE_S = 0.0001
"""Real seconds that the kernel gets to hand bytes from one socket of this machine to another."""

SITE = """
hub: {{data: ./data, time_zone: UTC}}
plugins: {{dlt645: , mbus: , gprs: , serial: , mesh: , lora_wifi: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{0}", heartbeat: {{every: 30s, packet: "<BEAT>"}}}}
  - {{id: phones, type: gprs, preset: ddp, listen: "127.0.0.1:{1}", heartbeat: {{every: 30s}}}}
  - {{id: air, type: mesh, listen: "127.0.0.1:{2}", heartbeat: {{every: 60s}}, latency_max: 20s}}
  - {{id: cells, type: lora_wifi, listen: "127.0.0.1:{3}", heartbeat: {{every: 30s}}, rssi: true}}
  - {{id: nodes, type: lorawan, server: "127.0.0.1:{4}", heartbeat: {{every: 10m}}}}
  - {{id: cellar, type: serial, port: "socket://127.0.0.1:{5}", latency_max: 1s, lines: [{{id: cellar-a, tries: 4}}]}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, lines: [{{id: c1-a, tries: 4}}]}}
  - {{id: c2, link: field, lines: [{{id: c2-a, channel: DTU2-1, tries: 4}}, {{id: c2-b, channel: DTU2-2, tries: 4}}]}}
  - {{id: p1, link: phones, identity: "13912345678", lines: [{{id: p1-a, tries: 4}}]}}
  - {{id: m1, link: air, lines: [{{id: m1-a, tries: 4}}]}}
  - {{id: g1, link: cells, lines: [{{id: g1-a, tries: 4}}]}}
  - {{id: n1, link: nodes, dev_eui: 0102030405060708, lines: [{{id: n1-a, tries: 4}}]}}
meters:
"""
LINES = {
    "c1-a": "dlt645-2007-single-phase",
    "c2-a": "cjt188-water",
    "c2-b": "dlt645-1997-single-phase",
    "p1-a": "dlt645-2007-single-phase",
    "m1-a": "dlt645-2007-single-phase",
    "g1-a": "dlt645-1997-single-phase",
    "n1-a": "dlt645-2007-single-phase",
    "cellar-a": "cjt188-water",
}
SCHEDULES = """
schedules:
  - {id: quarter, every: 15m, action: meter.read, target: {all: meters}}
"""


class LoopbackClock(MovableClock):
    """A movable clock for sockets of this machine alone: bytes that are under way arrive before time goes on."""

    def _wait(self, timeout_s):
        ready = self._select(0)
        if not ready and timeout_s is not None and timeout_s > 0:
            time.sleep(GRACE_S)  # the loop stands still with it, and so does simulated time
        return ready or super()._wait(timeout_s)


@pytest.fixture
async def clock():
    movable = LoopbackClock()
    movable.install(asyncio.get_running_loop())
    yield movable
    movable.uninstall()


def free_ports(count):
    with contextlib.ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in servers]


@pytest.fixture
def site_file(tmp_path):
    rows, number = "", 0
    for line, profile in LINES.items():
        for _ in range(2):
            number += 1
            address = f"{number:014d}" if profile.startswith("cjt") else f"{number:012d}"
            rows += f'  - {{id: w-{number}, line: {line}, profile: {profile}, address: "{address}"}}\n'
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(*free_ports(6)) + rows + SCHEDULES, encoding="utf-8")
    return file


@pytest.fixture
async def far_end(clock, site_file):
    """``far_end(weather)``: the twins of the site, and those of its meters by id."""
    tasks = Tasks(clock)

    def live(weather):
        site = load_site(site_file)
        _, registry, plans = load_plugins(site, clock, tasks.spawn)
        world, devices, twins = World(clock, 5, weather=weather), build_devices(site, registry), {}
        for plan in plans:
            wires = {}
            for collector_id, lines in plan.lines.items():
                for place, line in enumerate(lines):
                    wire, found = string_wire(line, devices, registry, world)
                    wires[wire_key(collector_id, place)] = wire
                    twins.update({meter_id: twin for meter_id, (_, twin) in found.items()})
            kind = registry.links[plan.entry.type]
            tasks.spawn(plan.entry.id, kind.simulate(plan.options, plan.collectors, wires, world))
        return twins

    yield live
    await tasks.stop()


@pytest.fixture
async def start(clock, site_file):
    """``await start()``: a hub of the site, stopped at the end."""
    hubs = []

    async def begin():
        one = Hub(load_site(site_file), clock)
        hubs.append(one)
        await one.start()
        return one

    yield begin
    await hubs[-1].stop()


def true_energy(home, twin, device):
    """What the register of a DL/T 645 twin says now, past all links and wires."""
    protocol, point = home.reader.protocols[device.profile.protocol], device.points["energy_total"]
    edition = device.profile.protocol[-4:]
    codec = Dlt645Codec(edition)
    codec.receive(encode_read(device.address, "00010000" if edition == "2007" else "9010", edition))
    return protocol.values(twin.answer(codec.next_frame()), {"energy_total": point})["energy_total"]


def watch(home, twins):
    """What comes in: values by meter and slot, and those that the meter's register did not have."""
    seen = SimpleNamespace(slots={}, wrong=[], causes={})

    def look(message):
        for entity in message.changes:
            key, device = entity.definition.key, entity.device
            if key not in ("energy_total", "volume_total"):
                continue
            slots = seen.slots.setdefault(device.id, {})
            slots.setdefault((entity.state.measured_ms - home.started_ms) // (1000 * SLOT_S), entity.value)
            if key == "energy_total" and not 0 <= true_energy(home, twins[device.id], device) - entity.value <= 10:
                seen.wrong.append((device.id, entity.value))

    def close(message):
        """A sweep is over: why has a meter no value in it?"""
        slot = (message.due_ms - home.started_ms) // (1000 * SLOT_S)
        for meter in home.estate.values():
            if meter.kind == "meter" and slot not in seen.slots.get(meter.id, {}):
                seen.causes[meter.id, slot] = home.field.lines[meter.parent].standing(meter.id).last_error

    home.bus.on(StatesChanged, look)
    home.bus.on(DueFinished, close)
    return seen


async def test_a_mixed_site_fills_its_slots_in_foul_weather_and_never_with_a_wrong_value(start, far_end, clock, caplog):
    twins = far_end(replace(WEATHERS["foul"], flap_s=float("inf"), storm_s=float("inf")))
    home = await start()
    seen = watch(home, twins)
    await clock.advance(SLOTS * SLOT_S + 60)
    meters = [one for one in home.estate.values() if one.kind == "meter"]
    wanted = [(meter.id, slot) for meter in meters for slot in range(1, SLOTS)]
    missing = [one for one in wanted if one[1] not in seen.slots.get(one[0], {})]
    assert len(missing) <= max(1, len(wanted) / 1000), (len(missing), len(wanted), seen.causes)
    assert all(seen.causes[one] for one in missing), "each with its cause"
    assert seen.wrong == [] and not caplog.records, "nothing went wrong besides"
    for slots in seen.slots.values():
        assert all(earlier <= later for earlier, later in pairwise(slots[slot] for slot in sorted(slots)))
    for line in home.field.lines.values():
        assert line.figures.timeouts, (line.config.id, "its weather was foul")
    assert home.field.collectors["g1"].signal_dbm is not None and home.field.collectors["m1"].nodes


async def test_online_offline_and_unknown_add_up_over_flaps_and_restarts(start, far_end, clock):
    chance = seeded("restarts")
    far_end(replace(WEATHERS["foul"], flap_s=90.0, storm_s=1800.0))
    home = await start()
    began_ms, flaps = clock.now(), 0
    for restart in range(RESTARTS):
        while flaps + connections(home) < FLAPS * (restart + 1) / RESTARTS:
            await clock.advance(chance.uniform(1, 120))
        flaps += connections(home)
        await home.stop()
        await clock.advance(chance.uniform(1, 600))
        home = await start()
    await clock.advance(300)
    now_ms = clock.now()
    assert flaps >= FLAPS
    causes = set()
    for collector in home.field.collectors.values():
        rows = await home.spells.spells(collector.id, began_ms, now_ms)
        spells = [
            (one["state"], max(one["since_ms"], began_ms), min(one["until_ms"] or now_ms, now_ms)) for one in rows
        ]
        assert spells[0][1] == began_ms and spells[-1][2] == now_ms
        assert all(earlier[2] == later[1] for earlier, later in pairwise(spells)), "no gap, and nothing twice"
        states = {one["state"] for one in rows}
        sums = {state: sum(end - start for name, start, end in spells if name == state) for state in states}
        assert sum(sums.values()) == now_ms - began_ms and {"online", "unknown"} <= states
        causes |= {one["cause"] for one in rows}
    assert {"closed", "reset", "silent", "replaced", "hub_stopped"} <= causes


def connections(home):
    """How often collectors have connected since this hub began."""
    return sum(one.spells for one in home.field.collectors.values())

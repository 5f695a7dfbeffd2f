"""A mixed site through a simulated day in foul weather: every link and every protocol at once, over real sockets.

The hub, its links, and the twins' far ends are the real ones; only time is simulated. All at once: terminals on TCP
(one with a port for each of two lines) and on UDP, a mesh, LoRa cells and WiFi converters that call or are called, a
LoRaWAN node, a serial server in raw mode and one that speaks RFC 2217, a port of this machine; DL/T 645-2007 and -1997,
CJ/T 188, M-Bus. 5 % of answers are lost and 2 % spoilt on every wire; what travels is delayed, cut small, doubled,
overtaken or lost; collectors hang up, are cut off, hang half-open, all at once at times; and the hub is stopped and
started twenty times.

What is asked of it: a slot is a quarter of an hour and counts as filled when the meter's register came within it.
Nobody configured anything for the weather (the tries are the default ones), and no collector is away for a whole slot,
so that what could not be read at once can be caught up: 99.9 % of all slots are filled, those with flaps and restarts
among them. Each of the others is listed with its cause among the occasions of the schedule, and so is every slot of
one meter that is dead. No value is wrong: every register is compared with that of the meter at that very moment.
Online, offline and unknown time add up to the millisecond.

``METERHUB_FULL=1`` runs the whole day with a thousand broken connections and twenty restarts; else an hour and a half.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import time
from collections import Counter
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
from meterhub.sim.weather import WEATHERS
from meterhub.sim.world import World
from meterhub.tasks import Tasks
from meterhub.testing.clock import MovableClock
from meterhub.testing.ports import free_port
from meterhub.twins import string_wire
from meterhub_serial.port import ThreadTransport
from meterhub_serial.twin import SocketTwin

FULL = bool(os.environ.get("METERHUB_FULL"))
SLOT_MS = 900_000
SLOTS = 96 if FULL else 6
FLAPS, RESTARTS = (1000, 20) if FULL else (60, 2)
FLAP_S = 600.0
"""Mean time until a connection breaks: nine callers, a thousand times a day."""
LONGEST_STOP_S = 300.0
GRACE_S, PATIENCE_S = 0.0001, 0.02
"""Real seconds that the kernel gets to bring bytes from one socket of this machine to another; and threads, at most."""
REGISTERS = {"energy_total", "volume_total", "volume"}
LATE_UNITS = 100
"""So many of its smallest units a register may have gone on since it said a value: some minutes on slow ways."""

SITE = """
hub: {{data: ./data, time_zone: UTC}}
plugins: {{dlt645: , mbus: , gprs: , serial: , mesh: , lora_wifi: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{0}", heartbeat: {{every: 30s, packet: "<BEAT>"}}}}
  - {{id: phones, type: gprs, preset: ddp, listen: "127.0.0.1:{1}", heartbeat: {{every: 30s}}}}
  - {{id: air, type: mesh, listen: "127.0.0.1:{2}", heartbeat: {{every: 60s}}, latency_max: 20s}}
  - {{id: cells, type: lora_wifi, listen: "127.0.0.1:{3}", heartbeat: {{every: 30s}}, rssi: true}}
  - {{id: wifi, type: lora_wifi, latency_max: 2s}}
  - {{id: nodes, type: lorawan, server: "127.0.0.1:{5}", heartbeat: {{every: 10m}}}}
  - {{id: cellar, type: serial, port: "socket://127.0.0.1:{6}", latency_max: 1s, lines: [{{id: cellar-a}}]}}
  - {{id: roof, type: serial, port: "rfc2217://127.0.0.1:{7}", latency_max: 1s, lines: [{{id: roof-a}}]}}
  - {{id: desk, type: serial, port: "{8}", lines: [{{id: desk-a, parity: none}}]}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, lines: [{{id: c1-a}}]}}
  - {{id: c2, link: field, lines: [{{id: c2-a, channel: DTU2-1}}, {{id: c2-b, channel: DTU2-2}}]}}
  - {{id: p1, link: phones, identity: "13912345678", lines: [{{id: p1-a}}]}}
  - {{id: m1, link: air, lines: [{{id: m1-a}}]}}
  - {{id: g1, link: cells, lines: [{{id: g1-a}}]}}
  - {{id: w1, link: wifi, connect: "127.0.0.1:{4}", lines: [{{id: w1-a, envelope: none}}]}}
  - {{id: n1, link: nodes, dev_eui: 0102030405060708, lines: [{{id: n1-a}}]}}
meters:
"""
LINES = {
    "c1-a": "dlt645-2007-single-phase",
    "c2-a": "cjt188-water",
    "c2-b": "dlt645-1997-single-phase",
    "p1-a": "dlt645-2007-single-phase",
    "m1-a": "dlt645-2007-single-phase",
    "g1-a": "dlt645-1997-single-phase",
    "w1-a": "mbus-water",
    "n1-a": "dlt645-2007-single-phase",
    "cellar-a": "cjt188-water",
    "roof-a": "mbus-water",
    "desk-a": "dlt645-1997-single-phase",
}
DEAD = "w-999"
COLLECTORS = {"c1", "c2", "p1", "m1", "g1", "w1", "n1", "cellar", "roof", "desk"}
SCHEDULES = """
schedules:
  - {id: quarter, every: 15m, action: meter.read, target: {all: meters}}
"""


class LoopbackClock(MovableClock):
    """A movable clock for sockets of this machine alone: bytes that are under way arrive before time goes on.

    ``sent`` and ``handed_over`` are told when bytes went to the kernel, or to a thread or terminal that takes longer.
    """

    def __init__(self):
        super().__init__()
        self._patience_s = 0.0

    def sent(self):
        self._patience_s = max(self._patience_s, GRACE_S)

    def handed_over(self):
        self._patience_s = PATIENCE_S

    def _wait(self, timeout_s):
        ready = self._select(0)
        while not ready and self._patience_s > 0 and timeout_s is not None and timeout_s > 0:
            time.sleep(GRACE_S)  # the loop stands still with it, and so does simulated time
            self._patience_s -= GRACE_S
            ready = self._select(0)
        if ready:
            return ready
        self._patience_s = 0.0
        return super()._wait(timeout_s)


@pytest.fixture
async def clock(monkeypatch):
    movable = LoopbackClock()

    def tell(owner, name, told):
        given = getattr(owner, name)

        def telling(*args):
            told()
            return given(*args)

        monkeypatch.setattr(owner, name, telling)

    for name in ("send", "sendto"):
        tell(socket.socket, name, movable.sent)
    for owner, name in ((os, "write"), (ThreadTransport, "write"), (SocketTwin, "_say")):
        tell(owner, name, movable.handed_over)
    movable.install(asyncio.get_running_loop())
    yield movable
    movable.uninstall()


@pytest.fixture
def site_file(tmp_path):
    rows, number = "", 0
    for line, profile in LINES.items():
        for _ in range(2):
            number += 1
            digits = 14 if profile.startswith("cjt") else 12
            address = str(number) if profile.startswith("mbus") else f"{number:0{digits}d}"
            rows += f'  - {{id: w-{number}, line: {line}, profile: {profile}, address: "{address}"}}\n'
    rows += f'  - {{id: {DEAD}, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000999"}}\n'
    file = tmp_path / "site.yaml"
    file.write_text(
        SITE.format(*(free_port() for _ in range(8)), tmp_path / "tty") + rows + SCHEDULES, encoding="utf-8"
    )
    return file


class Truth:
    """What the registers of the meters say now, past all links and wires: it asks second twins of the same seed."""

    def __init__(self, meters):
        self._meters = meters

    def __call__(self, meter_id, key):
        device, protocol, twin = self._meters[meter_id]
        dialogue, ours, theirs = protocol.read(device, [device.points[key]]), protocol.codec(), protocol.codec()
        ask = next(dialogue)
        while True:
            theirs.receive(ours.encode(ask.frame))
            ours.receive(b"".join(filter(None, map(twin.answer, _frames(theirs)))))
            try:
                ask = dialogue.send(next((one for one in _frames(ours) if ask.match and ask.match(one)), None))
            except StopIteration as end:
                return end.value.updated[0][1]


def _frames(codec):
    while (frame := codec.next_frame()) is not None:
        yield frame


@pytest.fixture
async def far_end(clock, site_file):
    """``far_end(weather)`` lets the twins of the site live; gives what their registers say, by ``(meter, key)``."""
    tasks = Tasks(clock)

    def live(weather):
        site = load_site(site_file)
        _, registry, plans = load_plugins(site, clock, tasks.spawn)
        world = World(clock, 5, weather=weather)
        devices = [one for one in build_devices(site, registry) if one.id != DEAD]
        for plan in plans:
            wires = {
                wire_key(collector_id, place): string_wire(line, devices, registry, world)[0]
                for collector_id, lines in plan.lines.items()
                for place, line in enumerate(lines)
            }
            kind = registry.links[plan.entry.type]
            tasks.spawn(plan.entry.id, kind.simulate(plan.options, plan.collectors, wires, world))
        _, apart, _ = load_plugins(site, clock, tasks.spawn)
        protocols = {name: protocol for name, (_, protocol) in apart.protocols.items()}
        meters = [(one, protocols[one.profile.protocol]) for one in devices if one.kind == "meter"]
        return Truth({one.id: (one, protocol, protocol.simulate(one, world)) for one, protocol in meters})

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


def watch(home, seen, truth):
    """What comes in: registers by meter and slot, and those that the meter did not have."""

    def look(message):
        for entity in message.changes:
            key, device, value = entity.definition.key, entity.device, entity.value
            if key in REGISTERS:
                seen.slots.setdefault((device.id, entity.state.measured_ms // SLOT_MS), value)
                if not 0 <= truth(device.id, key) - value <= LATE_UNITS:
                    seen.wrong.append((device.id, key, value, truth(device.id, key)))

    home.bus.on(StatesChanged, look)


def causes(folder):
    """Why a meter has no value in a slot: what the occasions of the schedule say of it, in words."""
    with contextlib.closing(sqlite3.connect(folder / "data" / "hub.db")) as store:
        rows = store.execute("select due_ms, detail from due where state = 'finished'").fetchall()
    said = {}
    for due_ms, detail in rows:
        outcome = json.loads(detail)
        said[due_ms // SLOT_MS] = outcome.get("missing", {}) | {"": outcome.get("error", "")}
    return said


def note(home, seen):
    """Before this hub stops: how often collectors have connected to it, and requests without an answer."""
    seen.flaps += sum(one.spells for one in home.field.collectors.values())
    seen.timeouts.update({line.config.id: line.figures.timeouts for line in home.field.lines.values()})


async def test_a_mixed_day_with_everything_at_once(start, far_end, clock, tmp_path, caplog):
    foul = WEATHERS["foul"]
    assert (foul.wire.drop, foul.wire.corrupt) == (0.05, 0.02)
    truth = far_end(replace(foul, flap_s=FLAP_S, storm_s=7200.0 if FULL else 2000.0))
    chance, seen = seeded("restarts"), SimpleNamespace(slots={}, wrong=[], flaps=0, timeouts=Counter())
    began_ms = clock.now()
    end_ms = began_ms + SLOTS * SLOT_MS
    home = await start()
    watch(home, seen, truth)
    for restart in range(RESTARTS):
        at_ms = began_ms + (restart + chance.uniform(0.2, 0.8)) * (end_ms - began_ms) / RESTARTS
        await clock.advance((at_ms - clock.now()) / 1000)
        note(home, seen)
        await home.stop()
        await clock.advance(chance.uniform(1, LONGEST_STOP_S))
        home = await start()
        watch(home, seen, truth)
    await clock.advance((end_ms - clock.now()) / 1000)
    note(home, seen)

    meters = [one.id for one in home.estate.values() if one.kind == "meter" and one.id != DEAD]
    wanted = [(meter, began_ms // SLOT_MS + slot) for meter in meters for slot in range(1, SLOTS)]
    missing, why = [one for one in wanted if one not in seen.slots], causes(tmp_path)
    dead = [(DEAD, began_ms // SLOT_MS + slot) for slot in range(1, SLOTS - 1)]
    told = {one: why.get(one[1], {}).get(one[0]) or why.get(one[1], {}).get("") for one in (*missing, *dead)}
    print(f"{len(wanted)} slots, {len(missing)} missing, {seen.flaps} connections, {RESTARTS} restarts: {missing}")
    assert len(missing) <= max(1, len(wanted) / 1000) and all(told.values()), told
    assert not seen.wrong
    for meter in meters:
        values = [seen.slots[one] for one in sorted(seen.slots) if one[0] == meter]
        assert all(earlier <= later for earlier, later in pairwise(values))
    assert not [one for one in caplog.records if one.levelname != "WARNING"], "nothing went wrong besides"

    assert seen.flaps >= FLAPS and {one.id for one in home.field.collectors.values()} == COLLECTORS
    happened = set()
    for collector in COLLECTORS:
        happened |= await spells_add_up(home, collector, began_ms, clock.now())
    assert {"closed", "reset", "silent", "replaced", "hub_stopped"} <= happened
    foul = [line for line in LINES if seen.timeouts[line]]
    assert len(foul) == len(LINES) if FULL else len(foul) > len(LINES) / 2, "the weather was foul"
    assert home.field.collectors["g1"].signal_dbm is not None and home.field.collectors["m1"].nodes


async def spells_add_up(home, collector, began_ms, now_ms):
    """No millisecond of a collector is told twice or not at all; gives the causes of its spells."""
    rows = await home.spells.spells(collector, began_ms, now_ms)
    spells = [(one["state"], max(one["since_ms"], began_ms), min(one["until_ms"] or now_ms, now_ms)) for one in rows]
    assert spells[0][1] == began_ms and spells[-1][2] == now_ms
    assert all(earlier[2] == later[1] for earlier, later in pairwise(spells)), "no gap, and nothing twice"
    states = {one["state"] for one in rows}
    sums = {state: sum(end - start for name, start, end in spells if name == state) for state in states}
    assert sum(sums.values()) == now_ms - began_ms and {"online", "unknown"} <= states
    return {one["cause"] for one in rows}

"""A mixed site through a simulated day on bad wires, and a collector through a thousand flaps and twenty restarts.

``METERHUB_FULL=1`` runs the whole day; else two hours of it.
"""

from __future__ import annotations

import os
from itertools import pairwise

import pytest

from meterhub.clock import seeded
from meterhub.devices.states import StatesChanged
from meterhub_dlt645 import encode_read
from meterhub_dlt645.codec import Dlt645Codec

HOURS = 24 if os.environ.get("METERHUB_FULL") else 2
SLOT_MS = 900_000

SITE = """
hub: {data: ./data, time_zone: UTC}
plugins: {dlt645: , mbus: , gprs: , serial: , mesh: , lora_wifi: }
links:
  - {id: field, type: gprs, listen: "127.0.0.1:0"}
  - {id: air, type: mesh, listen: "127.0.0.1:0"}
  - {id: cells, type: lora_wifi, listen: "127.0.0.1:0"}
  - {id: cellar, type: serial, port: /dev/null, lines: [{id: cellar-a}]}
collectors:
  - {id: c1, link: field, lines: [{id: c1-a}]}
  - {id: c2, link: field, lines: [{id: c2-a}]}
  - {id: m1, link: air, lines: [{id: m1-a, tries: 4}]}
  - {id: g1, link: cells, lines: [{id: g1-a}]}
meters:
"""
LINES = {"c1-a": "dlt645-2007-single-phase", "m1-a": "dlt645-2007-single-phase", "g1-a": "dlt645-1997-single-phase",
         "cellar-a": "dlt645-2007-three-phase", "c2-a": "cjt188-water"}  # fmt: skip
SCHEDULES = """
schedules:
  - {id: quarter, every: 15m, action: meter.read, target: {all: meters}}
"""


def site():
    rows, number = "", 0
    for line, profile in LINES.items():
        for _ in range(3):
            number += 1
            address = f"{number:014d}" if profile.startswith("cjt") else f"{number:012d}"
            rows += f'  - {{id: w-{number}, line: {line}, profile: {profile}, address: "{address}"}}\n'
    return SITE + rows + SCHEDULES


def true_energy(home, sim, device):
    """What the register of a DL/T 645 twin says now, past all wires."""
    protocol, point = home.reader.protocols[device.profile.protocol], device.points["energy_total"]
    edition = device.profile.protocol[-4:]
    codec = Dlt645Codec()
    codec.receive(encode_read(device.address, "00010000" if edition == "2007" else "9010", edition))
    return protocol.values(sim.twins[device.id].answer(codec.next_frame()), {"energy_total": point})["energy_total"]


async def test_a_mixed_site_fills_its_slots_on_bad_wires_and_never_with_a_wrong_value(hub, sim, clock):
    home = await hub(site())
    for line in LINES:
        sim.faults(line, drop=0.05, corrupt=0.02)
    slots, wrong = {}, []

    def look(message):
        for entity in message.changes:
            key, device = entity.definition.key, entity.device
            if key not in ("energy_total", "volume_total"):
                continue
            seen = slots.setdefault(device.id, {})
            seen.setdefault((entity.state.measured_ms - home.started_ms) // SLOT_MS, entity.value)
            if key == "energy_total" and not 0 <= true_energy(home, sim, device) - entity.value <= 10:
                wrong.append((device.id, entity.value))

    home.bus.on(StatesChanged, look)
    await clock.advance(HOURS * 3600 + 60)
    wanted = [
        (meter.id, slot) for meter in home.estate.values() if meter.kind == "meter" for slot in range(1, HOURS * 4)
    ]
    missing = [(meter, slot) for meter, slot in wanted if slot not in slots.get(meter, {})]
    causes = {meter: home.estate[meter].detail for meter, _ in missing}
    assert len(missing) <= len(wanted) / 1000, (len(missing), len(wanted), causes)
    assert wrong == []
    for seen in slots.values():
        assert all(earlier <= later for earlier, later in pairwise(seen[slot] for slot in sorted(seen)))
    lost = sum(line.figures.timeouts for line in home.field.lines.values())
    assert lost > HOURS * 10, "the wires were bad"


@pytest.mark.parametrize(("flaps", "restarts"), [(1000, 20) if os.environ.get("METERHUB_FULL") else (200, 5)])
async def test_online_offline_and_unknown_add_up_over_flaps_and_restarts(hub, sim, clock, flaps, restarts):
    chance, text = seeded("flaps"), site()
    home = await hub(text)
    began_ms = clock.now()
    for number in range(flaps):
        await clock.advance(chance.uniform(0.1, 120))
        if home.field.collectors["c1"].state == "online":
            sim.hang_up("c1", chance.choice(("reset", "closed", "silent")))
        else:
            sim.dial_in("c1")
        if number % (flaps // restarts) == flaps // restarts - 1:
            await home.stop()
            await clock.advance(chance.uniform(1, 600))
            home = await hub(text)
    await clock.advance(1)
    now_ms = clock.now()
    rows = await home.spells.spells("c1", began_ms, now_ms)
    spells = [(one["state"], max(one["since_ms"], began_ms), min(one["until_ms"] or now_ms, now_ms)) for one in rows]
    assert spells[0][1] == began_ms and spells[-1][2] == now_ms
    assert all(earlier[2] == later[1] for earlier, later in pairwise(spells)), "no gap, and nothing twice"
    sums = {
        state: sum(end - start for name, start, end in spells if name == state)
        for state in {one["state"] for one in rows}
    }
    assert sum(sums.values()) == now_ms - began_ms
    assert set(sums) == {"online", "offline", "unknown"}
    assert len(rows) > flaps

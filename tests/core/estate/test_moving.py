"""A meter or a collector is moved in the site file: everything that was known of it stays with its id."""

from __future__ import annotations

from meterhub.actions import System

SITE = """
hub: {{data: ./data, time_zone: UTC}}
plugins: {{dlt645: , gprs: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:0"}}
  - {{id: other, type: gprs, listen: "127.0.0.1:0"}}
collectors:
  - {{id: c1, link: {link}, lines: [{{id: c1-a}}]}}
  - {{id: c2, link: field, lines: [{{id: c2-a}}]}}
meters:
  - {{id: a-101, line: {line}, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: a-102, line: c2-a, profile: dlt645-2007-single-phase, address: "000000000102"}}
"""
BEFORE, AFTER = SITE.format(link="field", line="c1-a"), SITE.format(link="other", line="c2-a")


async def readings(home, clock, meter="a-101"):
    run = await home.act("meter.read", meter)
    assert run.state == "confirmed", run.error
    await home.recorder.flush()
    return await home.store.points(f"{meter}.energy_total", clock.now() - 86_400_000, clock.now() + 1)


async def test_a_moved_meter_keeps_its_readings_and_a_moved_collector_its_days(hub, sim, clock):
    home = await hub(BEFORE)
    first = await readings(home, clock)
    await clock.advance(3600)
    began_ms = home.estate["c1"].since_ms
    await home.stop()
    await clock.advance(60)
    sim.move("a-101", "c2-a")
    home = await hub(AFTER)
    await clock.advance(1)
    assert home.estate["a-101"].parent == "c2-a" and home.estate["c1"].parent == "other"
    both = await readings(home, clock)
    assert both[: len(first)] == first and len(both) == len(first) + 1
    spells = await home.spells.spells("c1", 0, clock.now())
    assert [one["state"] for one in spells][-3:] == ["online", "unknown", "online"]
    assert spells[-3]["since_ms"] == began_ms and spells[-1]["until_ms"] is None


async def test_a_meter_of_the_book_is_moved_by_a_command_and_stays_so(hub, sim, clock):
    home = await hub(BEFORE)
    values = {"id": "a-103", "line": "c1-a", "address": "103", "profile": "dlt645-2007-single-phase"}
    await home.collections["meters"].source.create(System(), values)
    protocol = home.reader.protocols["dlt645-2007"]
    twin = protocol.simulate(home.estate["a-103"], sim.world)
    sim.wires["c1-a"].add(protocol, twin)
    first = await readings(home, clock, "a-103")
    sim.wires["c1-a"].remove(twin)
    sim.wires["c2-a"].add(protocol, twin)
    await clock.advance(60)
    run = await home.act("meter.move", "a-103", {"line": "nowhere"})
    assert run.error["code"] == "bad_input" and "c2-a" in run.error["hint"]
    run = await home.act("meter.move", "a-103", {"line": "c2-a"})
    assert str(run.state) == "confirmed" and home.estate["a-103"].parent == "c2-a"
    assert not [one for one in home.actions.offered(home.estate["a-101"], System()) if one.name == "meter.move"]
    both = await readings(home, clock, "a-103")
    assert both[: len(first)] == first and len(both) == len(first) + 1
    await home.stop()
    again = await hub(BEFORE)
    assert again.estate["a-103"].parent == "c2-a"
    assert len(await readings(again, clock, "a-103")) == len(first) + 2
    taken = {"id": "a-104", "line": "c1-a", "address": "102", "profile": "dlt645-2007-single-phase"}
    await again.collections["meters"].source.create(System(), taken)
    run = await again.act("meter.move", "a-104", {"line": "c2-a"})
    assert run.error["code"] == "conflict" and "a-102" in run.error["message"]

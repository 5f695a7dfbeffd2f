"""A whole hub with M-Bus meters on simulated wires: both dialects on one line, an echo, a valve, a new speed."""

from __future__ import annotations

import pytest_asyncio

from meterhub.actions import System

SITE = """\
hub: {name: Test, time_zone: Asia/Shanghai, data: ./data}
plugins: {mbus: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
collectors: [{id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 2400, parity: even}]}]
meters:
  - {id: w-1, line: c1-a, profile: mbus-water-valve, address: "5"}
  - {id: w-2, line: c1-a, profile: mbus-water, address: "12345678-ELS-0A-07"}
  - {id: h-1, line: c1-a, profile: mbus-heat, address: "12345679"}
  - {id: c-1, line: c1-a, profile: cjt188-water, address: "11110000000001"}
"""


@pytest_asyncio.fixture
async def home(hub):
    """The hub of ``SITE``."""
    return await hub(SITE)


async def read(hub, *meters):
    return {one: (await hub.act("meter.read", one)).result for one in meters}


async def test_meters_of_both_dialects_answer_on_one_line(home):
    results = await read(home, "w-1", "w-2", "h-1", "c-1")
    assert all(result and not result["failed"] for result in results.values()), results
    assert home.estate["w-2"].entity("volume").value > 0
    assert results["w-1"]["values"]["valve"] is True


async def test_an_echo_of_every_request_disturbs_nothing(home, sim):
    sim.faults("c1-a", echo=True)
    results = await read(home, "w-1", "w-2", "h-1")
    assert all(result and not result["failed"] for result in results.values()), results


async def test_noise_split_and_lost_answers_are_overcome(home, sim):
    sim.faults("c1-a", noise=0.3, split=0.3, drop=0.1, corrupt=0.05, cut=0.05, twice=0.2)
    for _ in range(5):
        results = await read(home, "w-1", "w-2", "h-1")
        for result in results.values():
            assert result is None or not result["failed"]
    sim.faults("c1-a")
    assert all(result for result in (await read(home, "w-1", "w-2")).values())


async def test_a_valve_is_closed_and_seen_closed(home, sim):
    run = await home.act("meter.close_valve", "w-1")
    assert str(run.state) == "confirmed" and run.result["read_back"] == {"valve": False}
    assert home.estate["w-1"].entity("valve").value is False and not sim.twins["w-1"].valve_open
    sim.twins["w-1"].stuck = True
    run = await home.act("meter.open_valve", "w-1")
    assert str(run.state) == "failed" and "still closed" in str(run.error)


async def test_a_valve_is_known_after_a_restart(home, hub):
    await home.act("meter.close_valve", "w-1")
    await home.stop()
    assert (await hub(SITE)).estate["w-1"].entity("valve").value is False


async def test_other_meters_are_read_while_a_valve_moves(home, sim, clock):
    run = await home.actions.call("meter.close_valve", "w-1", {}, actor=System())
    await clock.advance(2)
    assert home.field.lines["c1-a"].current is None and not run.done.done()
    assert (await read(home, "h-1"))["h-1"]
    await run.done
    assert str(run.state) == "confirmed"


async def test_a_new_speed_is_tested_there_and_the_line_comes_back(home, sim):
    run = await home.act("meter.set_speed", "w-1", {"speed": 9600})
    assert str(run.state) == "confirmed" and run.result["tested"] is True
    assert sim.wires["c1-a"].speed == 2400 and sim.twins["w-1"].only_at == 9600


async def test_a_meter_that_stays_at_its_speed_is_told_and_still_read(home, sim):
    twin = sim.twins["w-1"]
    twin._speeds = [2400]
    twin._carry_out = lambda frame: b"\xe5"
    run = await home.act("meter.set_speed", "w-1", {"speed": 9600})
    assert str(run.state) == "failed" and "does not answer at 9600" in str(run.error)
    assert sim.wires["c1-a"].speed == 2400 and (await read(home, "w-1"))["w-1"]


async def test_a_setting_is_written(home):
    run = await home.act("meter.write", "w-1", {"entity": "due_setting", "value": "2026-12-31"})
    assert str(run.state) == "confirmed" and run.result["read_back"] == {"due_setting": "2026-12-31"}

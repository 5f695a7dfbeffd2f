"""A sweep asks whoever it missed again until the next one is due, and says of the rest why."""

from __future__ import annotations

import pytest

from meterhub.devices.states import StatesChanged
from meterhub.schedules import DueFinished

SITE = """
hub: {name: Test Court, time_zone: UTC, language: en, currency: CNY, data: ./data}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0", heartbeat: {every: 60s}}]
collectors: [{id: c1, link: field, lines: [{id: c1-a}]}, {id: c2, link: field, lines: [{id: c2-a}]}]
meters:
  - {id: m-1, line: c1-a, profile: dlt645-2007-single-phase, address: "1"}
  - {id: m-2, line: c1-a, profile: dlt645-2007-single-phase, address: "2"}
  - {id: m-3, line: c2-a, profile: dlt645-2007-single-phase, address: "3"}
"""
ENERGY = "schedules: [{id: sweep, every: 15m, action: meter.read, params: {entities: [energy_total]}}]\n"
EVERYTHING = "schedules: [{id: sweep, every: 15m, action: meter.read}]\n"
SLOT_S = 900


@pytest.fixture
def watch():
    """``watch(home)``: the slots in which a meter's energy came, by meter, and the last words on occasions."""

    def begin(home):
        slots, ends = {"m-1": [], "m-2": [], "m-3": []}, []

        def look(message):
            if message.device.id in slots and any(one.definition.key == "energy_total" for one in message.changes):
                slots[message.device.id].append((home.clock.now() // 1000) % 86_400 // SLOT_S)

        home.bus.on(StatesChanged, look)
        home.bus.on(DueFinished, lambda message: ends.append(dict(message.outcome)))
        return slots, ends

    return begin


async def test_meters_behind_a_collector_that_was_away_are_read_when_it_is_back(hub, sim, clock, watch):
    home = await hub(SITE + ENERGY)
    slots, ends = watch(home)
    await clock.advance(SLOT_S - 10)
    sim.hang_up("c1")
    await clock.advance(300)
    outcome = home.schedules.last("sweep")[1]
    assert outcome["failed"] == {"link_down": 2} and slots["m-3"] == [1] and not ends
    assert outcome["missing"]["m-1"].startswith("the line is not connected: ")
    sim.dial_in("c1")
    await clock.advance(10)
    assert slots == {"m-1": [1], "m-2": [1], "m-3": [1]}
    assert ends == [{"asked": 3, "answered": 3, "failed": {}}] and home.schedules.last("sweep")[1] == ends[0]


async def test_a_slow_line_keeps_nobody_else_from_being_asked_again(hub, sim, clock, watch):
    slow = [
        f'  - {{id: s-{one}, line: c2-a, profile: dlt645-2007-single-phase, address: "9{one}"}}' for one in range(90)
    ]
    home = await hub(SITE + "\n".join(slow) + "\n" + EVERYTHING)
    slots, ends = watch(home)
    sim.hang_up("c1")
    await clock.advance(SLOT_S + 30)
    sim.dial_in("c1")
    await clock.advance(20)
    assert home.field.lines["c2-a"].waiting > 50, "the first round is under way"
    assert slots["m-1"] == [1] and slots["m-2"] == [1]
    await clock.advance(SLOT_S - 60)
    assert [(one["answered"], one["failed"]) for one in ends] == [(93, {})]


async def test_a_meter_that_was_silent_for_a_while_still_fills_its_slot(hub, sim, clock, watch):
    home = await hub(SITE + ENERGY)
    slots, ends = watch(home)
    sim.silence("m-1")
    await clock.advance(SLOT_S + 30)
    sim.revive("m-1")
    await clock.advance(120)
    assert slots["m-1"] == [1] and ends[0]["answered"] == 3


async def test_a_meter_that_stays_silent_is_named_with_its_cause_before_the_next_slot_and_costs_little(
    hub, sim, clock, watch
):
    home = await hub(SITE + ENERGY)
    slots, ends = watch(home)
    sim.silence("m-2")
    await clock.advance(2 * SLOT_S - 1)
    assert ends[0]["failed"] == {"no_answer": 1} and "m-2" in ends[0]["missing"]
    assert slots["m-2"] == [] and slots["m-1"] == [1]
    tries = home.field.lines["c1-a"].figures.tries
    assert tries <= 15, "asked a few times in a quarter of an hour, not all the time"


async def test_a_value_that_came_late_does_not_cost_the_next_slot_its_own(hub, sim, clock, watch):
    home = await hub(SITE + EVERYTHING)
    slots, _ = watch(home)
    await clock.advance(SLOT_S - 10)
    sim.hang_up("c1")
    await clock.advance(700)
    sim.dial_in("c1")
    await clock.advance(3 * SLOT_S)
    assert [slots[meter] for meter in ("m-1", "m-3")] == [[1, 2, 3, 4]] * 2


async def test_a_sweep_that_a_restart_cut_off_goes_on_where_it_was(hub, sim, clock, watch):
    first = await hub(SITE + ENERGY)
    before, _ = watch(first)
    sim.hang_up("c1")
    await clock.advance(SLOT_S + 20)
    assert before == {"m-1": [], "m-2": [], "m-3": [1]}
    await first.stop()
    await clock.advance(60)
    sim.dial_in("c1")
    second = await hub(SITE + ENERGY)
    slots, ends = watch(second)
    await clock.advance(60)
    assert slots["m-1"] == [1] and slots["m-2"] == [1]
    assert ends[0]["answered"] == 3
    await second.stop()
    third = await hub(SITE + ENERGY)
    slots, _ = watch(third)
    await clock.advance(60)
    assert slots == {"m-1": [], "m-2": [], "m-3": []}, "what was whole is not done again"

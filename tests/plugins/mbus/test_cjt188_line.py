"""CJ/T 188 meters in a hub: on simulated wires, through the queue, by actions, with everything that wires do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meterhub.actions import System

SITE = """\
hub: {name: Water, data: ./data}
plugins:
  mbus:
  dlt645:
  gprs:
links:
  - {id: field, type: gprs, listen: "127.0.0.1:0"}
collectors:
  - {id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 2400, parity: even}]}
meters:
  - {id: w-1, line: c1-a, profile: cjt188-water-prepaid, address: 00202601000101}
  - {id: w-2, line: c1-a, profile: cjt188-water-2018, address: "00202601000102"}
  - {id: h-1, line: c1-a, profile: cjt188-heat-cold, address: "10202601000168"}
  - {id: w-3, line: c1-a, profile: cjt188-water-valve, address: "00202601006810"}
  - {id: m-1, line: c1-a, profile: mbus-water, address: "26000004"}
  - {id: m-2, line: c1-a, profile: mbus-heat, address: "16"}
  - {id: e-1, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000101"}
"""


def value(home, entity):
    device, _, key = entity.partition(".")
    return home.estate[device].entity(key).shown


@pytest.fixture
async def home(hub):
    return await hub(SITE)


async def test_an_address_without_quotes_stays_text(home):
    assert home.estate["w-1"].address == "00202601000101"


async def test_three_protocols_share_a_line(home):
    """Frames of ``w-3`` begin with 68 10 10 68, as a long frame of EN 13757 does."""
    for device in ("w-1", "m-1", "w-3", "m-2", "w-2", "h-1", "e-1", "w-3"):
        run = await home.act("meter.read", device)
        assert run.state == "confirmed" and not run.result["failed"], device
    assert Decimal(value(home, "w-1.volume_total")) > 0 and value(home, "w-1.valve") is True
    assert Decimal(value(home, "h-1.heat_total")) > 0 and Decimal(value(home, "m-1.volume")) > 0
    assert Decimal(value(home, "w-3.volume_total")) > 0


async def test_a_valve_is_moved_and_the_line_is_free_while_its_motor_runs(home, clock):
    begun = clock.now()
    closing = await home.actions.call("meter.close_valve", "w-1", {}, actor=System(), reason="unpaid")
    run = await home.act("meter.read", "w-2")
    assert run.state == "confirmed" and closing.state == "sent"
    await closing.done
    assert closing.state == "confirmed" and closing.result["read_back"]["valve"] is False
    assert value(home, "w-1.valve_state") == "closed"
    assert 8_000 <= clock.now() - begun < 30_000
    run = await home.act("meter.open_valve", "w-1")
    assert run.state == "confirmed" and value(home, "w-1.valve") is True


async def test_a_stuck_valve_is_a_failure_with_words(home, sim):
    sim.twins["w-1"].state.stuck = True
    run = await home.act("meter.close_valve", "w-1", reason="unpaid")
    assert run.state == "failed" and "fault of its valve" in run.error["message"]
    assert value(home, "w-1.valve") is None and value(home, "w-1.valve_state") == "fault"


async def test_money_arrives_once_on_a_bad_wire(home, sim):
    sim.faults("c1-a", drop=0.25, corrupt=0.15, noise=0.2, split=0.5, echo=True)
    number = 1
    for amount in ("10.00", "20.50", "0.01", "100.00", "7.77"):
        for attempt in range(20):
            key = f"{number}-{attempt}"
            run = await home.act("meter.credit", "w-1", {"amount": amount, "number": number}, reason="sold", key=key)
            if run.state == "confirmed":
                break
        assert run.state == "confirmed"
        number += 1
    assert [amount for _, amount in sim.twins["w-1"].purse.ledger] == [1000, 2050, 1, 10000, 777]
    assert [number for number, _ in sim.twins["w-1"].purse.ledger] == [1, 2, 3, 4, 5]


async def test_a_silent_meter_is_told_apart_from_a_dead_line(home, sim):
    sim.silence("w-2")
    run = await home.act("meter.read", "w-2")
    assert run.state == "failed" and run.error["code"] == "no_answer"
    assert (await home.act("meter.read", "w-1")).state == "confirmed"
    sim.revive("w-2")
    assert (await home.act("meter.read", "w-2")).state == "confirmed"


async def test_an_unknown_meter_is_found_and_proposed(hub, sim):
    home = await hub(SITE)
    sim.silence("w-1", "w-2", "w-3", "m-1", "m-2", "e-1")
    run = await home.act("collector.find_meters", "c1")
    found = [one for one in run.result["found"] if one["profile"].startswith("cjt188")]
    assert [(one["address"], one["profile"]) for one in found] == [("10202601000168", "cjt188-heat")]

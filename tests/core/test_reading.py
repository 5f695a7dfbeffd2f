"""From a line of text on a simulated 2400-baud wire to a state with its age: the way a reading goes."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from meterhub.actions import Actions, System
from meterhub.bus import Bus
from meterhub.cause import Cause
from meterhub.devices.device import Device, Status
from meterhub.devices.entity import EntityDef, Quality, Role
from meterhub.devices.profile import Profile
from meterhub.devices.reader import Reader
from meterhub.devices.states import Estate, StatesChanged
from meterhub.estate.meter_actions import MeterActions
from meterhub.field.dialogue import CommandReply
from meterhub.field.line import Line, LineConfig
from meterhub.sim.wire import Wire
from meterhub.sim.world import World

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "acme.py"


@pytest.fixture
def acme():
    spec = importlib.util.spec_from_file_location("acme_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Acme()


@pytest.fixture
def profile(acme):
    entities = (
        EntityDef("energy_total", {"en": "Energy"}, unit="kWh", scale=2, meaning="energy", accumulate=True),
        EntityDef("uptime", {"en": "Uptime"}, unit="s", role=Role.DIAGNOSTIC, refresh_s=3600),
    )
    points = {"energy_total": acme.point("energy_total", {"register": "energy"}, "number", 2), "uptime": "uptime"}
    return Profile("acme-t1", "acme", {"en": "Acme T1"}, entities, points)


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def estate(bus, clock, profile):
    estate = Estate(bus, clock)
    for number in range(1, 4):
        place = ("Block A", "1", str(number))
        estate.add(Device(f"a-{number}", "meter", profile, parent="c1-a", address=str(number), place=place))
    return estate


@pytest.fixture
def street(acme, estate, clock):
    """A simulated wire with twins of all meters but a-3, which is dead."""
    world = World(clock)
    street = Wire(world, baud=2400)
    for device in estate.values():
        if device.id != "a-3":
            street.add(acme, acme.simulate(device, world))
    return street


@pytest.fixture
def reader(acme, estate, clock, wire, street):
    reader = Reader(estate, clock)
    reader.protocols["acme"] = acme
    reader.lines["c1-a"] = Line(LineConfig("c1-a", timeout_s=0.5, tries=2), clock, {"acme": acme.codec})
    wire.bridge(street).connect(reader.lines["c1-a"])
    return reader


async def test_a_reading_arrives_with_unit_scale_age_and_cause(reader, estate, clock):
    await clock.advance(1234)
    poll = await reader.read(estate["a-1"], cause=Cause("user", "anna"))
    assert poll.error is None
    energy = estate.entity("a-1.energy_total")
    assert energy.shown == "12.34"
    assert (energy.state.quality, str(energy.state.cause)) == (Quality.GOOD, "user:anna")
    assert clock.now() - energy.state.measured_ms < 1000
    assert estate["a-1"].status is Status.ONLINE


async def test_a_dead_meter_has_no_answer_and_no_value(reader, estate):
    poll = await reader.read(estate["a-3"])
    assert poll.error.code == "no_answer"
    assert estate["a-3"].status is Status.NO_ANSWER and estate["a-3"].detail
    assert estate.entity("a-3.energy_total").shown is None


async def test_a_sweep_tells_its_listeners_once_per_meter_and_says_what_came_of_it(reader, estate, bus, clock):
    news = []
    bus.on(StatesChanged, lambda message: news.append((message.device.id, len(message.changes))))
    outcome = await MeterActions(reader, clock).sweep(list(estate.values()), {}, Cause("schedule", "s"))
    assert news == [("a-1", 2), ("a-2", 2)]
    missing = {"a-3": "no answer in time, asked 2 times"}
    assert outcome == {"asked": 3, "answered": 2, "failed": {"no_answer": 1}, "missing": missing}


async def test_a_sweep_leaves_out_what_is_not_worth_reading_yet(reader, estate, bus, clock):
    sweep = MeterActions(reader, clock).sweep
    await sweep([estate["a-1"]], {}, Cause("schedule", "s"))
    await clock.advance(900)
    news = []
    bus.on(StatesChanged, lambda message: news.append([one.definition.key for one in message.changes]))
    await sweep([estate["a-1"]], {}, Cause("schedule", "s"))
    assert news == [["energy_total"]]


async def test_read_now_is_an_action_whose_result_is_what_was_read(reader, estate, bus, clock, tasks):
    actions = Actions(bus, clock, None, estate.get, tasks.spawn)
    for action in MeterActions(reader, clock).actions():
        actions.register(action)
    await clock.advance(60)
    run = await actions.call("meter.read", "a-2", {"entities": ["energy_total"]}, actor=System())
    await run.done
    assert run.state == "confirmed" and run.result == {"values": {"energy_total": "0.60"}, "failed": {}}
    offered = [one.name for one in actions.offered(estate["a-2"], System())]
    assert offered == ["meter.read"]


async def test_a_command_that_takes_its_time_is_looked_at_later(reader, acme, estate, clock, wire):
    """The line is free until then, what was seen on the way is kept, the last look is the result."""
    sent = []

    def look():
        yield from ()
        return CommandReply({"uptime": 2}, {"state": "done"})

    def command(meter, name, params):
        yield from ()
        return CommandReply({"uptime": 1}, {"state": "moving"}, follow=look, after_s=30.0)

    acme.command = command
    task = asyncio.ensure_future(reader.command(estate["a-1"], "meter.open_valve", {}, sent=lambda: sent.append(1)))
    await clock.advance(29)
    assert estate["a-1"].entity("uptime").value == 1 and not task.done() and reader.lines["c1-a"].waiting == 0
    await clock.advance(2)
    reply = await task
    assert reply.detail == {"state": "done"} and estate["a-1"].entity("uptime").value == 2 and sent == [1]

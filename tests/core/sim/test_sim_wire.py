"""The simulated wire keeps real wire time, and breaks as real wires do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "field"))

from toy import ToyMeter, ToyProtocol, answer, read, request

from meterhub.errors import NoAnswer
from meterhub.field.line import Line, LineConfig, Priority
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World

BYTE_S = 11 / 2400


def sim_wire(clock, faults=None, speed=1.0, addresses=(1, 2), seed=1):
    wire = Wire(World(clock, seed, speed), "c1-a", faults=faults)
    protocol = ToyProtocol()
    for address in addresses:
        wire.add(protocol, ToyMeter(address))
    heard = []
    wire.receive = lambda data: heard.append((clock.monotonic(), data))
    return wire, heard


async def test_an_answer_takes_its_time_on_the_wire(clock):
    wire, heard = sim_wire(clock)
    began = clock.monotonic()
    wire.send(request(1, 5))
    await clock.advance(1)
    assert heard == [(pytest.approx(began + 0.05 + 10 * BYTE_S), answer(1, 5, 12))]


async def test_the_world_may_run_faster(clock):
    wire, heard = sim_wire(clock, speed=10.0)
    began = clock.monotonic()
    wire.send(request(1, 5)[:2])
    wire.send(request(1, 5)[2:])
    await clock.advance(1)
    assert heard[0][0] == pytest.approx(began + (0.05 + 10 * BYTE_S) / 10)


async def test_an_unknown_address_is_silent(clock):
    wire, heard = sim_wire(clock)
    wire.send(request(99, 5))
    await clock.advance(1)
    assert not heard and wire.requests == 1


async def test_a_second_request_while_the_first_is_answered_spoils_both(clock):
    wire, heard = sim_wire(clock)
    wire.send(request(1, 5))
    await clock.advance(0.03)
    wire.send(request(2, 5))
    await clock.advance(1)
    assert wire.collisions == 1
    assert [data for _, data in heard] != [answer(1, 5, 12)]
    wire.send(request(2, 5))
    await clock.advance(1)
    assert heard[-1][1] == answer(2, 5, 19)


async def test_two_meters_with_one_address_collide(clock):
    wire, heard = sim_wire(clock, addresses=(1, 1))
    wire.send(request(1, 5))
    await clock.advance(1)
    assert wire.collisions == 1 and len(heard) == 1


async def test_a_wire_that_is_cut_is_silent(clock):
    wire, heard = sim_wire(clock)
    wire.connected = False
    wire.send(request(1, 5))
    await clock.advance(1)
    assert not heard


async def test_faults_repeat_from_the_seed(clock):
    faults = Faults(drop=0.2, corrupt=0.2, noise=0.2, split=0.3, late=0.1)
    runs = []
    for _ in range(2):
        wire, heard = sim_wire(clock, faults)
        for _ in range(50):
            wire.send(request(1, 5))
            await clock.advance(5)
        runs.append([data for _, data in heard])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 30 and set(runs[0]) != {answer(1, 5, 12)}


async def test_a_line_copes_with_a_bad_wire_and_never_takes_a_wrong_value(clock, wire):
    bad, _ = sim_wire(clock, Faults(drop=0.05, corrupt=0.05, noise=0.2, split=0.5, late=0.05, echo=True))
    line = Line(LineConfig("l", timeout_s=0.5), clock, {"toy": ToyProtocol().codec})
    wire.bridge(bad).connect(line)
    right = lost = 0
    for number in range(300):
        address, key = 1 + number % 2, number % 200
        try:
            values = await line.run("m", "1", "toy", lambda a=address, k=key: read(a, k), priority=Priority.OPERATOR)
        except NoAnswer:
            lost += 1
        else:
            assert values == [(address * 7 + key) & 0xFF]
            right += 1
    assert right > 290


async def test_a_perfect_wire_is_used_to_its_limit(clock, wire):
    good, _ = sim_wire(clock)
    line = Line(LineConfig("l"), clock, {"toy": ToyProtocol().codec})
    wire.bridge(good).connect(line)
    began = clock.monotonic()
    await line.run("m", "1", "toy", lambda: read(1, *range(100)), priority=Priority.SCHEDULED)
    ideal_s = 100 * (0.05 + 10 * BYTE_S)
    assert ideal_s / (clock.monotonic() - began) > 0.999


async def test_chance_has_a_name(clock):
    world = World(clock, 7)
    assert world.random("a").random() == World(clock, 7).random("a").random() != world.random("b").random()
    before = world.now_ms()
    await clock.advance(2)
    assert world.now_ms() - before == 2000


async def test_a_meter_at_a_speed_of_its_own_answers_only_there(clock):
    wire, heard = sim_wire(clock, addresses=())
    slow = ToyMeter(1)
    slow.only_at = 300
    wire.add(ToyProtocol(), slow)
    wire.send(request(1, 5))
    await clock.advance(1)
    assert not heard
    wire.retune(300)
    wire.send(request(1, 5))
    await clock.advance(1)
    assert heard[0][1] == answer(1, 5, 12)


async def test_an_answer_may_be_cut_off_or_come_twice(clock):
    whole = answer(1, 5, 12)
    for faults, wanted in ((Faults(cut=1.0), range(1, len(whole))), (Faults(twice=1.0), (2 * len(whole),))):
        wire, heard = sim_wire(clock, faults)
        wire.send(request(1, 5))
        await clock.advance(1)
        got = b"".join(data for _, data in heard)
        assert (2 * whole).startswith(got) and len(got) in wanted

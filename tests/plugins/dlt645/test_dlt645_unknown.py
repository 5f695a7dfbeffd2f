"""Meters that nobody has configured, and frames that nobody asked for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from dlt645_models import FILES, World, edition, meter, protocol

from meterhub.errors import NoAnswer
from meterhub.estate.probing import Probing
from meterhub.field.dialogue import rehearse
from meterhub.field.line import Line, LineConfig
from meterhub.field.link import LinkFacts
from meterhub.sim.wire import Wire
from meterhub.sim.world import World as LivingWorld
from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.frame import build

ADDRESS = "000000000161"


@pytest.mark.parametrize(
    "name",
    ["dlt645-2007-single-phase", "dlt645-2007-three-phase", "dlt645-1997-single-phase", "dlt645-1997-three-phase"],
)
def test_a_lonely_meter_is_found_with_its_profile(name):
    speaker = protocol(edition(name))
    twin = speaker.simulate(meter(name), World())
    twin.refuse |= {"028011FF", "03330201"}
    exchanges, [found] = talk(speaker, speaker.probe(), twin)
    assert (found["address"], found["edition"], found["profile"]) == (ADDRESS, edition(name), name)
    controls = {decode_frame(one.request).control for one in exchanges}
    assert controls <= {0x13, 0x11, 0x01}, "a probe only reads"


def test_a_purse_and_a_missing_relay_are_noticed():
    speaker = protocol()
    twin = speaker.simulate(meter("dial-in-2007-prepaid"), World())
    assert talk(speaker, speaker.probe(), twin)[1][0]["profile"] == "dial-in-2007-prepaid"
    twin.refuse |= {"028011FF"}
    assert talk(speaker, speaker.probe(), twin)[1][0]["profile"] == "dlt645-2007-local-prepaid"
    twin.refuse |= {"03330201", "04000503"}
    assert talk(speaker, speaker.probe(), twin)[1][0]["profile"] == "dlt645-2007-single-phase-plain"


def test_nobody_there_is_asked_once():
    for one in ("2007", "1997"):
        asked, found = rehearse(protocol(one).probe(), [NoAnswer("silence")])
        assert len(asked) == 1 and found == []


def test_a_meter_of_1997_without_a_number_is_found_by_its_energy():
    refusal = build(ADDRESS, 0xC1, b"\x02", "1997")
    energy = build(ADDRESS, 0x81, bytes.fromhex("109001000000"), "1997")
    asked, [found] = rehearse(protocol("1997").probe(), [refusal, energy, NoAnswer("silence")])
    assert found["address"] == ADDRESS and [one.identifier for one in asked[:2]] == ["C032", "9010"]


def make_line(clock, wire, name):
    """A line with one twin on its wire."""
    far = Wire(LivingWorld(clock, seed=7), "far")
    speakers = {f"dlt645-{one}": protocol(one) for one in ("2007", "1997")}
    line = Line(LineConfig("l1"), clock, {key: one.codec for key, one in speakers.items()}, facts=LinkFacts())
    wire.bridge(far).connect(line)
    speaker = speakers[f"dlt645-{edition(name)}"]
    twin = speaker.simulate(meter(name), LivingWorld(clock, seed=7))
    twin.refuse |= {"028011FF", "03330201"}
    far.add(speaker, twin)
    return line, speakers


@pytest.mark.parametrize("name", ["dlt645-2007-three-phase", "dlt645-1997-single-phase"])
async def test_find_meters_asks_every_protocol_on_the_line(clock, wire, name):
    line, speakers = make_line(clock, wire, name)
    probing = Probing(speakers, lambda collector: [line])
    call = SimpleNamespace(params={}, sent=lambda: None, target=SimpleNamespace(id="c1"))
    task = asyncio.ensure_future(probing.find(call))
    await asyncio.sleep(0)
    await clock.advance(120)
    [found] = task.result()["found"]
    assert (found["line"], found["profile"], found["address"]) == ("l1", name, ADDRESS)


async def test_a_meter_at_another_speed_is_found_and_the_line_goes_back_to_its_own(clock, wire):
    line, speakers = make_line(clock, wire, "dlt645-2007-single-phase")
    speeds = [line.config.baud]
    wire.set_speed = lambda baud: speeds.append(baud) or True
    send = wire.send
    wire.send = lambda data: send(data) if speeds[-1] == 9600 else None  # else nobody understands it
    probing = Probing(speakers, lambda collector: [line])
    call = SimpleNamespace(params={}, sent=lambda: None, target=SimpleNamespace(id="c1"))
    task = asyncio.ensure_future(probing.find(call))
    await asyncio.sleep(0)
    await clock.advance(240)
    [found] = task.result()["found"]
    assert (found["address"], found["baud"]) == (ADDRESS, 9600)
    assert speeds == [2400, 1200, 2400, 9600, 2400]


def test_a_pushed_frame_updates_what_the_profile_reads():
    one, speaker = meter("dial-in-2007-prepaid"), protocol()
    twin = speaker.simulate(one, World())
    report = speaker.heard(one, decode_frame(twin.push("028011FF"), "2007"))
    keys = list(one.points)
    found = {keys[place]: value for place, value, quality in report.updated if quality == "good"}
    assert {"remaining_amount", "voltage", "relay", "energy_total"} <= set(found)
    assert speaker.heard(one, decode_frame(twin.push(), "2007")).updated == []


def test_frames_of_others_are_not_taken():
    one, speaker = meter(), protocol()
    data = bytes.fromhex("0000010001000000")
    assert speaker.heard(one, build("000000000162", 0x91, data, "2007")) is None
    assert speaker.heard(one, build(ADDRESS, 0x11, data, "2007")) is None
    assert speaker.heard(one, build(ADDRESS, 0xD1, b"\x02", "2007")) is None
    assert speaker.heard(one, build(ADDRESS, 0x91, data + b"\x00", "2007")).updated == []
    assert speaker.heard(one, build(ADDRESS, 0x91, data, "2007")).updated == [(0, 1, "good")]


async def test_a_line_hears_what_comes_before_anything_is_asked(clock, wire):
    line, _ = make_line(clock, wire, "dlt645-2007-single-phase")
    heard = []
    line.on_unsolicited = heard.append
    line.received(build(ADDRESS, 0x91, bytes.fromhex("80808080")).raw)
    assert heard == []
    line.listen("dlt645-2007")
    line.received(build(ADDRESS, 0x91, bytes.fromhex("80808080")).raw)
    assert [frame.identifier for frame in heard] == ["80808080"]


def test_every_profile_understands_its_own_pushes():
    for name in FILES:
        one, speaker = meter(name), protocol(edition(name))
        point = next(iter(one.points.values()))
        twin = speaker.simulate(one, World())
        if edition(name) == "2007":
            assert speaker.heard(one, decode_frame(twin.push(point.identifier), "2007")).updated

"""The shipped CJ/T 188 profiles: they load, their frames mean what they say, their twins answer and obey."""

from __future__ import annotations

import pytest
from cjt188_models import ADDRESS, CLOCK, FILES, World, carry_out, meter, profile

from meterhub.devices.profile_file import build_profile
from meterhub.devices.vectors import vector_mistakes
from meterhub.errors import ConfigError
from meterhub.testing.conformance_protocol import talk
from meterhub_mbus.cjt188.protocol import PROTOCOLS, Cjt188

WITH_VALVE = [name for name in FILES if "meter.open_valve" in profile(name).commands]


def test_there_are_families_of_water_heat_and_gas():
    assert len(FILES) >= 12
    assert {profile(name).options.get("meter_type", "10") for name in FILES} >= {"10", "11", "20", "22", "30"}
    assert all(profile(name).note for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_profile_is_complete_and_its_vectors_are_right(name):
    model = profile(name)
    assert model.id == name
    for definition in model.entities:
        assert set(definition.name) == {"en", "zh", "ja"}, definition.key
        assert definition.key in model.points
    assert {"volume_total", "heat_total"} & set(model.points)
    assert model.vectors or model.commands
    assert [str(one) for one in vector_mistakes(model, Cjt188(CLOCK))] == []


@pytest.mark.parametrize("name", FILES)
def test_the_twin_answers_its_profile(name):
    one, speaker = meter(name), Cjt188(CLOCK)
    twin = speaker.simulate(one, World())
    points = list(one.points.values())
    exchanges, report = talk(speaker, speaker.read(one, points), twin)
    assert not report.failed
    assert sorted(index for index, _, _ in report.updated) == list(range(len(points)))
    assert [points[index].key for index, _, quality in report.updated if quality != "good"] == []
    assert len(exchanges) == len({point.identifier for point in points})


@pytest.mark.parametrize("name", WITH_VALVE)
def test_the_valve_of_each_profile_is_moved_and_watched(name):
    one, speaker, world = meter(name), Cjt188(CLOCK), World()
    twin = speaker.simulate(one, world)
    for action, is_open in (("meter.close_valve", False), ("meter.open_valve", True)):
        _, reply = carry_out(speaker, speaker.command(one, action, {}), twin, world)
        assert reply.values["valve"] is is_open
        assert twin.state.valve == ("open" if is_open else "closed")


@pytest.mark.parametrize("name", [name for name in FILES if "meter.credit" in profile(name).commands])
def test_each_purse_is_credited(name):
    one, speaker = meter(name), Cjt188(CLOCK)
    twin = speaker.simulate(one, World())
    _, reply = talk(speaker, speaker.command(one, "meter.credit", {"amount": "20", "number": 1}), twin)
    assert reply.detail["acknowledged"] and twin.purse.number == 1
    assert reply.detail["total"] in ("20.00", "20.0") and reply.values


def test_large_meters_count_whole_cubic_metres():
    one, speaker = meter("cjt188-water-large"), Cjt188(CLOCK)
    twin = speaker.simulate(one, World())
    _, report = talk(speaker, speaker.read(one, [one.points["volume_total"]]), twin)
    [(_, value, _)] = report.updated
    assert value % 100 == 0 and 0 <= twin.state.volume_ml() // 10_000 - value < 100


def test_addresses_stay_text():
    speaker = Cjt188(CLOCK)
    assert speaker.address(ADDRESS) == ADDRESS
    assert speaker.address("112233445566") == ADDRESS
    assert speaker.address("00000000ee0001") == "00000000EE0001"


@pytest.mark.parametrize(
    ("section", "given", "words"),
    [
        ("options", {"meter_type": "1"}, "a byte is needed"),
        ("options", {"volume_factor": "0"}, "number"),
        ("options", {"valve_states": "open shut"}, "two or four words"),
        ("options", {"serial": "often"}, "count, none or one byte"),
        ("options", {"identifier_order": "both"}, "one of auto, high, low"),
        ("options", {"utc_offset": "8"}, "offset"),
        ("commands", {"meter.open_valve": {"identifier": "46"}}, "two bytes are needed"),
        ("commands", {"meter.open_valve": {"motor": "1h"}}, "duration"),
        ("commands", {"meter.credit": {"coding": "hex"}}, "one of bcd"),
    ],
)
def test_options_that_make_no_sense_are_named(section, given, words):
    content = {"id": "mine", "extends": "cjt188-water-valve", "name": "Mine", section: given}
    kinds = {"cjt188": (PROTOCOLS[0], Cjt188(CLOCK))}
    with pytest.raises(ConfigError, match=words):
        build_profile(content, kinds, known={"cjt188-water-valve": profile("cjt188-water-valve")})

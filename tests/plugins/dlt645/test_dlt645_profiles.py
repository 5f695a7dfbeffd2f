"""The shipped profiles: they load, their frames mean what they say, their twins answer everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dlt645_models import FILES, World, edition, meter, profile, protocol

from meterhub.devices.vectors import vector_mistakes
from meterhub.testing.conformance_protocol import talk


@pytest.mark.parametrize("name", FILES)
def test_a_profile_is_complete(name):
    model = profile(name)
    assert model.id == name
    for definition in model.entities:
        assert set(definition.name) == {"en", "zh", "ja"}, definition.key
        assert definition.key in model.points
    assert {"energy_total", "energy_tariff_4"} <= set(model.points)
    assert FILES[name].read_text("utf-8").count("\n") <= 60


@pytest.mark.parametrize("name", FILES)
def test_vectors_mean_what_the_profile_says(name):
    model = profile(name)
    assert model.vectors
    assert [str(one) for one in vector_mistakes(model, protocol(model.protocol[-4:]))] == []


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ({"entity": "voltage", "value": "229.8"}, "the frame means voltage = 229.7, not 229.8"),
        ({"entity": "current"}, "the frame does not hold what the point of current names"),
        ({"entity": "volts"}, "there is no entity volts with a point"),
        ({"frame": "6843100011340068910633343435CA55EF16"}, "no frame of dlt645-2007"),
        ({"frame": "684310001134006811043334343504161616"}, "no frame of dlt645-2007"),
        ({"frame": "xyz"}, "not an even number of hex digits"),
        ({"means": "229.7"}, "means"),
    ],
)
def test_a_vector_that_is_wrong_is_told(vector, words):
    good = {"entity": "voltage", "frame": "6843100011340068910633343435CA55EE16", "value": "229.7"}
    model = replace(profile("dlt645-2007-single-phase"), vectors=[good, {**good, **vector}])
    [mistake] = vector_mistakes(model, protocol())
    assert words in str(mistake) and mistake.where


@pytest.mark.parametrize("name", FILES)
def test_the_twin_answers_its_profile(name):
    one = meter(name)
    speaker = protocol(edition(name))
    twin = speaker.simulate(one, World())
    points = list(one.points.values())
    exchanges, report = talk(speaker, speaker.read(one, points), twin)
    assert not report.failed
    assert sorted(index for index, _, _ in report.updated) == list(range(len(points)))
    assert all(quality == "good" for _, _, quality in report.updated)
    assert len(exchanges) < len(points)


def test_blocks_save_exchanges():
    one = meter()
    twin = protocol().simulate(one, World())
    keys = ["energy_total", "energy_tariff_1", "energy_tariff_2", "energy_tariff_3", "energy_tariff_4"]
    points = [one.points[key] for key in keys]
    together, report = talk(protocol(), protocol().read(one, points), twin)
    assert len(together) == 1
    values = [value for _, value, _ in report.updated]
    assert values[0] == sum(values[1:])
    apart, same = talk(protocol(), protocol().read(meter(blocks=False), points), twin)
    assert len(apart) == 5 and [value for _, value, _ in same.updated] == values


def test_there_are_profiles_of_many_makers():
    models = [profile(name) for name in FILES]
    assert len(models) >= 16
    assert {model.maker for model in models} >= {
        "Wasion", "Holley", "Hengtong", "Haoningda", "Ningbo Sanxing", "ABB", "Kede", "JoyMeter", "NLY",
    }  # fmt: skip
    assert all(model.note for model in models)


@pytest.mark.parametrize("name", [name for name in FILES if "meter.open_circuit" in profile(name).commands])
def test_the_relay_of_each_profile_is_switched_and_read_back(name):
    one, speaker = meter(name), protocol(edition(name))
    twin = speaker.simulate(one, World())
    for action, closed in (("meter.open_circuit", False), ("meter.close_circuit", True)):
        _, reply = talk(speaker, speaker.command(one, action, {}), twin)
        assert set(reply.values.values()) == {closed}


@pytest.mark.parametrize("name", [name for name in FILES if "meter.credit" in profile(name).commands])
def test_each_purse_is_credited(name):
    one, speaker = meter(name), protocol(edition(name))
    twin = speaker.simulate(one, World())
    params = {"amount": "20", "number": 1, "mac_1": "00000000", "mac_2": "00000000"}
    _, reply = talk(speaker, speaker.command(one, "meter.credit", params), twin)
    assert reply.detail["acknowledged"] and twin.state.credited_fen == 2000

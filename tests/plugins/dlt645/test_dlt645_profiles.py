"""The shipped profiles: they load, their frames mean what they say, their twins answer everything."""

from __future__ import annotations

import pytest
from dlt645_models import FILES, World, meter, profile, protocol

from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645 import decode_frame


@pytest.mark.parametrize("name", FILES)
def test_a_profile_is_complete(name):
    model = profile(name)
    assert model.id == name
    for definition in model.entities:
        assert set(definition.name) == {"en", "zh", "ja"}, definition.key
        assert definition.key in model.points
    assert {"energy_total", "energy_tariff_4", "voltage", "voltage_a"} & set(model.points)
    assert FILES[name].read_text("utf-8").count("\n") <= 60


@pytest.mark.parametrize("name", FILES)
def test_vectors_mean_what_the_profile_says(name):
    model = profile(name)
    assert model.vectors
    for vector in model.vectors:
        frame = decode_frame(bytes.fromhex(vector["frame"]), model.protocol[-4:])
        point = model.points[vector["entity"]]
        assert frame.identifier in (point.identifier, point.block), vector
        at = point.at if frame.identifier == point.identifier else point.block_at
        value, quality = point.take(frame.payload, at)
        shown = model.entities[model.index[vector["entity"]]].shown(value)
        words = {True: "true", False: "false"}
        assert (words[shown] if isinstance(shown, bool) else shown) == vector["value"], vector
        assert quality == "good"


@pytest.mark.parametrize("name", FILES)
def test_the_twin_answers_its_profile(name):
    one = meter(name)
    speaker = protocol(name[7:11])
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

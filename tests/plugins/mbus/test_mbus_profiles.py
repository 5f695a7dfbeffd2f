"""The shipped profiles of EN 13757: they load, their telegrams mean what they say, their twins answer everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from mbus_models import protocol

import meterhub_mbus
from meterhub.config.loader import load
from meterhub.devices.device import Device
from meterhub.devices.profile_file import BaseMissing, build_profile
from meterhub.devices.vectors import vector_mistakes
from meterhub.testing.conformance_protocol import StillWorld, talk
from meterhub_mbus.address import parse
from meterhub_mbus.models import ANYTHING, OF_MAKER, OF_MEDIUM, model_of
from meterhub_mbus.protocol import MBUS

MBUS_FILES = [path for path in meterhub_mbus.register_profiles() if "mbus" in path.stem]


def built():
    """All profiles by id, those that extend others after these."""
    one, known = protocol(), {}
    for path in 2 * MBUS_FILES:
        try:
            model = build_profile(load(path), {"mbus": (MBUS, one)}, origin=str(path), known=known)
        except BaseMissing:
            continue
        known[model.id] = model
    return one, known


PROTOCOL, MODELS = built()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_profile_is_complete(name):
    model = MODELS[name]
    assert Path(model.origin.rsplit(":", 1)[0]).stem == name
    for definition in model.entities:
        assert set(definition.name) == {"en", "zh", "ja"}, definition.key
        assert definition.key in model.points
    assert "others" in model.points or name.startswith("sensus")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_vectors_mean_what_the_profile_says(name):
    model = MODELS[name]
    assert [str(one) for one in vector_mistakes(model, PROTOCOL)] == []


def test_makers_profiles_have_vectors():
    assert sum(bool(model.vectors) for model in MODELS.values()) >= 12


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_twin_answers_its_profile(name):
    device = Device("w-1", "meter", MODELS[name], address="5")
    twin = PROTOCOL.simulate(device, StillWorld())
    _, report = talk(PROTOCOL, PROTOCOL.read(device, list(device.points.values())), twin)
    assert not report.failed and len(report.updated) == len(device.points)
    shown = {device.entities[place].definition.key: value for place, value, _ in report.updated}
    assert None not in shown.values()
    assert shown.get("others", "") == "", "every record is shown by a point"


def test_nothing_flows_backwards_through_a_simulated_meter():
    device = Device("w-1", "meter", MODELS["mbus-water"], address="5")
    twin = PROTOCOL.simulate(device, StillWorld())
    _, report = talk(PROTOCOL, PROTOCOL.read(device, list(device.points.values())), twin)
    shown = {device.entities[place].definition.key: value for place, value, _ in report.updated}
    assert shown["volume"] > 0 == shown["volume_backward"]


def test_every_model_that_a_search_proposes_exists():
    assert {*OF_MEDIUM.values(), *OF_MAKER.values(), ANYTHING} <= set(MODELS)
    assert model_of(parse("12345678-ELS-0A-07").secondary) == "elster-falcon-mbus"
    assert model_of(parse("12345678-XYZ-0A-04").secondary) == "mbus-heat"
    assert model_of(parse("12345678-XYZ-0A-1A").secondary) == "mbus-any"

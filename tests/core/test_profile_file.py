"""A meter model is a YAML file; a mistake in it is answered with file, line and the right word."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from meterhub.config.loader import load
from meterhub.devices.profile_file import build_profile
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.protocol import ProtocolType

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def protocols():
    spec = importlib.util.spec_from_file_location("acme_for_profiles", EXAMPLES / "acme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kind: ProtocolType = module.register_protocols()[0]
    return {"acme": (kind, kind.open(None, {}))}


@pytest.fixture
def build(tmp_path, protocols):
    def from_text(text):
        path = tmp_path / "model.yaml"
        path.write_text(text, encoding="utf-8")
        return build_profile(load(path), protocols)

    return from_text


HEAD = "id: x\nprotocol: acme\nname: X\n"


def test_the_example_in_the_docs_is_a_profile_of_thirty_lines(protocols):
    path = EXAMPLES / "acme-t1.yaml"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    profile = build_profile(load(path), protocols)
    energy, uptime = profile.entities
    assert (energy.unit, energy.scale, energy.accumulate, energy.name["zh"]) == ("kWh", 2, True, "电能")
    assert (uptime.refresh_s, profile.points) == (3600, {"energy_total": "energy", "uptime": "uptime"})


def test_limits_are_written_in_shown_units(build):
    profile = build(HEAD + "entities:\n  limit: {name: Limit, scale: 2, minimum: 0, maximum: 99.99}\n")
    assert (profile.entities[0].minimum, profile.entities[0].maximum) == (0, 9999)


@pytest.mark.parametrize(
    ("entities", "says"),
    [
        ("  e: {name: E, uint: kWh}\n", "model.yaml:5: there is no key uint (did you mean unit?)"),
        ("  e:\n    name: E\n    point: {regster: x}\n", "there is no key regster (did you mean register?)"),
        ("  e: {name: E, scale: two}\n", "model.yaml:5: scale is 'two'; a whole number from 0 to 9 is needed"),
        ("  e: {name: E, refresh: 15 min}\n", "refresh is '15 min'; a duration with a unit"),
        ("  E-1: {name: E}\n", "lower-case letters, digits and _ only"),
        ("  e: {name: {en: E, fr: E}}\n", "text by language, en, zh or ja, is needed, not fr"),
        ("  e: {name: E, maximum: 1.5}\n", "does not fit 0 decimals"),
    ],
)
def test_mistakes_are_answered_at_their_line(build, entities, says):
    with pytest.raises(ConfigError) as caught:
        build(HEAD + "entities:\n" + entities)
    assert says in str(caught.value)


def test_all_mistakes_of_a_file_come_at_once(build):
    with pytest.raises(ConfigErrors) as caught:
        build(HEAD + "entities:\n  a: {name: A, uint: V}\n  b: {name: B, role: boss}\n")
    assert [str(one).split(":")[1] for one in caught.value.errors] == ["5", "6"]


def test_a_point_that_the_protocol_refuses_is_answered_at_its_line(build, protocols, monkeypatch):
    def refuse(key, spec, kind, scale):
        raise ConfigError(f"point of {key}: there is no such register", hint="look at the meter's own book")

    monkeypatch.setattr(protocols["acme"][1], "point", refuse)
    with pytest.raises(ConfigErrors) as caught:
        build(HEAD + "entities:\n  a: {name: A, point: {register: x}}\n  b:\n    name: B\n    point: {register: y}\n")
    assert [one.where for one in caught.value.errors] == ["model.yaml:5", "model.yaml:8"]
    assert "point of a: there is no such register (look at" in str(caught.value)


def test_a_protocol_of_no_listed_plugin_is_named(build):
    with pytest.raises(ConfigError, match=r"there is no protocol acne \(listed plugins bring: acme\)"):
        build("id: x\nprotocol: acne\nname: X\nentities: {}\n")

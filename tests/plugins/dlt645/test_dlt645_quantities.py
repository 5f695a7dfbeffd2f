"""What managers ask for beside energy and voltage: reactive energy and power by phase, prices, alarm amounts."""

from __future__ import annotations

import pytest
from dlt645_models import CLOCK, World, edition, meter, profile, protocol

from meterhub.testing.conformance_protocol import talk

ENERGIES = ("energy", "energy_reactive")
POWERS = ("power", "power_reactive")
PREPAID = ("dlt645-2007-local-prepaid", "dlt645-2007-local-prepaid-plain", "kede-2007-prepaid")


def house(name):
    one, world = meter(name), World(CLOCK.now())
    return one, protocol(edition(name)).simulate(one, world)


def values(name):
    one, twin = house(name)
    speaker = protocol(edition(name))
    _, report = talk(speaker, speaker.read(one, list(one.points.values())), twin)
    assert not report.failed
    keys = list(one.points)
    return {keys[index]: value for index, value, _ in report.updated}


@pytest.mark.parametrize("name", ["dlt645-2007-single-phase", "dlt645-1997-single-phase", "kede-2007-prepaid"])
def test_a_single_phase_meter_tells_its_reactive_energy_and_power(name):
    found = values(name)
    assert 0 < found["energy_reactive"] < found["energy_total"]
    assert found["power_reactive"] > 0


@pytest.mark.parametrize("name", ["dlt645-2007-three-phase", "dlt645-1997-three-phase"])
def test_three_phases_have_a_reactive_power_each(name):
    found = values(name)
    for key in POWERS:
        phases = [found[f"{key}_{phase}"] for phase in "abc"]
        assert min(phases) > 0
        assert abs(sum(phases) - found[key]) <= 30
    assert found["energy_reactive"] > 0 and found["energy_reactive_reverse"] == 0


def test_three_phases_have_an_energy_each():
    found = values("dlt645-2007-three-phase")
    totals = (found["energy_total"], found["energy_reactive"])
    for key, total in zip(ENERGIES, totals, strict=True):
        phases = [found[f"{key}_{phase}"] for phase in "abc"]
        assert min(phases) > 0
        assert abs(sum(phases) - total) <= 3, "to the last digit of each"


def test_a_meter_of_three_wires_has_no_phase_b():
    keys = set(meter("dlt645-2007-three-phase-3-wire").points)
    assert "power_reactive_a" in keys
    assert not {key for key in keys if key.endswith("_b")}


@pytest.mark.parametrize("name", PREPAID)
def test_a_prepaid_meter_tells_its_prices_and_when_it_warns(name):
    found = values(name)
    assert found["price"] == 5500
    assert [found[f"price_tariff_{number}"] for number in range(1, 5)] == [5500] * 4
    assert (found["alarm_amount"], found["alarm_amount_2"]) == (2000, 1000)


@pytest.mark.parametrize("name", PREPAID)
def test_both_alarm_amounts_can_be_set(name):
    one, twin = house(name)
    speaker = protocol()
    for key, amount in (("alarm_amount", "30.00"), ("alarm_amount_2", "5.00")):
        talk(speaker, speaker.command(one, "meter.write", {"entity": key, "value": amount}), twin)
    _, report = talk(speaker, speaker.read(one, [one.points["alarm_amount"], one.points["alarm_amount_2"]]), twin)
    assert [value for _, value, _ in report.updated] == [3000, 500]


def test_a_change_of_prices_is_seen_as_the_price_that_is_asked_now():
    one, twin = house("kede-2007-prepaid")
    speaker = protocol()
    prices = {"prices": "0.60,0.61,0.62,0.63", "when": "2026-01-01T00:00"}
    talk(speaker, speaker.command(one, "meter.set_prices", prices), twin)
    keys = ["price", *(f"price_tariff_{number}" for number in range(1, 5))]
    _, report = talk(speaker, speaker.read(one, [one.points[key] for key in keys]), twin)
    now, *tariffs = [value for _, value, _ in report.updated]
    assert tariffs == [6000, 6100, 6200, 6300]
    assert now in tariffs


@pytest.mark.parametrize("name", ["dlt645-2007-three-phase", "kede-2007-prepaid"])
def test_what_is_rarely_wanted_is_read_rarely(name):
    for entity in profile(name).entities:
        if entity.key.startswith(("energy_reactive", "price", "alarm_")):
            assert entity.refresh_s >= 3600

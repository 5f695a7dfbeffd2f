"""Air time against the vectors, the budget, the envelope, and the signal byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterhub.config.schema import check
from meterhub.errors import BadInput, ConfigError
from meterhub.field.calls.sieve import Sieve
from meterhub.testing.conformance_link import RecordingUser
from meterhub_lora_wifi import fixed_point
from meterhub_lora_wifi.airtime import REGIONS, DutyBudget, lora_s, module_s
from meterhub_lora_wifi.gateway import LINK_SCHEMA, Radio

VECTORS = {
    one["id"]: one for one in map(json.loads, (Path(__file__).parent / "vectors.jsonl").read_text("utf-8").splitlines())
}
READ = bytes.fromhex("6878563412000068110433333433C616")


def envelope(**options):
    return fixed_point.FixedPoint(check(options, fixed_point.SCHEMA))


def radio(clock, **options):
    config = check({"listen": "127.0.0.1:0"} | options, LINK_SCHEMA)
    return Radio(clock, Sieve(()), DutyBudget(REGIONS[config["region"]], clock.monotonic()), config)


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("toa")])
def test_the_time_on_the_air_is_that_of_the_formula(name):
    said = VECTORS[name]["decoded"]
    assert round(lora_s(said["sf"], said["phy_payload"], said["bw"]) * 1000, 3) == said["ms"]


def test_a_frame_goes_to_the_module_of_its_meter():
    one = envelope(channel=18, nodes={"000012345678": "0005", "000000000101": "000717"})
    assert one.wrap(READ, "000012345678") == bytes.fromhex(VECTORS["eb-01"]["hex"])
    assert one.wrap(READ, "000000000101")[:3] == b"\x00\x07\x17"
    assert one.wrap(READ, "000000000102")[:3] == one.wrap(READ, "")[:3] == b"\xff\xff\x12"
    assert one.unwrap(READ) == READ


def test_what_does_not_fit_into_a_packet_is_refused():
    with pytest.raises(BadInput, match="too long for the radio"):
        envelope(largest=58).wrap(b"\x68" * 59, "1")
    with pytest.raises(ConfigError):
        envelope(nodes={"1": "5"})


def test_a_budget_of_one_percent_gives_thirty_six_seconds_an_hour():
    budget = DutyBudget(REGIONS["eu868"], 0.0)
    for _ in range(36):
        assert budget.pause_s(1.0, 0.0) == 0.0
        budget.spend(1.0, 0.0)
    assert budget.pause_s(1.0, 0.0) == pytest.approx(100.0)
    assert budget.pause_s(1.0, 100.0) == pytest.approx(0.0)
    assert budget.pause_s(36.0, 100_000.0) == 0.0 < budget.pause_s(37.0, 100_000.0)


def test_a_region_without_a_share_never_makes_anybody_wait():
    budget = DutyBudget(REGIONS["cn470"], 0.0)
    budget.spend(10_000.0, 0.0)
    assert budget.pause_s(1.0, 0.0) == 0.0


async def test_a_packet_longer_than_the_region_allows_is_refused(clock):
    one = radio(clock, air_rate=300)
    with pytest.raises(BadInput, match=r"1\.4 s, and 1\.0 s are allowed"):
        one.dress(b"\x68" * 32)
    assert radio(clock, air_rate=300, region="none").dress(b"\x68" * 32)


async def test_the_signal_is_the_byte_after_which_nothing_comes(clock):
    one, user = radio(clock, rssi=True), RecordingUser("g1", None)
    data = bytes.fromhex(VECTORS["eb-03"]["hex"])
    passed = one.strip(data[:9])[0] + one.strip(data[9:])[0]
    assert passed == data[:-1] and one.held
    assert one.strip(b"", final=True) == (b"", 0)
    one.tell(user)
    one.tell(user)
    assert user.signals == [VECTORS["eb-03"]["decoded"]["rssi"]] and not one.held


async def test_a_radio_waits_for_its_share_of_the_time(clock):
    one = radio(clock, region="eu868_01")
    while not one.pause_s(16):
        one.dress(READ)
    pause_s = one.pause_s(16)
    assert 0 < pause_s <= 1000 * module_s(16, 2400)
    await clock.advance(pause_s + 0.001)
    assert one.pause_s(16) == 0


def test_a_spent_budget_comes_back_evenly_however_often_it_is_looked_at():
    budget = DutyBudget(REGIONS["eu868"], 0.0)
    budget.spend(36.0, 0.0)
    assert budget.pause_s(1.0, 0.0) == pytest.approx(100.0)
    for now in range(0, 100, 10):
        assert budget.pause_s(1.0, float(now)) == pytest.approx(100.0 - now)
    assert budget.pause_s(1.0, 100.0) == pytest.approx(0.0)

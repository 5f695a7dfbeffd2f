"""Reading and writing by name, and service: whole dialogues with a simulated meter."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from dlt645_models import ADDRESS, CLOCK, MODELS, act, house, shown

from meterhub.errors import BadInput, Refused
from meterhub.testing.conformance_protocol import SampleMeter
from meterhub_dlt645.commands import meter_time


def test_any_item_is_read_by_its_name():
    one, twin, _ = house()
    _, reply = act(one, twin, "meter.read_register", register="Forward active energy, tariff 2, settlement 1")
    assert reply.detail["identifier"] == "00010201"
    [value] = reply.detail["values"]
    assert value["unit"] == "kWh" and value["valid"]
    _, chinese = act(one, twin, "meter.read_register", register="正向有功电能费率2上1结算日")
    assert chinese.detail == reply.detail
    _, block = act(one, twin, "meter.read_register", register="forward_active_energy_block")
    assert len(block.detail["values"]) == 5


def test_an_unknown_name_is_answered_with_near_ones():
    one, twin, _ = house()
    with pytest.raises(BadInput) as told:
        act(one, twin, "meter.read_register", register="Forward activ energy")
    assert "forward_active_energy" in told.value.hint
    with pytest.raises(BadInput, match="command"):
        act(one, twin, "meter.read_register", register="070102FF")


def test_long_answers_come_in_several_frames():
    one, twin, _ = house()
    whole = act(one, twin, "meter.read_register", register="03010101")[1].detail["data"]
    twin.cut_at = 50
    controls, reply = act(one, twin, "meter.read_register", register="03010101")
    assert controls == ["11", "12", "12"]
    assert reply.detail["data"] == whole and len(whole) == 262
    twin.cut_at, twin.event_waits = 200, True
    assert act(one, twin, "meter.read_register", register="0001FF00")[1].detail["data"]
    controls, reply = act(one, twin, "meter.read_register", register="00010000")
    assert controls == ["11"] and len(reply.detail["values"]) == 1


def test_load_records_by_number_and_by_time():
    one, twin, _ = house()
    _, oldest = act(one, twin, "meter.read_register", register="06000000", count=2)
    times = [value["value"] for value in oldest.detail["values"] if value["key"].startswith("time")]
    assert len(times) == 2 and times[0] < times[1]
    params = {"from": "2025-12-31T20:00", "to": "2025-12-31T23:00", "class": "2"}
    controls, reply = act(one, twin, "meter.read_load_profile", **params)
    found = reply.detail["records"]
    assert [found[0]["time"], found[-1]["time"]] == ["2025-12-31T20:00", "2025-12-31T23:00"]
    assert len(found) == 13 and controls == ["11", "12", "11", "12"] and all(one["whole"] for one in found)
    assert len(found[0]["values"]) == 8
    _, none = act(one, twin, "meter.read_load_profile", **{"from": "2030-01-01T00:00"})
    assert none.detail["records"] == []


def test_writing_by_name_is_compared():
    one, twin, _ = house()
    controls, reply = act(one, twin, "meter.write_register", register="04001001", value="12.50")
    assert controls == ["14", "11"] and reply.detail["verified"]
    assert reply.detail["values"][0]["value"] == "12.50"
    with pytest.raises(BadInput, match="cannot be written"):
        act(one, twin, "meter.write_register", register="00010000", value="1")
    with pytest.raises(Refused, match="password"):
        act(one, twin, "meter.write_register", register="04001001", value="1", level="98")
    twin.lose_next = True
    controls, reply = act(one, twin, "meter.write_register", register="04001001", value="13.00")
    assert controls == ["14", "11"] and reply.detail["acknowledged"] is False


def test_levels_have_passwords_of_their_own():
    one, twin, _ = house(passwords={"04": "444444"}, password="222222")
    assert act(one, twin, "meter.write_register", register="04001001", value="1", level="04")[1].detail["verified"]
    twin.passwords[4] = b"\x55" * 3
    with pytest.raises(Refused):
        act(one, twin, "meter.write_register", register="04001001", value="1", level="04")
    assert act(one, twin, "meter.write_register", register="04001001", value="1")[1].detail["verified"]


def test_wrong_passwords_lock_the_meter_for_a_day():
    one, twin, world = house(password="222222")
    thief = SampleMeter(one.id, ADDRESS, {"password": "111111"}, one.points, one.commands)
    for _ in range(5):
        with pytest.raises(Refused):
            act(thief, twin, "meter.write_register", register="04001001", value="1")
    with pytest.raises(Refused):
        act(one, twin, "meter.write_register", register="04001001", value="1")
    world.pass_hours(25)
    assert act(one, twin, "meter.write_register", register="04001001", value="1")[1].detail["verified"]


@pytest.mark.parametrize("edition", MODELS)
def test_the_clock_is_written(edition):
    one, twin, _ = house(edition)
    twin.state.clock_off_ms = 3_600_000
    _, reply = act(one, twin, "meter.set_clock", how="write")
    now = meter_time({}, CLOCK.now()).replace(tzinfo=None, microsecond=0)
    assert abs((datetime.fromisoformat(reply.detail["clock"]) - now).total_seconds()) < 2
    assert abs(twin.state.clock_off_ms) < 2000


def test_the_clock_is_written_in_one_item():
    one, twin, _ = house(clock="0400010C")
    twin.state.clock_off_ms = -3_600_000
    controls, _ = act(one, twin, "meter.set_clock", how="write")
    assert controls == ["14", "11", "11", "11"] and abs(twin.state.clock_off_ms) < 2000


def test_a_broadcast_corrects_little():
    one, twin, _ = house()
    twin.state.clock_off_ms = 100_000
    controls, reply = act(one, twin, "meter.set_clock", how="broadcast")
    assert controls == ["08", "11", "11"] and abs(reply.detail["off_s"]) < 2
    twin.state.clock_off_ms = 900_000
    with pytest.raises(Refused, match="clock says"):
        act(one, twin, "meter.set_clock", how="broadcast")


@pytest.mark.parametrize(("edition", "alone"), [("2007", False), ("2007", True), ("1997", True)])
def test_a_new_address_is_proven_there(edition, alone):
    one, twin, _ = house(edition)
    _, reply = act(one, twin, "meter.set_address", address="777", alone=alone)
    assert reply.detail["address"] == "000000000777" and twin.state.address == "000000000777"


def test_an_address_that_is_not_taken_is_told():
    one, twin, _ = house()
    twin.button_pressed = False
    with pytest.raises(Refused, match="kept its address"):
        act(one, twin, "meter.set_address", address="777", alone=True)
    with pytest.raises(BadInput):
        act(one, twin, "meter.set_address", address="999999999999")
    old, old_twin, _ = house("1997")
    with pytest.raises(BadInput, match="alone on its line"):
        act(old, old_twin, "meter.set_address", address="777")


@pytest.mark.parametrize("edition", MODELS)
def test_speed_and_password(edition):
    one, twin, _ = house(edition, password="111111", new_password="123456")
    assert act(one, twin, "meter.set_speed", speed=9600)[1].detail["speed"] == 9600 and twin.speed == 9600
    with pytest.raises(BadInput):
        act(one, twin, "meter.set_speed", speed=300)
    act(one, twin, "meter.set_password")
    assert bytes.fromhex("563412") in twin.passwords.values()
    with pytest.raises(Refused):
        act(one, twin, "meter.clear_demand")


@pytest.mark.parametrize("edition", MODELS)
def test_demand_is_cleared(edition):
    one, twin, _ = house(edition)
    register = "01010000" if edition == "2007" else "A010"
    before = act(one, twin, "meter.read_register", register=register)[1].detail["values"][0]["value"]
    act(one, twin, "meter.clear_demand")
    after = act(one, twin, "meter.read_register", register=register)[1].detail["values"][0]["value"]
    assert Decimal(before) > 0 and Decimal(after) == 0


def test_freeze_now_and_by_rule():
    one, twin, _ = house()
    _, reply = act(one, twin, "meter.freeze")
    assert reply.detail["frozen_at"] == "2026-01-01T08:00"
    assert act(one, twin, "meter.freeze", when="99-01 00:00")[1].detail["freeze"] == "99010000"
    with pytest.raises(BadInput):
        act(one, twin, "meter.freeze", when="sometime")


def test_clearing_everything():
    one, twin, world = house()
    act(one, twin, "meter.clear_events", events="all")
    act(one, twin, "meter.clear_events", events="030101FF")
    controls, _ = act(one, twin, "meter.clear_meter")
    assert controls == ["1A"]
    found = act(one, twin, "meter.read_register", register="0001FF00")[1].detail["values"]
    assert {value["value"] for value in found} == {"0.00"}
    world.pass_hours(24)
    assert twin.state.energy() > 0


def test_the_meter_remembers_what_was_done_to_it():
    one, twin, world = house(operator="11223344", valid_until="2099-12-31T23:59:59")
    trips, programmings = int(shown(one, twin, "Trip count")[0]), int(shown(one, twin, "03300000")[0])
    world.pass_hours(5)
    act(one, twin, "meter.open_circuit")
    act(one, twin, "meter.open_circuit")  # it is open already
    act(one, twin, "meter.write_register", register="Alarm credit 1", value="10")
    assert shown(one, twin, "Trip count") == [str(trips + 1)]
    assert shown(one, twin, "1D00FF01")[:2] == ["2026-01-01T13:00:00", "11223344"]
    assert shown(one, twin, "03300000") == [str(programmings + 1)]
    assert shown(one, twin, "03300001")[:3] == ["2026-01-01T13:00:00", "11223344", "04001001"]
    act(one, twin, "meter.clear_events")
    assert shown(one, twin, "Trip count") == ["0"] and shown(one, twin, "03300300") == ["1"]


def test_a_meter_of_1997_remembers_programming_and_clearing():
    one, twin, _ = house("1997")
    before = shown(one, twin, "Programming count") + shown(one, twin, "Demand-clear count")
    act(one, twin, "meter.write_register", register="C111", value="15")
    act(one, twin, "meter.clear_demand")
    after = shown(one, twin, "B212") + shown(one, twin, "B213")
    assert [int(one) for one in after] == [int(one) + 1 for one in before]
    assert shown(one, twin, "B211") == ["01-01 08:00"]


def test_keep_power_and_alarm_are_read_back():
    one, twin, _ = house()
    controls, reply = act(one, twin, "meter.keep_power", on=True)
    assert controls == ["1C", "11"] and reply.values == {"keep_power": True}
    with pytest.raises(Refused):
        act(one, twin, "meter.open_circuit")
    assert act(one, twin, "meter.keep_power", on=False)[1].values == {"keep_power": False}
    assert act(one, twin, "meter.alarm", on=True)[1].values == {"trip_alarm": True}
    assert act(one, twin, "meter.set_output", output="demand period")[1].detail == {"output": "demand period"}


def test_the_tenant_is_told_to_press_the_button():
    one, twin, _ = house(commands={"meter.close_circuit": {"code": "1B", "relay": "relay_command"}})
    twin.needs_button = True
    act(one, twin, "meter.open_circuit")
    _, reply = act(one, twin, "meter.close_circuit")
    assert reply.values == {"relay_command": True, "relay": False}
    assert "button" in reply.detail["next"]["en"] and "按键" in reply.detail["next"]["zh"]
    twin.press_button()
    _, reply = act(one, twin, "meter.close_circuit")
    assert reply.values == {"relay_command": True, "relay": True} and "next" not in reply.detail


def test_a_relay_that_is_written_like_a_setting():
    commands = {
        "meter.open_circuit": {"write": "0400050A", "value": "01"},
        "meter.close_circuit": {"write": "0400050A", "value": "00"},
    }
    one, twin, _ = house(commands=commands)
    controls, reply = act(one, twin, "meter.open_circuit")
    assert controls == ["14", "11"] and reply.values == {"relay": False}
    assert act(one, twin, "meter.close_circuit")[1].values == {"relay": True}

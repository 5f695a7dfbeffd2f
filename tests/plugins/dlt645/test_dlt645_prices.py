"""Prices with their switch time, and a maker's parameter block that is compared byte by byte."""

from __future__ import annotations

import pytest
from dlt645_models import CLOCK, World, meter, protocol

from meterhub.errors import BadInput, Refused
from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.frame import build


def house(name="dlt645-2007-single-phase"):
    one, world = meter(name), World(CLOCK.now())
    return one, protocol().simulate(one, world), world


def act(one, twin, name, **params):
    exchanges, reply = talk(protocol(), protocol().command(one, name, params), twin)
    return [decode_frame(exchange.request) for exchange in exchanges], reply


def shown(one, twin, register):
    return [each["value"] for each in act(one, twin, "meter.read_register", register=register)[1].detail["values"]]


def test_prices_come_into_force_at_their_time():
    one, twin, world = house()
    old = shown(one, twin, "04050102")
    frames, reply = act(one, twin, "meter.set_prices", prices="0.5500, 0.6123", when="2026-01-02T00:00")
    written = [frame.identifier for frame in frames if frame.control == 0x14]
    assert written == ["04050201", "04050202", "04000108"], "the switch time comes last"
    assert [each["value"] for each in reply.detail["values"]] == ["0.5500", "0.6123", "2026-01-02T00:00"]
    assert shown(one, twin, "04050102") == old
    world.pass_hours(24)
    assert shown(one, twin, "04050102") == ["0.6123"]


def test_steps_have_limits_and_prices():
    one, twin, world = house()
    act(one, twin, "meter.set_prices", limits="180,350", step_prices="0.5,0.55,0.8", when="2026-01-01T12:00")
    assert shown(one, twin, "Step limit 2, set 2") == ["350.00"]
    world.pass_hours(6)
    assert shown(one, twin, "Step price 3, set 1") == ["0.8000"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"prices": "0.5,many"},
        {"prices": "0.55555"},
        {"prices": ",".join(["1"] * 64)},
        {"limits": "180", "step_prices": "1,2,3"},
        {"prices": "0.5", "when": "soon"},
    ],
)
def test_wrong_prices_are_not_half_written(params):
    one, twin, _ = house()
    with pytest.raises(BadInput):
        act(one, twin, "meter.set_prices", **{"when": "2026-02-01T00:00"} | params)
    assert not twin.written


def test_a_maker_keeps_prices_in_one_block():
    one, twin, _ = house("dial-in-2007-prepaid")
    frames, reply = act(one, twin, "meter.set_prices", prices="0.55,0.62", when="2026-02-01T00:00")
    assert [frame.control for frame in frames] == [0x11, 0x11, 0x03, 0x11]
    assert frames[2].payload[:4].hex() == "44332211"
    found = {each["key"]: each["value"] for each in reply.detail["values"]}
    assert found["vendor_prepaid_parameter_block_set_2_tariff_price_2"] == "0.6200"
    assert found["vendor_prepaid_parameter_block_tariff_price_switch_time"] == "2026-02-01T00:00"


def test_single_items_of_a_record_are_changed_by_name():
    one, twin, _ = house("dial-in-2007-prepaid")
    before = shown(one, twin, "070104FF")
    act(one, twin, "meter.write_register", register="070104FF", value="overdraft limit=50.00")
    after = shown(one, twin, "070104FF")
    assert [new for old, new in zip(before, after, strict=True) if old != new][-1] == "50.00"
    with pytest.raises(BadInput) as told:
        act(one, twin, "meter.write_register", register="070104FF", value="overdraft limits=1")
    assert "overdraft_limit" in told.value.hint


def test_a_refused_block_that_is_half_taken_is_an_alarm():
    one, twin, _ = house("dial-in-2007-prepaid")
    twin.takes_half = True
    with pytest.raises(Refused, match="are not as they were written, and the meter said no"):
        act(one, twin, "meter.write_register", register="070104FF", value="zones=9, set 2 step price 3=1.5")


def test_a_clean_refusal_and_a_lost_answer():
    one, twin, _ = house("dial-in-2007-prepaid")
    answer, lost = twin.answer, []

    def refuse(frame):
        return build(one.address, 0xC3, b"\x01").raw if frame.control == 0x03 else answer(frame)

    def lose(frame):
        return lost.append(answer(frame)) if frame.control == 0x03 else answer(frame)

    twin.answer = refuse
    with pytest.raises(Refused, match="other error"):
        act(one, twin, "meter.write_register", register="070104FF", value="zones=9")
    twin.answer = lose
    _, reply = act(one, twin, "meter.write_register", register="070104FF", value="zones=9")
    assert lost and reply.detail["verified"] and reply.detail["acknowledged"] is False


def test_curves_are_asked_for_by_number_and_time():
    one, twin, _ = house("dlt645-2007-three-phase")
    params = {"register": "06100101", "count": 4, "from": "2026-01-01T06:00"}
    [frame], _ = act(one, twin, "meter.read_register", **params)
    assert frame.payload.hex() == "040006010126"

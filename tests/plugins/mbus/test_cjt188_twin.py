"""The simulated CJ/T 188 meter: every identifier, valve, purse, settings, and all that real meters do differently."""

from __future__ import annotations

import pytest
from cjt188_models import ADDRESS, CLOCK, World, carry_out, meter

from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.testing.conformance_protocol import talk
from meterhub_mbus.cjt188.catalogue import catalogue
from meterhub_mbus.cjt188.frame import build, decode_frame
from meterhub_mbus.cjt188.payload import decode_payload
from meterhub_mbus.cjt188.protocol import Cjt188

YEAR_S = 365 * 86400


def made(name="cjt188-water-prepaid", **options):
    one, world, speaker = meter(name, **options), World(), Cjt188(CLOCK)
    return one, world, speaker, speaker.simulate(one, world)


def ask(twin, control, data, address=ADDRESS):
    said = twin.answer(build(0x10, address, control, bytes.fromhex(data)))
    return None if said is None else decode_frame(said)


def values(speaker, one, twin):
    _, report = talk(speaker, speaker.read(one, list(one.points.values())), twin)
    keys = list(one.points)
    return {keys[place]: value for place, value, _ in report.updated}


@pytest.mark.parametrize("name", ["cjt188-water-prepaid", "cjt188-heat-2018"])
def test_every_identifier_that_is_read_answers_in_its_layout(name):
    _, _, _, twin = made(name)
    twin.orders = ("high", "low")
    for row in catalogue().rows:
        if (row.control >= 0x04 and row.control != 0x09) or row.family not in (twin.family, "any"):
            continue
        if row.text == "8105" and twin.purse is None:
            continue
        for number in {row.first, row.last}:
            for wire in (f"{number:04X}", f"{number:04X}"[2:] + f"{number:04X}"[:2]):
                answer = ask(twin, row.control, wire + "07")
                assert answer is not None, row
                assert (answer.serial, answer.data[:2].hex().upper()) == (7, wire)
                items = decode_payload(f"{number:04X}", answer.meter_type, True, answer.payload)
                assert [item.field.key for item in items] == [field.key for field in row.answer], row
                assert all(item.value is not None for item in items)


def test_every_write_of_the_catalogue_is_obeyed():
    _, _, _, twin = made()
    for data, control in [
        ("A01001850200800100100400600200750700" + "01", 0x04), ("A0110205", 0x04), ("A0120306", 0x04),
        ("A013040150000100", 0x04), ("A01405021122334455667788", 0x04), ("A0150600001201012620", 0x04),
        ("A01607210300002C", 0x16), ("A0170855", 0x04), ("A0180944556677000099", 0x15),
        ("A0EC100201000000", 0x04), ("A10111", 0x04),
    ]:  # fmt: skip
        wanted = "99000077665544" if twin._wire[0] == 0x44 else ADDRESS
        assert not ask(twin, control, data, wanted).refused, data
    assert (twin.state.settlement_day, twin.state.reading_day, twin.state.key_version) == (5, 6, 2)
    assert twin.purse.ledger == [(1, 10050), (2, -1)]
    assert ask(twin, 0x04, "A01912", "99000077665544").control == 0x84
    assert ask(twin, 0x16, "A01613210300002C", "99000077665544").refused
    assert ask(twin, 0x15, "A0181444556677000098", "99000077665544").refused


def test_registers_grow_and_stop_with_the_valve():
    one, world, speaker, twin = made("cjt188-water-valve")
    before = values(speaker, one, twin)
    world.pass_s(86400)
    after = values(speaker, one, twin)
    assert after["volume_total"] > before["volume_total"] > before["volume_month_1"] > before["volume_month_12"]
    carry_out(speaker, speaker.command(one, "meter.close_valve", {}), twin, world)
    shut = values(speaker, one, twin)
    world.pass_s(86400)
    assert values(speaker, one, twin)["volume_total"] == shut["volume_total"] and shut["valve"] is False
    carry_out(speaker, speaker.command(one, "meter.open_valve", {}), twin, world)
    world.pass_s(86400)
    grown = values(speaker, one, twin)["volume_total"] - shut["volume_total"]
    assert 0 < grown <= after["volume_total"] - before["volume_total"] + 2


def test_a_valve_takes_its_time_and_a_stuck_one_reports_a_fault():
    one, world, speaker, twin = made("cjt188-water-valve")
    exchanges, reply = carry_out(speaker, speaker.command(one, "meter.close_valve", {}), twin, world)
    assert len(exchanges) > 3 and reply.values["valve"] is False
    twin.state.stuck = True
    with pytest.raises(Refused, match="fault"):
        carry_out(speaker, speaker.command(one, "meter.open_valve", {}), twin, world)
    assert values(speaker, one, twin)["valve"] is None


def test_a_lost_answer_to_the_valve_is_made_good_by_looking():
    one, world, speaker, twin = made("cjt188-water-valve", identifier_order="high")
    twin.lose_next = True
    _, reply = carry_out(speaker, speaker.command(one, "meter.close_valve", {}), twin, world)
    assert reply.values["valve"] is False and not reply.detail["acknowledged"]


def test_money_is_booked_once_however_often_it_is_sent():
    one, _, speaker, twin = made(identifier_order="high")
    params = {"amount": "100.50", "number": 1}
    dialogue = speaker.command(one, "meter.credit", params)
    question = next(dialogue)
    [standing] = [decode_frame(twin.answer(question.frame))]
    purchase = dialogue.send(standing).frame
    for _ in range(3):
        assert not decode_frame(twin.answer(purchase)).refused
    assert twin.purse.ledger == [(1, 10050)]
    _, reply = talk(speaker, speaker.command(one, "meter.credit", params), twin)
    assert reply.detail["already"] and reply.detail["count"] == 1
    _, reply = talk(speaker, speaker.command(one, "meter.credit", {"amount": "0.01", "number": 2}), twin)
    assert reply.detail["total"] == "100.51" and reply.values["remaining_amount"] == 20_000 + 10_051
    with pytest.raises(Refused, match="4 cannot follow"):
        talk(speaker, speaker.command(one, "meter.credit", {"amount": "1", "number": 4}), twin)
    assert ask(twin, 0x04, "A013400901000000").refused


def test_a_lost_purchase_stays_in_doubt_only_until_the_books_are_read():
    one, _, speaker, twin = made(identifier_order="high")

    class Deaf:
        """Does as told, and its answers to purchases are lost."""

        def answer(self, frame):
            said = twin.answer(frame)
            return None if frame.identifier == "A013" else said

    _, reply = talk(speaker, speaker.command(one, "meter.credit", {"amount": "5", "number": 1}), Deaf())
    assert twin.purse.ledger == [(1, 500)] and not reply.detail["acknowledged"]


def test_money_can_be_taken_back_where_the_maker_has_it():
    one = meter("cjt188-water-prepaid", commands={"meter.refund": {}})
    speaker = Cjt188(CLOCK)
    twin = speaker.simulate(one, World())
    talk(speaker, speaker.command(one, "meter.credit", {"amount": "50", "number": 1}), twin)
    _, reply = talk(speaker, speaker.command(one, "meter.refund", {"amount": "20", "number": 2}), twin)
    assert (reply.detail["balance"], reply.detail["total"]) == ("230.00", "50.00")
    _, reply = talk(speaker, speaker.command(one, "meter.balance", {}), twin)
    assert reply.detail["count"] == 2
    with pytest.raises(Refused):
        talk(speaker, speaker.command(one, "meter.refund", {"amount": "9999", "number": 3}), twin)


def test_a_meter_without_credit_closes_its_valve():
    one, world, speaker, twin = made()
    world.pass_s(3 * YEAR_S)
    values(speaker, one, twin)
    world.pass_s(60)
    found = values(speaker, one, twin)
    assert found["remaining_amount"] == 0 and found["valve"] is False


def test_settings_are_written_and_read_back():
    one, _, speaker, twin = made("cjt188-water-valve")
    _, reply = talk(speaker, speaker.command(one, "meter.write", {"entity": "settlement_day", "value": "1"}), twin)
    assert reply.values == {"settlement_day": 1} and reply.detail["verified"]
    prices = {"register": "price table", "value": "3.00, 100, 4.00, 200, 5.00, 1"}
    _, reply = talk(speaker, speaker.command(one, "meter.write_register", prices), twin)
    assert [item["value"] for item in reply.detail["values"]] == ["3.00", "100", "4.00", "200", "5.00"]
    one, _, speaker, twin = made("cjt188-water-prepaid")
    params = {"when": "2026-12-05T00:00", "step_prices": "2.90, 4.20, 8.00", "limits": "150, 220"}
    _, reply = talk(speaker, speaker.command(one, "meter.set_prices", params), twin)
    assert reply.values == {"price_1": 290, "price_2": 420, "price_3": 800} and reply.detail["verified"]
    for wrong in ({"limits": "1"}, {"step_prices": "1, 2"}, {"when": "soon"}, {"step_prices": "1, 2, x"}):
        with pytest.raises(BadInput):
            talk(speaker, speaker.command(one, "meter.set_prices", params | wrong), twin)
    twin.refuse = {"A012"}
    with pytest.raises(Refused, match="refused the write"):
        talk(speaker, speaker.command(one, "meter.write", {"entity": "reading_day", "value": "9"}), twin)


@pytest.mark.parametrize("how", ["write", "broadcast"])
def test_the_clock_is_set_and_compared(how):
    one, world, speaker, twin = made("cjt188-water-valve")
    world.now = CLOCK.now()
    twin.state.clock_off_ms = -7_200_000
    if how == "broadcast":
        twin.orders = ("high",)
    _, reply = talk(speaker, speaker.command(one, "meter.set_clock", {"how": how}), twin)
    assert reply.detail["verified"] and abs(reply.detail["off_s"]) <= 1
    twin.clock_filler = 0
    _, reply = talk(speaker, speaker.command(one, "meter.set_clock", {"how": how}), twin)
    assert reply.detail == {"clock": None, "verified": False}


def test_a_new_address_is_proven_where_the_meter_then_answers():
    one, _, speaker, twin = made("cjt188-water-valve")
    _, reply = talk(speaker, speaker.command(one, "meter.set_address", {"address": "99000077665544"}), twin)
    assert reply.detail["address"] == "99000077665544"
    moved = meter("cjt188-water-valve", address="99000077665544")
    twin.locked = True
    with pytest.raises(Refused, match="refused its new address"):
        talk(speaker, speaker.command(moved, "meter.set_address", {"address": "1"}), twin)
    twin.locked = False
    _, reply = talk(speaker, speaker.command(one, "meter.set_address", {"address": "7", "alone": True}), twin)
    assert reply.detail["address"] == "00000000000007"


def test_a_base_value_is_set_in_the_meters_unit():
    for name in ("cjt188-water-valve", "cjt188-water-unit-first"):
        one, _, speaker, twin = made(name)
        _, reply = talk(speaker, speaker.command(one, "meter.set_base_value", {"value": "12.34"}), twin)
        assert reply.detail["after"] == "12.34" and reply.detail["unit"] == "m³"
        assert values(speaker, one, twin)["volume_total"] == 1234
        twin.locked = True
        with pytest.raises(Refused, match="another base value"):
            talk(speaker, speaker.command(one, "meter.set_base_value", {"value": "1"}), twin)


@pytest.mark.parametrize(
    ("register", "first"),
    [("901F", "current"), ("Metering data", "current"), ("计量数据", "current"), ("D121", "settlement"),
     ("Total of a month before 3", "settlement"), ("8106", "key_version"), ("price_table", "price1")],
)  # fmt: skip
def test_identifiers_are_read_by_name(register, first):
    one, _, speaker, twin = made()
    _, reply = talk(speaker, speaker.command(one, "meter.read_register", {"register": register}), twin)
    assert reply.detail["values"][0]["key"] == first and reply.detail["values"][0]["valid"]


@pytest.mark.parametrize("order", ["high", "low"])
def test_either_order_is_found_and_an_answer_in_the_other_is_taken(order):
    one, _, speaker, twin = made("cjt188-water-valve")
    twin.orders, twin.answer_order = (order,), "low" if order == "high" else "high"
    found = values(speaker, one, twin)
    assert found["volume_total"] > 0 and found["settlement_day"] == 25


def test_deviations_of_answers_do_no_harm():
    one, _, speaker, twin = made("cjt188-water-valve")
    twin.serial, twin.answer_type, twin.wake_up, twin.clock_filler = 0xAA, 0x25, 13, 0xFF
    found = values(speaker, one, twin)
    assert found["volume_total"] > 0 and found["clock"] is None
    twin.echo_next = True
    assert values(speaker, one, twin)["volume_total"] > 0
    twin.state.battery_low = True
    assert values(speaker, one, twin)["battery"] is True


def test_faults_can_be_injected():
    one, _, speaker, twin = made("cjt188-water-valve", identifier_order="high")
    twin.corrupt_next = True
    with pytest.raises(NoAnswer):
        values(speaker, one, twin)
    twin.silent = True
    assert ask(twin, 0x01, "901F01") is None
    twin.silent = False
    assert ask(twin, 0x01, "999901") is None
    twin.refuses_unknown = True
    assert ask(twin, 0x01, "999901").control == 0xC1
    twin.refuse = {"901F"}
    assert ask(twin, 0x01, "901F01").refused
    assert ask(twin, 0x01, "901F01", "99" * 7) is None and ask(twin, 0x01, "901F01", "11" * 7) is None
    assert ask(twin, 0x03, "810A01", "AA" * 7).address == ADDRESS
    assert ask(twin, 0x81, "901F01") is None


@pytest.mark.parametrize(
    "options",
    [
        {"serial": "none"},
        {"serial": "AA"},
        {"strict_serial": True},
        {"meter_type": "5A"},
        {"preamble": 0},
        {"unit_position": "first"},
        {"volume_factor": "0.1"},
        {"valve_at": 6, "battery_at": 5, "valve_states": ("open", "moving", "closed", "fault")},
        {"identifier_order": "low"},
    ],
)
def test_twin_and_dialogues_share_every_option(options):
    one, world, speaker, twin = made("cjt188-water-prepaid", **options)
    found = values(speaker, one, twin)
    assert len(found) == len(one.points) and None not in found.values()
    _, reply = carry_out(speaker, speaker.command(one, "meter.close_valve", {}), twin, world)
    assert reply.values["valve"] is False
    _, reply = talk(speaker, speaker.command(one, "meter.credit", {"amount": "5", "number": 1}), twin)
    assert reply.detail["acknowledged"] and twin.purse.ledger == [(1, 500)]
    _, reply = talk(speaker, speaker.command(one, "meter.write", {"entity": "reading_day", "value": "3"}), twin)
    assert reply.values == {"reading_day": 3}
    _, reply = talk(speaker, speaker.command(one, "meter.set_base_value", {"value": "1.00"}), twin)
    assert reply.detail["after"] == "1.00"

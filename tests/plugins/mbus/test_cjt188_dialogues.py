"""CJ/T 188 dialogues without a wire: what is asked, which answers count, what happens when the meter says no."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cjt188_models import ADDRESS, CLOCK, meter
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame, BadInput, ConfigError, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import rehearse
from meterhub_mbus.cjt188 import exchange
from meterhub_mbus.cjt188.frame import build
from meterhub_mbus.cjt188.protocol import Cjt188

METERING = "563412002C000012002C59592328022620"


def reply(data: str, control: int = 0x81, address: str = ADDRESS, meter_type: int = 0x10):
    return build(meter_type, address, control, bytes.fromhex(data))


def answer(status: str = "0000", order: str = "901F", serial: str = "01"):
    return reply(order + serial + METERING + status)


def silence():
    return NoAnswer("silence")


def points_of(one, *keys):
    return [one.points[key] for key in keys]


def asked_of(asked):
    return [(frame.control, frame.identifier, frame.order) for frame in asked]


def test_all_fields_of_one_identifier_come_in_one_exchange():
    one = meter(identifier_order="high")
    points = points_of(one, "volume_total", "valve", "clock", "volume_settlement", "battery")
    asked, report = rehearse(Cjt188(CLOCK).read(one, points), [answer("0500")])
    assert asked_of(asked) == [(0x01, "901F", "high")]
    assert sorted(report.updated) == [
        (0, 123456, "good"), (1, False, "good"), (2, "2026-02-28T23:59:59", "good"), (3, 120000, "good"),
        (4, True, "good"),
    ]  # fmt: skip


def test_the_order_of_identifiers_is_found_once_and_remembered():
    one, speaker = meter(), Cjt188(CLOCK)
    points = points_of(one, "volume_total", "settlement_day")
    asked, report = rehearse(speaker.read(one, points), [silence(), answer(order="1F90"), reply("03810225")])
    assert asked_of(asked) == [(0x01, "901F", "high"), (0x01, "901F", "low"), (0x01, "8103", "low")]
    assert report.updated == [(0, 123456, "good"), (1, 25, "good")]
    asked, _ = rehearse(speaker.read(one, points[:1]), [answer(order="1F90")])
    assert asked_of(asked) == [(0x01, "901F", "low")]
    assert next(speaker.read(meter(address="00112233445567"), points)).frame.order == "high"


def test_a_meter_that_falls_silent_may_be_another_one_next_time():
    one, speaker = meter(), Cjt188(CLOCK)
    points = points_of(one, "volume_total")
    rehearse(speaker.read(one, points), [answer()])
    with pytest.raises(NoAnswer):
        rehearse(speaker.read(one, points), [silence()])
    asked, _ = rehearse(speaker.read(one, points), [silence(), answer(order="1F90")])
    assert [frame.order for frame in asked] == ["high", "low"]
    told = meter(address="00112233445567", identifier_order="low")
    with pytest.raises(NoAnswer):
        rehearse(speaker.read(told, points), [silence()])
    assert next(speaker.read(told, points)).tries is None


def test_an_edition_of_2018_is_first_asked_low_byte_first():
    assert next(Cjt188(CLOCK).read(meter("cjt188-water-2018"), points_of(meter(), "volume_total"))).frame.order == "low"


def test_an_answer_in_the_other_order_counts_and_changes_nothing():
    one, speaker = meter(), Cjt188(CLOCK)
    dialogue = speaker.read(one, points_of(one, "volume_total", "settlement_day"))
    next(dialogue)
    assert dialogue.send(answer(order="1F90")).frame.order == "high"


def test_a_refusal_in_one_order_is_tried_in_the_other():
    one, speaker = meter(), Cjt188(CLOCK)
    points = points_of(one, "volume_total")
    _, report = rehearse(speaker.read(one, points), [reply("010000", 0xC1), answer(order="1F90")])
    assert report.updated == [(0, 123456, "good")]
    refusing = meter(address="00112233445567")
    answers = [reply("010400", 0xC1, refusing.address), reply("020400", 0xC1, refusing.address)]
    _, report = rehearse(speaker.read(refusing, points), answers)
    [(_, error)] = report.failed
    assert isinstance(error, Refused) and error.reasons == ("battery low",) and error.reply == "0400"


def test_a_dead_meter_is_asked_twice_in_each_order():
    one = meter()
    dialogue = Cjt188(CLOCK).read(one, list(one.points.values()))
    asked = [next(dialogue), *(dialogue.throw(silence()) for _ in range(3))]
    assert [(one.tries, one.frame.order) for one in asked] == [(1, "high"), (1, "low")] * 2
    with pytest.raises(NoAnswer):
        dialogue.throw(silence())


def test_a_meter_that_is_silent_to_what_it_lacks_keeps_what_it_said():
    one = meter(identifier_order="high")
    points = points_of(one, "volume_total", "volume_month_1", "volume_month_2", "settlement_day")
    asked, report = rehearse(Cjt188(CLOCK).read(one, points), [answer(), silence(), silence()])
    assert len(asked) == 3 and len(report.updated) == 1
    assert [index for index, _ in report.failed] == [1, 2, 3]
    asked, report = rehearse(Cjt188(CLOCK).read(one, points), [answer(), LinkDown("cut")])
    assert len(asked) == 2 and [index for index, _ in report.failed] == [1, 2, 3]


def test_serial_numbers_count_on_and_a_wrong_one_is_taken_unless_strict(caplog, monkeypatch):
    monkeypatch.setattr(exchange.log, "disabled", False)  # whatever another test has switched off
    one, speaker = meter(identifier_order="high"), Cjt188(CLOCK)
    points = points_of(one, "volume_total", "settlement_day")
    asked, report = rehearse(speaker.read(one, points), [answer(serial="77"), reply("8103AA25")])
    assert [frame.serial for frame in asked] == [1, 2] and len(report.updated) == 2
    assert caplog.text.count("serial numbers of its own") == 1
    strict = meter(identifier_order="high", strict_serial=True)
    match = next(Cjt188(CLOCK).read(strict, points)).match
    assert match(answer(serial="01")) and not match(answer(serial="02"))
    assert match(reply("010000", 0xC1)) and not match(reply("020000", 0xC1))


def test_serial_numbers_wrap_and_may_be_fixed_or_left_out():
    one, speaker = meter(identifier_order="high"), Cjt188(CLOCK)
    points = points_of(one, "volume_total")
    for expected in [*range(1, 256), 0, 1]:
        assert next(speaker.read(one, points)).frame.serial == expected
    fixed = meter(identifier_order="high", serial="AA")
    assert next(speaker.read(fixed, points)).frame.serial == 0xAA
    none = meter(identifier_order="high", serial="none")
    asked, report = rehearse(speaker.read(none, points), [reply("901F" + METERING + "0000")])
    assert asked[0].data.hex() == "901f" and report.updated == [(0, 123456, "good")]


def test_answers_count_by_address_function_and_identifier_and_not_by_type():
    one = meter(identifier_order="high")
    match = next(Cjt188(CLOCK).read(one, points_of(one, "volume_total"))).match
    assert match(answer()) and match(reply("901F01" + METERING + "0000", meter_type=0x25))
    assert match(reply("010000", 0xC1))
    assert not match(reply("901F01", control=0x01))
    assert not match(reply("D12001563412002C"))
    assert not match(reply("901F01" + METERING + "0000", address="00112233445567"))
    assert not match(reply("901F01", 0x84)) and not match(reply("010000", 0xC4))


def test_a_first_frame_that_others_follow_counts_in_the_edition_of_2018():
    one = meter("cjt188-water-2018")
    match = next(Cjt188(CLOCK).read(one, points_of(one, "volume_total"))).match
    assert match(reply("1F9001" + METERING + "0000", control=0xA1))
    old = next(Cjt188(CLOCK).read(meter(), points_of(one, "volume_total"))).match
    assert not old(reply("901F01" + METERING + "0000", control=0xA1))


def test_wildcard_addresses_take_the_real_one():
    one = meter(address="AA" * 7, identifier_order="high")
    match = next(Cjt188(CLOCK).read(one, points_of(one, "volume_total"))).match
    assert match(answer())
    part = meter(address="001122FFFFFFFF", identifier_order="high")
    match = next(Cjt188(CLOCK).read(part, points_of(one, "volume_total"))).match
    assert match(answer()) and not match(reply("901F01", address="99112233445566"))


def test_litres_become_cubic_metres_and_unknown_units_no_value():
    one = meter(identifier_order="high")
    points = points_of(one, "volume_total")
    litres = reply("901F01" + METERING.replace("2C", "29") + "0000")
    _, report = rehearse(Cjt188(CLOCK).read(one, points), [litres])
    assert report.updated == [(0, 123, "good")]
    strange = reply("901F01" + METERING.replace("2C", "EE") + "0000")
    _, report = rehearse(Cjt188(CLOCK).read(one, points), [strange])
    assert report.updated == [(0, None, "invalid")]
    told = meter(identifier_order="high", unit="m³")
    _, report = rehearse(Cjt188(CLOCK).read(told, points), [strange])
    assert report.updated == [(0, 123456, "good")]


@pytest.mark.parametrize(
    ("options", "status", "valve", "battery"),
    [
        ({}, "0000", True, False),
        ({}, "0100", False, False),
        ({}, "0700", None, True),
        ({}, "0200", None, False),
        ({"valve_states": ("open", "moving", "closed", "fault")}, "0200", False, False),
        ({"valve_states": ("open", "moving", "closed", "fault")}, "0100", None, False),
        ({"valve_states": ("open", "closed", "fault", "fault")}, "0500", False, True),
        ({"valve_at": 6, "battery_at": 5}, "6000", False, True),
        ({"valve_at": 8, "valve_states": ("closed", "open")}, "0001", True, False),
    ],
)
def test_the_bits_of_the_status_are_the_profiles(options, status, valve, battery):
    one = meter(identifier_order="high", **options)
    _, report = rehearse(Cjt188(CLOCK).read(one, points_of(one, "valve", "battery")), [answer(status)])
    assert report.updated == [(0, valve, "good" if valve is not None else "invalid"), (1, battery, "good")]


ACCEPTED = reply("A017020000", 0x84)


def looks(speaker, dialogue, answers):
    """Carry a command and what follows it out; all that was asked, and the last reply."""
    answers = iter(answers)
    asked, result = rehearse(dialogue, answers)
    while result.follow is not None:
        assert result.after_s > 0 and not result.values
        more, result = rehearse(result.follow(), answers)
        asked += more
    return asked, result


def test_a_valve_is_told_once_and_watched_until_it_has_moved():
    one, speaker = meter(identifier_order="high"), Cjt188(CLOCK)
    dialogue = speaker.command(one, "meter.close_valve", {})
    asked, result = looks(speaker, dialogue, [ACCEPTED, answer("0000"), silence(), answer("0200"), answer("0100")])
    assert asked_of(asked) == [(0x04, "A017", "high")] + [(0x01, "901F", "high")] * 4
    assert asked[0].payload == b"\x99"
    assert result.values["valve"] is False and result.detail == {"valve": "closed", "acknowledged": True}
    ask = next(speaker.command(one, "meter.open_valve", {}))
    assert (ask.tries, ask.timeout_s) == (1, 10.0) and ask.frame.payload == b"\x55"


def test_a_lost_answer_does_not_matter_when_the_valve_has_moved():
    one, speaker = meter(identifier_order="high"), Cjt188(CLOCK)
    _, result = looks(speaker, speaker.command(one, "meter.open_valve", {}), [silence(), answer("0000")])
    assert result.values["valve"] is True and not result.detail["acknowledged"]


def test_a_valve_with_a_fault_and_one_that_never_arrives_are_failures():
    one, speaker = meter(identifier_order="high"), Cjt188(CLOCK)
    with pytest.raises(Refused, match="fault of its valve"):
        looks(speaker, speaker.command(one, "meter.open_valve", {}), [ACCEPTED, answer("0300")])
    with pytest.raises(Refused, match="its valve is closed"):
        looks(speaker, speaker.command(one, "meter.open_valve", {}), [ACCEPTED, *[answer("0100")] * 30])
    with pytest.raises(NoAnswer):
        looks(speaker, speaker.command(one, "meter.open_valve", {}), [silence(), *[answer("0100")] * 30])
    with pytest.raises(Refused, match="the meter refused to move its valve: battery low"):
        looks(speaker, speaker.command(one, "meter.open_valve", {}), [reply("020400", 0xC4)])


def test_the_order_is_settled_before_the_valve_is_told():
    one, speaker = meter(), Cjt188(CLOCK)
    moved = reply("17A0030000", 0x84)
    dialogue = speaker.command(one, "meter.close_valve", {})
    asked, _ = looks(speaker, dialogue, [silence(), answer(order="1F90"), moved, answer("0100", "1F90")])
    assert [one.order for one in asked] == ["high", "low", "low", "low"] and asked[2].identifier == "A017"


def test_makers_valve_commands_are_data_of_the_profile():
    speaker = Cjt188(CLOCK)
    frame = next(
        speaker.command(meter("cjt188-water-valve-2a", identifier_order="high"), "meter.close_valve", {})
    ).frame
    assert (frame.control, frame.payload) == (0x2A, b"\x99")
    match = next(
        speaker.command(meter("cjt188-water-valve-2a", identifier_order="high"), "meter.close_valve", {})
    ).match
    assert match(reply("A017020000", 0xAA)) and not match(reply("A017020000", 0x84))
    frame = next(speaker.command(meter("cjt188-water-valve-461c"), "meter.open_valve", {})).frame
    assert (frame.raw[11:13], frame.payload) == (b"\x1c\x46", b"\x01")
    short = meter("cjt188-water-volume-prepaid", identifier_order="high")
    assert next(speaker.command(short, "meter.close_valve", {})).frame.payload == b"\x99\0\0\0"


def books(number: int, this: str, total: str, remaining: str = "00000100"):
    return reply(f"810501{number:02X}{this}{total}{remaining}0000")


BEFORE = books(6, "00000000", "00425300")
BOOKED = books(7, "50000100", "50425400")
ECHO = reply("A013020750000100", 0x84)
CREDIT = {"amount": "100.50", "number": 7}


def purse(**options):
    return meter("cjt188-water-prepaid", identifier_order="high", **options)


def credit(speaker, params=CREDIT, name="meter.credit", one=None):
    return speaker.command(one or purse(), name, params)


def test_a_purchase_is_proven_by_the_meters_books():
    asked, result = rehearse(credit(Cjt188(CLOCK)), [BEFORE, ECHO, BOOKED])
    assert asked_of(asked) == [(0x01, "8105", "high"), (0x04, "A013", "high"), (0x01, "8105", "high")]
    assert asked[1].payload.hex() == "0750000100"
    told = {
        "count": 7,
        "balance": "100.00",
        "total": "5442.50",
        "last": "100.50",
        "unit": "yuan",
        "number": 7,
        "already": False,
        "acknowledged": True,
    }
    assert result.detail == told
    assert result.values["purchase_number"] == 7 and result.values["last_purchase"] == 10050


def test_a_purchase_that_is_booked_already_is_not_sent_again():
    asked, result = rehearse(credit(Cjt188(CLOCK)), [BOOKED])
    assert len(asked) == 1 and result.detail["already"]


def test_a_purchase_is_repeated_only_after_the_books_and_with_the_same_number_and_serial_number():
    one, speaker = purse(), Cjt188(CLOCK)
    dialogue = credit(speaker, one=one)
    next(dialogue)
    ask = dialogue.send(BEFORE)
    assert (ask.tries, ask.timeout_s) == (1, 12.0)
    dialogue.throw(silence())
    with pytest.raises(NoAnswer) as error:
        dialogue.send(BEFORE)
    assert "same number" in error.value.hint
    again = credit(speaker, one=one)
    next(again)
    assert again.send(BEFORE).frame.raw == ask.frame.raw
    other = credit(speaker, {"amount": "1", "number": 7}, one=one)
    next(other)
    assert other.send(BEFORE).frame.serial != ask.frame.serial


def test_a_lost_answer_is_settled_by_the_books():
    _, result = rehearse(credit(Cjt188(CLOCK)), [BEFORE, silence(), BOOKED])
    assert not result.detail["acknowledged"] and not result.detail["already"]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (books(5, "00000000", "00430400"), "purchase number wrong"),
        (books(9, "00000000", "00430400"), "purchase number wrong"),
        (books(7, "51000100", "50425400"), "number taken"),
    ],
)
def test_a_number_that_does_not_follow_is_not_sent(last, reason):
    with pytest.raises(Refused) as error:
        rehearse(credit(Cjt188(CLOCK)), [last])
    assert error.value.reasons == (reason,)


@pytest.mark.parametrize("after", [BEFORE, books(7, "50000100", "50425500"), books(7, "00000100", "50425400")])
def test_books_that_differ_stop_everything(after):
    with pytest.raises(Refused, match="books do not show it") as error:
        rehearse(credit(Cjt188(CLOCK)), [BEFORE, ECHO, after])
    assert error.value.reasons == ("books differ",)


def test_a_refused_purchase_says_so():
    with pytest.raises(Refused, match="the meter refused the purchase"):
        rehearse(credit(Cjt188(CLOCK)), [BEFORE, reply("020001", 0xC4)])


def test_numbers_go_round_after_255():
    last = books(255, "00000000", "00430400")
    dialogue = credit(Cjt188(CLOCK), {"amount": "1", "number": 256})
    next(dialogue)
    assert dialogue.send(last).frame.payload[0] == 0
    from_one = meter("cjt188-water-prepaid", commands={"meter.credit": {"restart": 1}}, identifier_order="high")
    dialogue = credit(Cjt188(CLOCK), {"amount": "1", "number": 256}, one=from_one)
    next(dialogue)
    assert dialogue.send(last).frame.payload[0] == 1


@pytest.mark.parametrize("amount", ["0", "-1", "1.234", "1e3", "", "nan", "1000000000"])
def test_what_is_no_amount_is_not_sent(amount):
    with pytest.raises(BadInput):
        next(credit(Cjt188(CLOCK), {"amount": amount, "number": 7}))
    with pytest.raises(BadInput, match="begin with 1"):
        next(credit(Cjt188(CLOCK), {"amount": "1", "number": 0}))


def test_volume_is_bought_in_tenths_in_binary():
    one = meter("cjt188-water-volume-prepaid", identifier_order="high")
    none, ten = reply("810501" + "00" * 13 + "0000"), reply("810502" + "01" + "00000064" * 3 + "0000")
    asked, result = rehearse(
        Cjt188(CLOCK).command(one, "meter.credit", {"amount": "10", "number": 1}),
        [none, reply("A013020100000064", 0x84), ten],
    )
    assert asked[1].payload.hex() == "0100000064"
    assert (result.detail["balance"], result.detail["unit"]) == ("10.0", "m³")
    assert result.values == {"remaining_volume": 100}


def test_points_and_options_that_make_no_sense_are_told():
    speaker = Cjt188(CLOCK)
    for spec, words in [
        ({"id": "901F", "field": "volts"}, "no field"),
        ({"id": "90", "field": "current"}, "4 hex digits"),
        ({"id": "8108"}, "no field"),
        ({"id": "8108", "format": "FLOAT"}, "unknown format"),
        ({"id": "8102", "field": "price1"}, "2 decimals"),
        ({"id": "8108", "format": "XX", "control": "zz"}, "control byte"),
    ]:
        with pytest.raises(ConfigError, match=words):
            speaker.point("key", spec, "number", 0)
    for text in ("", "001122334455667", "meter", "0011-2233"):
        with pytest.raises(ConfigError, match="14 digits"):
            speaker.address(text)
    with pytest.raises(BadInput, match="no action"):
        speaker.command(meter(), "meter.open_circuit", {})


def test_makers_items_are_read_by_place_and_format():
    speaker = Cjt188(CLOCK)
    temperature = speaker.point("t", {"id": "8108", "at": 1, "format": "XX.XX", "factor": "0.1"}, "number", 1)
    flag = speaker.point("f", {"id": "8108", "format": "UINT8", "bit": 3}, "boolean", 0)
    serial = speaker.point("s", {"id": "8108", "at": 9, "format": "HEX2"}, "text", 0)
    one = meter(identifier_order="high")
    _, report = rehearse(speaker.read(one, [temperature, flag, serial]), [reply("810801" + "085012")])
    assert report.updated == [(0, 12, "good"), (1, True, "good"), (2, None, "invalid")]


def test_pushed_answers_update_their_meter():
    one, speaker = meter(), Cjt188(CLOCK)
    report = speaker.heard(one, answer("0100", order="1F90"))
    keys = list(one.points)
    assert {keys[place]: value for place, value, _ in report.updated}["volume_total"] == 123456
    assert speaker.heard(one, reply("901F01", address="00112233445567")) is None
    assert speaker.heard(one, reply("901F01", control=0x01)) is None
    assert not speaker.heard(one, reply("A01701", control=0x84)).updated


def test_keys_are_secret_on_the_wire():
    write = reply("A0140D031122334455667788", 0x04).raw
    assert Cjt188(CLOCK).secrets(b"\xfe\xfe" + write) == {*range(17, 25), len(write)}
    assert Cjt188(CLOCK).secrets(answer().raw) == set()
    modify = reply("A1070D1122334455667788", 0x04).raw
    assert Cjt188(CLOCK).secrets(modify) == {*range(14, 22), 22}
    assert "667788" not in repr(reply("A0140D031122334455667788", 0x04))
    assert Cjt188(CLOCK).secrets(write[:18]) == {15, 16, 17}


def test_an_unknown_meter_is_found_politely():
    found = reply("0A8101", 0x83, "00112233445577", 0x20)
    asked, result = rehearse(Cjt188(CLOCK).probe(), [silence(), found])
    assert [(frame.meter_type, frame.control, frame.address) for frame in asked] == [(0xAA, 0x03, "AA" * 7)] * 2
    assert result == [{"address": "00112233445577", "edition": "2018", "profile": "cjt188-heat"}]
    asked, result = rehearse(Cjt188(CLOCK).probe(), [silence()] * 8)
    assert result == [] and len(asked) == 8


@pytest.mark.parametrize(
    "register", ["A013", "A014", "A016", "A017", "A018", "A019", "A107", "Purchase", "901F", "8105"]
)
def test_what_has_an_action_of_its_own_is_not_written_like_a_setting(register):
    with pytest.raises(BadInput):
        next(Cjt188(CLOCK).command(meter(), "meter.write_register", {"register": register, "value": "00"}))


def test_makers_settings_are_written_in_hex_and_told_as_not_verified():
    one = meter(identifier_order="high")
    dialogue = Cjt188(CLOCK).command(one, "meter.write_register", {"register": "A119", "value": "12 34"})
    asked, result = rehearse(dialogue, [reply("A11901", 0x84)])
    assert asked[0].payload == b"\x12\x34" and result.detail["verified"] is False
    for value in ("xyz", "00" * 48):
        with pytest.raises(BadInput):
            next(Cjt188(CLOCK).command(one, "meter.write_register", {"register": "A119", "value": value}))
    with pytest.raises(BadInput, match="near"):
        next(Cjt188(CLOCK).command(one, "meter.read_register", {"register": "settlement dai"}))


COMMANDS = [
    ("meter.open_valve", {}),
    ("meter.credit", {"amount": "1", "number": 3}),
    ("meter.balance", {}),
    ("meter.set_clock", {"how": "write"}),
    ("meter.set_address", {"address": "77"}),
    ("meter.set_base_value", {"value": "1"}),
    ("meter.set_prices", {"when": "2026-12-01", "step_prices": "1, 2, 3", "limits": "1, 2"}),
    ("meter.write", {"entity": "settlement_day", "value": "3"}),
    ("meter.read_register", {"register": "911F"}),
    ("meter.write_register", {"register": "A119", "value": "00"}),
]


def answered(dialogue, payloads):
    """Carry a dialogue out with answers that match and hold anything; None is silence, ``refuse`` a no."""
    payloads = iter(payloads)
    try:
        ask = next(dialogue)
        while True:
            payload = next(payloads, None)
            request = ask.frame
            if payload is None:
                ask = dialogue.throw(silence())
            elif payload == b"refuse":
                no = request.data[2:3] + b"\x00\x00"
                ask = dialogue.send(build(0x10, request.address, request.control | 0xC0, no))
            else:
                ask = dialogue.send(build(0x10, request.address, request.control | 0x80, request.data[:3] + payload))
    except StopIteration as end:
        return end.value


PAYLOADS = st.lists(
    st.one_of(
        st.none(),
        st.just(b"refuse"),
        st.binary(max_size=60),
        st.binary(min_size=2, max_size=2).map(lambda tail: bytes.fromhex(METERING) + tail),
        st.binary(min_size=15, max_size=15),
    ),
    max_size=20,
)


@given(st.sampled_from(COMMANDS), PAYLOADS)
def test_whatever_a_meter_answers_a_command_ends_in_words(command, payloads):
    one, speaker = meter("cjt188-water-prepaid", identifier_order="high"), Cjt188(CLOCK)
    with suppress(MeterHubError):
        reply = answered(speaker.command(one, *command), payloads)
        while reply.follow is not None:
            reply = answered(reply.follow(), payloads)


@given(PAYLOADS)
def test_whatever_a_meter_answers_a_poll_ends_in_a_report(payloads):
    one, speaker = meter("cjt188-water-prepaid"), Cjt188(CLOCK)
    with suppress(NoAnswer):
        report = answered(speaker.read(one, list(one.points.values())), payloads)
        places = [index for index, *_ in (*report.updated, *report.failed)]
        assert sorted(places) == list(range(len(one.points)))


def test_what_is_no_amount_is_told_with_an_example():
    for name, example in (("cjt188-water-prepaid", "100.00"), ("cjt188-water-volume-prepaid", "100.0")):
        with pytest.raises(BadInput) as error:
            next(credit(Cjt188(CLOCK), {"amount": "x", "number": 7}, one=meter(name)))
        assert error.value.hint == f"such as {example}"


def test_books_may_lack_the_status_and_nothing_else():
    whole = "06" + "00" * 12
    assert rehearse(credit(Cjt188(CLOCK), name="meter.balance"), [reply("810501" + whole)])[1].detail["count"] == 6
    with pytest.raises(BadFrame, match="too short"):
        rehearse(credit(Cjt188(CLOCK), name="meter.balance"), [reply("810501" + whole[:-2])])


def test_a_purchase_that_is_booked_already_is_told_with_its_number():
    _, result = rehearse(credit(Cjt188(CLOCK)), [BOOKED])
    assert (result.detail["number"], result.detail["count"], result.detail["last"]) == (7, 7, "100.50")


def test_a_purchase_keeps_the_line_until_it_is_proven():
    dialogue = credit(Cjt188(CLOCK))
    next(dialogue)
    assert dialogue.send(BEFORE).hold


def test_a_maker_may_have_a_control_of_its_own_for_purchases():
    one = meter("cjt188-water-prepaid", commands={"meter.credit": {"control": "2A"}}, identifier_order="high")
    dialogue = credit(Cjt188(CLOCK), one=one)
    next(dialogue)
    assert dialogue.send(BEFORE).frame.control == 0x2A


@pytest.mark.parametrize(
    ("before", "after", "given"),
    [
        ("00000200", "50990000", True),
        ("00000200", "49990000", True),
        ("00000200", "51990000", False),
        ("00000200", "00000200", False),
        ("50990000", "50990000", False),
        ("00000200", "FFFFFFFF", False),
        ("FFFFFFFF", "50990000", False),
    ],
)
def test_money_is_taken_back_when_the_meter_holds_less_by_that(before, after, given):
    one = meter("cjt188-water-prepaid", commands={"meter.refund": {}}, identifier_order="high")
    dialogue = credit(Cjt188(CLOCK), name="meter.refund", one=one)
    replies = [
        books(6, "00000000", "00425300", before),
        reply("A0EC020750000100", 0x84),
        books(7, "50000100", "00425300", after),
    ]
    if given:
        assert rehearse(dialogue, replies)[1].detail["already"] is False
    else:
        with pytest.raises(Refused, match="books do not show it"):
            rehearse(dialogue, replies)

"""Dialogues without a wire: what is asked, which answers count, what happens when the meter says no."""

from __future__ import annotations

from functools import partial

import pytest
from dlt645_models import World, meter, protocol

from meterhub.errors import BadInput, ConfigError, LinkDown, NoAnswer, Refused
from meterhub.field.dialogue import rehearse
from meterhub.testing.conformance_protocol import SampleMeter, talk
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.frame import build

ADDRESS = "000000000161"


def reply(identifier: str, data: str, control: int = 0x91, address: str = ADDRESS):
    """An answer; ``data`` as on the wire, before +33H."""
    return build(address, control, bytes.fromhex(identifier)[::-1] + bytes.fromhex(data), "2007")


def refused(control: int, code: str, address: str = ADDRESS):
    return build(address, control, bytes.fromhex(code), "2007")


def points_of(one, *keys):
    return [one.points[key] for key in keys]


def asked_identifiers(asked):
    return [frame.identifier for frame in asked]


def test_one_point_is_read_by_its_own_identifier():
    one = meter()
    asked, report = rehearse(protocol().read(one, points_of(one, "voltage")), [reply("02010100", "9722")])
    assert asked_identifiers(asked) == ["02010100"]
    assert protocol().codec().encode(asked[0]).hex().startswith("fefefefe68610100000000681104")
    assert report.updated == [(0, 2297, "good")]


def test_points_of_one_block_are_read_together():
    one = meter("dlt645-2007-three-phase")
    points = points_of(one, "voltage_c", "voltage_a", "frequency", "relay", "relay_command")
    answers = [reply("0201FF00", "002210FFFF00"), reply("02800002", "0050"), reply("04000503", "5000")]
    asked, report = rehearse(protocol().read(one, points), answers)
    assert asked_identifiers(asked) == ["0201FF00", "02800002", "04000503"]
    assert sorted(report.updated) == [
        (0, None, "invalid"),
        (1, 2200, "good"),
        (2, 5000, "good"),
        (3, False, "good"),
        (4, False, "good"),
    ]


def test_a_refused_block_is_read_singly_and_not_tried_again():
    one, speaker = meter(), protocol()
    points = points_of(one, "energy_total", "energy_tariff_1")
    answers = [refused(0xD1, "02"), reply("00010000", "78563412"), reply("00010100", "01000000")]
    asked, report = rehearse(speaker.read(one, points), answers)
    assert asked_identifiers(asked) == ["0001FF00", "00010000", "00010100"]
    assert report.updated == [(0, 12345678, "good"), (1, 1, "good")]
    asked, _ = rehearse(speaker.read(one, points), answers[1:])
    assert asked_identifiers(asked) == ["00010000", "00010100"]
    other = meter(address="000000000162")
    dialogue = speaker.read(other, points)
    assert next(dialogue).frame.identifier == "0001FF00"


BLOCK = ("energy_total", "energy_tariff_1", "energy_tariff_2")
SINGLES = [reply("00010000", "78563412"), reply("00010100", "01000000"), reply("00010200", "02000000")]
VALUES = [(0, 12345678, "good"), (1, 1, "good"), (2, 2, "good")]


def poll(speaker, one, *answers, keys=BLOCK):
    """What a poll asks, and what it brings: values, or the error."""
    asked = []

    def noting():
        dialogue = speaker.read(one, points_of(one, *keys))
        step = partial(next, dialogue)
        while True:
            try:
                ask = step()
            except StopIteration as end:
                return end.value
            asked.append(ask.frame.identifier)
            try:
                answer = yield ask
            except NoAnswer as error:
                step = partial(dialogue.throw, error)
            else:
                step = partial(dialogue.send, answer)

    try:
        _, report = rehearse(noting(), answers)
    except NoAnswer:
        return asked, None
    assert not report.failed
    return asked, sorted(report.updated)


def test_a_block_without_an_answer_is_given_up_when_the_meter_answers_all_else():
    one, speaker, silence = meter(), protocol(), NoAnswer("silence")
    assert poll(speaker, one, silence) == (["0001FF00"], None)
    known_away = (["00010000", "0001FF00", "00010100", "00010200"], VALUES)
    for _ in range(2):
        assert poll(speaker, one, SINGLES[0], silence, *SINGLES[1:]) == known_away
    assert poll(speaker, one, *SINGLES) == (["00010000", "00010100", "00010200"], VALUES)


def test_a_meter_that_is_away_is_asked_one_question_per_poll_as_ever():
    one, speaker = meter(), protocol()
    asked = [poll(speaker, one, NoAnswer("silence"))[0] for _ in range(6)]
    assert all(len(each) == 1 for each in asked)
    assert {each[0] for each in asked} == {"0001FF00", "00010000"}


def test_a_block_that_was_lost_once_is_read_as_ever_when_the_meter_is_back():
    one, speaker = meter(), protocol()
    block = reply("0001FF00", "78563412" + "01000000" + "02000000" + "00000000" * 2)
    poll(speaker, one, NoAnswer("silence"))
    assert poll(speaker, one, SINGLES[0], block) == (["00010000", "0001FF00"], VALUES), "each value once"
    for _ in range(3):
        poll(speaker, one, NoAnswer("silence"))
        assert poll(speaker, one, SINGLES[0], block)[1] == VALUES
    assert poll(speaker, one, block) == (["0001FF00"], VALUES)


def test_a_garbled_answer_is_no_silence():
    one, speaker = meter(), protocol()
    for _ in range(4):
        assert poll(speaker, one, NoAnswer("no answer", heard=7)) == (["0001FF00"], None)


def test_a_block_after_other_points_is_given_up_too_and_its_values_come_at_once():
    one, speaker, voltage = meter(), protocol(), reply("02010100", "0022")
    keys, values = ("voltage", *BLOCK), [(0, 2200, "good"), (1, 12345678, "good"), (2, 1, "good"), (3, 2, "good")]
    for _ in range(2):
        asked, brought = poll(speaker, one, voltage, NoAnswer("silence"), *SINGLES, keys=keys)
        assert brought == values and "0001FF00" in asked
    asked, brought = poll(speaker, one, voltage, *SINGLES, keys=keys)
    assert brought == values and "0001FF00" not in asked


def test_a_meter_that_goes_away_in_the_middle_says_nothing_about_its_blocks():
    one, speaker, voltage = meter(), protocol(), reply("02010100", "0022")
    for _ in range(3):
        report = rehearse(
            speaker.read(one, points_of(one, "voltage", *BLOCK)),
            [voltage, NoAnswer("silence"), NoAnswer("silence")],
        )[1]
        assert report.updated == [(0, 2200, "good")] and len(report.failed) == 3
    dialogue = speaker.read(one, points_of(one, "voltage", *BLOCK))
    next(dialogue)
    assert dialogue.send(voltage).frame.identifier == "0001FF00"


def test_blocks_can_be_switched_off():
    one = meter(blocks=False)
    answers = [reply("00010000", "01000000"), reply("00010100", "01000000")]
    asked, _ = rehearse(protocol().read(one, points_of(one, "energy_total", "energy_tariff_1")), answers)
    assert asked_identifiers(asked) == ["00010000", "00010100"]


def test_a_refused_point_fails_alone():
    one = meter()
    answers = [refused(0xD1, "04"), reply("02010100", "0022")]
    _, report = rehearse(protocol().read(one, points_of(one, "remaining_energy", "voltage")), answers)
    assert report.updated == [(1, 2200, "good")]
    [(index, error)] = report.failed
    assert index == 0 and isinstance(error, Refused)
    assert (error.reply, error.reasons) == ("04", ("password wrong or not authorised",))


def test_a_dead_meter_is_asked_once():
    one = meter()
    dialogue = protocol().read(one, list(one.points.values()))
    next(dialogue)
    with pytest.raises(NoAnswer):
        dialogue.throw(NoAnswer("silence"))


def test_a_meter_that_falls_silent_keeps_what_it_said():
    one = meter()
    points = points_of(one, "voltage", "current", "frequency", "clock")
    answers = [reply("02010100", "0022"), NoAnswer("silence"), NoAnswer("silence")]
    asked, report = rehearse(protocol().read(one, points), answers)
    assert len(asked) == 3 and len(report.updated) == 1
    assert [index for index, _ in report.failed] == [1, 2, 3]


def test_a_cut_link_ends_the_poll():
    one = meter()
    points = points_of(one, "voltage", "current", "frequency")
    asked, report = rehearse(protocol().read(one, points), [reply("02010100", "0022"), LinkDown("cut")])
    assert len(asked) == 2 and [index for index, _ in report.failed] == [1, 2]


def test_answers_count_only_with_address_function_and_identifier():
    one = meter()
    match = next(protocol().read(one, points_of(one, "voltage"))).match
    assert match(reply("02010100", "0022"))
    assert match(reply("02010100", "0022", control=0xB1))
    assert match(refused(0xD1, "02"))
    assert not match(reply("02010200", "0022"))
    assert not match(reply("02010100", "0022", address="000000000162"))
    assert not match(reply("02010100", "0022", control=0x11))
    assert not match(reply("02010100", "0022", control=0x92))
    assert not match(refused(0xD4, "02"))
    assert not match(reply("80808080", ""))


def test_wildcard_addresses_take_the_real_one():
    one = meter(address="AAAAAAAA0161")
    match = next(protocol().read(one, points_of(one, "voltage"))).match
    assert match(reply("02010100", "0022", address="123456780161"))
    assert match(reply("02010100", "0022", address="AAAAAAAA0161"))
    assert not match(reply("02010100", "0022", address="123456780162"))


def test_follow_on_frames_are_joined():
    one = meter()
    points = points_of(one, "energy_total", "energy_tariff_4")
    answers = [
        reply("0001FF00", "01000000" + "0200", control=0xB1),
        reply("0001FF00", "0000" + "03000000" + "04" + "01", control=0xB2),
        reply("0001FF00", "000000" + "05000000" + "02", control=0x92),
    ]
    asked, report = rehearse(protocol().read(one, points), answers)
    assert [frame.control for frame in asked] == [0x11, 0x12, 0x12]
    assert [frame.payload.hex() for frame in asked] == ["", "01", "02"]
    assert sorted(report.updated) == [(0, 1, "good"), (1, 5, "good")]


def test_a_waiting_event_does_not_spoil_a_value():
    one = meter()
    asked, report = rehearse(protocol().read(one, points_of(one, "voltage")), [reply("02010100", "0022", control=0xB1)])
    assert len(asked) == 1 and report.updated == [(0, 2200, "good")]
    block = reply("0001FF00", "0100000002000000", control=0xB1)
    points = points_of(one, "energy_total", "energy_tariff_1")
    for answer in (reply("04001501", "00" * 12 + "01", control=0x92), refused(0xD2, "02")):
        asked, report = rehearse(protocol().read(one, points), [block, answer])
        assert len(asked) == 2 and report.updated == [(0, 1, "good"), (1, 2, "good")]


def test_follow_on_of_1997_is_asked_once_only():
    speaker = protocol("1997")
    one = meter("dlt645-1997-single-phase")
    dialogue = speaker.read(one, points_of(one, "energy_total", "energy_tariff_1"))
    next(dialogue)
    data = bytes.fromhex("1F9001000000")
    ask = dialogue.send(build(ADDRESS, 0xA1, data, "1997"))
    assert (ask.frame.control, ask.frame.identifier, ask.tries) == (0x02, "901F", 1)
    with pytest.raises(StopIteration) as end:
        dialogue.send(build(ADDRESS, 0x82, bytes.fromhex("1F9002000000"), "1997"))
    assert end.value.value.updated == [(0, 1, "good"), (1, 2, "good")]


OPENED, CLOSED = reply("04000503", "5000"), reply("04000503", "0000")
ACCEPTED = build(ADDRESS, 0x9C, b"", "2007")


def test_open_is_proven_by_reading_back():
    one = meter(level="02", password="123456", operator="12345678", valid_until="2030-12-31T12:00:00")
    asked, result = rehearse(protocol().command(one, "meter.open_circuit", {}), [ACCEPTED, CLOSED, OPENED])
    assert asked[0].data.hex().upper() == "02563412785634121A00000012311230"
    assert asked_identifiers(asked[1:]) == ["04000503", "04000503"]
    assert result.values == {"relay": False}
    assert next(protocol().command(one, "meter.open_circuit", {})).tries == 1


def test_close_and_its_code():
    one = meter()
    asked, result = rehearse(protocol().command(one, "meter.close_circuit", {}), [ACCEPTED, CLOSED])
    assert asked[0].data[8] == 0x1C and result.values == {"relay": True}
    allow = SampleMeter("m", ADDRESS, {}, one.points, {"meter.close_circuit": {"code": "1B", "relay": "relay_command"}})
    asked, result = rehearse(protocol().command(allow, "meter.close_circuit", {}), [ACCEPTED, CLOSED])
    assert asked[0].data[8] == 0x1B and result.values == {"relay_command": True, "relay": True}


def test_valid_until_is_in_the_meters_own_time():
    """The movable clock stands at 2026-01-01T00:00Z, which is 08:00 in Shanghai."""
    one = meter(valid_for=600)
    assert next(protocol().command(one, "meter.open_circuit", {})).frame.data[10:].hex() == "001008010126"
    one = meter(valid_for=600, utc_offset="-03:30")
    assert next(protocol().command(one, "meter.open_circuit", {})).frame.data[10:].hex() == "004020311225"


def test_a_lost_answer_is_never_a_second_command():
    one = meter()
    asked, result = rehearse(protocol().command(one, "meter.open_circuit", {}), [NoAnswer("silence"), OPENED])
    assert [frame.control for frame in asked] == [0x1C, 0x11]
    assert result.values == {"relay": False} and result.detail == {"acknowledged": False}
    with pytest.raises(NoAnswer):
        rehearse(protocol().command(one, "meter.open_circuit", {}), [NoAnswer("silence"), CLOSED, CLOSED, CLOSED])


def test_a_relay_that_does_not_move_is_told():
    with pytest.raises(Refused, match="still closed"):
        rehearse(protocol().command(meter(), "meter.open_circuit", {}), [ACCEPTED, CLOSED, CLOSED, CLOSED])
    with pytest.raises(Refused) as told:
        rehearse(protocol().command(meter(), "meter.open_circuit", {}), [refused(0xDC, "04")])
    assert told.value.reply == "04"


def test_write_and_read_back():
    one = meter()
    params = {"entity": "alarm_energy", "value": "12.5"}
    written = reply("04000F01", "50120000")
    asked, result = rehearse(
        protocol().command(one, "meter.write", params), [build(ADDRESS, 0x94, b"", "2007"), written]
    )
    assert asked[0].data.hex() == "010f0004020000000000000050120000"
    assert result.values == {"alarm_energy": 1250}
    with pytest.raises(Refused, match="still has"):
        rehearse(
            protocol().command(one, "meter.write", params),
            [build(ADDRESS, 0x94, b"", "2007"), reply("04000F01", "00000000")],
        )


@pytest.mark.parametrize("params", [{"entity": "energy_total", "value": "1"}, {"entity": "nothing", "value": "1"}])
def test_what_cannot_be_written(params):
    with pytest.raises(BadInput):
        rehearse(protocol().command(meter(), "meter.write", params), [])


@pytest.mark.parametrize("value", ["1.234", "many", "-1", "", "9999999"])
def test_wrong_values_are_not_sent(value):
    with pytest.raises(BadInput):
        rehearse(protocol().command(meter(), "meter.write", {"entity": "alarm_energy", "value": value}), [])


def test_1997_has_no_relay():
    with pytest.raises(BadInput):
        protocol("1997").command(meter("dlt645-1997-single-phase"), "meter.open_circuit", {})


def test_addresses():
    assert protocol().address("161") == ADDRESS
    assert protocol().address("aaaaaaaa0161") == "AAAAAAAA0161"
    for wrong in ("", "1234567890123", "12-34"):
        with pytest.raises(ConfigError):
            protocol().address(wrong)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"id": "0001"}, "8 hex digits"),
        ({"id": "028022FF"}, "no items"),
        ({"id": "00010000", "bit": 1}, "no status word"),
        ({"id": "04000503", "bit": 16}, "bits 0 to 15"),
        ({"id": "0201FF00", "item": 3}, "items 0 to 2"),
        ({"id": "028022FF", "format": "XXX"}, "unknown format"),
    ],
)
def test_wrong_points_are_explained(spec, words):
    with pytest.raises(ConfigError, match=words):
        protocol().point("one", spec, "number", 2)


def test_scale_must_hold_all_decimals():
    with pytest.raises(ConfigError, match="decimals"):
        protocol().point("one", {"id": "02030000"}, "number", 2)
    assert protocol().point("one", {"id": "00010000"}, "number", 3).take(bytes.fromhex("01000000"), 0) == (10, "good")


def test_points_by_place_in_a_block():
    point = protocol().point("one", {"id": "0001FF00", "item": 2}, "number", 2)
    assert (point.identifier, point.block, point.block_at) == ("00010200", "0001FF00", 8)
    vendor = protocol().point("one", {"id": "028011FF", "item": 2}, "number", 1)
    assert (vendor.identifier, vendor.at) == ("028011FF", 8)
    unknown = protocol().point("one", {"id": "028022FF", "format": "XXX.X", "item": 1}, "number", 1)
    assert unknown.take(bytes.fromhex("00112233"), unknown.at) == (3322, "good")


def test_a_twin_obeys_like_a_meter():
    one = meter(password="123456")
    twin, speaker = protocol().simulate(one, World()), protocol()
    _, result = talk(speaker, speaker.command(one, "meter.open_circuit", {}), twin)
    assert result.values == {"relay": False}
    twin.lose_next = True
    exchanges, result = talk(speaker, speaker.command(one, "meter.close_circuit", {}), twin)
    assert result.values == {"relay": True}
    commands = [one for one in exchanges if decode_frame(one.request).control == 0x1C]
    assert len(commands) == 1
    thief = meter(password="654321")
    with pytest.raises(Refused, match="password"):
        talk(speaker, speaker.command(thief, "meter.open_circuit", {}), twin)
    _, result = talk(speaker, speaker.command(one, "meter.write", {"entity": "alarm_energy", "value": "20"}), twin)
    assert result.values == {"alarm_energy": 2000}

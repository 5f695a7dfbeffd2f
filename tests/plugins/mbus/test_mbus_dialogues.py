"""Dialogues without a loop: what is asked in which order, what is sent once more, what is believed."""

from __future__ import annotations

import pytest
import voluptuous as vol
from Crypto.Cipher import AES
from mbus_models import protocol
from mbus_slaves import PlainSlave

from meterhub.config.nodes import Secret
from meterhub.errors import BadFrame, LinkDown, NoAnswer, Refused
from meterhub.field.dialogue import rehearse
from meterhub.testing.conformance_protocol import sample_meter, talk
from meterhub_mbus.frame import ACKNOWLEDGE, Frame, long_frame, short_frame
from meterhub_mbus.protocol import MBUS
from meterhub_mbus.reading import MOST_TELEGRAMS

E5 = Frame(ACKNOWLEDGE)
HEAD = "78563412 2440 01 07 55 00 0000"


def telegram(body: str, address: int = 5, head: str = HEAD, ci: int = 0x72) -> Frame:
    return long_frame(0x08, address, ci, bytes.fromhex(head + body))


def water(one, address="5", points=None, **options):
    points = points or {"volume": {"quantity": "volume"}, "flow": {"quantity": "volume_flow"}}
    return sample_meter(one, address, points, kind="number", scale=3, options=options)


def asked(frames) -> list[str]:
    return [one.raw.hex(" ").upper() for one in frames]


def read(meter, one=None, answers=()):
    one = one or protocol()
    return rehearse(one.read(meter, list(meter.points.values())), answers)


def test_a_primary_readout_resets_the_link_and_begins_with_bit_1():
    one = protocol()
    frames, report = read(water(one), one, [E5, telegram("0C13 56341200 0B3B 270100")])
    assert asked(frames) == ["10 40 05 45 16", "10 7B 05 80 16"]
    assert report.updated == [(0, 123456, "good"), (1, 127, "good")] and not report.failed


def test_a_secondary_readout_selects_and_then_asks_the_selected_one():
    one = protocol()
    frames, report = read(water(one, "12345678-PAD-01-07"), one, [E5, telegram("0C13 56341200 0B3B 270100")])
    assert asked(frames) == ["68 0B 0B 68 53 FD 52 78 56 34 12 24 40 01 07 22 16", "10 7B FD 78 16"]
    assert report.updated[0] == (0, 123456, "good")


def test_enhanced_selection_names_the_fabrication_number():
    one = protocol()
    frames, _ = read(water(one, "12345678-PAD-01-07#01020304"), one, [E5, telegram("0C1300000000 0B3B000000")])
    assert asked(frames)[0] == "68 11 11 68 53 FD 52 78 56 34 12 24 40 01 07 0C 78 04 03 02 01 B0 16"


def test_more_telegrams_are_asked_with_a_toggled_bit_until_all_is_there():
    one = protocol()
    answers = [E5, telegram("0C13 56341200 1F"), telegram("0B3B 270100 1F"), telegram("0C14 00000000")]
    frames, report = read(water(one), one, answers)
    assert asked(frames)[1:] == ["10 7B 05 80 16", "10 5B 05 60 16"], "the third has nothing that is wanted"
    assert [value for _, value, _ in report.updated] == [123456, 127]


def test_everything_is_asked_when_other_records_are_wanted():
    one = protocol()
    points = {"volume": {"quantity": "volume"}, "others": {"field": "others"}}
    meter = sample_meter(one, "5", points, kind="text")
    frames, report = read(meter, one, [E5, telegram("0C1356341200 1F"), telegram("0C7B 11223344 0F CAFE")])
    assert len(frames) == 3
    lines = report.updated[1][1].splitlines()
    assert any("7B 11223344" in line for line in lines) and any("CAFE" in line for line in lines)


def test_a_meter_that_repeats_its_telegram_or_never_ends_is_left():
    one = protocol()
    points = {"others": {"field": "others"}}
    meter = sample_meter(one, "5", points, kind="text")
    same = telegram("0C1356341200 1F")
    frames, _ = read(meter, one, [E5, same, same])
    assert len(frames) == 3
    endless = [telegram("0C1356341200 1F", head=f"78563412 2440 01 07 {number:02X} 00 0000") for number in range(99)]
    frames, _ = read(meter, one, [E5, *endless])
    assert len(frames) == 1 + MOST_TELEGRAMS


def test_a_meter_that_must_not_be_reset_keeps_its_bit_from_readout_to_readout():
    one = protocol()
    meter = water(one, ping=False)
    answer = telegram("0C1356341200 0B3B270100")
    assert asked(read(meter, one, [answer])[0]) == ["10 7B 05 80 16"]
    assert asked(read(meter, one, [answer])[0]) == ["10 5B 05 60 16"]
    with pytest.raises(NoAnswer):
        read(meter, one, [NoAnswer("silent")])
    assert asked(read(meter, one, [answer])[0]) == ["10 7B 05 80 16"], "not answered: the same bit"


def test_an_application_reset_can_choose_the_readout():
    one = protocol()
    frames, _ = read(water(one, application_reset="10"), one, [E5, E5, telegram("0C1300000000 0B3B000000")])
    assert asked(frames)[1:] == ["68 04 04 68 73 05 50 10 D8 16", "10 5B 05 60 16"]


def test_answers_of_others_are_not_taken():
    one = protocol()
    meter = water(one)
    asks = one.read(meter, list(meter.points.values()))
    next(asks)
    request = asks.send(E5)
    assert request.match(telegram("0C1300000000")) and not request.match(telegram("0C1300000000", address=6))
    assert not request.match(E5) and not request.match(short_frame(0x7B, 5))
    meter = water(one, "12345678-PAD-01-07")
    asks = one.read(meter, list(meter.points.values()))
    next(asks)
    request = asks.send(E5)
    assert request.match(telegram("", address=17)) and not request.match(telegram("", head="7956" + HEAD[4:]))
    assert request.match(telegram("0C1300000000", head="", ci=0x78)), "without identity: the selected one's"


@pytest.mark.parametrize(("code", "words"), [("08", "busy"), ("01", "unimplemented CI"), ("", "unspecified")])
def test_an_application_error_is_a_refusal_in_words(code, words):
    one = protocol()
    with pytest.raises(Refused, match=words):
        read(water(one), one, [E5, long_frame(0x08, 5, 0x70, bytes.fromhex(code))])


def test_a_telegram_that_is_cut_off_gives_its_good_records_and_says_so():
    one = protocol()
    _, report = read(water(one), one, [E5, telegram("0C13 56341200 0B3B 27")])
    assert report.updated == [(0, 123456, "good")]
    ((place, problem),) = report.failed
    assert place == 1 and isinstance(problem, BadFrame)


def test_an_encrypted_telegram_is_read_with_the_key_and_refused_without():
    one = protocol()
    key, identity = bytes(range(16)), bytes.fromhex("7856341224400107")
    clear = bytes.fromhex("2F2F 0C13 56341200 0B3B 270100").ljust(16, b"\x2f")
    cipher = AES.new(key, AES.MODE_CBC, iv=identity[4:6] + identity[:4] + identity[6:] + b"\x55" * 8).encrypt(clear)
    answer = long_frame(0x08, 5, 0x72, identity + bytes.fromhex("55 00 10 05") + cipher)
    schema = vol.Schema(dict(MBUS.schema))
    options = schema({"key": Secret(key.hex())})
    assert "00" not in str(options)
    _, report = read(water(one, **options), one, [E5, answer])
    assert [value for _, value, _ in report.updated] == [123456, 127]
    with pytest.raises(BadFrame, match="there is no key"):
        read(water(one), one, [E5, answer])
    with pytest.raises(vol.Invalid):
        schema({"key": "short"})


@pytest.mark.parametrize(
    ("ci", "data"),
    [
        (0x73, "78563412 0A 00 E9 7E 01000000 35010000"),
        (0x78, "0C13 01000000"),
        (0x7A, "55 00 0000 0C13 01000000"),
        (0x76, "12345678 4024 01 07 55 00 0000 0C13 00000001"),
    ],
)
def test_every_kind_of_telegram_is_read(ci, data):
    one = protocol()
    meter = water(one, points={"volume": {"quantity": "volume"}})
    _, report = read(meter, one, [E5, long_frame(0x08, 5, ci, bytes.fromhex(data))])
    assert report.updated == [(0, 1, "good")]


def test_what_is_error_coded_is_no_number():
    one = protocol()
    _, report = read(water(one), one, [E5, telegram("0C13 DDDDEBBD 0B3B 270100")])
    assert report.updated == [(0, None, "invalid"), (1, 127, "good")]


def test_what_is_not_sent_fails_alone_and_what_may_be_left_out_does_not():
    one = protocol()
    points = {"a": {"quantity": "volume"}, "b": {"quantity": "power"}, "c": {"quantity": "pressure", "optional": True}}
    _, report = read(water(one, points=points), one, [E5, telegram("0C13 56341200")])
    assert [place for place, _, _ in report.updated] == [0] and [place for place, _ in report.failed] == [1]


def test_alarms_are_asked_for_only_when_wanted():
    one = protocol()
    meter = sample_meter(one, "5", {"alarm": {"field": "alarm"}, "volume": {"quantity": "volume"}}, kind="text")
    frames, report = read(meter, one, [E5, telegram("0C1356341200"), long_frame(0x08, 5, 0x71, b"\x08")])
    assert asked(frames)[2] == "10 5A 05 5F 16" and report.updated[0] == (0, "08", "good")
    assert read(meter, one, [E5, telegram("0C1356341200"), E5])[1].updated[0] == (0, "", "good")


def test_a_link_that_breaks_between_telegrams_ends_the_readout():
    one = protocol()
    meter = sample_meter(one, "5", {"others": {"field": "others"}}, kind="text")
    with pytest.raises(LinkDown):
        read(meter, one, [E5, telegram("0C1356341200 1F"), LinkDown("cut")])


def test_silence_after_the_first_telegram_keeps_what_has_come():
    one = protocol()
    _, report = read(water(one), one, [E5, telegram("0C1356341200 1F"), NoAnswer("silent")])
    assert report.updated == [(0, 123456, "good")] and isinstance(report.failed[0][1], NoAnswer)


def test_a_slave_of_three_telegrams_is_read_whole():
    one = protocol()
    slave = PlainSlave("12345678-PAD-01-07", 5, "0C1301000000 1F", "0B3B270100 1F", "0C1402000000")
    meter = sample_meter(one, "5", {"others": {"field": "others"}}, kind="text")
    _, report = talk(one, one.read(meter, list(meter.points.values())), slave)
    assert report.updated[0][1].count("\n") == 2

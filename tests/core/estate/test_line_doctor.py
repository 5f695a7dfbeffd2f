"""The line doctor, case by case: pure, on bytes as ports give them, and at a whole hub."""

from __future__ import annotations

import pytest
from uart import through

from meterhub.field.doctor import Sight, diagnose
from meterhub.field.doctor_words import WORDS
from meterhub.field.trace import EVENT, RECEIVED, SENT, TraceEntry
from meterhub.testing.clock import MovableClock
from meterhub.texts import texts_for
from meterhub.web.runs import run_view
from meterhub_dlt645 import encode_read, register_protocols
from meterhub_dlt645.protocol import Dlt645

DECODE = next(iter(register_protocols())).decode
WAKE_UP = b"\xfe" * 4


def see(data):
    codec, sights = Dlt645("2007", MovableClock()).codec(), []
    codec.receive(data)
    while (frame := codec.next_frame()) is not None:
        whole = codec.encode(frame)
        data = data.replace(whole, b"", 1)
        said = DECODE(whole)
        sights.append(Sight(whole, said["direction"], said["address"]))
    return sights, data


def request(address):
    return encode_read(f"{address:012d}", "00010000")


def answer(address, value=b"\x89\x67\x45\x33"):
    body = b"\x68" + bytes.fromhex(f"{address:012d}")[::-1] + b"\x68\x91\x08\x33\x33\x34\x33" + value
    return WAKE_UP + body + bytes([sum(body) & 0xFF, 0x16])


def trace(*exchanges, before=b""):
    """Entries of ``(address, heard)``, each a second apart."""
    entries = [TraceEntry(0, RECEIVED, "", before, "")] if before else []
    for number, (address, heard) in enumerate(exchanges, 1):
        entries.append(TraceEntry(number * 1000, SENT, f"a-{address}", request(address), ""))
        entries += [TraceEntry(number * 1000 + 200, RECEIVED, f"a-{address}", heard, "")] if heard else []
        entries += [] if heard else [TraceEntry(number * 1000 + 900, EVENT, f"a-{address}", b"", "no answer")]
    return entries


def judge(*exchanges, before=b"", connected=True, baud=2400):
    found = diagnose(trace(*exchanges, before=before), see, connected=connected, baud=baud)
    words = texts_for("en")
    assert all(words(WORDS[one.code][0]) % one.values for one in found)
    return found


def codes(*exchanges, **more):
    return [one.code for one in judge(*exchanges, **more)]


def test_a_line_on_which_everything_is_right():
    assert codes((1, answer(1)), (2, answer(2))) == ["healthy"]
    assert through(answer(1), 2400, 2400) == answer(1)


def test_a_collector_that_is_not_there():
    assert codes((1, b""), connected=False) == ["offline"]


def test_nothing_was_asked():
    assert codes() == ["not_asked"]


def test_silence_although_the_collector_is_alive():
    (found,) = judge((1, b""), (2, b""), (1, b""))
    assert found.code == "silence" and found.values == {"asked": 3} and found.proof == request(1)


def test_some_meters_are_silent_and_others_answer():
    (found,) = judge((1, answer(1)), (2, b""), (3, answer(3)), (2, b""))
    assert found.code == "quiet_meters" and found.values == {"meters": "a-2"}


def test_an_echo_beside_right_answers_and_an_echo_alone():
    assert codes((1, request(1) + answer(1)), (2, request(2) + answer(2))) == ["echo", "healthy"]
    assert codes((1, request(1)), (2, request(2))) == ["echo_only"]
    assert codes((1, b""), (2, request(1)), (3, request(2)), (1, request(3))) == ["echo_only"], "each came late"


@pytest.mark.parametrize("slower", [1200, 600])
def test_meters_that_speak_more_slowly_than_the_port(slower):
    assert codes(*((number, through(answer(number), slower, 2400)) for number in (1, 2, 3))) == ["slower_meters"]


@pytest.mark.parametrize("faster", [4800, 9600])
def test_meters_that_speak_faster_than_the_port(faster):
    assert codes(*((number, through(answer(number), faster, 2400)) for number in (1, 2, 3))) == ["faster_meters"]


def test_a_port_with_seven_data_bits():
    heard = through(answer(1), 2400, 2400, bits=7)
    assert heard[:4] == b"\x7e" * 4
    (found, *_) = judge((1, heard), (2, through(answer(2), 2400, 2400, bits=7)))
    assert found.code == "wrong_parity" and found.proof == heard


def test_answers_without_their_top_bit_look_like_requests_and_are_none():
    values = [bytes([0x33 + number, 0x7B, 0x33, 0x33]) for number in range(64)]
    heard = [through(answer(1, value), 2400, 2400, bits=7) for value in values]
    assert any(one.direction == "request" for data in heard for one in see(data)[0])
    assert codes(*((1, data) for data in heard)) == ["wrong_parity"]


def test_two_meters_with_one_address_that_answer_one_after_the_other():
    both = answer(2) + answer(2, b"\x77\x77\x77\x33")
    found = judge((1, answer(1)), (2, both))
    assert found[0].code == "same_address" and found[0].values == {"meter": "000000000002 (a-2)"}
    assert found[0].proof == both
    assert codes((1, answer(1)), (2, answer(2) + answer(2))) == ["healthy"]


def test_a_late_or_doubled_answer_to_the_request_before_is_no_second_meter():
    late, other = answer(2), answer(2, b"\x77\x77\x77\x33")
    assert codes((1, answer(1)), (2, b""), (2, late + other)) == ["healthy"]
    assert codes((1, answer(1)), (2, late), (2, late + other)) == ["healthy"]
    assert codes((1, answer(1)), (2, late), (2, other + late + answer(2, b"\x44" * 4))) == ["same_address"]


def test_two_meters_with_one_address_that_answer_at_once():
    both = bytes(one & other for one, other in zip(answer(2), answer(2, b"\x47\x78\x54\x39"), strict=True))
    found = judge((1, answer(1)), (2, both), (1, answer(1)), (2, both))
    assert [one.code for one in found] == ["spoilt_meter"] and found[0].values == {"meter": "a-2"}


def test_somebody_speaks_at_the_same_time():
    def mixed(address):
        return bytes(one & 0x55 for one in answer(address)[6:]) + b"\x68\x16"

    found = judge((1, mixed(1)), (2, mixed(2)), (3, answer(3)), (4, mixed(4)))
    assert [one.code for one in found] == ["collision"]


def test_a_foreign_master_is_proved_by_its_request():
    found = judge((1, request(77) + answer(77) + answer(1)), (2, answer(2)), before=request(99) + answer(99))
    assert found[0].code == "foreign_master"
    assert found[0].values == {"count": 2, "address": "000000000099"} and found[0].proof == request(99)


def test_noise_between_right_answers_and_while_nobody_speaks():
    noise = b"\x00\xff\x3c\x81\x00"
    assert codes((1, noise + answer(1)), (2, answer(2)), before=noise) == ["noise"]
    assert codes(before=noise) == ["noise", "not_asked"]


def test_one_spoilt_answer_is_no_noise_and_many_lost_ones_are_said_so():
    spoilt = answer(1)[:-3] + b"\x00\x00\x16"
    assert codes(*((1, answer(1)),) * 6, (1, spoilt), *((1, answer(1)),) * 6) == ["healthy"]
    found = judge(*((1, answer(1)),) * 6, *((1, b""), (1, answer(1))) * 3)
    assert [(one.code, one.values) for one in found] == [("lossy", {"good": 9, "asked": 12})]
    assert codes((1, answer(1)), (1, b""), (1, answer(1)), (1, b""), (1, answer(1))) == ["lossy"]
    assert codes((1, answer(1)), (1, b""), (1, answer(1)), (1, answer(1))) == ["healthy"], "too few to judge"
    assert codes(*((1, answer(1)),) * 8, (1, b"")) == ["healthy"], "the newest is still under way"


def test_every_finding_has_words_in_three_languages():
    for language in ("zh-CN", "ja"):
        words = texts_for(language)
        assert [text for pair in WORDS.values() for text in pair if text and words(text) == text] == []


SITE = """
hub: {data: ./data}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
collectors: [{id: c1, link: field, lines: [{id: c1-a}]}]
meters:
  - {id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000101"}
  - {id: a-102, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000102"}
"""


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (lambda sim: None, "healthy"),
        (lambda sim: sim.cut("c1-a"), "silence"),
        (lambda sim: sim.faults("c1-a", echo=True), "echo"),
        (lambda sim: sim.hang_up("c1"), "offline"),
        (lambda sim: sim.silence("a-101", "a-102"), "silence"),
        (lambda sim: [setattr(one, "only_at", 9600) for one in sim.twins.values()], "other_speed"),
    ],
)
async def test_one_command_examines_a_line_and_tries_its_meters(hub, sim, trouble, expected):
    home = await hub(SITE)
    trouble(sim)
    run = await home.act("collector.diagnose", "c1")
    assert run.state == "confirmed"
    first = run.result["findings"][0]
    assert (first["code"], first["line"]) == (expected, "c1-a") and "%(" not in first["text"]
    shown = run_view(run, home.estate["c1"], home.actions, texts_for("zh-CN"))["findings"][0]
    assert shown["text"] and shown["text"] != first["text"] and "%(" not in shown["text"]

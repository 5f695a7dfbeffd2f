"""Frames in words: captured traffic, and frames built from the standard's layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.explain import explain, explain_1997, explain_2007, secrets_on_wire
from meterhub_dlt645.frame import build

VECTORS = [json.loads(line) for line in (Path(__file__).parent / "vectors.jsonl").read_text("utf-8").splitlines()]


def said(identifier: str, data: str, *, edition: str = "2007", control: int | None = None) -> dict:
    """What a meter's answer means; ``data`` in the order of the wire."""
    good = 0x91 if edition == "2007" else 0x81
    frame = build("000000000161", control or good, bytes.fromhex(identifier)[::-1] + bytes.fromhex(data))
    return explain(decode_frame(frame.raw, edition))


def values(answer: dict) -> list:
    return [one["value"] for one in answer["values"]]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_known_frames(vector):
    answer = (explain_1997 if vector["edition"] == "1997" else explain_2007)(bytes.fromhex(vector["hex"]))
    for key in ("address", "control", "direction", "follow", "identifier"):
        assert answer[key] == vector[key], key
    assert (answer["refused"] or {}).get("reasons") == vector["refused"]
    if "values" in vector:
        assert values(answer)[: len(vector["values"])] == vector["values"]
        assert (answer["values"][0]["unit"] or "") == vector.get("unit", "")
        assert all(one["valid"] == (one["value"] is not None) for one in answer["values"])
    for key in ("operator", "level"):
        if key in vector:
            assert answer[key] == vector[key]
    found = {one["key"]: one["value"] for one in answer["values"]}
    for key in ("command", "speed"):
        if key in vector:
            assert found[key] == vector[key]
    json.dumps(answer)


def test_status_word_bit_by_bit():
    answer = said("04000503", "5280")
    found = {one["key"]: one["value"] for one in answer["values"]}
    assert found["meter_status_word_3"] == "0x8052"
    assert found["meter_status_word_3_relay_open"] == "1"
    assert found["meter_status_word_3_relay_commanded_open"] == "1"
    assert found["meter_status_word_3_supply"] == "auxiliary"
    assert found["meter_status_word_3_remote_account_not_opened"] == "1"
    assert found["meter_status_word_3_keep_power"] == "0"


def test_all_status_words_in_one_block():
    answer = said("040005FF", "0400" + "0000" + "1000" + "0000" * 4)
    found = {one["key"]: one["value"] for one in answer["values"]}
    assert found["meter_status_word_1_clock_battery_low"] == "1"
    assert found["meter_status_word_3_relay_open"] == "1"


def test_filler_and_wrong_digits_are_no_value():
    for data in ("FFFFFFFF", "1A000000", "0000000F"):
        one = said("00010000", data)["values"][0]
        assert (one["value"], one["valid"]) == (None, False)


def test_sign_only_where_the_standard_says():
    assert values(said("00010000", "00000080")) == ["800000.00"]
    assert values(said("00000000", "00000080")) == ["0.00"]
    assert values(said("00000000", "01000080")) == ["-0.01"]
    assert values(said("02010100", "0098")) == ["980.0"]
    assert values(said("02020100", "9999F9")) == ["-799.999"]
    assert values(said("02060000", "6289")) == ["-0.962"]


def test_block_has_as_many_items_as_it_holds():
    answer = said("0001FF00", "0100000002000000FFFFFFFF")
    assert values(answer) == ["0.01", "0.02", None]
    assert [one["name"] for one in answer["values"]] == [
        "Forward active energy",
        "Forward active energy, tariff 1",
        "Forward active energy, tariff 2",
    ]
    assert values(said("0201FF00", "0022FFFFFFFF")) == ["220.0", None, None]


def test_blocks_over_settlements_and_harmonics():
    answer = said("000100FF", "".join(f"{count:02d}000000" for count in range(13)))
    assert len(answer["values"]) == 13
    assert answer["values"][12]["name"] == "Forward active energy, settlement 12"
    assert len(said("020A01FF", "1000" * 21)["values"]) == 21


def test_demand_with_its_time():
    assert values(said("01010000", "563412" + "3008241126")) == ["12.3456", "2026-11-24T08:30"]
    assert values(said("01010000", "000000" + "0000000000")) == ["0.0000", None]


def test_dates_and_times():
    assert values(said("04000101", "02241126")) == ["2026-11-24"]
    assert values(said("04000102", "563412")) == ["12:34:56"]
    assert values(said("0400010C", "56341202241126")) == ["2026-11-24T12:34:56"]
    assert values(said("04000101", "00300226")) == [None]
    assert values(said("04000B01", "9999")) == [None]
    assert values(said("04000B01", "0001")) == ["01 00:00"]


def test_text_travels_backwards():
    assert values(said("04800001", b"V1.20".ljust(32, b"\x00")[::-1].hex())) == ["V1.20"]


def test_event_record():
    answer = said("1D00FF01", "563412241126" + "78563412" + "01000000" * 6)
    assert values(answer)[:3] == ["2026-11-24T12:34:56", "12345678", "0.01"]
    assert len(answer["values"]) == 8


def test_load_record():
    body = "A0A0" + "1A" + "3008241126" + "0022102210220010000020000030000050AA" + "AA" * 5
    whole = body + f"{sum(bytes.fromhex(body)) & 0xFF:02X}E5"
    answer = said("06000001", whole)
    assert (
        values(answer)
        == [
            *("2026-11-24T08:30", "220.0", "221.0", "221.0"),
            *("0.100", "0.200", "0.300", "50.00"),
        ][:1]
        + values(answer)[1:]
    )
    assert values(answer)[0] == "2026-11-24T08:30" and values(answer)[-1] == "50.00"
    damaged = whole.replace("A0A0", "E0E0")
    assert values(said("06000001", damaged))[1:] == [None] * 7
    twice = said("06000001", whole + whole)
    assert twice["values"][8]["key"] == "time_2"


def test_no_load_record_is_a_good_answer_without_values():
    answer = said("06000001", "")
    assert (answer["identifier"], answer["values"], answer["refused"]) == ("06000001", [], None)


def test_follow_on_frames():
    first = said("00010000", "34120000", control=0xB1)
    assert first["follow"] and values(first) == ["12.34"]
    part = said("0001FF00", "0000000001", control=0xB2)
    assert part["follow"] and part["sequence"] == 1 and part["values"] == []
    event = said("04001501", "00" * 12 + "01", control=0x92)
    assert event["identifier"] == "04001501" and len(event["values"]) == 1


def test_refusals():
    assert said_refused("2007", 0xD1, "04") == ("04", ["password wrong or not authorised"])
    assert said_refused("2007", 0xD1, "03") == ("03", ["other error", "no such data"])
    assert said_refused("2007", 0xC3, "2000") == ("0020", ["recharge count wrong"])
    assert said_refused("2007", 0xDC, "2000") == ("0020", ["trip refused by keep-power"])
    assert said_refused("1997", 0xC1, "02") == ("02", ["identifier wrong"])
    assert said_refused("1997", 0xC4, "04") == ("04", ["password wrong"])


def said_refused(edition: str, control: int, error: str) -> tuple:
    answer = explain(decode_frame(build("000000000161", control, bytes.fromhex(error)).raw, edition))
    assert answer["identifier"] is None and answer["values"] == []
    return answer["refused"]["code"], answer["refused"]["reasons"]


def test_national_recharge_and_status():
    recharge = bytes.fromhex("FF0201070000000110270000050000001122334478563412000055667788")
    answer = explain_2007(build("000000000161", 0x03, recharge).raw)
    assert values(answer)[:2] == ["100.00", "5"]
    status = bytes.fromhex("FF028107102700000500000078563412000000000000")
    answer = explain_2007(build("000000000161", 0x83, status).raw)
    assert values(answer)[:3] == ["100.00", "5", "000012345678"]


def test_passwords_are_never_told():
    secret = bytes.fromhex("563412")
    requests = [
        ("2007", 0x14, bytes.fromhex("0104000402") + secret + bytes(4) + bytes(6)),
        ("2007", 0x18, bytes.fromhex("030C000402") + secret + b"\x02" + secret),
        ("2007", 0x98, b"\x02" + secret),
        ("2007", 0x1C, b"\x02" + secret + bytes(12)),
        ("2007", 0x14, bytes.fromhex("030C000402") + secret + bytes(4) + b"\x02" + secret),
        ("1997", 0x04, bytes.fromhex("11C000") + secret + bytes(3)),
        ("1997", 0x0F, b"\x00" + secret + b"\x00" + secret),
        ("1997", 0x10, b"\x00" + secret),
        ("1997", 0x04, bytes.fromhex("12C200") + secret + b"\x00" + secret),
    ]
    for edition, control, data in requests:
        answer = explain(decode_frame(build("000000000161", control, data).raw, edition))
        assert "563412" not in json.dumps(answer) and "123456" not in json.dumps(answer)
        assert "******" in answer["data"]


def test_the_first_part_of_a_long_answer_gives_its_whole_items():
    assert values(said("0001FF00", "0100000002", control=0xB1)) == ["0.01"]
    assert values(said("0001FF00", "0100000002")) == [None]
    first = said("03010101", "563412241126" + "000000241126" + "0100000002", control=0xB1)
    assert values(first) == ["2026-11-24T12:34:56", "2026-11-24T00:00:00", "0.01"]
    assert values(said("901F", "0100000002", edition="1997", control=0xA1)) == ["0.01"]


def test_a_freeze_in_one_answer():
    parts = ["3008241126", *["01000000" * 2] * 8, *["563412" + "3008241126"] * 2, "452381" * 8]
    answer = said("0506FF01", "AA".join(parts) + "AA")
    assert len(answer["values"]) == 1 + 8 * 2 + 2 * 2 + 8
    assert values(answer)[:2] == ["2026-11-24T08:30", "0.01"] and values(answer)[-1] == "-1.2345"
    assert values(said("0506FF01", "3008241126AA01000000AA")) == ["3008241126AA01000000AA"]


def test_status_words_with_the_key_status_behind():
    answer = said("040005FF", "00" * 14 + "01000000")
    assert answer["values"][-1]["value"] == "0x00000001"


@pytest.mark.parametrize(
    ("control", "identifier", "data", "told"),
    [
        (0x03, "070001FF", "00000000 0500 11223344", ["5", "44332211"]),
        (0x03, "078001FF", "00000000 1000 0000 0100 0000", ["0010", "0000", "0001", "0000"]),
        (0x83, "07000201", "785634120000 10270000 05000000", ["000012345678", "100.00", "5"]),
        (
            0x83,
            "078102FF",
            "10270000 11111111 05000000 22222222 785634120000 00000000",
            ["100.00", "11111111", "5", "22222222", "000012345678", "00000000"],
        ),
        (0x83, "078102FF", "01 50880000 00100100 0500", ["1", "88.50", "110.00", "5"]),
        (0x14, "20000204", "00 020000 00000000 FF", ["0xFF", "closed"]),
        (0x14, "04000109", "99 000000 00000000 0000010126 11223344", ["2026-01-01T00:00"]),
        (0x14, "04000101", "98 000000 00000000 1122334455667788", []),
    ],
)
def test_security_and_protected_commands(control, identifier, data, told):
    raw = build("000000000161", control, bytes.fromhex(identifier)[::-1] + bytes.fromhex(data)).raw
    answer = explain_2007(raw)
    assert (answer["identifier"], values(answer)) == (identifier, told)


def test_joined_blocks_of_1997():
    answer = said("90FF", "0100000002000000AA0300000004000000AA", edition="1997")
    assert values(answer) == ["0.01", "0.02", "0.03", "0.04"]
    assert answer["values"][2]["name"] == "Reverse active energy, current"


def test_unknown_identifiers_keep_their_bytes():
    answer = said("028022FF", "0102")
    assert (answer["identifier"], answer["data"], answer["values"]) == ("028022FF", "0102", [])


@pytest.mark.parametrize(
    ("control", "data", "edition"),
    [
        (0x11, "00000000", "2007"),
        (0x81, "109000000000", "1997"),
        (0x09, "00000000", "1997"),
        (0x08, "000000010126", None),
        (0x03, "FF020107 00000000 00000000", "2007"),
        (0x83, "FF028107", "2007"),
        (0x83, "109000000000", None),
        (0x03, "", None),
        (0xC3, "0200", "2007"),
        (0xC3, "01", None),
    ],
)
def test_edition_is_told_where_it_can_be(control, data, edition):
    assert decode_frame(build("1" * 12, control, bytes.fromhex(data)).raw).edition == edition


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "no bytes"),
        ("FEFEFE", "no bytes"),
        ("11", "begins with 68"),
        ("6801", "at least 12 bytes"),
        ("686101000000006911043333333300 16", "eighth byte"),
        ("6861010000000068110433333333B11600", "length byte"),
        ("6861010000000068110433333333B117", "ends with 16"),
        ("6861010000000068110433333333B116", "checksum"),
    ],
)
def test_what_is_wrong_is_said(data, words):
    with pytest.raises(BadFrame, match=words):
        decode_frame(bytes.fromhex(data))


def test_records_of_an_unexpected_length_say_nothing():
    assert values(said("01010000", "563412")) == [None, None]
    assert values(said("1D00FF01", "563412241126")) == [None] * 8


def test_curves_hold_as_many_points_as_were_asked_for():
    answer = said("06100101", "002201220222")
    assert values(answer) == ["220.0", "220.1", "220.2"]
    assert answer["values"][2]["name"] == "Curve: voltage A, 3"
    assert len(said("061001FF", "002201220222" * 2)["values"]) == 6


def wire(control: int, data: str, edition: str = "2007") -> bytes:
    return build("000000000101", control, bytes.fromhex(data), edition).raw


OPEN_1C = wire(0x1C, "02 563412 78563412 1A 00 592312311299")


@pytest.mark.parametrize(
    ("raw", "edition", "hidden"),
    [
        (OPEN_1C, "2007", {11, 12, 13, 26}),
        (b"\xfe\xfe" + OPEN_1C, "2007", {13, 14, 15, 28}),
        (OPEN_1C[:13], "2007", {11, 12}),
        (b"\x68" + OPEN_1C + OPEN_1C, "2007", {12, 13, 14, 27, 40, 41, 42, 55}),
        (wire(0x14, "00FF0000 02563412 00000000 1200"), "2007", {15, 16, 17, 24}),
        (wire(0x04, "10C0 02563412 1200", "1997"), "1997", {13, 14, 15, 18}),
        (wire(0x11, "00000100"), "2007", set()),
        (b"", "2007", set()),
    ],
)
def test_passwords_on_the_wire_are_known_even_in_parts(raw, edition, hidden):
    assert secrets_on_wire(edition, raw) == hidden


@given(st.binary(max_size=80), st.sampled_from(["1997", "2007"]))
def test_any_bytes_can_be_asked_for_secrets(raw, edition):
    assert all(0 <= at < len(raw) for at in secrets_on_wire(edition, raw))
    assert all(0 <= at < len(raw) + 20 for at in secrets_on_wire(edition, raw + OPEN_1C[:20]))

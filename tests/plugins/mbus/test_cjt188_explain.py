"""CJ/T 188 frames in words: published and constructed ones, makers' deviations, what must not be accepted."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame
from meterhub_mbus import decode_cjt188
from meterhub_mbus.cjt188.frame import build

VECTORS = [json.loads(line) for line in (Path(__file__).parent / "cjt188_vectors.jsonl").read_text().splitlines()]
GOOD = [one for one in VECTORS if one["checksum_ok"] and one["frame_ok"]]
BAD = [one for one in VECTORS if not (one["checksum_ok"] and one["frame_ok"])]
ADDRESS = "00112233445566"


def decoded(data: str, control: int = 0x81, meter_type: int = 0x10, address: str = ADDRESS):
    return decode_cjt188(build(meter_type, address, control, bytes.fromhex(data)).raw)


def values(answer):
    return {one["key"]: one["value"] for one in answer["values"]}


def expected_of(vector):
    """What a vector says of values and status, in the words of ``decode``."""
    found, status = {}, {}
    for key, value in vector.get("decoded", {}).items():
        if key in ("valve", "battery_low"):
            status[key] = value
        elif key in ("st0", "st1"):
            status["raw"] = status.get("raw", "") + value
        elif not key.endswith("unit"):
            text = value if value is None else str(value)
            found[key] = text.replace(" ", "T") if key == "clock" and text else text
    return found, status


@pytest.mark.parametrize("vector", GOOD, ids=lambda one: one["hex"][-60:])
def test_a_frame_means_what_is_known_of_it(vector):
    answer = decode_cjt188(bytes.fromhex(vector["hex"]))
    order = vector["di_order"].split()[0] if vector.get("di") else None
    direction = "response" if vector["direction"] == "answer" else "request"
    assert (answer["meter_type"], answer["address"], answer["control"]) == (
        vector["meter_type"], vector["address"], vector["control"],
    )  # fmt: skip
    assert (answer["direction"], answer["identifier"], answer["identifier_order"], answer["serial"]) == (
        direction, vector.get("di"), order, vector.get("ser"),
    )  # fmt: skip
    assert bool(answer["refused"]) == vector["error"]
    found, status = expected_of(vector)
    assert {key: values(answer).get(key, "missing") for key in found} == found
    assert {key: answer["status"][key] for key in status} == status


@pytest.mark.parametrize("vector", BAD, ids=lambda one: one["hex"][-60:])
def test_a_wrong_sum_is_never_repaired(vector):
    with pytest.raises(BadFrame, match="checksum"):
        decode_cjt188(bytes.fromhex(vector["hex"]))


def test_units_are_named_and_never_assumed():
    water = "56341200{0}00001200{0}00000000000000" + "0000"
    litres = decoded("901F01" + water.format("29"))
    assert [(one["value"], one["unit"]) for one in litres["values"][:2]] == [("1234.56", "L"), ("1200.00", "L")]
    tens = decoded("901F01" + water.format("2D"))["values"][0]
    assert (tens["value"], tens["unit"]) == ("12345.6", "m³")
    hundreds = decoded("901F01" + "0100000013" * 2 + "000000000000000000", meter_type=0x40)["values"][0]
    assert (hundreds["value"], hundreds["unit"]) == ("1", "GJ")
    strange = decoded("901F01" + water.format("EE"))["values"][0]
    assert (strange["value"], strange["unit"]) == ("1234.56", None)


def test_the_unit_may_stand_before_the_value():
    answer = decoded("901F01" + "2C56341200" + "2C00001200" + "59592328022620" + "0500")
    assert [(one["key"], one["value"], one["unit"]) for one in answer["values"]] == [
        ("current", "1234.56", "m³"), ("settlement", "1200.00", "m³"), ("clock", "2026-02-28T23:59:59", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "meaning"),
    [
        ("56341200", {"current": "1234.56"}),
        ("563412002C", {"current": "1234.56"}),
        ("563412000500", {"current": "1234.56"}),
        ("563412002C07", {"current": "1234.56", "rest": "07"}),
        ("563412002C0500", {"current": "1234.56"}),
        ("563412002C000012002C0500", {"current": "1234.56", "settlement": "1200.00"}),
        ("563412", {"rest": "563412"}),
    ],
)
def test_short_answers_of_makers(payload, meaning):
    answer = decoded("901F01" + payload)
    assert values(answer) == meaning
    has_status = payload.endswith("0500")
    assert answer["status"] == ({"valve": "closed", "battery_low": True, "raw": "0500"} if has_status else None)


@pytest.mark.parametrize("filler", ["FFFFFFFF", "99999999", "5A341200", "AAAAAAAA"])
def test_fillers_and_digits_that_are_none_are_no_numbers(filler):
    answer = decoded(f"901F01{filler}2C{filler}2C" + "FF" * 7 + "0000")
    assert [one["valid"] for one in answer["values"]] == [False] * 3
    assert answer["values"][0]["raw"] == filler + "2C" and answer["values"][0]["unit"] == "m³"


def test_a_layout_that_does_not_fit_gives_no_numbers():
    answer = decoded("901F01" + "00" * 40, meter_type=0x20)
    assert values(answer) == {"rest": "00" * 40}
    longer = decoded("901F01" + "563412002C000012002C" + "00" * 9 + "ABCD")
    assert values(longer)["current"] == "1234.56" and values(longer)["rest"] == "ABCD"


def test_the_layout_follows_the_length_when_the_type_is_another():
    heat = next(one for one in GOOD if one["meter_type"] == "25")
    raw = bytearray(bytes.fromhex(heat["hex"]))
    answer = decoded(raw[11:-2].hex(), meter_type=0x10)
    assert values(answer)["current_heat"] == "54427.88"


@pytest.mark.parametrize(
    ("data", "identifier", "order"),
    [
        ("A01701", "A017", "high"), ("17A001", "A017", "low"), ("D29001", "D290", "high"), ("90D201", "D290", "low"),
        ("EF9001", "90EF", "low"), ("A0EC01", "A0EC", "high"), ("20D101", "D120", "low"), ("461C01", "461C", "high"),
        ("7F9001", "907F", "low"), ("1F9101", "911F", "low"), ("199101", "9119", "low"), ("078101", "8107", "low"),
    ],
)  # fmt: skip
def test_both_orders_of_every_kind_of_identifier(data, identifier, order):
    answer = decoded(data, control=0x01)
    assert (answer["identifier"], answer["identifier_order"]) == (identifier, order)


def test_frames_without_a_serial_number():
    assert decoded("810A", control=0x03)["serial"] is None
    answer = decoded("901F" + "563412002C000012002C" + "5959232802262005" + "00")
    assert answer["serial"] is None and values(answer)["current"] == "1234.56"
    command = decoded("A01755", control=0x04)
    assert command["serial"] is None and values(command) == {"valve_command": "open"}
    assert decoded("A01755", control=0x01)["serial"] == 0x55


def test_writes_may_be_answered_with_a_status_of_one_byte_or_two():
    for control, identifier in ((0x84, "A017"), (0x84, "A011"), (0x84, "A015"), (0x96, "A016")):
        assert decoded(identifier + "0101", control)["status"] == {"valve": "closed", "battery_low": False, "raw": "01"}
        assert decoded(identifier + "010140", control)["status"]["raw"] == "0140"


def test_a_refusal_says_why():
    assert decoded("150740", control=0xC4)["refused"] == {
        "code": "0740", "reasons": ["valve fault", "battery low", "maker's bit 6 of ST1"],
    }  # fmt: skip
    assert decoded("15", control=0xC1)["status"] is None


def test_keys_are_not_shown():
    answer = decoded("A0140D031122334455667788", control=0x04)
    assert values(answer) == {"key_version": "3", "key": "********"}
    assert values(decoded("A1070D1122334455667788", control=0x04)) == {"rest": "********"}


def test_histories_of_2018_tell_how_long_ago():
    assert values(decoded("0FD201563412002C"))["months_back"] == "16"
    freeze = decoded("00D301" + "00300815012620" + "563412002C" + "0050000035" + "251800" + "500300")
    assert values(freeze) == {
        "freeze_time": "2026-01-15T08:30:00", "current": "1234.56", "flow": "0.5000", "temperature": "18.25",
        "pressure": "3.50", "freezes_back": "1",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "FEFEFE", "68", "16" * 13, "68" + "10" * 20, "FE" * 13])
def test_what_is_no_frame_says_so(text):
    with pytest.raises(BadFrame):
        decode_cjt188(bytes.fromhex(text))


@given(st.binary(max_size=120))
def test_any_bytes_raise_only_bad_frame(data):
    with pytest.raises(BadFrame):
        decode_cjt188(b"\x67" + data)
    with suppress(BadFrame):
        decode_cjt188(data)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=255))
def test_any_data_in_a_good_frame_is_explained(meter_type, control, data):
    answer = decode_cjt188(build(meter_type, ADDRESS, control, data).raw)
    json.dumps(answer)
    for one in answer["values"]:
        assert one["valid"] == (one["value"] is not None)


def test_each_value_has_its_chinese_name_too():
    every = decoded("0FD201563412002C")["values"] + decoded("03810125")["values"]
    assert [one["name_zh"] for one in every] == ["结算日累积量", "往前次数", "结算日"]

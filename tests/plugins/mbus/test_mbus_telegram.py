"""Telegrams by their CI field: headers, fixed data, errors, alarms, selections, mode 2, encryption."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest
from Crypto.Cipher import AES

from meterhub.decode import explain as decode
from meterhub.errors import BadFrame
from meterhub_mbus import decode_telegram
from meterhub_mbus.crypto import derive_key
from meterhub_mbus.explain import explain
from meterhub_mbus.frame import decode_frame, long_frame

HEADER = "78563412 2440 01 07 55 00"
KEY = bytes(range(16))


def telegram(ci, text, control=0x08):
    return long_frame(control, 1, ci, bytes.fromhex(text)).raw


def test_a_long_header_names_the_meter():
    header = explain(telegram(0x72, HEADER + "0000 01 13 05"))["header"]
    assert header == {
        "id": "12345678",
        "manufacturer": "PAD",
        "version": 1,
        "medium": 7,
        "medium_name": "water",
        "access": 0x55,
        "status": 0,
        "status_words": [],
        "configuration": "0000",
    }


def test_a_short_header_holds_access_and_status_alone():
    header = explain(telegram(0x7A, "55 2C 0000 01 13 05"))["header"]
    assert (header["id"], header["manufacturer"], header["medium"], header["access"]) == (None, None, None, 0x55)
    assert header["status_words"] == ["power low", "permanent error", "maker's bit 5"]


def test_a_telegram_without_header():
    answer = explain(telegram(0x78, "01 13 05"))
    assert answer["header"] is None and answer["records"][0]["value"] == "0.005"


@pytest.mark.parametrize(("ci", "text"), [(0x72, HEADER), (0x7A, "55 00 00"), (0x73, "78563412"), (0x52, "78563412")])
def test_a_header_that_is_cut_off_is_refused(ci, text):
    with pytest.raises(BadFrame, match="bytes"):
        decode_telegram(telegram(ci, text))


@pytest.mark.parametrize(
    ("text", "values", "units", "storages"),
    [
        ("78563412 0A 00 E9 7E 01000000 35010000", ("0.001", "0.135"), ("m³", "m³"), (0, 1)),
        ("78563412 0A 01 05 14 35010000 FEFFFFFF", ("309", "-2"), ("kWh", "W"), (0, 0)),
        ("78563412 0A 02 3F 38 35010000 25210000", ("135", "2.125"), (None, "°C"), (1, 1)),
        ("78563412 0A 00 30 26 0A000000 01000000", (None, "0.000001"), ("m³/h", "m³"), (0, 0)),
        ("78563412 0A 00 00 01 01000000 01000000", (None, None), (None, None), (0, 0)),
    ],
)
def test_fixed_data_are_two_counters(text, values, units, storages):
    found = explain(telegram(0x73, text))["records"]
    assert tuple(one["value"] for one in found) == values
    assert tuple(one["unit"] for one in found) == units
    assert tuple(one["storage"] for one in found) == storages


def test_the_header_of_fixed_data():
    header = explain(telegram(0x73, "78563412 0A 05 E9 7E 01000000 35010000"))["header"]
    assert (header["id"], header["access"], header["medium"]) == ("12345678", 10, 7)
    assert (header["medium_name"], header["status_words"]) == ("water", ["power low"])


def test_mode_2_has_the_high_byte_first():
    answer = explain(
        telegram(0x76, "15553111 4024 52 04 0A 00 0000 02 6C 2312 0C 15 03797168 0D 13 C2 1234 0D 78 01 41")
    )
    assert (answer["header"]["id"], answer["header"]["manufacturer"], answer["header"]["access"]) == (
        "15553111",
        "PAD",
        10,
    )
    assert [one["value"] for one in answer["records"]] == ["2016-03-18", "379716.8", "1.234", "A"]
    fixed = explain(telegram(0x77, "12345678 0A 01 05 3E 00000135 00000001"))
    assert fixed["header"]["id"] == "12345678"
    assert [one["value"] for one in fixed["records"]] == ["309", "1"]


@pytest.mark.parametrize(
    ("ci", "text", "code", "reason"),
    [
        (0x70, "", 0, "unspecified error"),
        (0x70, "08", 8, "application too busy"),
        (0x70, "77", 0x77, "reserved"),
        (0x6E, "55000000 01", 1, "unimplemented CI field"),
        (0x6F, HEADER + "0000 05", 5, "more than ten DIFEs"),
    ],
)
def test_application_errors(ci, text, code, reason):
    assert explain(telegram(ci, text))["application_error"] == {"code": code, "reason": reason}


def test_alarms_come_with_their_bytes():
    assert explain(telegram(0x71, "11"))["alarm"] == "11"
    assert explain(telegram(0x75, HEADER + "0000 12"))["alarm"] == "12"


def test_what_a_master_sends():
    selection = explain(telegram(0x52, "78563412 2440 01 07 0C 78 04030201", 0x53))
    assert (selection["direction"], selection["header"]) == ("request", None)
    assert selection["selection"] == {"id": "12345678", "manufacturer": "PAD", "version": 1, "medium": 7}
    assert [one["value"] for one in selection["records"]] == ["1020304"]
    assert explain(decode_frame(bytes.fromhex("68030368 5301BD 11 16")).raw)["baud"] == 9600
    assert explain(telegram(0x50, "10", 0x53))["reset"] == "user data"
    assert explain(telegram(0x50, "", 0x53))["reset"] == "all"


@pytest.mark.parametrize("ci", range(256))
def test_every_ci_field_is_named_or_refused_with_a_reason(ci):
    try:
        answer = explain(telegram(ci, "2F" * 16))
    except BadFrame as error:
        assert error.message
    else:
        assert answer["ci_name"]
        assert (
            set(answer) & {"data", "selection"} or answer["records"] or answer["header"] or answer["ci"] in "51 55 78"
        )


def test_short_frames_and_acknowledgements_have_no_records():
    assert explain(b"\xe5") == {
        "frame": "ack",
        "address": None,
        "control": None,
        "direction": "response",
        "ci": None,
        "ci_name": None,
        "header": None,
        "records": [],
        "more": False,
    }
    assert explain(bytes.fromhex("10 7B FD 78 16"))["control"] == "7B"


def encrypted(mode, text, key, vector):
    """A telegram whose data are encrypted in blocks, and clear behind them."""
    clear = bytes.fromhex(text)
    size = len(clear) // 16 * 16
    body = AES.new(key, AES.MODE_CBC, vector).encrypt(clear[:size]) + clear[size:]
    return body, f"{size:02X}{mode:02X}"  # the number of blocks stands in the high nibble of the low byte


CLEAR = "2F2F 0C 13 78563412 02 6C FF0C 2F2F2F2F 01 7A 05"


def mode_5(key=KEY):
    vector = bytes.fromhex("2440 78563412 01 07" + "55" * 8)
    body, configuration = encrypted(5, CLEAR, key, vector)
    return body, configuration


def test_mode_5_is_decrypted_with_the_right_key():
    body, configuration = mode_5()
    raw = long_frame(0x08, 1, 0x72, bytes.fromhex(HEADER + configuration) + body).raw
    found = decode_telegram(raw, key=KEY)
    assert [one.value for one in found.records] == [Decimal("12345.678"), date(2007, 12, 31), 5]
    assert not found.encrypted


def test_mode_5_with_a_short_header_takes_the_address_from_whoever_knows_it():
    body, configuration = mode_5()
    raw = long_frame(0x08, 1, 0x7A, bytes.fromhex("55 00" + configuration) + body).raw
    found = decode_telegram(raw, key=KEY, identity=bytes.fromhex("78563412 2440 01 07"))
    assert found.records[0].value == Decimal("12345.678")
    assert decode_telegram(raw, key=KEY).encrypted


def test_encrypted_data_without_a_key_never_become_numbers():
    body, configuration = mode_5()
    answer = explain(long_frame(0x08, 1, 0x72, bytes.fromhex(HEADER + configuration) + body).raw)
    assert (answer["encrypted"], answer["records"], answer["data"]) == (True, [], body.hex().upper())


@pytest.mark.parametrize("key", [bytes(16), b"short"])
def test_a_wrong_key_is_said_and_not_shown(key):
    body, configuration = mode_5()
    raw = long_frame(0x08, 1, 0x72, bytes.fromhex(HEADER + configuration) + body).raw
    with pytest.raises(BadFrame, match="key") as caught:
        decode_telegram(raw, key=key)
    assert repr(key) not in str(caught.value)


@pytest.mark.parametrize("configuration", ["27B6", "FFFF", "1005", "F005", "0105"])
def test_a_signature_of_an_older_meter_is_no_encryption(configuration):
    text = HEADER + configuration + ("2F2F" if configuration == "1005" else "") + "0C 13 78563412"
    answer = explain(telegram(0x72, text))
    assert [one["value"] for one in answer["records"]] == ["12345.678"]


def test_a_signature_that_looks_like_encryption_does_not_hide_clear_data():
    answer = explain(telegram(0x72, HEADER + "3005" + "0C 13 78560000" * 7 + "04 06 01000000"))
    assert [one["value"] for one in answer["records"]] == ["5.678"] * 7 + ["1"]
    assert "encrypted" not in answer


def test_random_bytes_that_are_said_to_be_encrypted_never_become_numbers():
    source = random.Random(7)
    for size in (16, 32, 64, 112) * 50:
        answer = explain(long_frame(0x08, 1, 0x72, bytes.fromhex(HEADER + "1005") + source.randbytes(size)).raw)
        assert answer["encrypted"] and not answer["records"]


def test_the_key_of_mode_7_follows_from_the_counter():
    """The example of OMS, volume 2, annex N."""
    derived = derive_key(KEY, bytes.fromhex("78563412"), 0x00000AB3)
    assert derived.hex().upper() == "ECCF39D475D730B8284FDFDC1995D52F"


def test_mode_7_takes_its_counter_from_the_layer_before():
    key = derive_key(KEY, bytes.fromhex("78563412"), 7)
    body, configuration = encrypted(7, CLEAR, key, bytes(16))
    inner = bytes.fromhex("72" + HEADER + configuration + "10") + body
    layer = bytes.fromhex("0F 002C 25 07000000 1122334455667788")
    found = decode_telegram(long_frame(0x08, 1, 0x90, layer + inner).raw, key=KEY)
    assert (found.ci, found.records[0].value) == (0x72, Decimal("12345.678"))
    assert decode_telegram(long_frame(0x08, 1, 0x72, inner[1:]).raw, key=KEY).encrypted


def test_a_cut_off_layer_of_authentication_is_refused():
    with pytest.raises(BadFrame, match="authentication"):
        decode_telegram(telegram(0x90, "0F 002C"))


def test_decode_tells_what_stands_before_the_place_where_a_telegram_is_cut_off():
    answer = decode(explain, telegram(0x72, HEADER + "0000 01 13 05 04 13 00").hex())
    assert (answer["ok"], answer["cut_off"], answer["header"]["id"]) == (False, True, "12345678")
    assert [one["value"] for one in answer["records"]] == ["0.005"]
    assert "1 good" in answer["error"]

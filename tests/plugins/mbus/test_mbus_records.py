"""Records one by one: what each kind of head and of data means. Bytes by EN 13757-3 and its examples."""

from __future__ import annotations

from decimal import Decimal
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub_mbus import records
from meterhub_mbus.frame import long_frame
from meterhub_mbus.lvar import shown
from meterhub_mbus.number_types import bcd, real
from meterhub_mbus.record import CutOff


def read(text, *, ci=0x78, control=0x08):
    """The records of a telegram whose data are ``text``."""
    return records(long_frame(control, 1, ci, bytes.fromhex(text)).raw)


def only(text, **more):
    (record,) = read(text, **more)
    return record


def what(record):
    return record["quantity"], record["value"], record["unit"]


@pytest.mark.parametrize(
    ("text", "quantity", "value", "unit"),
    [
        ("04 00 E8030000", "energy", "0.001000", "kWh"),
        ("04 07 01000000", "energy", "10", "kWh"),
        ("04 0E 02000000", "energy", "2000000", "J"),
        ("0C 13 78563412", "volume", "12345.678", "m³"),
        ("04 1B 05000000", "mass", "5", "kg"),
        ("02 21 0200", "on_time", "120", "s"),
        ("01 27 01", "operating_time", "86400", "s"),
        ("02 2B 1900", "power", "25", "W"),
        ("01 31 07", "power", "70", "J/h"),
        ("02 3B 0100", "volume_flow", "0.001", "m³/h"),
        ("01 47 05", "volume_flow", "5", "m³/min"),
        ("01 48 05", "volume_flow", "5E-9", "m³/s"),
        ("01 53 05", "mass_flow", "5", "kg/h"),
        ("0A 5A 0205", "flow_temperature", "50.2", "°C"),
        ("02 5E FFFF", "return_temperature", "-0.1", "°C"),
        ("02 61 8601", "temperature_difference", "3.90", "K"),
        ("02 66 EAFF", "external_temperature", "-2.2", "°C"),
        ("02 6A 1400", "pressure", "2.0", "bar"),
        ("01 6E 05", "hca", "5", "hca"),
        ("01 71 0F", "averaging_duration", "900", "s"),
        ("01 77 01", "actuality_duration", "86400", "s"),
        ("0C 79 04030201", "identification", "1020304", None),
        ("01 7A FE", "bus_address", "254", None),
        ("01 6F 05", "unknown", "5", None),
        ("02 7B 0500", "unknown", "5", None),
        ("04 FB 00 02000000", "energy", "200", "kWh"),
        ("04 FB 82 75 64000000", "reactive_energy", "10.0", "kvarh"),
        ("04 FB 97 72 10270000", "reactive_power", "1.0000", "kvar"),
        ("04 FB B7 72 10270000", "apparent_power", "1.0000", "kVA"),
        ("01 FB 05 03", "apparent_energy", "30", "kVAh"),
        ("01 FB 09 03", "energy", "3000000000", "J"),
        ("01 FB 0D 03", "energy", "3", "Mcal"),
        ("01 FB 11 03", "volume", "3000", "m³"),
        ("01 FB 18 03", "mass", "300000", "kg"),
        ("02 FB 1A C901", "relative_humidity", "45.7", "%"),
        ("01 FB 21 03", "volume", "0.3", "ft³"),
        ("01 FB 28 03", "power", "300000", "W"),
        ("02 FB 2E F401", "frequency", "50.0", "Hz"),
        ("02 FB 2A 9600", "phase_voltage_to_voltage", "15.0", "°"),
        ("01 FB 5B 64", "flow_temperature", "100", "°F"),
        ("01 FB 76 64", "temperature_limit", "10.0", "°C"),
        ("01 FB 7B 64", "cumulated_max_power", "100", "W"),
        ("01 FB 3F 05", "unknown", "5", None),
        ("02 FD 48 4409", "voltage", "237.2", "V"),
        ("02 FD 5B 1700", "current", "2.3", "A"),
        ("01 FD 02 64", "credit", "10.0", "currency"),
        ("01 FD 17 FF", "error_flags", "255", None),
        ("01 FD 25 0F", "storage_interval", "900", "s"),
        ("01 FD 28 01", "storage_interval", "1", "month"),
        ("01 FD 6D 02", "battery_operating_time", "172800", "s"),
        ("01 FD 6F 02", "battery_operating_time", "2", "year"),
        ("01 FD 71 B0", "rf_level", "-80", "dBm"),
        ("01 FD 74 01", "remaining_battery_life", "86400", "s"),
        ("01 FD FD 02 06", "remaining_battery_life", "6", "month"),
        ("01 FD FD 55 06", "unknown", "6", None),
        ("01 FD 7C 06", "unknown", "6", None),
        ("01 EF 11 06", "unknown", "6", None),
        ("01 FE 28 06", "any_vif", "6", None),
        ("04 FF 07 05000000", "manufacturer_specific", "5", None),
        ("04 7F 05000000", "manufacturer_specific", "5", None),
        ("07 13 0100000000000080", "volume", "-9223372036854775.807", "m³"),
        ("0E 13 563412907856", "volume", "567890123.456", "m³"),
        ("03 13 FFFFFF", "volume", "-0.001", "m³"),
        ("06 13 010000000000", "volume", "0.001", "m³"),
    ],
)
def test_a_code_has_its_quantity_scale_and_unit(text, quantity, value, unit):
    record = only(text)
    assert record["valid"]
    assert (record["quantity"], record["unit"]) == (quantity, unit)
    assert record["value"] == format(Decimal(value), "f")


@pytest.mark.parametrize(
    ("text", "value", "modifiers"),
    [
        ("02 93 74 0A00", "0.00010", ["times 10^-2"]),
        ("02 93 7D 0A00", "10.000", ["times 1000"]),
        ("02 93 7B 0A00", "1.010", ["plus 10^0"]),
        ("02 86 7B 0A00", "10.001", ["plus 10^0"]),
        ("02 83 7A 0A00", "0.0101", ["plus 10^-1"]),
        ("02 83 FA 7D 0A00", "10.1", ["plus 10^-1", "times 1000"]),
        ("02 93 3B 0A00", "0.010", ["forward"]),
        ("02 93 3C 0A00", "0.010", ["backward"]),
        ("02 93 28 0A00", "0.010", ["per input pulse 0"]),
        ("02 93 FC 01 0A00", "0.010", ["phase L1"]),
        ("02 93 BA FC 70 0A00", "0.010", ["uncorrected unit", "second extension 70"]),
        ("02 93 7F 0A00", "0.010", ["manufacturer"]),
        ("02 93 FF F5 7B 0A00", "0.010", ["manufacturer", "F5", "7B"]),
        ("02 93 49 0A00", "10", ["number of upper limit exceeds"]),
        ("02 93 58 0A00", "10", ["duration of first upper limit exceed"]),
        ("02 93 55 0A00", "600", ["duration of last lower limit exceed"]),
        ("02 93 48 0A00", "0.010", ["upper limit"]),
        ("02 93 68 0A00", "0.010", ["value during lower limit exceed"]),
        ("02 93 7E 0A00", "0.010", ["future value"]),
        ("02 93 00 0A00", "0.010", ["no error"]),
        ("02 FD D9 74 0A00", "0.00010", ["times 10^-2"]),
    ],
)
def test_a_combinable_extension_does_what_it_says(text, value, modifiers):
    record = only(text)
    assert (Decimal(record["value"]), record["modifiers"]) == (Decimal(value), tuple(modifiers))


@pytest.mark.parametrize("extension", ["3D", "FC 0D"])
def test_a_unit_that_is_not_known_is_not_said(extension):
    record = only(f"02 93 {extension} 0A00")
    assert (record["value"], record["unit"]) == ("0.010", None)


@pytest.mark.parametrize(("code", "reason"), [("15", "no data available"), ("16", "overflow"), ("18", "data error")])
def test_a_record_error_leaves_no_number(code, reason):
    record = only(f"01 FD 9A {code} 00")
    assert (record["value"], record["valid"], record["reason"], record["raw"]) == (None, False, reason, "00")


def test_a_moment_of_a_maximum_is_a_moment_and_no_power():
    record = only("14 AD 6F 32147A18")
    assert (record["value"], record["function"]) == ("2011-08-26T20:50:00", "maximum")
    assert (record["unit"], record["modifiers"]) == (None, ("end of last",))


@pytest.mark.parametrize(
    ("text", "value", "summer"),
    [
        ("02 6C FF0C", "2007-12-31", None),
        ("02 6C 5F0C", "2002-12-31", None),
        ("04 6D 3B177C33", "2027-03-28T23:59:00", False),
        ("04 6D 3B977C33", "2027-03-28T23:59:00", True),
        ("04 6D 002041C1", "2098-01-01T00:00:00", False),
        ("04 6D 000041C1", "1998-01-01T00:00:00", False),
        ("03 6D 1E3B17", "23:59:30", None),
        ("06 6D 1E3B177C3300", "2027-03-28T23:59:30", False),
        ("06 6D 9E3B177C3300", "2027-03-28T23:59:30", True),
        ("02 FD 70 5F0C", "2002-12-31", None),
        ("02 93 39 5F0C", "2002-12-31", None),
    ],
)
def test_a_time_of_every_type(text, value, summer):
    record = only(text)
    assert (record["value"], record.get("summer_time"), record["unit"]) == (value, summer, None)


@pytest.mark.parametrize(
    "text",
    [
        "02 6C 0000",
        "02 6C FFFF",
        "02 6C 1F02",
        "02 6C 010D",
        "04 6D FFFFFFFF",
        "04 6D 80000101",
        "04 6D 3F000101",
        "04 6D 001F0101",
        "03 6D 3C0000",
        "06 6D 008000010100",
        "06 6D 000000000000",
        "0E 6D 563412907856",
        "04 6C 00000000",
        "05 6D 00000000",
        "0D 6D 03 414243",
    ],
)
def test_what_is_no_time_gives_none(text):
    record = only(text)
    assert (record["value"], record["valid"]) == (None, False)
    assert bytes.fromhex(text).hex().upper().endswith(record["raw"]) and record["raw"]


@pytest.mark.parametrize("text", ["BDEBDDDD", "0000000A", "FFFFFFFF", "0F000000", "000000FF", "0000000E"])
def test_an_error_code_on_the_display_is_never_a_number(text):
    record = only(f"3C 2B {text}")
    assert (record["value"], record["valid"], record["raw"]) == (None, False, text)


def test_a_minus_sign_in_bcd():
    assert only("0C 14 120000F0")["value"] == "-0.12"
    assert only("09 5B F5")["value"] == "-5"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_real_that_is_no_number_gives_none(number):
    record = only("05 2B" + pack("<f", number).hex())
    assert (record["value"], record["valid"]) == (None, False)


@pytest.mark.parametrize(
    ("number", "text"), [(0.0, "0"), (-0.0, "0"), (0.1, "0.1"), (1e9, "1000000000"), (-21.5, "-21.5")]
)
def test_a_real_is_the_shortest_decimal(number, text):
    assert only("05 5B" + pack("<f", number).hex())["value"] == text


def test_the_scale_applies_to_a_real():
    assert only("05 2E" + pack("<f", 1.25).hex())["value"] == "1250.00"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_comes_back_from_its_decimal(number):
    raw = pack("<f", number)
    assert pack("<f", float(real(raw) or 0)) == (raw if number else bytes(4))


@given(st.integers(0, 10**8 - 1))
def test_bcd_comes_back(number):
    assert bcd(bytes.fromhex(f"{number:08d}")[::-1]) == number


@pytest.mark.parametrize(
    ("text", "value", "raw"),
    [
        ("0D FD 11 05 4F4C4C4548", "HELLO", "4F4C4C4548"),
        ("0D FD 11 00", "", ""),
        ("0D FD 11 02 B0 43", "C°", "B043"),
        ("0D 13 C2 3412", "1.234", "3412"),
        ("0D 13 D2 3412", "-1.234", "3412"),
        ("0D 13 C0", None, ""),
        ("0D 13 C2 34A2", None, "34A2"),
        ("0D 13 C2 34F2", None, "34F2"),
        ("0D 13 E2 FEFF", "-0.002", "FEFF"),
        ("0D 13 E0", None, ""),
        ("0D 78 E9 010000000000000080", str((0x80 << 64) - (1 << 72) + 1), "010000000000000080"),
        ("0D 78 F0" + "00" * 15 + "10", str(0x10 << 120), "00" * 15 + "10"),
        ("0D 78 F5" + "01" + "00" * 47, "1", "01" + "00" * 47),
        ("0D 78 F6" + "01" + "00" * 63, "1", "01" + "00" * 63),
    ],
)
def test_data_of_every_variable_length(text, value, raw):
    record = only(text)
    assert (record["value"], record["raw"], record["valid"]) == (value, raw, value is not None)


@pytest.mark.parametrize("lvar", ["CA", "DF", "F7", "F8", "FF"])
def test_a_reserved_length_is_refused_because_nobody_knows_where_to_go_on(lvar):
    with pytest.raises(CutOff, match=f"reserved length byte {lvar}; 1 good"):
        read(f"01 13 05 0D 13 {lvar} 00000000")


@pytest.mark.parametrize(
    ("text", "storage", "tariff", "device", "function"),
    [
        ("41 13 05", 1, 0, 0, "instantaneous"),
        ("11 13 05", 0, 0, 0, "maximum"),
        ("21 13 05", 0, 0, 0, "minimum"),
        ("31 13 05", 0, 0, 0, "error"),
        ("81 01 13 05", 2, 0, 0, "instantaneous"),
        ("C1 01 13 05", 3, 0, 0, "instantaneous"),
        ("81 10 13 05", 0, 1, 0, "instantaneous"),
        ("81 40 13 05", 0, 0, 1, "instantaneous"),
        ("81 C0 40 13 05", 0, 0, 3, "instantaneous"),
        ("81 90 20 13 05", 0, 9, 0, "instantaneous"),
        ("C1 8F 0F 13 05", 511, 0, 0, "instantaneous"),
        ("C1" + "8F" * 9 + "0F" + "13 05", 2**41 - 1, 0, 0, "instantaneous"),
    ],
)
def test_storage_tariff_device_and_function(text, storage, tariff, device, function):
    record = only(text)
    assert (record["storage"], record["tariff"], record["device"]) == (storage, tariff, device)
    assert (record["function"], record["value"]) == (function, "0.005")


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("02 FC 03 48 52 25 74 D411", "%RH", "45.64"),
        ("02 7C 03 48 52 25 D411", "%RH", "4564"),
        ("02 FC 74 03 48 52 25 D411", "%RH", "45.64"),
    ],
)
def test_a_unit_in_plain_text_before_or_behind_its_extensions(text, quantity, value):
    assert what(only(text)) == (quantity, value, None)


def test_fillers_are_skipped_and_the_makers_bytes_kept():
    found = read("2F 2F 01 13 05 2F 0F 01 02 2F")
    assert [one["function"] for one in found] == ["instantaneous", "manufacturer_specific"]
    assert (found[1]["raw"], found[1]["quantity"], found[1]["storage"]) == ("01022F", None, None)


def test_more_follows():
    assert read("01 13 05 1F")[-1]["function"] == "more_follows"


def test_a_reserved_dif_keeps_all_that_follows():
    record = read("01 13 05 3F 01 02")[-1]
    assert (record["raw"], record["valid"], record["reason"]) == ("3F0102", False, "the DIF 3F is reserved")


def test_records_without_data_are_there_without_a_value():
    record = only("00 13")
    assert (record["quantity"], record["value"], record["valid"], record["raw"]) == ("volume", None, True, "")


def test_containers_are_kept_as_bytes():
    record = only("04 FD 72 01020304")
    assert (record["quantity"], record["value"], record["valid"], record["raw"]) == (
        "daylight_saving",
        None,
        True,
        "01020304",
    )


@pytest.mark.parametrize(
    ("text", "reason", "good"),
    [
        ("01 13 05 04 13 0000", "needs 4 bytes of data, 2 are left", 1),
        ("01 13 05 04", "ends behind its DIF", 1),
        ("01 13 05 84 81", "ends within its DIFEs", 1),
        ("01 13 05 04 93", "ends within its VIFEs", 1),
        ("01 13 05 0D 13", "byte that tells their length is missing", 1),
        ("01 13 05 0D 13 05 41", "needs 6 bytes of data, 2 are left", 1),
        ("01 13 05 02 FC 60 41", "plain text that goes beyond", 1),
        ("01" + "00" * 0 + "93" + "8A" * 10 + "0A 05", "more than 10 VIFEs", 0),
        ("81" + "80" * 10 + "00 13 05", "more than 10 DIFEs", 0),
    ],
)
def test_a_record_that_is_cut_off_says_so_and_keeps_the_good_ones(text, reason, good):
    with pytest.raises(CutOff, match=reason) as caught:
        read(text)
    assert [record.value for record in caught.value.records] == [Decimal("0.005")] * good


def test_ten_extensions_are_allowed():
    assert only("81" + "80" * 9 + "00" + "93" + "BB" * 9 + "3B 05")["value"] == "0.005"


def test_a_master_may_select_and_act():
    found = read("08 13 08 07 02 93 07 0500 7F", ci=0x51, control=0x53)
    assert [one["quantity"] for one in found] == ["volume", "energy", "volume", "global_readout"]
    assert found[2]["modifiers"] == ("clear",) and found[2]["valid"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("TEST CYBLE", "TEST CYBLE"), ("iEM3235 \0", "iEM3235"), ("      ", ""), ("\x0c\x96æ²\n8", "\\x0c\\x96æ²\\x0a8")],
)
def test_a_text_is_made_fit_for_pages_and_files(text, expected):
    assert shown(text) == expected

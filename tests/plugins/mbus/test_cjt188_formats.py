"""Value formats and units of CJ/T 188: both ways, exactly."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadInput
from meterhub_mbus.cjt188.formats import parse, scaled, with_point
from meterhub_mbus.cjt188.units import STANDARD, UNITS, converted

NAMES = ("XXXXXX.XX", "XXXX.XX", "XXXXXX", "XX", "UINT8", "UINT32BE", "UINT32", "DAY", "TIME", "DIGITS7", "VALVE",
         "STATUS", "SECRET8", "HEX5")  # fmt: skip


@given(st.sampled_from(NAMES), st.data())
def test_what_decodes_encodes_to_the_same_bytes(name, data):
    form = parse(name)
    raw = data.draw(st.binary(min_size=form.size, max_size=form.size))
    value = form.decode(raw)
    if value is not None:
        assert form.encode(value) == raw
        assert isinstance(form.show(value), str)


@given(st.integers(0, 99_999_998))
def test_every_register_value_goes_both_ways(value):
    form = parse("XXXXXX.XX")
    assert form.decode(form.encode(value)) == value
    assert scaled(with_point(value, 2), 2) == value


@given(st.datetimes(min_value=datetime.fromisoformat("1900-01-01")))
def test_every_time_goes_both_ways(moment):
    text = moment.replace(microsecond=0).isoformat()
    assert parse("TIME").decode(parse("TIME").encode(text)) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [("XXXX.XX", 1_000_000), ("XXXX.XX", -1), ("XXXX.XX", "12"), ("DAY", 0), ("DAY", 32), ("UINT8", 256), ("UINT8", -1),
     ("TIME", "yesterday"), ("DIGITS7", "1234"), ("VALVE", "ajar"), ("SECRET8", "xy"), ("VALVE", "vendor x")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(name, value):
    with pytest.raises(BadInput):
        parse(name).encode(value)


@pytest.mark.parametrize("name", ["", "XXX", "UINT9", "UINT64", "TIMES", "XX.XX.XX", "HEX", "FLOAT"])
def test_unknown_formats_are_named(name):
    with pytest.raises(ValueError, match="unknown format"):
        parse(name)


def test_the_standard_codes_are_there_and_their_steps_are_tens():
    assert all(code in UNITS for code in STANDARD)
    assert (UNITS[0x2C].word, UNITS[0x29].word, UNITS[0x05].word, UNITS[0x35].word) == ("m³", "L", "kWh", "m³/h")
    assert (UNITS[0x0A].word, UNITS[0x0A].tens, UNITS[0x13].word, UNITS[0x13].tens) == ("MWh", 2, "GJ", 2)


@pytest.mark.parametrize(
    ("value", "decimals", "unit", "target", "scale", "result"),
    [
        (123456, 2, "m³", "m³", 2, 123456),
        (123456, 2, "L", "m³", 5, 123456),
        (123456, 2, "L", "m³", 2, 123),
        (123456, 1, "m³", "m³", 2, 1234560),
        (1, -2, "MWh", "kWh", 0, 100_000),
        (100, 2, "GJ", "kWh", 2, 27777),
        (3600, 0, "kJ", "kWh", 3, 1000),
        (1, 0, "m³", "kWh", 2, None),
        (1, 0, "yuan", "kWh", 2, None),
    ],
)
def test_units_are_converted_exactly(value, decimals, unit, target, scale, result):
    assert converted(value, decimals, unit, target, scale) == result

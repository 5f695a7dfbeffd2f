"""Compact profiles: the examples of EN 13757-3, annex F, and of OMS, volume 2, annex G, and what may be missing."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from meterhub_mbus import records
from meterhub_mbus.frame import long_frame
from meterhub_mbus.profile import add_months


def profile(text):
    """The profile in a telegram with these records, as (storage, time, value)."""
    found = records(long_frame(0x08, 1, 0x78, bytes.fromhex(text)).raw)
    entries = next(one["profile"] for one in found if "profile" in one)
    return entries and [tuple(entry.values()) for entry in entries]


def test_a_profile_goes_on_in_time():
    """F.2.7."""
    assert profile("84 04 6D 00204111 8B 04 15 003012 8D 04 95 1F 05 69 01 03 02 11") == [
        (9, "2010-01-01T01:00:00", "12300.3"),
        (10, "2010-01-01T02:00:00", "12300.5"),
        (11, "2010-01-01T03:00:00", "12301.6"),
    ]


def test_an_inverse_profile_goes_back():
    """F.2.8."""
    assert profile("84 04 6D 00234111 8B 04 15 163012 8D 04 95 13 05 69 01 11 02 03") == [
        (9, "2010-01-01T02:00:00", "12300.5"),
        (10, "2010-01-01T01:00:00", "12300.3"),
        (11, "2010-01-01T00:00:00", "12300.0"),
    ]


def test_the_last_day_of_a_month_leads_to_last_days():
    """Annex G, tables G.6 and G.7."""
    assert profile("0C 13 13100000 02 6C 1F15 0D 93 13 0A 7A FE 5802 3203 1402 4401") == [
        (1, "2008-04-30", "0.755"),
        (2, "2008-03-31", "0.423"),
        (3, "2008-02-29", "0.209"),
        (4, "2008-01-31", "0.065"),
    ]


@pytest.mark.parametrize(
    ("control", "elements", "values"),
    [
        ("31", "05 FB 80 07", ["0.005", "-0.005", None, "0.007"]),
        ("71", "05 FB FF 07", ["1.005", "1.256", None, None]),
        ("B1", "05 0A", ["0.995", "0.985"]),
        ("F1", "05 FB", ["1.005", "1.000"]),
        ("F9", "05 A5 01", ["1.005", None, None]),
        ("F2", "0500 0080 0100", ["1.005", None, None]),
    ],
)
def test_every_mode_and_what_stands_for_no_value(control, elements, values):
    size = len(bytes.fromhex(elements)) + 2
    found = profile(f"0C 13 00100000 0D 93 1F {size:02X} {control} 01 {elements}")
    assert [value for _, _, value in found] == values
    assert {time for _, time, _ in found} == {None}


def test_differences_without_a_base_lead_to_nothing():
    assert profile("0D 93 1F 03 F1 01 05") == [(1, None, None)]


@pytest.mark.parametrize(
    ("control", "spacing", "time"),
    [
        ("01", "0A", "2010-01-01T00:00:10"),
        ("11", "0A", "2010-01-01T00:10:00"),
        ("21", "0A", "2010-01-01T10:00:00"),
        ("31", "0A", "2010-01-11T00:00:00"),
        ("31", "FE", "2010-02-01T00:00:00"),
        ("21", "FE", "2010-04-01T00:00:00"),
        ("11", "FE", "2010-07-01T00:00:00"),
        ("01", "FE", None),
        ("31", "FB", None),
        ("31", "00", None),
    ],
)
def test_every_step(control, spacing, time):
    assert profile(f"04 6D 00204111 0D 93 1F 03 {control} {spacing} 05") == [(1, time, "0.005")]


def test_a_date_takes_whole_days_only():
    assert profile("02 6C 4111 0D 93 1F 03 21 0A 05") == [(1, None, "0.005")]
    assert profile("02 6C 4111 0D 93 1F 03 21 18 05") == [(1, "2010-01-02", "0.005")]


@pytest.mark.parametrize(
    "text", ["0D 93 1F 01 31", "0D 93 1F 04 33 FE 0100", "0D 93 1F 03 3D 01 05", "0D 93 1E 03 31 01 05"]
)
def test_what_cannot_be_taken_apart_keeps_its_bytes(text):
    assert profile(text) is None


def test_months_from_a_moment():
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(datetime.fromisoformat("2024-01-30T05:00"), 1) == datetime.fromisoformat("2024-02-29T05:00")
    assert add_months(date(2024, 1, 15), -13) == date(2022, 12, 15)

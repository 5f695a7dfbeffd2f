"""Value formats, both ways."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhub.errors import BadInput
from meterhub_dlt645.catalogue import EDITIONS, catalogue
from meterhub_dlt645.formats import parse
from meterhub_dlt645.security import ANSWERS, REQUESTS

NUMBERS = (
    "XX",
    "XXXX",
    "XXX.X",
    "XXXXXX.XX",
    "XXXX.XXXX",
    "-XX.XXXX",
    "-XXX.XXX",
    "-X.XXX",
    "-XXXXXX.XX",
    "UINT32.2",
    "BIN16",
)
moments = st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31")).map(
    lambda one: one.replace(microsecond=0)
)


@pytest.mark.parametrize("text", NUMBERS)
@given(data=st.data())
def test_numbers_round_trip(text, data):
    form = parse(text)
    most = 10 ** text.count("X") - 1 if "X" in text else 0xFFFE
    if text.startswith("-"):
        most = 8 * 10 ** (text.count("X") - 1) - 1
    value = data.draw(st.integers(-most if text.startswith("-") else 0, most))
    assert form.decode(form.encode(value)) == value
    assert len(form.encode(value)) == form.size


@pytest.mark.parametrize("text", NUMBERS)
@given(data=st.binary(min_size=8, max_size=8))
def test_any_bytes_give_a_value_or_none(text, data):
    form = parse(text)
    value = form.decode(data[: form.size])
    if value is not None:
        again = form.decode(form.encode(value)) if form.text[0] != "B" else value
        assert again == value


@given(moments)
def test_moments_round_trip(moment):
    for text, shown in (
        ("YYMMDDhhmmss", moment.isoformat()),
        ("YYMMDDWWhhmmss", moment.isoformat()),
        ("YYMMDDhhmm", moment.isoformat()[:16]),
        ("YYMMDDWW", moment.date().isoformat()),
        ("MMDDhhmm", moment.strftime("%m-%d %H:%M")),
        ("hhmmss", moment.strftime("%H:%M:%S")),
        ("DDhh", moment.strftime("%d %H:00")),
    ):
        form = parse(text)
        assert form.decode(form.encode(shown)) == shown


def test_the_weekday_counts_from_sunday():
    assert parse("YYMMDDWW").encode("2026-11-24").hex() == "02241126"
    assert parse("YYMMDDWW").encode("2026-11-22").hex() == "00221126"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=16))
def test_text_round_trips(text):
    form = parse("ASCII16")
    assert form.decode(form.encode(text)) == text


def test_exact_decimals():
    assert parse("XXXXXX.XX").show(5) == "0.05"
    assert parse("-XX.XXXX").show(-5) == "-0.0005"
    assert parse("XXXX").show(12) == "12"
    assert parse("DIGITS6").decode(bytes.fromhex("907856341200")) == "001234567890"


@pytest.mark.parametrize("text", ["XXXXXX.XX", "-XX.XXXX", "YYMMDDhhmmss", "DIGITS6", "HEX4", "ASCII8", "UINT32"])
def test_filler_is_no_value(text):
    form = parse(text)
    assert form.decode(b"\xff" * form.size) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("XX.XX", 10_000),
        ("XX.XX", -1),
        ("XX.XX", "1"),
        ("-XX.XXXX", 800_000),
        ("UINT32", -1),
        ("YYMMDD", "2026-02-30"),
        ("hhmm", "24:00"),
        ("hhmm", "12"),
        ("ASCII4", "too long"),
        ("DIGITS6", "12A"),
        ("HEX4", "12"),
        ("BIN8", 256),
    ],
)
def test_what_does_not_fit_is_refused(text, value):
    with pytest.raises(BadInput):
        parse(text).encode(value)


def test_unknown_formats_are_named():
    with pytest.raises(ValueError, match="XXX"):
        parse("XXX")


def every_format() -> list[str]:
    """All formats of both catalogues and of the security commands."""
    found = set()
    for edition in EDITIONS:
        known = catalogue(edition)
        for row in known.rows:
            identifier = row.pattern
            for one in row.variables:
                identifier = identifier.replace(one.name, f"{one.least:0{len(one.name)}X}")
            layout = known.find(identifier)
            found |= {field.format.text for field in layout.fields}
    for texts in (*REQUESTS.values(), *ANSWERS.values()):
        found |= {item.split()[0] for text in texts for item in text.split(", ")}
    return sorted(found)


decimal_bytes = st.integers(0, 99).map(lambda number: int(str(number), 16))


@pytest.mark.parametrize("text", every_format())
@settings(max_examples=40)
@given(data=st.data())
def test_every_format_of_the_catalogues_round_trips(text, data):
    """What bytes say is encoded again to bytes that say the same; what they do not say is None."""
    form = parse(text)
    size = st.integers(0, 255) if data.draw(st.booleans()) else decimal_bytes
    wire = bytes(data.draw(st.lists(size, min_size=form.size, max_size=form.size)))
    value = form.decode(wire)
    if value is None:
        return
    again = form.encode(value)
    assert len(again) == form.size and form.decode(again) == value
    assert isinstance(form.show(value), str)

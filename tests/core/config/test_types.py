"""Each type takes what people write, and says what is needed when it does not fit."""

from __future__ import annotations

import ipaddress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.config import types
from meterhub.config.base import Wrong
from meterhub.config.durations import duration_text, parse_duration
from meterhub.config.nodes import Secret


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        (types.text(), "12:30:00", "12:30:00"),
        (types.text(), "两室一厅 & <b>", "两室一厅 & <b>"),
        (types.whole(1, 9), "5", 5),
        (types.whole(), "-010", -10),
        (types.whole(), 7, 7),
        (types.decimal(), "0.56", Decimal("0.56")),
        (types.decimal(), 12.5, Decimal("12.5")),
        (types.boolean(), "Yes", True),
        (types.boolean(), "off", False),
        (types.boolean(), True, True),
        (types.seconds(), "1h30m", 5400.0),
        (types.seconds(), "200ms", 0.2),
        (types.seconds(), "1.5s", 1.5),
        (types.seconds(whole=True), "2d", 172_800),
        (types.choice("even", "odd"), "odd", "odd"),
        (types.identifier(), "a-101", "a-101"),
        (types.key(), "lora_wifi", "lora_wifi"),
        (types.address(), "000000012345", "000000012345"),
        (types.host_port(), "127.0.0.1:8645", ("127.0.0.1", 8645)),
        (types.host_port(), "[::1]:0", ("::1", 0)),
        (types.network(), "10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")),
        (types.cron(), "*/15  * * * mon-fri", "*/15 * * * mon-fri"),
        (types.packet(), "hex:AA 55", b"\xaa\x55"),
        (types.packet(), "DTU00001", b"DTU00001"),
        (types.localized(), "Energy", {"en": "Energy"}),
        (types.localized(), {"zh": "电能", "en": "Energy"}, {"zh": "电能", "en": "Energy"}),
        (types.place(), "Block A / 1 / 101", ("Block A", "1", "101")),
        (types.place(), "", ()),
    ],
)
def test_what_people_write_is_understood(kind, written, meant):
    assert kind(written) == meant


@pytest.mark.parametrize(
    ("kind", "written", "needed"),
    [
        (types.text(5), "too long", "text of at most 5 characters is needed"),
        (types.text(), "", "text of at most"),
        (types.text(), "gnp.\u202eexe", "text without control characters is needed"),
        (types.text(), "bell\x07", "text without control characters is needed"),
        (types.whole(1, 9), "10", "a whole number from 1 to 9 is needed"),
        (types.whole(unit="V"), "1e3", "a whole number is needed"),
        (types.whole(), "١٢", "a whole number is needed"),
        (types.whole(), True, "a whole number is needed"),
        (types.whole(), None, "a whole number is needed"),
        (types.decimal(0, unit="kWh"), "-1", "a number such as 12.5 of at least 0 kWh is needed"),
        (types.decimal(), "nan", "a number such as 12.5 is needed"),
        (types.boolean(), "1", "one of true, false, yes, no, on, off is needed"),
        (types.seconds(), "60", "a duration with a unit, such as 60s, 5m or 1h30m, is needed"),
        (types.seconds(1, 5400), "2h", "a duration from 1s to 90m is needed"),
        (types.seconds(whole=True), "1.5s", "a duration with a unit"),
        (types.seconds(), float("nan"), "a duration with a unit"),
        (types.identifier(), "A-101", "an id of small letters, digits and dashes, such as a-101, is needed"),
        (types.identifier(), "export", "this word is reserved; another id is needed"),
        (types.key(), "lora-wifi", "a name of small letters, digits and underscores is needed"),
        (types.address(), "12 34", "an address of at most 64 characters without spaces is needed"),
        (types.host_port(), "8645", "an address with a port, such as 127.0.0.1:8645, is needed"),
        (types.host_port(), "localhost:70000", "an address with a port"),
        (types.network(), "10.0.0.1/8", "an IP address or network such as 10.0.0.0/8 is needed"),
        (types.time_zone(), "../etc/passwd", "a time zone such as Asia/Shanghai is needed"),
        (types.time_zone(), "Asia", "a time zone such as Asia/Shanghai is needed"),
        (types.cron(), "* * * * * *", "a cron rule of five fields"),
        (types.cron(), "@daily", "a cron rule of five fields"),
        (types.cron(), "99 * * * *", "a cron rule of five fields"),
        (types.cron(), "0 0 30 2 *", "a cron rule that does occur is needed"),
        (types.cron(), "R R * * *", "a cron rule of five fields"),
        (types.file_path(), "a\0b", "a path is needed"),
        (types.packet(4), "hex:AA5", "ASCII text or hex:AA55 of 1 to 4 bytes is needed"),
        (types.packet(4), "DTU00001", "ASCII text or hex:AA55 of 1 to 4 bytes is needed"),
        (types.localized(), {"fr": "Énergie"}, "text by language, en, zh or ja, is needed, not fr"),
        (types.place(), "Block A //", "a place such as Block A / 1 / 101, of at most 8 levels, is needed"),
        (types.mapping(), "x", "a mapping of keys and values is needed"),
    ],
)
def test_what_does_not_fit_is_answered_with_what_is_needed(kind, written, needed):
    with pytest.raises(Wrong) as caught:
        kind(written)
    assert needed in caught.value.error_message


@pytest.mark.parametrize(
    ("kind", "written", "hint"),
    [
        (types.choice("even", "odd", "none"), "evn", "did you mean even?"),
        (types.time_zone(), "Asia/Shangai", "did you mean Asia/Shanghai?"),
        (types.choice("even", "odd"), "zzz", ""),
    ],
)
def test_a_near_miss_is_named(kind, written, hint):
    with pytest.raises(Wrong) as caught:
        kind(written)
    assert caught.value.hint == hint


def test_a_secret_stays_one():
    assert isinstance(types.secret()("plain"), Secret)
    assert isinstance(types.text()(Secret("hidden")), Secret)


@given(st.one_of(st.text(), st.none(), st.integers(), st.floats(), st.booleans(), st.lists(st.text()), st.binary()))
def test_no_value_breaks_a_type(value):
    kinds = [
        types.text(),
        types.whole(0, 9),
        types.decimal(0, 9),
        types.boolean(),
        types.seconds(0, 9),
        types.seconds(whole=True),
        types.choice("a", "b"),
        types.identifier(),
        types.key(),
        types.address(),
        types.host_port(),
        types.network(),
        types.time_zone(),
        types.cron(),
        types.file_path(),
        types.packet(),
        types.localized(),
        types.place(),
        types.secret(),
        types.mapping(),
    ]
    for kind in kinds:
        try:
            kind(value)
        except Wrong as wrong:
            assert wrong.error_message.endswith("is needed") or "needed" in wrong.error_message


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_is_written_as_it_is_read(milliseconds):
    assert parse_duration(duration_text(milliseconds / 1000)) == Decimal(milliseconds) / 1000

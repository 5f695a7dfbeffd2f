"""Registration and heartbeat patterns, as pure functions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meterhub.field.calls.registration import BLANK, UNKNOWN, WAIT, Register, Shape
from meterhub.field.calls.sieve import Sieve


def pass_through(sieve, segments):
    out = b"".join(sieve.strip(segment)[0] for segment in segments)
    return out + sieve.strip(b"", final=True)[0]


def cut(data, places):
    places = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=5))
def test_data_without_packets_passes_unchanged_however_it_is_cut(data, places):
    sieve = Sieve((b"\x01DTU-NOT-THERE\x02",))
    assert pass_through(sieve, cut(data, places)) == data


@given(
    st.lists(st.binary(max_size=30).filter(lambda data: b"#" not in data and b"+" not in data), min_size=1, max_size=6),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_long_packets_are_taken_out_however_the_stream_is_cut(parts, places):
    sieve = Sieve((b"#REG#00001+", b"#BEAT+"))
    stream = b"#BEAT+".join(parts)
    passed = pass_through(sieve, cut(stream, places))
    assert passed.translate(None, BLANK) == b"".join(parts).translate(None, BLANK)  # blanks may be a heartbeat's own


def test_a_packet_of_one_byte_counts_only_when_it_is_alone():
    sieve = Sieve((b"\xfe",))
    assert sieve.strip(b"\xfe") == (b"", 1)
    assert sieve.strip(b"\xfe\xfe\x68\x01") == (b"\xfe\xfe\x68\x01", 0)


def test_a_short_packet_in_the_middle_may_be_data_so_a_repetition_gets_through():
    sieve = Sieve((b"HB",))
    assert {sieve.strip(b"aHBb")[0], sieve.strip(b"aHBb")[0]} == {b"ab", b"aHBb"}


@given(st.binary(max_size=300))
def test_any_first_bytes_get_a_verdict(data):
    register = Register({b"DTU1": "c1", b"DTU10": "c10", b"\x00\xff": "c2"})
    found, packet, rest = register.find(data)
    assert found in (UNKNOWN, WAIT, "c1", "c10", "c2")
    assert len(packet) + len(rest) <= max(len(data), 4)
    assert register.find(data, final=True)[0] != WAIT


def test_a_registration_may_begin_with_a_zero_byte():
    register = Register({b"\x00\x11\x22": "c1", b"\x11\x22": "c2"})
    assert register.find(b"\x00\x11\x22")[0] == "c1"
    assert register.find(b"\x00", final=False)[0] == WAIT
    assert register.find(b"\r\n\x00\x11\x22h")[0] == "c2"
    assert register.find(b"\x11\x22h")[0] == "c2"


def test_the_longest_packet_wins_and_a_shorter_one_waits_for_what_may_follow():
    register = Register({b"DTU1": "c1", b"DTU10": "c10"})
    assert register.find(b"DTU10")[0] == "c10"
    assert register.find(b"DTU1")[0] == WAIT
    assert register.find(b"DTU1", final=True)[0] == "c1"
    assert register.find(b"DTU1\x68")[0] == "c1"


def test_an_identity_may_stand_at_a_fixed_place_among_bytes_that_vary():
    shape = Shape(b"\xaa\x01", 14, slice(2, 13), {b"13912345678": "c1"})
    packet = b"\xaa\x0113912345678\r"
    assert shape.find(packet + b"\x68") == ("c1", packet, b"\x68")
    assert shape.find(packet[:7])[0] == WAIT and shape.find(packet[:7], final=True)[0] == UNKNOWN
    assert shape.find(b"\xaa\x0113900000000\r")[0] == UNKNOWN
    assert shape.find(b"GET / HTTP")[0] == UNKNOWN

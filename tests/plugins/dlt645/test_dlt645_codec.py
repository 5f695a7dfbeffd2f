"""Frames in streams: hidden in noise, split, glued, mutated."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhub.errors import BadFrame, BadInput
from meterhub_dlt645 import decode_frame, encode_read
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.explain import explain
from meterhub_dlt645.frame import build

addresses = st.text("0123456789ABCDEF", min_size=12, max_size=12)
frames = st.builds(build, addresses, st.integers(0, 255), st.binary(max_size=60), st.just("2007"))


def found(*segments: bytes) -> list[bytes]:
    codec = Dlt645Codec()
    frames = []
    for data in segments:
        codec.receive(data)
        while (frame := codec.next_frame()) is not None:
            frames.append(frame.raw)
    return frames


@given(addresses, st.integers(0, 255), st.binary(max_size=255))
def test_what_is_built_is_decoded(address, control, data):
    frame = decode_frame(b"\xfe\xfe" + build(address, control, data).raw)
    assert (frame.address, frame.control, frame.data) == (address, control, data)


@given(st.lists(frames, min_size=1, max_size=6), st.lists(st.integers(1, 30), min_size=1), st.integers(0, 6))
@settings(max_examples=150)
def test_glued_and_split_streams(sent, sizes, preamble):
    stream = b"".join(b"\xfe" * preamble + one.raw for one in sent)
    segments, at = [], 0
    while at < len(stream):
        size = sizes[len(segments) % len(sizes)]
        segments.append(stream[at : at + size])
        at += size
    assert found(*segments) == [one.raw for one in sent]


def test_frames_hidden_in_noise():
    chance = random.Random(645)
    quiet = bytes(one for one in range(256) if one != 0x68)
    sent, stream = [], b""
    for _ in range(400):
        noise = bytes(chance.choice(quiet) for _ in range(chance.randrange(12)))
        frame = build(f"{chance.randrange(10**12):012d}", 0x91, chance.randbytes(chance.randrange(40)))
        sent.append(frame.raw)
        stream += noise + frame.raw
    at, segments = 0, []
    while at < len(stream):
        size = chance.randrange(1, 90)
        segments.append(stream[at : at + size])
        at += size
    assert found(*segments) == sent


def test_false_starts_do_not_hide_a_frame():
    good = build("000000000161", 0x91, bytes(8)).raw
    for noise in ("68", "6868", "68000000000000689150", "680000000000006891FF", good[:15].hex()):
        assert found(bytes.fromhex(noise) + good) == [good], noise
        assert found(bytes.fromhex(noise), good) == [good], noise


def test_what_was_dropped_is_counted_without_wake_up_bytes():
    codec = Dlt645Codec()
    codec.receive(b"\x00\x01" + b"\xfe" * 4 + build("1" * 12, 0x91).raw + b"\x55")
    assert codec.next_frame() is not None
    assert codec.next_frame() is None
    assert codec.dropped == 3


def test_preamble_is_sent_as_told():
    frame = build("000000000161", 0x11, bytes(4), preamble=4)
    assert Dlt645Codec().encode(frame) == b"\xfe" * 4 + frame.raw


def test_layouts_take_any_data():
    """Every function and many identifiers with data of any length: never an exception."""
    chance = random.Random(2)
    heads = ["00010000", "0001FF00", "06000001", "070102FF", "040005FF", "0333FF01", "901F", "90FF", "C03F", "04000C03"]
    for _ in range(6_000):
        head = bytes.fromhex(chance.choice(heads))[::-1]
        data = head + chance.randbytes(chance.randrange(60))
        frame = build("000000000161", chance.randrange(256), data)
        for edition in ("1997", "2007"):
            explain(decode_frame(frame.raw, edition))


def test_read_requests():
    assert encode_read("000000000161", "00030000").hex().upper() == "68610100000000681104333336331616"
    assert encode_read("138000130754", "9010", "1997").hex().upper() == "6854071300801368010243C3DA16"


@pytest.mark.parametrize(
    ("address", "identifier", "edition"),
    [
        ("161", "00010000", "2007"),
        ("00000000016X", "00010000", "2007"),
        ("000000000161", "9010", "2007"),
        ("000000000161", "00010000", "1997"),
        ("000000000161", "0001000G", "2007"),
        ("000000000161", "00010000", "2001"),
    ],
)
def test_wrong_read_requests(address, identifier, edition):
    with pytest.raises(BadFrame):
        encode_read(address, identifier, edition)


def test_too_much_data_is_refused():
    with pytest.raises(BadInput):
        build("000000000161", 0x14, bytes(256))

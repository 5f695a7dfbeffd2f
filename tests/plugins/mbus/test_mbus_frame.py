"""Link frames: the kinds there are, and a reason for whatever is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame, BadInput
from meterhub_mbus.frame import decode_frame, long_frame, short_frame


@pytest.mark.parametrize(
    ("text", "kind", "control", "address", "ci", "data"),
    [
        ("E5", "ack", None, None, None, ""),
        ("10 7B FD 78 16", "short", 0x7B, 0xFD, None, ""),
        ("68 03 03 68 53 01 BD 11 16", "control", 0x53, 1, 0xBD, ""),
        ("68 06 06 68 73 00 51 01 7A 03 42 16", "long", 0x73, 0, 0x51, "01 7A 03"),
    ],
)
def test_every_kind_of_frame_tells_its_parts(text, kind, control, address, ci, data):
    frame = decode_frame(bytes.fromhex("FE FE" + text))
    assert (frame.kind, frame.control, frame.address, frame.ci) == (kind, control, address, ci)
    assert frame.data == bytes.fromhex(data)
    assert frame.raw == bytes.fromhex(text)


def test_a_master_and_a_meter_are_told_apart():
    assert decode_frame(bytes.fromhex("10 40 01 41 16")).from_master
    assert not decode_frame(bytes.fromhex("68 04 04 68 08 01 70 08 81 16")).from_master
    assert not decode_frame(b"\xe5").from_master


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no bytes"),
        ("A2", "begins with 68, 10 or E5"),
        ("E5 E5", "behind the acknowledgement"),
        ("10 7B FD 78", "only 4 of them"),
        ("10 7B FD 79 16", "checksum is 79, it should be 78"),
        ("10 7B FD 78 17", "ends with 16"),
        ("68 03 03 68 53 01", "at least 9"),
        ("68 03 04 68 53 01 BD 11 16", "length bytes differ"),
        ("68 03 03 67 53 01 BD 11 16", "fourth byte"),
        ("68 02 02 68 53 01 54 16 00", "at least 3"),
        ("68 03 03 68 53 01 BD 12 16", "checksum is 12, it should be 11"),
        ("68 03 03 68 53 01 BD 11 16 E5", "1 more stand behind"),
        ("68 06 06 68 73 00 51 01 7A 03", "only 10 of them"),
    ],
)
def test_what_is_no_frame_says_why(text, reason):
    with pytest.raises(BadFrame, match=reason):
        decode_frame(bytes.fromhex(text))


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=252))
def test_what_was_built_is_read_back(control, address, ci, data):
    frame = decode_frame(long_frame(control, address, ci, data).raw)
    assert (frame.control, frame.address, frame.ci, frame.data) == (control, address, ci, data)
    short = decode_frame(short_frame(control, address).raw)
    assert (short.control, short.address, short.kind) == (control, address, "short")


def test_a_frame_has_its_limit():
    with pytest.raises(BadInput, match="at most 252"):
        long_frame(0x53, 1, 0x51, bytes(253))

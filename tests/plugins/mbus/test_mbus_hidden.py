"""Passwords in bytes of the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.clock import Clock
from meterhub_mbus.frame import decode_frame, long_frame, short_frame
from meterhub_mbus.hidden import secrets_on_wire
from meterhub_mbus.protocol import Mbus
from meterhub_mbus.readout import Readout

PASSWORD = bytes.fromhex("04 FD 16 11223344")
WRITE = long_frame(0x53, 1, 0x51, PASSWORD + bytes.fromhex("01 7A 05")).raw


def seen(data):
    """The bytes with ``**`` for what is hidden, as pages show them."""
    hidden = secrets_on_wire(data)
    return " ".join("**" if place in hidden else f"{one:02X}" for place, one in enumerate(data))


def test_a_password_and_the_check_sum_are_hidden_and_nothing_else():
    assert seen(WRITE) == "68 0D 0D 68 53 01 51 04 FD 16 ** ** ** ** 01 7A 05 ** 16"


def test_one_among_several_frames_and_an_echo():
    data = short_frame(0x7B, 1).raw + WRITE + b"\xe5" + WRITE
    assert len(secrets_on_wire(data)) == 10


def test_a_header_moves_the_place():
    answer = long_frame(0x08, 1, 0x72, bytes.fromhex("78563412 2440 01 07 55 00 0000") + PASSWORD).raw
    assert seen(answer).endswith("04 FD 16 ** ** ** ** ** 16")


@pytest.mark.parametrize("size", range(8, len(WRITE)))
def test_a_frame_that_is_cut_hides_all_behind_the_code(size):
    hidden = secrets_on_wire(WRITE[:size])
    assert hidden == set(range(10, size))


def test_a_broken_record_hides_all_behind_the_code():
    broken = long_frame(0x53, 1, 0x51, PASSWORD[:-1]).raw
    assert seen(broken) == "68 09 09 68 53 01 51 04 FD 16 ** ** ** ** **"


def test_the_same_bytes_within_a_number_are_no_secret():
    assert secrets_on_wire(long_frame(0x08, 1, 0x78, bytes.fromhex("04 13 FD160000")).raw) == set()


def test_the_protocol_hides_them_from_traffic_and_from_what_no_point_shows():
    assert Mbus(Clock()).secrets(WRITE) == secrets_on_wire(WRITE)
    readout = Readout()
    readout.add(decode_frame(long_frame(0x08, 1, 0x78, PASSWORD + bytes.fromhex("01 7A 05")).raw))
    assert readout.others([]).splitlines() == ["password: ***", "bus_address: 5 [7A 05]"]


@given(st.binary(max_size=200))
def test_any_bytes(data):
    assert secrets_on_wire(data) <= set(range(len(data)))

"""Finding frames: split and glued, between noise, beside their own echo; and what an E5 is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub_mbus.codec import MbusCodec
from meterhub_mbus.frame import ACKNOWLEDGE, Frame, long_frame, short_frame

READ = short_frame(0x7B, 1)
ANSWER = long_frame(0x08, 1, 0x72, bytes.fromhex("7856341224400107 55 00 0000 0C13 E5000000"))


def found(codec, *segments):
    frames = []
    for segment in segments:
        codec.receive(segment)
        while (frame := codec.next_frame()) is not None:
            frames.append(frame.raw)
    return frames


def test_all_four_kinds_are_found_glued_together_and_byte_by_byte():
    kinds = [ACKNOWLEDGE, READ.raw, long_frame(0x53, 1, 0xBD).raw, ANSWER.raw]
    stream = b"".join(kinds)
    assert found(MbusCodec(), stream) == kinds
    assert found(MbusCodec(), *(stream[at : at + 1] for at in range(len(stream)))) == kinds


@pytest.mark.parametrize("noise", ["FC", "FE FD", "00 FF", "68", "68 05 06", "10 E5", "68 02 02 68", "16"])
def test_noise_before_a_frame_is_dropped_and_counted(noise):
    codec = MbusCodec()
    assert ANSWER.raw in found(codec, bytes.fromhex(noise) + ANSWER.raw)
    assert codec.dropped + len(ACKNOWLEDGE) * noise.count("E5") >= len(bytes.fromhex(noise))


def test_the_echo_of_the_request_is_taken_out_once_wherever_it_stands():
    codec = MbusCodec()
    request = codec.encode(READ)
    assert found(codec, b"\xfd" + request, ANSWER.raw) == [ANSWER.raw]
    assert (codec.echoed, codec.dropped) == (len(request), 1)
    assert found(codec, request) == [request], "a second one is somebody else's"
    codec.reset()
    assert codec.echoed == 0 and found(codec, request) == [request]


def test_a_link_without_echo_loses_nothing():
    codec = MbusCodec()
    codec.encode(READ)
    assert found(codec, ANSWER.raw) == [ANSWER.raw] and codec.echoed == 0


def test_an_acknowledgement_stands_by_itself():
    """Neither in a long frame that is still coming, nor in one that is spoilt."""
    cut = ANSWER.raw[:-5]
    assert b"\xe5" in cut and not found(MbusCodec(), cut)
    spoilt = ANSWER.raw[:-2] + bytes((ANSWER.raw[-2] ^ 1, 0x16))
    codec = MbusCodec()
    assert found(codec, spoilt) == [] and codec.dropped == len(spoilt)
    assert found(codec, ACKNOWLEDGE) == [ACKNOWLEDGE]


@given(st.binary(max_size=60), st.binary(max_size=252))
def test_a_good_frame_is_found_after_any_bytes_in_the_end(noise, data):
    good = long_frame(0x08, 5, 0x72, data).raw
    assert good in found(MbusCodec(), noise, *[good] * 40)


@given(st.binary(max_size=400))
def test_nothing_makes_it_raise(data):
    codec = MbusCodec()
    for frame in found(codec, data):
        assert Frame(frame).kind in ("ack", "short", "control", "long")

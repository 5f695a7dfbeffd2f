"""Finding CJ/T 188 frames in streams: FE, noise, cuts, echoes, telegrams of EN 13757, frames inside frames."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from meterhub.clock import seeded
from meterhub.errors import BadFrame, BadInput
from meterhub.testing.conformance_protocol import frames_of
from meterhub_mbus import decode_cjt188
from meterhub_mbus.cjt188.codec import Cjt188Codec
from meterhub_mbus.cjt188.frame import build

FRAME = build(0x10, "00112233445566", 0x81, bytes.fromhex("901F01563412002C000012002C595923280226200500"))
EN_13757 = bytes.fromhex("6803036853FE5152A316")
MUTATIONS = int(os.environ.get("METERHUB_CJT188_MUTATIONS", "20000"))


@pytest.mark.parametrize("wake_up", [0, 1, 4, 13])
def test_any_number_of_fe_is_accepted_and_is_no_loss(wake_up):
    codec = Cjt188Codec()
    assert [one.raw for one in frames_of(codec, b"\xfe" * wake_up + FRAME.raw)] == [FRAME.raw]
    assert codec.dropped == 0


def test_frames_are_found_byte_by_byte_glued_and_behind_noise():
    stream = b"\x00\xff\x68" + FRAME.raw + FRAME.raw + b"\x16" + FRAME.raw
    assert len(frames_of(Cjt188Codec(), *[stream[at : at + 1] for at in range(len(stream))])) == 3


def test_a_frame_inside_a_damaged_one_is_found():
    broken = FRAME.raw[:20]
    assert [one.raw for one in frames_of(Cjt188Codec(), broken + FRAME.raw)] == [FRAME.raw]


def test_a_payload_may_hold_68_and_16():
    frame = build(0x10, "16686816686816", 0x81, bytes.fromhex("901F01") + b"\x68\x16\x68\x10" * 5)
    assert [one.raw for one in frames_of(Cjt188Codec(), frame.raw)] == [frame.raw]


def test_telegrams_of_the_other_dialect_are_passed_over():
    codec = Cjt188Codec()
    assert [one.raw for one in frames_of(codec, EN_13757 + b"\xe5" + FRAME.raw + EN_13757)] == [FRAME.raw]
    assert codec.dropped == 2 * (len(EN_13757) - EN_13757.count(0xFE)) + 1


def test_preamble_and_address_are_checked():
    assert (
        Cjt188Codec().encode(build(0x10, "00112233445566", 0x01, b"\x90\x1f\x01", 4)).startswith(b"\xfe" * 4 + b"\x68")
    )
    for address in ("123", "zz112233445566"):
        with pytest.raises(BadInput):
            build(0x10, address, 0x01)
    with pytest.raises(BadInput):
        build(0x10, "00112233445566", 0x01, bytes(256))


def test_mutated_frames_raise_nothing_but_bad_frame():
    """A million of them with ``METERHUB_CJT188_MUTATIONS=1000000``."""
    chance = seeded("cjt188 mutations")
    codec = Cjt188Codec()
    for number in range(MUTATIONS):
        raw = bytearray(FRAME.raw)
        for _ in range(chance.randrange(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        if number % 4 == 0:
            del raw[chance.randrange(len(raw)) :]
        elif number % 4 == 1 and len(raw) > 13:
            raw[-2] = sum(raw[:-2]) & 0xFF  # a good sum lets the mutation through to the payload
        with suppress(BadFrame):
            decode_cjt188(raw)
        codec.receive(raw)
        while codec.next_frame() is not None:
            pass

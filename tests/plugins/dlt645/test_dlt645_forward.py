"""Frames made elsewhere, with keys that nobody here has."""

from __future__ import annotations

import pytest
from dlt645_models import ADDRESS, meter, protocol

from meterhub.errors import BadInput, Refused
from meterhub.field.dialogue import rehearse
from meterhub_dlt645.frame import build

TRIP = build(ADDRESS, 0x1C, bytes.fromhex("98 000000 01000000" + "AB" * 20), "2007")
AUTHENTICATE = build(ADDRESS, 0x03, bytes.fromhex("FF000007 01000000" + "11" * 24), "2007")
WRITE_PRICE_TIME = build(ADDRESS, 0x14, bytes.fromhex("08010004 99 000000 01000000 0000010126 11223344"), "2007")


def forward(frame, *answers):
    return rehearse(protocol().command(meter(), "meter.forward", {"frame": frame}), answers)


@pytest.mark.parametrize("request_frame", [TRIP, WRITE_PRICE_TIME])
def test_a_signed_frame_goes_out_as_it_is(request_frame):
    answer = build(ADDRESS, request_frame.control | 0x80, b"", "2007")
    [sent], reply = forward("FEFEFEFE" + request_frame.raw.hex(), answer)
    assert sent.raw == request_frame.raw and reply.detail["values"] == []


def test_the_answer_is_told_in_words():
    answer = build(ADDRESS, 0x83, bytes.fromhex("FF000007 44332211 0807060504030201"), "2007")
    _, reply = forward(AUTHENTICATE.raw.hex(), answer)
    assert [one["value"] for one in reply.detail["values"]] == ["11223344", "0102030405060708"]


def test_a_refusal_has_the_meters_reasons():
    with pytest.raises(Refused, match="identity authentication failed"):
        forward(AUTHENTICATE.raw.hex(), build(ADDRESS, 0xC3, b"\x08\x00", "2007"))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("hello", "no frame"),
        (TRIP.raw.hex()[:-4] + "0016", "no frame"),
        (build("000000000162", 0x03, bytes(12), "2007").raw.hex(), "is for 000000000162"),
        (build(ADDRESS, 0x1C, bytes.fromhex("02") + bytes(15), "2007").raw.hex(), "only security"),
        (build(ADDRESS, 0x1A, bytes(8), "2007").raw.hex(), "only security"),
        (build(ADDRESS, 0x83, bytes(12), "2007").raw.hex(), "only security"),
    ],
)
def test_nothing_else_goes_through(frame, words):
    with pytest.raises(BadInput, match=words):
        forward(frame)

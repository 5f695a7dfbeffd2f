"""Frames of the local interface against the vectors, and against anything else."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame
from meterhub_mesh.local_frame import LocalFrame, Scanner, decode, encode

VECTORS = [json.loads(line) for line in (Path(__file__).parent / "vectors.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["id"])
def test_every_vector_is_read_and_written_again(vector):
    data = bytes.fromhex(vector["hex"])
    if not vector["valid"]:
        with pytest.raises(BadFrame):
            decode(data)
        return
    frame, said = decode(data), vector["decoded"]
    assert (frame.afn, frame.fn, frame.sequence) == (said["afn"], said["fn"], said["seq"])
    if "src" in said:
        assert (frame.source, frame.destination) == (said["src"], said["dst"])
    assert encode(frame) == data


addresses = st.text("0123456789", min_size=12, max_size=12)
frames = st.builds(
    LocalFrame,
    st.sampled_from((0x4A, 0x8A, 0xCA, 0x0A)),
    st.integers(0, 0x15),
    st.integers(1, 64),
    st.binary(max_size=60),
    st.integers(0, 255).map(lambda number: bytes([4, 0, 0, 0, 0, number])),
    addresses,
    addresses,
)


@given(st.lists(frames, max_size=4), st.binary(max_size=20), st.lists(st.integers(0, 2000), max_size=4))
def test_frames_are_found_however_the_stream_is_cut_and_whatever_lies_between(sent, garbage, places):
    garbage = garbage.replace(b"\x68", b"")
    stream = garbage + garbage.join(encode(one) for one in sent) + garbage
    places = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    scanner, found = Scanner(), []
    for start, end in pairwise(places):
        found += [frame for frame, _ in scanner.find(stream[start:end])]
    assert found == sent


@given(st.binary(max_size=400))
def test_anything_else_does_no_harm(data):
    Scanner().find(data)
    try:
        decode(data)
    except BadFrame:
        return

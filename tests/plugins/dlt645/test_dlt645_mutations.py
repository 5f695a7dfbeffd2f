"""Damaged frames and noisy lines. ``METERHUB_SOAK=1000000`` mutates so many frames; ten bytes of noise for each."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from meterhub.errors import BadFrame
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.explain import explain
from meterhub_dlt645.frame import MINUS_33, build

COUNT = int(os.environ.get("METERHUB_SOAK", "15000"))
NOISE_BYTES = 10 * COUNT
VECTORS = Path(__file__).parent / "vectors.jsonl"
SEEDS = [bytes.fromhex(json.loads(line)["hex"]).lstrip(b"\xfe") for line in VECTORS.read_text("utf-8").splitlines()]
ENERGY = build("000000000161", 0x91, bytes.fromhex("0000010078563412"), "2007").raw


def mutated(chance: random.Random, frame: bytes) -> bytes:
    """Some bytes changed, or the end cut off, or bytes put in between."""
    data = bytearray(frame)
    for _ in range(chance.randrange(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    elif chance.random() < 0.1:
        data.insert(chance.randrange(len(data)), chance.randrange(256))
    return bytes(data)


def is_a_frame(data: bytes) -> bool:
    """Whether the bytes keep all the rules of the link layer, written down once more."""
    data = data.lstrip(b"\xfe")
    if len(data) < 12 or data[0] != 0x68 or data[7] != 0x68 or len(data) != 12 + data[9]:
        return False
    return data[-1] == 0x16 and sum(data[:-2]) % 256 == data[-2]


def test_mutated_frames_are_refused_or_whole():
    """Only ``BadFrame``, and never a frame that breaks a rule; what passes with a right checksum is explained."""
    chance = random.Random(645)
    accepted = 0
    for number in range(COUNT):
        data = mutated(chance, SEEDS[number % len(SEEDS)])
        if number % 2 and len(data) > 2:
            data = data[:-2] + bytes((sum(data[:-2]) & 0xFF, data[-1]))  # lets the mutation through to the layouts
        try:
            frame = decode_frame(data, chance.choice(("1997", "2007", None)))
        except BadFrame:
            assert not is_a_frame(data), data.hex()
            continue
        assert is_a_frame(data), data.hex()
        accepted += 1
        explain(frame)
        _ = frame.value
    assert accepted > COUNT // 5


def test_no_number_comes_from_digits_that_are_none():
    """Whatever stands in a value's bytes: a number exactly when all of its digits are decimal."""
    chance = random.Random(646)
    for _ in range(COUNT):
        data = bytearray(ENERGY)
        data[14 + chance.randrange(4)] = chance.randrange(256)
        data[-2] = sum(data[:-2]) & 0xFF
        frame = decode_frame(bytes(data), "2007")
        digits = data[14:18].translate(MINUS_33)[::-1].hex()
        assert frame.value == (int(digits) if digits.isdigit() else None)
        [one] = explain(frame)["values"]
        assert one["valid"] == digits.isdigit()


def test_every_frame_in_a_noisy_stream_is_found():
    """Noise of any bytes, false starts and cut frames among it; segments of any length."""
    chance = random.Random(647)
    stream, sent = bytearray(), []
    while len(stream) < NOISE_BYTES:
        stream += chance.randbytes(chance.randrange(200))
        if chance.random() < 0.2:
            stream += chance.choice(SEEDS)[: chance.randrange(4, 11)]
        frame = build(f"{chance.randrange(10**12):012d}", 0x91, chance.randbytes(chance.randrange(40))).raw
        stream += frame
        sent.append(frame)
    codec, found, at = Dlt645Codec(), [], 0
    while at < len(stream):
        size = chance.randrange(1, 1500)
        codec.receive(bytes(stream[at : at + size]))
        at += size
        while (frame := codec.next_frame()) is not None:
            found.append(frame.raw)
    assert found == sent

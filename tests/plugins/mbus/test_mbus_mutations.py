"""Whatever arrives: a ``BadFrame`` or an answer, never anything else.

``METERHUB_SOAK=1000000`` mutates that many telegrams instead of a few thousand.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadFrame
from meterhub_mbus import decode_telegram
from meterhub_mbus.explain import explain
from meterhub_mbus.frame import long_frame

LINES = (Path(__file__).parent / "mbus_vectors.jsonl").read_text("utf-8").splitlines()
REAL = [bytes.fromhex(json.loads(line)["hex"]) for line in LINES]
COUNT = int(os.environ.get("METERHUB_SOAK", "4000"))


def answer_or_bad_frame(raw):
    try:
        return explain(raw)
    except BadFrame as error:
        assert error.message
        return None


@given(st.binary(max_size=300))
def test_any_bytes(raw):
    answer_or_bad_frame(raw)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=252))
def test_any_data_in_a_valid_frame(control, ci, data):
    answer = answer_or_bad_frame(long_frame(control, 1, ci, data).raw)
    if answer is not None:
        json.dumps(answer)


def mutated(source):
    """A real telegram with some bytes changed, taken out or put in, and lengths and checksum right again."""
    body = bytearray(source.choice(REAL)[4:-2])
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(body)) if body else 0
        choice = source.random()
        if choice < 0.6 and body:
            body[at] = source.randrange(256)
        elif choice < 0.8 and body:
            del body[at : at + source.randint(1, 4)]
        else:
            body[at:at] = source.randbytes(source.randint(1, 4))
    body = (body + bytes(3))[:255] if len(body) < 3 else body[:255]
    return long_frame(body[0], body[1], body[2], bytes(body[3:])).raw


def test_mutated_telegrams():
    source = random.Random(20261)
    for _ in range(COUNT):
        raw = mutated(source)
        answer = answer_or_bad_frame(raw)
        for record in () if answer is None else answer["records"]:
            if record["value"] is None:
                assert not record["valid"] or record["raw"] == "" or record["quantity"] is None or "code" in record
            else:
                assert record["valid"]


@pytest.mark.parametrize("at", range(4, 30))
def test_a_changed_byte_without_a_new_checksum_is_refused(at):
    raw = bytearray(REAL[0])
    raw[at] ^= 0x01
    with pytest.raises(BadFrame):
        decode_telegram(bytes(raw))

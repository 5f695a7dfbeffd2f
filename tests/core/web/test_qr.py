"""QR codes: the smallest version that fits, all of its fixed parts, and codes that are known to be right."""

from __future__ import annotations

import hashlib

import pytest

from meterhub.errors import BadInput
from meterhub.web.qr import matrix, svg

KNOWN = {
    "weixin://wxpay/bizpayurl?pr=abcdef0": "51bea3427e7dda56",
    "https://qr.alipay.com/bax00000000000000000000": "c0d18fb877c5ac52",
    "https://pay.example.org/pay/r0123456789abcdef?" + "x" * 200: "d1e58f604fdafc01",
}
"""SHA-256 over the modules row by row, each found equal to what another program draws."""


@pytest.mark.parametrize("text", KNOWN)
def test_known_codes(text):
    bits = "".join("1" if dark else "0" for row in matrix(text.encode()) for dark in row)
    assert hashlib.sha256(bits.encode()).hexdigest()[:16] == KNOWN[text]


@pytest.mark.parametrize(("size", "side"), [(1, 21), (14, 21), (15, 25), (180, 53), (213, 57), (412, 77)])
def test_the_smallest_version_is_taken(size, side):
    rows = matrix(b"x" * size)
    assert len(rows) == side and all(len(row) == side for row in rows)
    finder = [[max(abs(y - 3), abs(x - 3)) != 2 for x in range(7)] for y in range(7)]
    assert [row[:7] for row in rows[:7]] == finder == [row[-7:] for row in rows[:7]]


def test_a_text_too_long_is_refused_and_the_label_is_escaped():
    with pytest.raises(BadInput):
        matrix(b"x" * 413)
    assert 'aria-label="&lt;b&gt;"' in svg("x", "<b>")

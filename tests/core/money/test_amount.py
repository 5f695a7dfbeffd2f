"""Amounts: integer fen inside, text at the edges, nothing in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.errors import BadInput
from meterhub.money.amount import MAX_FEN, parse_yuan, positive, yuan


@given(st.integers(0, MAX_FEN))
def test_what_is_written_is_read_again(fen):
    assert parse_yuan(yuan(fen)) == fen
    assert yuan(-fen) == ("-" if fen else "") + yuan(fen)


@pytest.mark.parametrize(("text", "fen"), [("50", 5000), ("50.0", 5000), (" 50.00 ", 5000), ("0.01", 1), ("00.10", 10)])
def test_one_amount_may_be_written_in_several_ways(text, fen):
    assert parse_yuan(text) == fen


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e2", "1.234", "1.", ".5", "0x1", "\uff11", "1,000", "9999999999"])
def test_anything_else_is_no_amount(text):
    with pytest.raises(BadInput):
        parse_yuan(text)


@pytest.mark.parametrize("fen", [0, -1, MAX_FEN + 1, 1.0, "1", True, None])
def test_an_amount_to_move_is_a_positive_whole_number(fen):
    with pytest.raises(BadInput):
        positive(fen)

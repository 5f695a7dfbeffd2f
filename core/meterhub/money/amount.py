"""Amounts: integer fen inside, yuan with two decimals at the edges. No float ever touches one."""

from __future__ import annotations

import re

from meterhub.errors import BadInput

YUAN = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)
MAX_FEN = 100_000_000_00
"""The most that one payment can be at either of the big companies: a hundred million yuan."""


def parse_yuan(text: str) -> int:
    """``50``, ``50.5`` and ``50.00`` as fen; raises ``BadInput`` for signs, exponents, more decimals, too much."""
    found = YUAN.fullmatch(text.strip())
    if found is not None:
        fen = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
        if fen <= MAX_FEN:
            return fen
    raise BadInput(f"{text[:40]!r} is no amount of money", hint="such as 50 or 50.00")


def yuan(fen: int) -> str:
    """``-1234567`` is ``-12345.67``."""
    whole, part = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{part:02d}"


def positive(fen: object, *, most: int = MAX_FEN) -> int:
    """The amount itself, when it is a whole number from 1 to ``most``; raises ``BadInput``."""
    if isinstance(fen, bool) or not isinstance(fen, int):
        raise BadInput("an amount is a whole number of fen")
    if not 0 < fen <= most:
        raise BadInput(f"an amount must be between 0.01 and {yuan(most)}, not {yuan(fen)}")
    return fen

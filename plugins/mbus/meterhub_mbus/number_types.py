"""Numbers as they stand in records: integers, BCD and real32. EN 13757-3, annex A, types A to D and H.

All come exact: BCD and integers as ``int``, real32 as the shortest decimal that is the same real32 again. What is no
number is None: BCD with other than decimal digits (the meter shows an error code), infinities and NaN.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from struct import Struct

_REAL = Struct("<f")


def signed(raw: bytes) -> int:
    """Type B: two's complement, low byte first."""
    return int.from_bytes(raw, "little", signed=True)


def unsigned(raw: bytes) -> int:
    """Types C and D: without sign, low byte first."""
    return int.from_bytes(raw, "little")


def bcd(raw: bytes) -> int | None:
    """Type A: decimal digits, low byte first; F as the highest digit is a minus sign."""
    digits = raw[::-1].hex()
    if digits.isdecimal():
        return int(digits)
    if digits[:1] == "f" and digits[1:].isdecimal():
        return -int(digits[1:])
    return None


@lru_cache(maxsize=4096)
def real(raw: bytes) -> Decimal | None:
    """Type H: IEEE 754 single precision, low byte first."""
    (number,) = _REAL.unpack(raw)
    if number - number != 0:  # infinite or not a number
        return None
    for digits in (6, 7, 8):
        text = f"{number:.{digits}g}"
        if _packed(text) == raw:
            return _shortest(text)
    return _shortest(f"{number:.9g}")


def _packed(text: str) -> bytes | None:
    """The real32 that is next to a decimal; None beyond the largest."""
    try:
        return _REAL.pack(float(text))
    except OverflowError:
        return None


def _shortest(text: str) -> Decimal:
    """A decimal without trailing zeros, and without the sign of a negative zero."""
    return Decimal(text).normalize() + 0

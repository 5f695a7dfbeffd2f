"""Data of variable length: the first byte, LVAR, says how many bytes follow and what they are. EN 13757-3, table 6.

==========  =============================================================
LVAR        data
==========  =============================================================
00..BF      text, LVAR characters of ISO 8859-1, the last one first
C0..C9      positive BCD number, LVAR - C0 bytes
D0..D9      negative BCD number, LVAR - D0 bytes
E0..EF      binary number, LVAR - E0 bytes
F0..F4      binary number, 4 (LVAR - EC) bytes
F5, F6      binary number, 48 and 64 bytes
==========  =============================================================

With the VIFE of a compact profile the bytes of the first kind are the profile and no text.
"""

from __future__ import annotations

from meterhub_mbus.number_types import bcd, signed

MOST_TEXT = 0xBF


def _size(lvar: int) -> int | None:
    if lvar <= MOST_TEXT:
        return lvar
    if lvar >= 0xF0:
        return {0xF5: 48, 0xF6: 64}.get(lvar, 4 * (lvar - 0xEC) if lvar < 0xF5 else None)
    size = lvar & 0x0F
    return size if lvar >= 0xE0 or size < 10 else None


SIZES = tuple(_size(lvar) for lvar in range(256))
"""Bytes behind LVAR; None for values that are reserved, where nobody knows where the next record begins."""


def number(raw: bytes) -> int | None:
    """The number behind LVAR, or None where there is none; ``raw`` begins with LVAR and is no text."""
    lvar, data = raw[0], raw[1:]
    if lvar >= 0xE0:
        return signed(data) if data else None
    value = bcd(data)
    if value is None or value < 0:
        return None
    return -value if lvar >= 0xD0 else value


def text(raw: bytes) -> str:
    """The text behind LVAR, exactly as sent; it may hold NULs and control characters."""
    return raw[:0:-1].decode("latin-1")


def shown(text: str) -> str:
    """A text from a meter as pages and files may have it: without the NULs and blanks around it, and with control
    characters as ``\\x0c``."""
    return "".join(one if one.isprintable() or one == "\xa0" else f"\\x{ord(one):02x}" for one in text.strip("\0 "))

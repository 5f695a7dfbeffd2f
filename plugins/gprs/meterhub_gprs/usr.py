"""Changing the speed of a converter's serial port through its data connection, as USR converters understand it.

    55 AA 55 | baud 3, high first | parameter | sum of the four bytes before, modulo 256

Parameter: bits 1-0 data bits less 5, bit 2 two stop bits, bit 3 parity, bits 5-4 odd, even, mark, space.
No answer comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from meterhub.field.calls.sieve import Sieve

HEAD = b"\x55\xaa\x55"
PARITIES = ("odd", "even", "mark", "space")


def speed_packet(baud: int, bits: int = 8, parity: str = "even", stop: int = 1) -> bytes:
    """The packet for these settings."""
    parameter = bits - 5 | (stop == 2) << 2
    if parity != "none":
        parameter |= 1 << 3 | PARITIES.index(parity) << 4
    body = baud.to_bytes(3, "big") + bytes([parameter])
    return HEAD + body + bytes([sum(body) & 0xFF])


class UsrSieve(Sieve):
    """A sieve whose collector can be told the speed."""

    __slots__ = ("_wire",)

    def __init__(self, packets: Sequence[bytes], bits: int, parity: str, stop: int) -> None:
        super().__init__(packets)
        self._wire = (bits, parity, stop)

    def speed(self, baud: int) -> bytes | None:
        """The packet that changes it."""
        return speed_packet(baud, *self._wire)

"""DDP, the framing of Hongdian and Four-Faith terminals: mostly over UDP.

    7B | type | length 2, high first | phone number 11, NUL-padded | [local IP 4, port 2] | 7B | [data]

The length counts the header of 16 (a registration: 22) bytes; data stand after the closing 7B. One kind of firmware
puts them before it and counts them.
"""

from __future__ import annotations

from collections.abc import Mapping

from meterhub.field.calls.framing import Framing
from meterhub.field.calls.registration import UNKNOWN, WAIT, Greeter

MARK = 0x7B
HEADER = 16
REGISTER, LOG_OFF, DATA_UP = 0x01, 0x02, 0x09
ACCEPTED, LOGGED_OFF, DATA_DOWN = 0x81, 0x82, 0x89


def packet(kind: int, identity: bytes, data: bytes = b"") -> bytes:
    """A packet to or from a terminal; ``data`` after the closing mark."""
    head = bytes([MARK, kind]) + HEADER.to_bytes(2, "big") + identity.ljust(11, b"\0")[:11]
    return head + bytes([MARK]) + data


def split(data: bytes) -> tuple[int, bytes, bytes] | None:
    """``(type, identity, data)`` of one datagram, None for what is none."""
    length = int.from_bytes(data[2:4], "big")
    if len(data) < HEADER or data[0] != MARK or not HEADER <= length <= len(data) or data[length - 1] != MARK:
        return None
    inside = data[15 : length - 1] if data[1] == DATA_UP and length > HEADER else data[length:]
    return data[1], data[4:15].rstrip(b"\0"), inside


class DdpGreeter(Greeter):
    """Knows a terminal by any of its packets: after a restart of the hub the next one tells who it is."""

    def __init__(self, ids: Mapping[bytes, str]) -> None:
        self._ids = ids

    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """As ``Greeter.find``; the packet stays in the rest, for the framing to answer it."""
        if data[:1] != bytes([MARK]):
            return UNKNOWN, b"", data
        if len(data) < HEADER:
            return (UNKNOWN if final else WAIT), b"", data
        found = split(data)
        return self._ids.get(found[1], UNKNOWN) if found is not None else UNKNOWN, b"", data


class Ddp(Framing):
    """Answers registrations, takes data out of their packets."""

    talks = True
    held = b""

    def __init__(self, identity: bytes) -> None:
        self._identity = identity
        self._answers = b""

    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """One datagram at a time; every packet is a sign of life."""
        found = split(data)
        if found is None:
            return b"", 0
        kind, _, inside = found
        if kind == REGISTER:
            self._answers += packet(ACCEPTED, self._identity)
        elif kind == LOG_OFF:
            self._answers += packet(LOGGED_OFF, self._identity)
        return (inside if kind == DATA_UP else b""), 1

    def dress(self, data: bytes) -> bytes:
        """Data for the terminal's serial port."""
        return packet(DATA_DOWN, self._identity, data)

    def answers(self) -> bytes:
        """Receipts of registrations."""
        answers, self._answers = self._answers, b""
        return answers

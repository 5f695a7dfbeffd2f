"""Who calls? Pure matching of the first bytes of a caller."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Protocol

BLANK = b"\r\n \t\x00"
"""What some collectors put around their registration."""
UNKNOWN, WAIT = "unknown", "wait"


class Greeter(Protocol):
    """Knows a caller by its first bytes."""

    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """``(collector id, packet, rest)``; ``(WAIT, b"", data)`` while more bytes may decide (never when ``final``),
        ``(UNKNOWN, b"", data)`` when none can."""


class Register:
    """The registration packets of a link, by which a caller is known."""

    def __init__(self, packets: Mapping[bytes, str]) -> None:
        """``packets``: registration packet to collector id."""
        self._ids = dict(packets)
        for data, collector_id in packets.items():
            if not data.isascii() or not data.decode().isprintable():
                for text in (data.hex(), data.hex().upper()):  # sent as hex text by mistake
                    self._ids.setdefault(text.encode(), collector_id)
        self._lengths = sorted({len(one) for one in self._ids}, reverse=True)
        self._sorted = sorted(self._ids)

    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """``(collector id, packet, rest)`` for the first bytes of a caller; the longest packet wins.

        ``(WAIT, b"", data)`` while more bytes may decide (never when ``final``), ``(UNKNOWN, b"", data)`` if none can.
        """
        waits = False
        for start in (data, data.lstrip(BLANK)):  # a registration may itself begin with a zero byte
            if not final and (not start or self._may_grow(start)):
                waits = True
                continue
            for length in self._lengths:
                collector_id = self._ids.get(start[:length])
                if collector_id is not None and len(start) >= length:
                    return collector_id, start[:length], start[length:].lstrip(BLANK)
        return WAIT if waits else UNKNOWN, b"", data

    def _may_grow(self, start: bytes) -> bool:
        """Could more bytes turn ``start`` into a longer packet than those that are there?"""
        place = bisect_left(self._sorted, start)
        if place < len(self._sorted) and self._sorted[place] == start:
            place += 1
        return place < len(self._sorted) and self._sorted[place].startswith(start)


class Shape:
    """Registration packets of one length that hold the identity at one place, among bytes that may vary.

    ``begin``: how each begins, ``length``: of a whole one, ``place``: where the identity stands in it.
    """

    def __init__(self, begin: bytes, length: int, place: slice, ids: Mapping[bytes, str]) -> None:
        self._begin = begin
        self._length = length
        self._place = place
        self._ids = ids

    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """As ``Greeter.find``."""
        size = min(len(data), len(self._begin))
        if data[:size] != self._begin[:size]:
            return UNKNOWN, b"", data
        if len(data) < self._length:
            return (UNKNOWN if final else WAIT), b"", data
        packet = data[: self._length]
        known = self._ids.get(packet[self._place].rstrip(BLANK))
        return (known, packet, data[self._length :]) if known is not None else (UNKNOWN, b"", data)

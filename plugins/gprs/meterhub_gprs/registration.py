"""Who calls? Pure matching of registration packets, and taking packets of the link out of the stream of data."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

BLANK = b"\r\n \t\x00"
"""What some collectors put around their registration."""
SHORT = 4
"""A packet shorter than this may well be data: see ``Sieve``."""

UNKNOWN, WAIT = "unknown", "wait"


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


class Sieve:
    """Takes registrations and heartbeats out of the stream: at its start, between and inside answers.

    Packets of one byte count only when a segment consists of nothing else. One of two or three bytes in the middle
    of a segment may be data: it is taken out every second time, so that a repeated request gets through either way.
    """

    __slots__ = ("_doubt", "_inner", "_long", "_single", "held")

    def __init__(self, packets: Sequence[bytes]) -> None:
        self._long = tuple(sorted((one for one in packets if len(one) > 1), key=len, reverse=True))
        self._single = bytes(one[0] for one in packets if len(one) == 1)
        self._inner = b"".join(one[:-1] for one in self._long)
        self._doubt = False
        self.held = b""
        """The end of the last segment, which may be the beginning of a packet."""

    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """``(data without packets, number of packets)``. A possible beginning is held back unless ``final``."""
        if self.held:
            data, self.held = self.held + data, b""
        if self._single and not data.strip(self._single):
            return b"", len(data)
        found = 0
        for packet in self._long:
            if packet in data:
                data, taken = self._take_out(packet, data)
                found += taken
        if found and not data.strip(BLANK):
            data = b""
        if data and not final and data[-1] in self._inner:
            data = self._hold_back(data)
        return data, found

    def _take_out(self, packet: bytes, data: bytes) -> tuple[bytes, int]:
        kept, at, found = b"", 0, 0
        while (place := data.find(packet, at)) >= 0:
            end = place + len(packet)
            take = True
            if len(packet) < SHORT and place and end < len(data):
                take = self._doubt = not self._doubt
            kept += data[at : place if take else end]
            found += take
            at = end
        return kept + data[at:], found

    def _hold_back(self, data: bytes) -> bytes:
        for packet in self._long:
            for length in range(min(len(packet) - 1, len(data)), 0, -1):
                if data.endswith(packet[:length]):
                    self.held = data[-length:]
                    return data[:-length]
        return data

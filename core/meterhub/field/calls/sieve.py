"""The sieve of transparent collectors: takes registrations and heartbeats out of the stream of data."""

from __future__ import annotations

from collections.abc import Sequence

from meterhub.field.calls.framing import Framing
from meterhub.field.calls.registration import BLANK

SHORT = 4
"""A packet shorter than this may well be data: see ``Sieve``."""


class Sieve(Framing):
    """Takes registrations and heartbeats out of the stream: at its start, between and inside answers.

    Packets of one byte count only when a segment consists of nothing else. One of two or three bytes in the middle
    of a segment may be data: it is taken out every second time, so that a repeated request gets through either way.
    """

    __slots__ = ("_doubt", "_inner", "_long", "_single", "held")

    def __init__(self, packets: Sequence[bytes]) -> None:
        self._long = long = tuple(sorted((one for one in packets if len(one) > 1), key=len, reverse=True))
        self._single = b"".join([one for one in packets if len(one) == 1])
        self._inner = b"".join([one[:-1] for one in long])
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

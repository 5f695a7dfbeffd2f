"""Who calls? Pure matching of the first bytes of a caller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import pairwise

from meterhub.errors import BadInput

BLANK = b"\r\n \t\x00"
"""What some collectors put around their registration."""
UNKNOWN, WAIT = "unknown", "wait"


class Greeter(ABC):
    """Knows a caller by its first bytes."""

    def without_secret(self, data: bytes) -> bytes | None:
        """What may be shown of the first bytes of somebody who sent a wrong secret; None for anybody else."""
        return None

    def add(self, packet: bytes, collector_id: str) -> None:
        """Know one more; raises ``BadInput`` where that cannot be."""
        raise BadInput("collectors of this kind name themselves and are not paired", where=collector_id)

    @abstractmethod
    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """``(collector id, packet, rest)``; ``(WAIT, b"", data)`` while more bytes may decide (never when ``final``),
        ``(UNKNOWN, b"", data)`` when none can."""


class Register(Greeter):
    """The registration packets of a link, by which a caller is known."""

    def __init__(self, packets: Mapping[bytes, str], secret: Iterable[bytes] = ()) -> None:
        """``packets``: registration packet to collector id; ``secret``: beginnings that a secret follows."""
        self._secret = tuple(secret)
        self._index(dict(packets))

    def _index(self, packets: dict[bytes, str]) -> None:
        self._packets = packets
        self._ids = dict(packets)
        for data, collector_id in packets.items():
            if not data.isascii() or not data.decode().isprintable():
                for text in (data.hex(), data.hex().upper()):  # sent as hex text by mistake
                    self._ids.setdefault(text.encode(), collector_id)
        self._lengths = sorted({len(one) for one in self._ids}, reverse=True)
        self._sorted = sorted(self._ids)
        self._growing = {one for one, next_one in pairwise(self._sorted) if next_one.startswith(one)}
        """Packets with which a longer one begins."""

    def find(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """``(collector id, packet, rest)`` for the first bytes of a caller; the longest packet wins.

        ``(WAIT, b"", data)`` while more bytes may decide (never when ``final``), ``(UNKNOWN, b"", data)`` if none can.
        """
        if (known := self._ids.get(data)) is not None and data not in self._growing:
            return known, data, b""  # nearly all of them
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

    def add(self, packet: bytes, collector_id: str) -> None:
        """Know one more caller, in place of what this collector was paired with before."""
        packet = packet.strip(BLANK) or packet
        if self._ids.get(packet, collector_id) != collector_id:
            raise BadInput(f"this is the registration of {self._ids[packet]}", where=collector_id)
        self._index({**{data: one for data, one in self._packets.items() if one != collector_id}, packet: collector_id})

    def without_secret(self, data: bytes) -> bytes | None:
        """The registration alone, where a secret belongs to it."""
        data = data.lstrip(BLANK)
        return next((one for one in self._secret if data.startswith(one)), None)

    def _may_grow(self, start: bytes) -> bool:
        """Could more bytes turn ``start`` into a longer packet than those that are there?"""
        place = bisect_left(self._sorted, start)
        if place < len(self._sorted) and self._sorted[place] == start:
            place += 1
        return place < len(self._sorted) and self._sorted[place].startswith(start)


class Shape(Greeter):
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

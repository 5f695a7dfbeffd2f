"""The last raw frames of a line, both ways, for the "technical" part of a device's page."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

SENT, RECEIVED, EVENT = "sent", "received", "event"


class TraceEntry(NamedTuple):
    """What passed. ``meter_id`` is the meter being asked, '' when nobody was; ``note`` says what became of it."""

    ms: int
    direction: str
    meter_id: str
    data: bytes
    note: str


class Trace:
    """A ring of entries; the oldest fall out."""

    def __init__(self, size: int = 200) -> None:
        self._ring: deque[tuple[int, str, str, bytes, str]] = deque(maxlen=size)
        self.add = self._ring.append
        """Add one plain tuple in the order of ``TraceEntry``; a bare append, since it is called for every segment."""

    def entries(self, meter_id: str | None = None) -> list[TraceEntry]:
        """Oldest first; those of one meter when ``meter_id`` is given."""
        return [TraceEntry(*one) for one in self._ring if meter_id is None or one[2] == meter_id]

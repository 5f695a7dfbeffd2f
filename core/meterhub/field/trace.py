"""The last raw frames of a line, both ways, for the "technical" part of a device's page."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from meterhub.clock import Clock

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

    def __init__(self, clock: Clock, size: int = 100) -> None:
        self._clock = clock
        self._ring: deque[tuple[float, str, str, bytes, str]] = deque(maxlen=size)
        self.add = self._ring.append
        """Add a plain tuple ``(Clock.monotonic(), direction, meter_id, data, note)``: a bare append, called often."""

    def entries(self, meter_id: str | None = None) -> list[TraceEntry]:
        """Oldest first; those of one meter when ``meter_id`` is given."""
        now_ms, now = self._clock.now(), self._clock.monotonic()
        return [
            TraceEntry(now_ms - round((now - at) * 1000), direction, owner, data, note)
            for at, direction, owner, data, note in self._ring
            if meter_id is None or owner == meter_id
        ]

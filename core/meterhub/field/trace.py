"""The last raw frames of a line, both ways, for the "technical" part of a device's page."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from meterhub.clock import Clock

SENT, RECEIVED, EVENT = "sent", "received", "event"


class TraceEntry(NamedTuple):
    """What passed. ``meter_id`` is the meter being asked, '' when nobody was; ``note`` says what became of it."""

    ms: int
    direction: str
    meter_id: str
    data: bytes
    note: str


FIELDS = len(TraceEntry._fields)


class Trace(deque[Any]):
    """A ring of the last ``size`` entries; the oldest fall out.

    The fields of each entry stand in the ring itself, one after the other: a hundred thousand tuples would only be
    looked through by the garbage collector.
    """

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock, size: int = 100) -> None:
        super().__init__(maxlen=size * FIELDS)
        self._clock = clock

    add = deque.extend
    """Add one as ``(Clock.monotonic(), direction, meter_id, data, note)``: a bare append, for it is called twice
    in each exchange."""

    def entries(self, meter_id: str | None = None) -> list[TraceEntry]:
        """Oldest first; those of one meter when ``meter_id`` is given."""
        now_ms, now = self._clock.now(), self._clock.monotonic()
        fields = iter(self)
        return [
            TraceEntry(now_ms - round((now - at) * 1000), direction, owner, data, note)
            for at, direction, owner, data, note in zip(*[fields] * FIELDS, strict=True)
            if meter_id is None or owner == meter_id
        ]

"""Stops a room of money at one thing that it does, as a power cut would, for tests that try every one of them."""

from __future__ import annotations

from collections import Counter


class Stopped(BaseException):
    """The power went. Nobody in the room may catch it."""


class Stops:
    """``trip(label)`` counts, and raises at the point ``at`` and ever after until ``heal()``.

    ``at`` is a label and how often it came before, or the number of all trips; None never stops.
    """

    def __init__(self, at=None):
        self.at = at
        self.count = 0
        self.seen = Counter()
        self.points = []
        self.stopped = False

    def trip(self, label):
        point = (label, self.seen[label])
        self.seen[label] += 1
        self.count += 1
        if not self.stopped:
            self.points.append(point)
        if self.at is not None and (point == self.at or (isinstance(self.at, int) and self.count >= self.at)):
            self.stopped = True
        if self.stopped:
            raise Stopped(label)

    def heal(self):
        self.at, self.stopped = None, False


class StoppingStore:
    """A store that trips before and after each transaction and query."""

    def __init__(self, store, trip):
        self._store = store
        self._trip = trip

    async def transact(self, fn):
        self._trip(f"before commit of {fn.__qualname__}")
        result = await self._store.transact(fn)
        self._trip(f"after commit of {fn.__qualname__}")
        return result

    async def query(self, name, params=()):
        self._trip(f"before query {name}")
        rows = await self._store.query(name, params)
        self._trip(f"after query {name}")
        return rows

"""Stops a room of money at one thing that it does, as a power cut would, for tests that try every one of them.

Each is known by the awaits of the rooms that lead to it, so that every ``await`` of their source can be looked for.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

CORE = Path(__file__).parents[3] / "core" / "meterhub"
ROOMS = {
    f"{path}": path.relative_to(CORE).with_suffix("").as_posix()
    for path in [
        *(CORE / "money").glob("*.py"),
        *(CORE / one for one in ("messages/desk.py", "office/message_room.py", "office/money_room.py")),
        *(CORE / one for one in ("office/redirects.py", "actions.py", "action_journal.py")),
    ]
}
"""The files on the way of money, by path."""


class Stopped(BaseException):
    """The power went. Nobody in the room may catch it."""


def awaits():
    """Every ``await`` of the rooms: its place, and how it is told to a reader."""
    found = {}
    for path, room in ROOMS.items():
        source = Path(path).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Await):
                words = " ".join((ast.get_source_segment(source, node) or "").split())
                found[room, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset] = f"{room}: {words}"
    return found


def where():
    """The places in the rooms that are under way just now, the outermost first."""
    frame, chain = sys._getframe(2), []
    while frame is not None:
        room = ROOMS.get(frame.f_code.co_filename)
        if room is not None:
            line, end_line, column, end_column = _positions(frame.f_code)[frame.f_lasti // 2]
            chain.append((room, line, column, end_line, end_column))
        frame = frame.f_back
    return tuple(reversed(chain))


@lru_cache(maxsize=1000)
def _positions(code):
    return list(code.co_positions())


class Stops:
    """``trip(label)`` counts, and raises at the points ``at``, one after the other: at each, and ever after until
    ``heal()``. A point is a place, a label, and how often both came before; a number is that of all trips.
    """

    def __init__(self, *at):
        self.at = [one for one in at if one is not None]
        self.count = 0
        self.seen = Counter()
        self.points = []
        """Where it could have stopped since the last ``heal()``."""
        self.stopped = False

    def trip(self, label):
        place = where()
        point = (place, label, self.seen[place, label])
        self.seen[place, label] += 1
        self.count += 1
        if not self.stopped:
            self.points.append(point)
        if self.at and (point == self.at[0] or (isinstance(self.at[0], int) and self.count >= self.at[0])):
            self.stopped = True
        if self.stopped:
            raise Stopped(label)

    def heal(self):
        """The power is back, until the next point."""
        self.at, self.stopped, self.points = self.at[1:], False, []
        self.seen.clear()


def told(point):
    """A point in words."""
    place, label, times = point
    way = " > ".join(f"{room.rpartition('/')[2]}:{line}" for room, line, *_ in place)
    return f"{label} (number {times + 1} at {way})"


class StoppingStore:
    """A store that trips before and after each transaction and query."""

    def __init__(self, store, trip):
        self._store = store
        self._trip = trip

    async def transact(self, fn):
        self._trip("before commit")
        result = await self._store.transact(fn)
        self._trip("after commit")
        return result

    async def query(self, name, params=()):
        self._trip(f"before query {name}")
        rows = await self._store.query(name, params)
        self._trip(f"after query {name}")
        return rows

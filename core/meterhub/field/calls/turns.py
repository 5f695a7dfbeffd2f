"""Turns: work that may come for thousands of connections at once, so much of it in one turn of the loop.

A power cut ends them all in one moment. Done in one go that would hold the loop for half a second and more, since one
turn takes in whatever the kernel has to tell.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

PER_TURN = 128
"""Connections that are ended in one turn: some 4 ms."""


class Turns:
    """First come, first served; at once while the turn has room."""

    def __init__(self) -> None:
        self._left = PER_TURN
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = False

    def __len__(self) -> int:
        return len(self._waiting)

    def do(self, work: Callable[[], None]) -> None:
        """Do it in this turn or, after all that waits already, in one of the next."""
        if self._left and not self._waiting:
            self._left -= 1
            self._arm()
            work()
        else:
            self._waiting.append(work)

    def _arm(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """A new turn has begun."""
        self._due = False
        self._left = PER_TURN
        try:
            while self._waiting and self._left:
                self._left -= 1
                self._waiting.popleft()()
        finally:
            if self._waiting or not self._left:
                self._arm()

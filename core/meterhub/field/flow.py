"""Flow: what comes in waits its turn, so that no flood holds the loop, and no more is taken in than can be stored.

Bytes of a collector are handed on at once while a turn of the loop has room for them and the gate is open. Else they
wait, their channel reads no further (so TCP slows the sender down), and all who wait are served in slices, one after
another. While the gate is shut nobody is served, and lines begin no routine read. Of a sender that cannot be slowed
down (a serial device, a radio network) a bounded number of bytes waits; what comes beyond is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from meterhub.clock import Clock

TURN_BYTES = 8 * 1024
"""Bytes handed on in one turn of the loop: about 400 frames, some 5 ms."""
SLICE = 512
"""Bytes of one collector before the next one's turn."""
LATE_S = 1.0
"""Bytes that wait longer are worth a word."""
CALM_S = 10.0
"""So long nothing must be late before a flood counts as over."""
LASTING_S = 10.0
"""A flood of this length shows as ``lasting``."""
LOG_EVERY_S = 60.0
DRAIN_S = 3.0
"""So long what has come is taken in when the hub stops."""
WAITING_BYTES = 64 * 1024
"""Bytes of one sender that wait at most, where he cannot be slowed down: four minutes of a wire of 2400 baud."""

log = logging.getLogger(__name__)

Serve = Callable[[int], int]
"""``serve(size)`` hands on up to so many bytes and returns how many; one that used them all is called again."""


class Flow:
    """One for all collectors and lines of a hub."""

    def __init__(self, clock: Clock) -> None:
        self.shut = False
        """Is nobody to be served, because the store has to catch up?"""
        self._clock = clock
        self._left = TURN_BYTES
        self._queue: deque[tuple[float, Serve]] = deque()
        self._due = False
        self._shut_at = self._shut_s = 0.0
        self._late_from = 0.0
        self._late_at = self._log_at = self._drop_log_at = float("-inf")
        self.ending = False
        """Does the hub stop? Then whoever has been served reads no further."""
        self.dropped_bytes = 0
        """Bytes given up since the start, because there was no room for them or the hub stopped first."""
        self.lost_datagrams = 0
        """Datagrams that the kernel had no room for since the start."""

    @property
    def waiting(self) -> int:
        """How many collectors and lines wait to be served."""
        return len(self._queue)

    @property
    def shut_s(self) -> float:
        """Seconds for which the gate was shut since the start."""
        return self._shut_s + (self._clock.monotonic() - self._shut_at if self.shut else 0.0)

    def admits(self, size: int) -> bool:
        """May so many bytes be handed on now? Else ``hold`` them."""
        if self.shut or size > self._left:
            return False
        self._left -= size
        return True

    def hold(self, serve: Serve) -> None:
        """Have ``serve`` called when its turn comes, after those who wait already."""
        self._queue.append((self._clock.monotonic(), serve))
        self._arm()

    def set_gate(self, shut: bool) -> None:
        """Shut the gate, or open it again."""
        if shut == self.shut:
            return
        self._shut_s = self.shut_s
        self._shut_at = self._clock.monotonic()
        self.shut = shut
        if not shut and self._queue:
            self._arm()

    async def drain(self) -> None:
        """The hub stops: serve those who wait until nobody does, for ``DRAIN_S`` at most; they read no further."""
        self.ending = True
        until = self._clock.monotonic() + DRAIN_S
        while self._queue and self._clock.monotonic() < until:
            await self._clock.sleep(0.005)

    def dropped(self, size: int, who: str) -> None:
        """So many bytes of a collector were given up, for want of room or because the hub stops."""
        self.dropped_bytes += size
        now = self._clock.monotonic()
        if now >= self._drop_log_at:
            self._drop_log_at = now + LOG_EVERY_S
            why = "the hub stops" if self.ending else "it sends more than can be taken and cannot be slowed down"
            log.warning("collector %s: %d bytes are dropped, %s (%d in all)", who, size, why, self.dropped_bytes)

    def lost(self, datagrams: int, where: str) -> None:
        """The kernel had no room for so many datagrams."""
        self.lost_datagrams += datagrams
        now = self._clock.monotonic()
        if now >= self._drop_log_at:
            self._drop_log_at = now + LOG_EVERY_S
            log.warning(
                "link %s: %d datagrams are lost, more come than can be taken (%d since the start)",
                where, datagrams, self.lost_datagrams,
            )  # fmt: skip

    def lasting(self) -> bool:
        """Has more come for a while than can be dealt with?"""
        now = self._clock.monotonic()
        if self._queue:
            self._look(now)
        return now - self._late_at <= CALM_S and self._late_at - self._late_from >= LASTING_S

    def _arm(self) -> None:
        if not self._due and not self.shut:
            self._due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Serve those who wait as far as this turn of the loop has room."""
        self._due = False
        self._left = TURN_BYTES
        if self._queue:
            self._look(self._clock.monotonic())
        try:
            while self._queue and self._left > 0 and not self.shut:
                since, serve = self._queue.popleft()
                used = serve(SLICE)
                self._left -= used
                if used >= SLICE:
                    self._queue.append((since, serve))
        finally:
            if self._queue:
                self._arm()

    def _look(self, now: float) -> None:
        """Notice, and say within limits, when bytes wait for long."""
        since = self._queue[0][0]
        if now - since < LATE_S:
            return
        if since - self._late_at > CALM_S:
            self._late_from = since
        self._late_at = now
        if now >= self._log_at:
            self._log_at = now + LOG_EVERY_S
            why = "the store has to catch up" if self.shut else "more comes than there is time for"
            log.warning("%d collectors and lines wait, for up to %.1f s: %s", self.waiting, now - since, why)

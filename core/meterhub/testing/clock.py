"""A clock that moves by itself: time passes only when nothing else can run, so a simulated year takes a minute.

It works on the stock asyncio loop (not on uvloop) and not together with real sockets: whoever waits for the network
sees time leap. Wait for threads and processes inside ``clock.outside()``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from meterhub.clock import Clock

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
BASE_S = 1000.0
"""``monotonic()`` at the start."""
RESOLUTION_S = 1e-6
"""The loop's own of a nanosecond is less than a float of many days can tell apart."""
PATIENCE_S = 10.0
"""Real seconds to wait for a thread nobody told us of, before a test that can never go on is stopped."""
SLICE_S = 0.05
LOOK_OUTSIDE = 16
"""Turns of the loop in which something is ready, until sockets are asked again: each time is a call of the system."""


class MovableClock(Clock):
    """Takes the place of ``Clock``. Repeats from its ``seed``."""

    def __init__(self, start_ms: int = START_MS, seed: int = 1) -> None:
        super().__init__(seed)
        self._start_ms = start_ms
        self._now_s = BASE_S
        self._outside = 0
        self._turns = 0
        self._loop: Any = None
        self._select: Any = None
        self._resolution = RESOLUTION_S

    def now(self) -> int:
        """UTC epoch milliseconds of the simulated time."""
        return self._start_ms + round((self._now_s - BASE_S) * 1000)

    def monotonic(self) -> float:
        """Simulated seconds, from 1000 on."""
        return self._now_s

    def call_at(self, when_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """As ``Clock``; once installed it works in plain fixtures too, where no loop runs."""
        loop: asyncio.AbstractEventLoop = self._loop or asyncio.get_running_loop()
        return loop.call_at(when_s, callback, *args)

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """As ``Clock``; once installed it works in plain fixtures too, where no loop runs."""
        return self.call_at(self._now_s + delay_s, callback, *args)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock: ``now()`` leaps, forward or back; ``monotonic()`` and timers go on."""
        self._start_ms += round(seconds * 1000)

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; everything that is due meanwhile happens in its order."""
        await asyncio.sleep(seconds)
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Time stands still while this is held."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over the time of ``loop``. Raises ``RuntimeError`` for a loop without a selector (uvloop)."""
        selector = getattr(loop, "_selector", None)
        if selector is None:
            raise RuntimeError("the movable clock needs the stock asyncio loop")
        self._loop, self._select = loop, selector.select
        self._resolution = getattr(loop, "_clock_resolution", RESOLUTION_S)
        self._loop._clock_resolution = RESOLUTION_S
        loop.time = self.monotonic  # type: ignore[method-assign]
        selector.select = self._wait

    def uninstall(self) -> None:
        """Give the loop its own time back."""
        del self._loop.time
        self._loop._clock_resolution = self._resolution
        self._loop._selector.select = self._select

    def _wait(self, timeout_s: float | None) -> Any:
        """In place of the selector's ``select``: leap to the next timer when nothing is ready."""
        if timeout_s is not None and timeout_s <= 0:
            self._turns += 1
            return self._select(0) if self._turns % LOOK_OUTSIDE == 0 else []
        ready = self._select(0)
        if ready:
            return ready
        if self._outside:
            return self._select(SLICE_S)
        if timeout_s is not None:
            self._now_s += timeout_s
            return ready
        for _ in range(round(PATIENCE_S / SLICE_S)):
            ready = self._select(SLICE_S)
            if ready:
                return ready
        raise RuntimeError("nothing can run and no timer is set: something waits for ever")

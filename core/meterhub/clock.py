"""The only source of time, waiting and random numbers in core and plugins.

Tests and simulations put a movable clock (``meterhub.testing.clock``) in its
place, so that a simulated year takes a minute and repeats from its seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from typing import Any

NOTHING_HELD = contextlib.nullcontext()


class Clock:
    """Real time. ``random`` is seeded by the system; give ``seed`` to repeat a run."""

    def __init__(self, seed: int | None = None) -> None:
        self.random = random.Random(seed)

    def now(self) -> int:
        """UTC epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back; the time base of ``call_at``."""
        return time.monotonic()  # what the loops count by; asking the loop costs a system call to find it

    def ms_of(self, at_s: float) -> int:
        """UTC epoch milliseconds of a time of ``monotonic()``."""
        return self.now() - round((self.monotonic() - at_s) * 1000)

    def cpu_s(self) -> float:
        """CPU seconds used by this process."""
        return time.process_time()

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds``; 0 lets others run once."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        """Async context manager that raises ``TimeoutError`` after ``seconds`` (None: never)."""
        return asyncio.timeout(seconds)

    def call_at(self, when_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call ``callback(*args)`` when ``monotonic()`` reaches ``when_s``; the handle can ``cancel()``."""
        return asyncio.get_running_loop().call_at(when_s, callback, *args)

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call ``callback(*args)`` in ``delay_s`` seconds; the handle can ``cancel()``."""
        return asyncio.get_running_loop().call_later(delay_s, callback, *args)

    def outside(self) -> AbstractContextManager[None]:
        """Mark that something outside the loop (a thread, a process) is being waited for.

        Real time passes anyway; a movable clock stands still while this is held.
        """
        return NOTHING_HELD


def seeded(name: str) -> random.Random:
    """A generator of its own that gives the same numbers for the same name in every run and on every machine."""
    return random.Random(name)


def utc(ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(ms: int) -> str:
    """UTC ISO 8601 with milliseconds and ``Z``, such as ``2026-11-24T07:49:58.120Z``."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"

"""Pacing: when the wire may be used again. The timer and the phases of a line; knows nothing of bytes."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from meterhub.clock import Clock
from meterhub.field.dialogues import Dialogues
from meterhub.field.figures import BUSY_S, WINDOW_END
from meterhub.field.line_config import LineConfig

FREE, GAP, BUSY, BROADCAST = range(4)
LONGEST_ANSWER = 300
"""Bytes that an answer may have when they keep coming after the expected time."""
BETWEEN_BYTES_S = 0.5
"""The longest pause within an answer (DL/T 645-2007 allows 500 ms between bytes)."""


class Pacing(Dialogues):
    """The phases of a line, see ``field.line``; one timer per line, which is set again only when it has to be."""

    __slots__ = (
        "_clear_at",
        "_due",
        "_last_byte",
        "_latest",
        "_phase",
        "_sent_at",
        "_silence_until",
        "_timer",
        "_timer_at",
    )

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        super().__init__(config, clock)
        self._phase = FREE
        self._sent_at = 0.0
        self._due = 0.0
        """BUSY: when the answer is too late. GAP, BROADCAST: when the wire is free."""
        self._latest: float | None = None
        """BUSY: when the answer is too late although bytes keep coming; None before the first such delay."""
        self._clear_at = 0.0
        self._silence_until = 0.0
        """While positive: a request timed out; wait for silence, at most until then."""
        self._last_byte = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def asking(self) -> bool:
        """Is an answer waited for?"""
        return self._phase == BUSY

    @abstractmethod
    def _timed_out(self, now: float, why: str = "") -> None:
        """No answer in time, or ``why`` none will come."""

    def _in_flight(self, now: float) -> float:
        """Count the seconds of the exchange that ended ``now``."""
        counts = self._counts
        trip_s = now - self._sent_at
        counts[BUSY_S] += trip_s
        if now >= counts[WINDOW_END]:
            self.figures.next_window(now)
        return trip_s

    def _wait(self, phase: int, due: float) -> None:
        self._phase = phase
        self._due = due
        self._arm(due)

    def _arm(self, due: float) -> None:
        """See to it that the timer fires no later than ``due``; one that fires too early is simply set again."""
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._clock.call_at(due, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        if self._phase == FREE:
            if self._channel is None and self._queue.count:
                self._expire(now)
        elif now < self._due:
            self._arm(self._due)
        elif self._phase == GAP:
            self._gap_over(now)
        elif self._phase == BROADCAST:
            self._phase = FREE
            self._step(self._stack[-1], None, None)
        elif self._still_coming(now):
            self._arm(self._due)
        else:
            self._timed_out(now)
        self._run()

    def _gap_over(self, now: float) -> None:
        """End the gap, unless a time-out made us wait for silence and there is none yet."""
        quiet_at = self._last_byte + self.config.quiet_s
        if now < quiet_at and now < self._silence_until:
            self._wait(GAP, min(quiet_at, self._silence_until))
            return
        self._phase = FREE
        self._clear_at = self._silence_until = 0.0

    def _still_coming(self, now: float) -> bool:
        """An answer longer than expected is on its way: move the time-out, within bounds."""
        if self._latest is None:
            self._latest = self._due + LONGEST_ANSWER * self._byte_s
        until = min(self._last_byte + max(self.config.quiet_s, BETWEEN_BYTES_S), self._latest)
        if self._last_byte <= self._sent_at or now >= until:
            return False
        self._due = until
        return True

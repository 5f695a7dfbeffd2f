"""How a meter stands on its line: how it has answered of late, and the circuit breaker that lets a silent one rest."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from meterhub.clock import Clock

if TYPE_CHECKING:
    from meterhub.field.queue import Turn

FAILURES_TO_REST = 3
"""Jobs in a row without any answer after which routine reads of that meter pause."""
FIRST_REST_S = 30.0
LONGEST_REST_S = 600.0


class Standing:
    """One meter on one line. Times in ``Clock.monotonic`` seconds unless they end in ``_ms``."""

    __slots__ = (
        "_clock",
        "behind",
        "failures",
        "free_at",
        "good_at",
        "last_error",
        "rest_s",
        "rest_until",
        "trip_s",
        "turns",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.good_at: float | None = None
        """When its last valid answer came; None when it never answered."""
        self.trip_s = 0.0
        """The usual time from a request to its answer; 0 before the first."""
        self.failures = 0
        """Jobs in a row that got no answer at all."""
        self.turns = 0
        """The priorities in which it has a job in ``JobQueue``, a bit for each."""
        self.behind: dict[int, deque[Turn]] | None = None
        """Its further jobs of a priority, which wait for that one."""
        self.rest_s = 0.0
        self.rest_until = 0.0
        """Until then routine reads are refused."""
        self.free_at = 0.0
        """When the meter's own gap is over."""
        self.last_error = ""

    @property
    def last_good_ms(self) -> int | None:
        """UTC ms of the last valid answer; None when it never answered."""
        return None if self.good_at is None else self._clock.ms_of(self.good_at)

    def probing(self) -> bool:
        """True when the rest is over but no answer has come since: ask once only."""
        return self.failures >= FAILURES_TO_REST

    def recovered(self) -> None:
        """It answers again."""
        self.failures = 0
        self.rest_s = self.rest_until = 0.0

    def silent(self, now: float) -> None:
        """A job ended without any answer; from the third on the meter rests, each time twice as long."""
        self.failures += 1
        if self.failures >= FAILURES_TO_REST:
            self.rest_s = min(max(FIRST_REST_S, self.rest_s * 2), LONGEST_REST_S)
            self.rest_until = now + self.rest_s

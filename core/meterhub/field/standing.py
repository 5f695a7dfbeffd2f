"""How a meter has answered of late, and the circuit breaker that lets a silent meter rest."""

from __future__ import annotations

FAILURES_TO_REST = 3
"""Jobs in a row without any answer after which routine reads of that meter pause."""
FIRST_REST_S = 30.0
LONGEST_REST_S = 600.0


class Standing:
    """One meter on one line. Times in ``Clock.monotonic`` seconds unless they end in ``_ms``."""

    __slots__ = ("failures", "free_at", "last_error", "last_good_ms", "rest_s", "rest_until", "trip_s")

    def __init__(self) -> None:
        self.last_good_ms: int | None = None
        """UTC ms of the last valid answer; None when it never answered."""
        self.last_error = ""
        self.failures = 0
        """Jobs in a row that got no answer at all."""
        self.trip_s = 0.0
        """The usual time from a request to its answer; 0 before the first."""
        self.rest_s = 0.0
        self.rest_until = 0.0
        """Until then routine reads are refused."""
        self.free_at = 0.0
        """When the meter's own gap is over."""

    def probing(self) -> bool:
        """True when the rest is over but no answer has come since: ask once only."""
        return self.failures >= FAILURES_TO_REST

    def answered(self, now_ms: int) -> None:
        """A valid answer came."""
        self.last_good_ms = now_ms
        self.failures = 0
        self.rest_s = 0.0
        self.rest_until = 0.0

    def silent(self, now: float) -> None:
        """A job ended without any answer; from the third on the meter rests, each time twice as long."""
        self.failures += 1
        if self.failures >= FAILURES_TO_REST:
            self.rest_s = min(max(FIRST_REST_S, self.rest_s * 2), LONGEST_REST_S)
            self.rest_until = now + self.rest_s

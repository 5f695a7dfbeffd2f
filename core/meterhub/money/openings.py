"""How long ago payments were opened at their companies, by the clock that nobody sets.

A company may want a payment to live for a while before it is closed, and counts that by its own clock.
"""

from __future__ import annotations

from meterhub.clock import Clock


class Openings:
    """Remembers openings while they matter. Of one from before the start it is only known that it is older than it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic()
        self._opened_s: dict[str, float] = {}
        """By number of the attempt, the oldest first."""

    def note(self, attempt_no: str, matters_s: float) -> None:
        """A payment is opened just now; nobody asks for it any more ``matters_s`` seconds later."""
        now_s = self._clock.monotonic()
        for no in [no for no, opened_s in self._opened_s.items() if now_s - opened_s >= matters_s]:
            del self._opened_s[no]
        self._opened_s.pop(attempt_no, None)
        if matters_s > 0:
            self._opened_s[attempt_no] = now_s

    def left_s(self, attempt_no: str, wanted_s: float) -> float:
        """Seconds until the payment has surely been open for so long; at 0 or below it has."""
        return self._opened_s.get(attempt_no, self._started_s) + wanted_s - self._clock.monotonic()

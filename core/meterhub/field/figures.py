"""What a line counts of itself."""

from __future__ import annotations

WINDOW_S = 60.0


class Figures:
    """Counters since start; read them freely, the line alone writes them."""

    __slots__ = (
        "_busy_before",
        "_share",
        "_window_end",
        "answers",
        "busy_s",
        "bytes_in",
        "bytes_out",
        "errors",
        "foreign",
        "jobs",
        "timeouts",
        "tries",
        "trip_s",
        "unmatched_bytes",
        "wire_s",
    )

    def __init__(self, now: float) -> None:
        self.jobs = 0
        """Jobs that ended, well or not."""
        self.tries = 0
        """Requests sent."""
        self.answers = 0
        self.timeouts = 0
        self.trip_s = 0.0
        """The usual time from a request to its answer; 0 before the first."""
        self.foreign = 0
        """Valid frames that answered nothing asked: late, echoed, or meant for somebody else."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.unmatched_bytes = 0
        """Bytes that came before any request named a codec."""
        self.busy_s = 0.0
        """Seconds from each request to its answer or time-out."""
        self.wire_s = 0.0
        """Seconds that the bytes of both directions take on the wire."""
        self.errors: dict[str, int] = {}
        """Jobs that failed, by the error's ``code``."""
        self._window_end = now + WINDOW_S
        self._busy_before = 0.0
        self._share = 0.0

    def busy(self, seconds: float, now: float) -> None:
        """Count the time of one exchange that ended ``now``."""
        self.busy_s += seconds
        if now >= self._window_end:
            self._share = min(1.0, (self.busy_s - self._busy_before) / (now - self._window_end + WINDOW_S))
            self._busy_before = self.busy_s
            self._window_end = now + WINDOW_S

    def failed(self, code: str) -> None:
        """Count a job that ended in an error."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def utilisation(self, now: float) -> float:
        """Share of the last full minute (at first: of the time so far) in which an exchange was in flight, 0 to 1."""
        if self._window_end + WINDOW_S < now:
            return 0.0  # nothing was asked for more than a minute
        so_far = now - self._window_end + WINDOW_S
        if self._share == 0.0 and self._busy_before == 0.0 and so_far > 0:
            return min(1.0, self.busy_s / so_far)
        return self._share

"""What a line counts of itself."""

from __future__ import annotations

from array import array

WINDOW_S = 60.0

JOBS, TRIES, ANSWERS, BYTES_IN, BYTES_OUT, BUSY_S, WINDOW_END = range(7)
"""Places in ``Figures.counts``."""


class Figures:
    """Counters since start; read them freely, the line alone writes them.

    What changes with every exchange stands side by side in ``counts``: with thousands of lines each object of its own
    would have to be fetched from main memory anew for every exchange.
    """

    __slots__ = ("_busy_before", "_share", "counts", "errors", "foreign", "timeouts", "unmatched_bytes")

    def __init__(self, now: float) -> None:
        self.counts = array("d", bytes(8 * (WINDOW_END + 1)))
        self.timeouts = 0
        self.foreign = 0
        """Valid frames that answered nothing asked: late, echoed, or meant for somebody else."""
        self.unmatched_bytes = 0
        """Bytes that came before any request named a codec."""
        self.errors: dict[str, int] = {}
        """Jobs that failed, by the error's ``code``."""
        self.counts[WINDOW_END] = now + WINDOW_S
        self._busy_before = 0.0
        self._share = 0.0

    @property
    def jobs(self) -> int:
        """Jobs that ended, well or not."""
        return int(self.counts[JOBS])

    @property
    def tries(self) -> int:
        """Requests sent."""
        return int(self.counts[TRIES])

    @property
    def answers(self) -> int:
        """Requests answered."""
        return int(self.counts[ANSWERS])

    @property
    def bytes_in(self) -> int:
        """Bytes received, of whatever kind."""
        return int(self.counts[BYTES_IN])

    @property
    def bytes_out(self) -> int:
        """Bytes sent."""
        return int(self.counts[BYTES_OUT])

    @property
    def busy_s(self) -> float:
        """Seconds from each request to its answer or time-out."""
        return self.counts[BUSY_S]

    def next_window(self, now: float) -> None:
        """The minute that ``utilisation`` tells of is over; to be called when ``WINDOW_END`` has come."""
        counts = self.counts
        self._share = min(1.0, (counts[BUSY_S] - self._busy_before) / (now - counts[WINDOW_END] + WINDOW_S))
        self._busy_before = counts[BUSY_S]
        counts[WINDOW_END] = now + WINDOW_S

    def failed(self, code: str) -> None:
        """Count a job that ended in an error."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def utilisation(self, now: float) -> float:
        """Share of the last full minute (at first: of the time so far) in which an exchange was in flight, 0 to 1."""
        window_end = self.counts[WINDOW_END]
        if window_end + WINDOW_S < now:
            return 0.0  # nothing was asked for more than a minute
        so_far = now - window_end + WINDOW_S
        if self._share == 0.0 and self._busy_before == 0.0 and so_far > 0:
            return min(1.0, self.busy_s / so_far)
        return self._share

"""What a simulated household uses: a daily pattern, and what a register has counted by it.

Usage is a function of time alone (a fixed daily pattern since 2024), so that a twin started again goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00 in the meter's own time: when counting began."""
WATER = (1, 0, 0, 0, 1, 4, 14, 18, 10, 6, 5, 6, 9, 6, 4, 4, 5, 9, 16, 18, 15, 12, 8, 4)
HEAT = (12, 12, 12, 12, 13, 16, 20, 19, 15, 12, 11, 10, 10, 10, 10, 11, 13, 16, 19, 20, 19, 17, 15, 13)
"""Shares of a day by hour."""


class Usage:
    """One register. Amounts are integers: millilitres, or milliwatt-hours; times are milliseconds of the meter's zone.

    ``day_least`` and ``day_most`` bound what one day uses.
    """

    def __init__(self, random: Random, pattern: tuple[int, ...], day_least: int, day_most: int) -> None:
        day = random.randrange(day_least, day_most)
        self.by_hour = tuple(day * part // sum(pattern) for part in pattern)
        self._first = random.randrange(day, 60 * day)
        self._until = [sum(self.by_hour[:hour]) for hour in range(25)]

    def rate(self, local_ms: int) -> int:
        """Amount per hour now."""
        return self.by_hour[local_ms % DAY_MS // HOUR_MS]

    def used(self, local_ms: int) -> int:
        """Amount from the beginning to ``local_ms``."""
        days, in_day = divmod(max(0, local_ms - EPOCH_MS), DAY_MS)
        hour, in_hour = divmod(in_day, HOUR_MS)
        return self._first + days * self._until[24] + self._until[hour] + self.by_hour[hour] * in_hour // HOUR_MS

"""What a simulated household or shop uses: a daily pattern, and the energy counted by it.

Energy is a function of time alone (a fixed daily pattern since 2024), so that a twin started again goes on where it
was. Amounts are watt-milliseconds: integers, exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00 in the meter's own time: when counting began."""
WMS_PER_CENTI_KWH = 36_000_000
"""Watt-milliseconds in 0.01 kWh, the least step of a register."""

HOME = (9, 7, 6, 6, 6, 8, 16, 28, 22, 14, 13, 18, 22, 16, 13, 13, 16, 26, 40, 48, 46, 38, 24, 14)
SHOP = (5, 5, 5, 5, 5, 5, 8, 14, 30, 44, 48, 46, 42, 46, 48, 47, 46, 44, 45, 42, 34, 20, 9, 6)
"""Per cent of the peak load by hour of the day."""
TARIFF_BY_HOUR = (4, 4, 4, 4, 4, 4, 4, 3, 2, 2, 1, 1, 3, 3, 3, 2, 2, 2, 1, 1, 1, 2, 3, 4)
"""1 sharp, 2 peak, 3 flat, 4 valley."""
TARIFFS = 4


class LoadCurve:
    """The load of one meter. Times are milliseconds in the meter's own time zone."""

    def __init__(self, random: Random) -> None:
        pattern = random.choice((HOME, SHOP))
        peak_w = random.randrange(1_500, 6_000)
        self.by_hour = tuple(max(10, peak_w * part * random.randrange(85, 116) // 10_000) for part in pattern)
        self._first = tuple(random.randrange(1_000, 40_000) for _ in range(TARIFFS))
        self._salt = random.randrange(1 << 30)
        self._until_hour = [[0] * 25 for _ in range(TARIFFS)]
        for hour, watts in enumerate(self.by_hour):
            for tariff in range(TARIFFS):
                used = watts * HOUR_MS if TARIFF_BY_HOUR[hour] == tariff + 1 else 0
                self._until_hour[tariff][hour + 1] = self._until_hour[tariff][hour] + used

    def power_w(self, local_ms: int) -> int:
        """Active power now, with a flicker of 3 % that is not counted."""
        base = self.by_hour[local_ms % DAY_MS // HOUR_MS]
        return base * (970 + self.flicker(local_ms, 61)) // 1000

    def used_wms(self, tariff: int, local_ms: int) -> int:
        """Energy of tariff 1 to 4 from the beginning to ``local_ms``."""
        days, in_day = divmod(max(0, local_ms - EPOCH_MS), DAY_MS)
        hour, in_hour = divmod(in_day, HOUR_MS)
        until = self._until_hour[tariff - 1]
        used = self._first[tariff - 1] * WMS_PER_CENTI_KWH + days * until[24] + until[hour]
        return used + (self.by_hour[hour] * in_hour if TARIFF_BY_HOUR[hour] == tariff else 0)

    def flicker(self, local_ms: int, span: int) -> int:
        """A number from 0 to ``span - 1`` that changes every second and repeats from the seed."""
        mixed = (local_ms // 1000 * 2_654_435_761 + self._salt) & 0xFFFFFFFF
        return (mixed ^ mixed >> 15) % span

"""What a simulated meter measures: counters that only grow, and readings that sway with the hour of the day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from meterhub.clock import utc

BEGIN_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: counters stood at their base."""
HOUR_MS, MONTH_MS = 3_600_000, 30 * 86_400_000
MICRO = 6
"""Values are kept in millionths of the unit that records come in."""


class Source(NamedTuple):
    """A counter or a reading: where it begins, how much of that is chance, and what an hour adds; in millionths."""

    base: int
    chance: int
    hourly: int = 0
    sway: int = 0


SOURCES: Mapping[tuple[str | None, str | None], Source] = {
    ("energy", "kWh"): Source(100_000_000, 9_000_000_000, 420_000),
    ("energy", "J"): Source(4_000_000_000_000_000, 9_000_000_000_000_000, 1_500_000_000_000),
    ("volume", "m³"): Source(12_000_000, 800_000_000, 21_000),
    ("mass", "kg"): Source(1_000_000_000, 9_000_000_000, 40_000_000),
    ("volume_flow", "m³/h"): Source(35_000, 20_000, 0, 25_000),
    ("power", "W"): Source(420_000_000, 300_000_000, 0, 250_000_000),
    ("power", "J/h"): Source(1_500_000_000_000, 90_000_000_000, 0, 50_000_000_000),
    ("flow_temperature", "°C"): Source(62_000_000, 9_000_000, 0, 3_000_000),
    ("return_temperature", "°C"): Source(41_000_000, 5_000_000, 0, 2_000_000),
    ("temperature_difference", "K"): Source(19_000_000, 2_000_000, 0, 1_000_000),
    ("external_temperature", "°C"): Source(18_000_000, 3_000_000, 0, 4_000_000),
    ("pressure", "bar"): Source(3_200_000, 500_000, 0, 100_000),
    ("voltage", "V"): Source(229_000_000, 3_000_000, 0, 1_500_000),
    ("current", "A"): Source(1_800_000, 2_000_000, 0, 900_000),
    ("frequency", "Hz"): Source(50_000_000, 20_000, 0, 10_000),
    ("operating_time", "s"): Source(7_200_000_000, 0, 3_600_000_000),
    ("on_time", "s"): Source(7_200_000_000, 0, 3_600_000_000),
    ("reactive_energy", "kvarh"): Source(10_000_000, 900_000_000, 80_000),
    ("fabrication_number", None): Source(10_000_000_000_000, 80_000_000_000_000),
    ("access_number", None): Source(1_000_000, 200_000_000),
    ("firmware_version", None): Source(2_000_000, 0),
    ("remaining_battery_life", "s"): Source(94_608_000_000_000, 0),
    ("remaining_battery_life", "month"): Source(96_000_000, 0),
}
SWAY = (0, 1, 2, 4, 6, 8, 10, 9, 7, 5, 4, 4, 5, 5, 4, 3, 4, 6, 9, 10, 9, 7, 4, 1)
"""By hour of the day, in tenths."""


class TwinValues:
    """The values of one meter, the same in every run with the same seed of its world."""

    def __init__(self, meter_id: str, offset: str, world: Any) -> None:
        self._world = world
        self._meter_id = meter_id
        sign, hours, minutes = offset[0], int(offset[1:3]), int(offset[4:6])
        self._offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
        self._set = timedelta()
        self._chances: dict[Any, int] = {}

    def now(self) -> datetime:
        """The meter's own clock, without zone."""
        return (utc(self._world.now_ms()) + self._offset + self._set).replace(tzinfo=None)

    def set_clock(self, moment: datetime) -> None:
        """From now on the clock goes on from here."""
        self._set += moment - self.now()

    def micro(self, quantity: str | None, unit: str | None, storage: int, tariff: int) -> int:
        """A value in millionths of its unit. Storage 1, 2 … are the ends of months past, a tariff is part of it all."""
        source = SOURCES.get((quantity, unit), Source(0, 0))
        key = (quantity, unit)
        if key not in self._chances:
            random = self._world.random(f"{self._meter_id}/{quantity}/{unit}")
            self._chances[key] = random.randrange(source.chance) if source.chance else 0
        now_ms: int = self._world.now_ms()
        hours_ms = now_ms - BEGIN_MS if storage == 0 else (now_ms // MONTH_MS - storage + 1) * MONTH_MS - BEGIN_MS
        whole = source.base + self._chances[key] + source.hourly * hours_ms // HOUR_MS
        whole += source.sway * SWAY[self.now().hour] // 10 if storage == 0 else 0
        return max(whole, 0) // (tariff + 1)

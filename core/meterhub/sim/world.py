"""The world in which the twins of meters and collectors live: its time and its chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterhub.clock import Clock, seeded
from meterhub.sim.weather import CALM, Weather

if TYPE_CHECKING:
    from random import Random


class World:
    """Simulated time runs ``speed`` times as fast as the clock; all chance comes from ``seed``."""

    def __init__(
        self,
        clock: Clock,
        seed: int | str = 1,
        speed: float = 1.0,
        start_ms: int | None = None,
        weather: Weather = CALM,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.speed = speed
        self.weather = weather
        self._begin_s = clock.monotonic()
        self._start_ms = clock.now() if start_ms is None else start_ms

    def now_ms(self) -> int:
        """UTC epoch milliseconds of the simulated time."""
        return self._start_ms + int((self.clock.monotonic() - self._begin_s) * 1000 * self.speed)

    @property
    def age_s(self) -> float:
        """Simulated seconds since the world began."""
        return (self.clock.monotonic() - self._begin_s) * self.speed

    def random(self, name: str) -> Random:
        """A generator for whoever is called ``name``: the same numbers in every run with the same seed."""
        return seeded(f"{self.seed}/{name}")

    def wait_s(self, seconds: float) -> float:
        """How long ``seconds`` of simulated time take on the clock."""
        return seconds / self.speed

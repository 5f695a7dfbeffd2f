"""The inner life of a simulated meter: what it has counted, its valve, its clock, its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from meterhub.clock import utc
from meterhub_mbus.cjt188.status import CLOSED, FAULT, MOVING, OPEN
from meterhub_mbus.cjt188.twin_usage import HEAT, WATER, Usage

OFFSET_MS = 8 * 3_600_000
MOTOR_MS = 8_000
STARTED = datetime.fromisoformat("2024-01-01")


class TwinState:
    """The inner life of one twin. A closed valve stops counting. ``stuck``: the motor never arrives, a fault follows.

    ``base_ml`` is what setting a base value has added to the water counted.
    """

    def __init__(self, address: str, world: Any) -> None:
        random = world.random(f"cjt188/{address}")
        self._world = world
        self.turnaround_s = random.randrange(20, 150) / 1000
        self.water = Usage(random, WATER, 120_000, 700_000)
        self.heat = Usage(random, HEAT, 20_000_000, 90_000_000)
        self.cold = Usage(random, HEAT, 5_000_000, 20_000_000)
        self.stuck = False
        self.battery_low = False
        self.clock_off_ms = 0
        self.settlement_day, self.reading_day = 25, 26
        self.key_version = 1
        self.prices: dict[str, int] = {"price1": 285, "volume1": 180, "price2": 410, "volume2": 260, "price3": 775}
        self.base_ml = 0
        self._is_open = True
        self._wanted = True
        self._arrives_ms = 0
        self._closed_ms: int | None = None
        self._missed_ml = 0

    @property
    def now_ms(self) -> int:
        """Local milliseconds of the real time."""
        return int(self._world.now_ms()) + OFFSET_MS

    def moment(self, ms: int | None = None) -> str:
        """What the meter's clock shows, or another moment, as ISO text."""
        return utc(self.now_ms + self.clock_off_ms if ms is None else ms).strftime("%Y-%m-%dT%H:%M:%S")

    def set_clock(self, iso: str) -> None:
        """Take a time of the meter's own zone."""
        self.clock_off_ms = int((datetime.fromisoformat(iso) - utc(0).replace(tzinfo=None)).total_seconds()) * 1000
        self.clock_off_ms -= self.now_ms

    @property
    def valve(self) -> str:
        """``open``, ``closed``, ``moving`` or ``fault``."""
        now = self.now_ms
        if self._wanted != self._is_open and now < self._arrives_ms:
            return MOVING
        if self._wanted != self._is_open:
            if self.stuck:
                return FAULT
            self._arrive(self._arrives_ms)
        return OPEN if self._is_open else CLOSED

    @property
    def comes_from_open(self) -> bool:
        """Where the valve was before its motor began to move."""
        return self._is_open

    def move(self, to_open: bool) -> None:
        """Start the motor; it needs its time."""
        if self.valve in (OPEN, CLOSED) and to_open == self._is_open:
            return
        self._wanted = to_open
        self._arrives_ms = self.now_ms + MOTOR_MS

    def _arrive(self, at_ms: int) -> None:
        self._is_open = self._wanted
        if not self._is_open:
            self._closed_ms = at_ms
        elif self._closed_ms is not None:
            self._missed_ml += self.water.used(at_ms) - self.water.used(self._closed_ms)
            self._closed_ms = None

    def volume_ml(self, at_ms: int | None = None) -> int:
        """Water counted until now or until a moment before."""
        until = self.now_ms if at_ms is None else at_ms
        if self.valve == CLOSED and self._closed_ms is not None:
            until = min(until, self._closed_ms)
        return self.water.used(until) - self._missed_ml + self.base_ml

    def settled_ms(self, months_back: int) -> int:
        """The end of the settlement day so many months before; 0 is the last one."""
        now = utc(self.now_ms)
        year, month = now.year, now.month - months_back - (now.day < self.settlement_day)
        while month < 1:
            year, month = year - 1, month + 12
        day = datetime(year, month, min(self.settlement_day, 28), tzinfo=now.tzinfo)
        return int((day - utc(0)) / timedelta(milliseconds=1))

    def value(self, key: str, back: int | None) -> tuple[int, int, str] | int | str:
        """What the meter has for a field: amount, decimals and unit of a counted value, else number or text."""
        if key in SOURCES:
            return SOURCES[key](self, self.settled_ms(back - 1) if back else None)
        return self.prices.get(key, 0)


Counted = tuple[int, int, str]


def _settled(usage: Callable[[TwinState], Usage]) -> Callable[[TwinState, int | None], Counted]:
    return lambda state, at: (usage(state).used(state.settled_ms(0) if at is None else at), 3, "Wh")


def _now(usage: Callable[[TwinState], Usage]) -> Callable[[TwinState, int | None], Counted]:
    return lambda state, at: (usage(state).used(state.now_ms), 3, "Wh")


def _hours(state: TwinState, at: int | None) -> int:
    return int((utc(state.now_ms).replace(tzinfo=None) - STARTED).total_seconds()) // 3600


SOURCES: Mapping[str, Callable[[TwinState, int | None], Counted | int | str]] = {
    "current": lambda state, at: (state.volume_ml(at), 3, "L"),
    "volume": lambda state, at: (state.volume_ml(at), 3, "L"),
    "settlement": lambda state, at: (state.volume_ml(state.settled_ms(0) if at is None else at), 3, "L"),
    "current_heat": _now(lambda state: state.heat),
    "settlement_heat": _settled(lambda state: state.heat),
    "current_cold": _now(lambda state: state.cold),
    "settlement_cold": _settled(lambda state: state.cold),
    "power": lambda state, at: (state.heat.rate(state.now_ms), 3, "W"),
    "flow": lambda state, at: (state.water.rate(state.now_ms) if state.valve == OPEN else 0, 3, "L/h"),
    "supply_temp": lambda state, at: 4512,
    "return_temp": lambda state, at: 3310,
    "temperature": lambda state, at: 1825,
    "supply_pressure": lambda state, at: 35,
    "return_pressure": lambda state, at: 28,
    "pressure": lambda state, at: 35,
    "hours": _hours,
    "clock": lambda state, at: state.moment(),
    "freeze_time": lambda state, at: state.moment(state.settled_ms(0) if at is None else at),
    "settlement_day": lambda state, at: state.settlement_day,
    "reading_day": lambda state, at: state.reading_day,
    "key_version": lambda state, at: state.key_version,
}

"""The inner life of a simulated meter: energies, powers, relay, clock, remaining amount.

All values follow from one load curve, so that powers, currents and energies fit together.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from meterhub.clock import utc
from meterhub_dlt645.load_curve import DAY_MS, HOUR_MS, TARIFFS, WMS_PER_CENTI_KWH, LoadCurve
from meterhub_dlt645.twin_events import EventLog

OFFSET_MS = 8 * 3_600_000
POWER_FACTOR = 980
"""Thousandths."""
PURCHASE_CENTI_KWH = 30_000
"""A twin's customer buys 300 kWh each time, the moment the last ones are used up."""
PRICE_FEN_PER_KWH = 55
PHASE_SHARES = (34, 35, 31)
"""Per cent of the whole."""


class TwinState:
    """The inner life of one twin. ``relay_open`` stops current and counting."""

    def __init__(self, address: str, phases: int, world: Any) -> None:
        random = world.random(f"dlt645/{address}")
        self.address = address
        self.phases = phases
        self.alarm = False
        self.keep_power = False
        self.turnaround_s = random.randrange(20, 121) / 1000
        self._world = world
        self._curve = LoadCurve(random)
        self._opened_ms: int | None = None
        self.commanded_open = False
        """Whether the relay was told to open; until somebody presses the button it may be open without that."""
        self._close_at_ms: int | None = None
        self._missed = [0] * TARIFFS
        self._cleared = [0] * TARIFFS
        self.credited_fen = 0
        """What came through the purse, less what was taken back."""
        self.clock_off_ms = 0
        """How far the meter's clock is ahead of the real time."""
        self.demand_cleared_ms = 0
        self.events_cleared_ms = 0
        self.events = EventLog()
        self.instants: list[int] = []
        """When values were frozen on command, the latest last."""

    @property
    def now_ms(self) -> int:
        """Local milliseconds of the meter's clock; closes the relay when its time has come."""
        now = int(self._world.now_ms()) + OFFSET_MS
        if self._close_at_ms is not None and now >= self._close_at_ms:
            self._close(self._close_at_ms)
        return now

    @property
    def clock_ms(self) -> int:
        """What the meter's clock shows, as local milliseconds."""
        return self.now_ms + self.clock_off_ms

    def clear(self) -> None:
        """Forget energies, demands, events and freezes."""
        now = self.now_ms
        self._cleared = [self._curve.used_wms(number + 1, now) - self._missed[number] for number in range(TARIFFS)]
        self.demand_cleared_ms = now
        self.clear_events()
        self.instants.clear()

    def clear_events(self) -> None:
        """Forget the events."""
        self.events_cleared_ms = self.now_ms
        self.events.clear()

    @property
    def relay_open(self) -> bool:
        """Whether the supply is cut."""
        return self.now_ms > 0 and self._opened_ms is not None

    def open_relay(self, for_s: int = 0) -> None:
        """Cut the supply; close again after ``for_s`` seconds if that is not 0."""
        now = self.now_ms
        if self._opened_ms is None:
            self._opened_ms = now
        self._close_at_ms = now + 1000 * for_s if for_s else None
        self.commanded_open = True

    def close_relay(self, at_once: bool = True) -> None:
        """Supply again, or only allow it (``at_once`` False)."""
        self.commanded_open = False
        if at_once:
            self._close(self.now_ms)

    def _close(self, at_ms: int) -> None:
        if self._opened_ms is not None:
            for number in range(TARIFFS):
                self._missed[number] += self._between(number + 1, self._opened_ms, at_ms)
        self._opened_ms = self._close_at_ms = None
        self.commanded_open = False

    def _between(self, tariff: int, start_ms: int, end_ms: int) -> int:
        return self._curve.used_wms(tariff, end_ms) - self._curve.used_wms(tariff, start_ms)

    def energy(self, tariff: int = 0, at_ms: int | None = None) -> int:
        """0.01 kWh of a tariff (0: all together); ``at_ms`` is a moment of the past."""
        if tariff == 0:
            return sum(self.energy(one, at_ms) for one in range(1, TARIFFS + 1))
        now = self.now_ms if self._opened_ms is None else self._opened_ms
        when = now if at_ms is None else min(at_ms, now)
        gone = self._missed[tariff - 1] + self._cleared[tariff - 1]
        return max(0, self._curve.used_wms(tariff, when) - gone) // WMS_PER_CENTI_KWH

    def demand_w(self, at_ms: int | None = None) -> tuple[int, int]:
        """The greatest hourly power of the 24 hours before and when it was; nothing before the demand was cleared."""
        end = self.now_ms if at_ms is None else at_ms
        hours = (end // HOUR_MS * HOUR_MS - back * HOUR_MS for back in range(24))
        found = [(self._curve.by_hour[at % DAY_MS // HOUR_MS], at) for at in hours if at > self.demand_cleared_ms]
        return max(found, default=(0, 0))

    def freeze_ms(self, kind: int, back: int) -> int:
        """When a freeze happened: timed and daily at midnight, instant on command, hourly, the others at month ends."""
        if kind == 1 and len(self.instants) >= back:
            return self.instants[-back]
        if kind == 4:
            return (self.now_ms // HOUR_MS - back + 1) * HOUR_MS
        return self.day_start_ms(back) if kind in (0, 1, 6) else self.month_start_ms(back)

    def month_start_ms(self, back: int) -> int:
        """When the month began, 1 for this one, 2 for the one before …"""
        moment = utc(self.now_ms)
        month = moment.year * 12 + moment.month - back
        first = moment.replace(year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(first.timestamp()) * 1000

    def day_start_ms(self, back: int) -> int:
        """Midnight, 1 for the last one."""
        return self.now_ms // DAY_MS * DAY_MS - (back - 1) * DAY_MS

    def power_w(self, phase: int = 0) -> int:
        """Active power of a phase (0: all)."""
        if self.relay_open:
            return 0
        whole = self._curve.power_w(self.now_ms)
        if phase == 0 or self.phases == 1:
            return whole
        return whole * PHASE_SHARES[phase - 1] // 100

    def power_at_w(self, at_ms: int) -> int:
        """Active power of a moment of the past, without flicker."""
        return self._curve.by_hour[at_ms % DAY_MS // HOUR_MS]

    def voltage_dv(self, phase: int = 1) -> int:
        """0.1 V."""
        return 2200 + self._curve.flicker(self.now_ms + 77_000 * phase, 81)

    def current_ma(self, phase: int = 1) -> int:
        """Milliampere, from power, voltage and power factor."""
        return self.power_w(phase) * 10_000_000 // (self.voltage_dv(phase) * POWER_FACTOR)

    def reactive_var(self, phase: int = 0) -> int:
        """A fifth of the active power: power factor 0.98."""
        return self.power_w(phase) * 203 // 1000

    def apparent_va(self, phase: int = 0) -> int:
        """Active power by the power factor."""
        return self.power_w(phase) * 1000 // POWER_FACTOR

    def frequency_chz(self) -> int:
        """0.01 Hz."""
        return 4998 + self._curve.flicker(self.now_ms, 5)

    def remaining_centi_kwh(self) -> int:
        """0.01 kWh of the last purchase that are left, and of what was credited."""
        return self._bought_centi_kwh() + self.credited_fen * 100 // PRICE_FEN_PER_KWH

    def _bought_centi_kwh(self) -> int:
        return PURCHASE_CENTI_KWH - self.energy() % PURCHASE_CENTI_KWH

    def remaining_fen(self) -> int:
        """The same in money."""
        return self._bought_centi_kwh() * PRICE_FEN_PER_KWH // 100 + self.credited_fen

    def status_word_3(self) -> int:
        """Relay (bits 4, 6), alarm (7), credit-prepaid (9), keep-power (12)."""
        open_bits = self.relay_open << 4 | self.commanded_open << 6
        return open_bits | self.alarm << 7 | 1 << 9 | self.keep_power << 12

    def moment(self, ms: int | None = None) -> str:
        """ISO date and time of the meter's clock, or of another moment."""
        return utc(self.clock_ms if ms is None else ms).strftime("%Y-%m-%dT%H:%M:%S")

    def has_passed(self, iso: str) -> bool:
        """Whether a time of the meter's clock is over; a minute's grace."""
        return iso < (utc(self.clock_ms) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")

"""The link ``lora_wifi``: transparent LoRa modules behind a WiFi or Ethernet converter that calls or is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config.types import boolean, choice, whole
from meterhub.errors import BadInput
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.link import CallLink
from meterhub.field.calls.settings import (
    CONNECT_SCHEMA,
    LISTEN_SCHEMA,
    REGISTRATION_SCHEMA,
    facts_of,
    latency_schema,
    settings_of,
)
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import ChannelUser, CollectorConfig
from meterhub_lora_wifi.airtime import REGIONS, DutyBudget, module_s

RADIO_SCHEMA = {
    vol.Optional("air_rate", default=2400, description="Nominal rate of the modules on the air, bit/s."): whole(
        300, 300_000
    ),
    vol.Optional("region", default="cn470", description="Whose rules the radio keeps."): choice(*REGIONS),
    vol.Optional("rssi", default=False, description="The module adds a byte with the signal to what it received."): (
        boolean()
    ),
}
LINK_SCHEMA = {**LISTEN_SCHEMA, **RADIO_SCHEMA, **latency_schema("800ms", "4s")}
COLLECTOR_SCHEMA = {**REGISTRATION_SCHEMA, **CONNECT_SCHEMA}


class LoraLink(CallLink):
    """A ``CallLink`` whose collectors keep to the air time of their region."""

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        super().__init__(clock, settings_of(config), facts_of(config))
        self._config = config
        self._budgets: dict[str, DutyBudget] = {}

    def framing(self, collector: CollectorConfig, packet: bytes) -> Framing:
        """A radio; its budget outlives its connections."""
        budget = self._budgets.get(collector.id)
        if budget is None:
            region = REGIONS[self._config["region"]]
            budget = self._budgets[collector.id] = DutyBudget(region, self._clock.monotonic())
        sieve = Sieve((packet, *self.heartbeats) if packet else self.heartbeats)
        return Radio(self._clock, sieve, budget, self._config)


class Radio(Framing):
    """Bytes as they are; counts what is sent, and takes the signal byte off what was received."""

    talks = True

    def __init__(self, clock: Clock, sieve: Sieve, budget: DutyBudget, config: Mapping[str, Any]) -> None:
        self._clock = clock
        self._sieve = sieve
        self._budget = budget
        self._air_rate: int = config["air_rate"]
        self._longest_s = REGIONS[config["region"]].longest_s
        self._with_signal: bool = config["rssi"]
        self._last = b""
        """The last byte: the signal, if nothing follows it."""
        self._signal: int | None = None

    @property
    def held(self) -> bytes:  # type: ignore[override]
        """What may be the signal, or the beginning of a heartbeat."""
        return self._last or self._sieve.held

    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """The signal is the byte after which nothing comes for a moment; -(256 - x) dBm."""
        data, beats = self._sieve.strip(data, final)
        if not self._with_signal:
            return data, beats
        if final and not data and self._last:
            self._signal, self._last = self._last[0] - 256, b""
            return b"", beats
        data = self._last + data
        self._last = data[-1:]
        return data[:-1], beats

    def pause_s(self, size: int) -> float:
        """How long the rules of the region want the radio to be silent before so many bytes."""
        return self._budget.pause_s(module_s(size, self._air_rate), self._clock.monotonic())

    def dress(self, data: bytes) -> bytes:
        """Raises ``BadInput`` for a packet that would be longer on the air than the region allows."""
        air_s = module_s(len(data), self._air_rate)
        if air_s > self._longest_s:
            raise BadInput(
                f"{len(data)} bytes would be on the air for {air_s:.1f} s, and {self._longest_s:.1f} s are allowed",
                hint="ask for less at once, or choose a higher air_rate",
            )
        self._budget.spend(air_s, self._clock.monotonic())
        return data

    def tell(self, user: ChannelUser) -> None:
        """How strong the last answer was received."""
        if self._signal is not None:
            user.signal(self._signal)
            self._signal = None

"""The far end of ``lora_wifi``: a radio cell between the converter and the simulated wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meterhub.field.link import CollectorConfig
from meterhub.sim.caller import simulate as simulate_callers
from meterhub_lora_wifi.airtime import module_s

LOST = 0.01
"""Packets that collide or fade, each way."""
SUB_PACKET = 240
CLOSE_DBM, FAR_DBM = -60, -118


class Cell:
    """Works like a wire towards the converter's twin. The header of the envelope is left for the codecs to skip."""

    def __init__(self, wire: Any, world: Any, name: str, config: Mapping[str, Any]) -> None:
        self.receive: Callable[[bytes], None] | None = None
        self.packets = 0
        self.lost = 0
        self._wire = wire
        self._world = world
        self._air_rate: int = config["air_rate"]
        self._rssi: bool = config["rssi"]
        self._chance = world.random(f"cell {name}")
        self._free_s = 0.0
        wire.receive = self._heard

    def send(self, data: bytes) -> None:
        """The module puts the converter's bytes on the air."""
        self._air(data, self._wire.send)

    def _heard(self, data: bytes) -> None:
        """The far module sends what its meter said, in packets."""
        for at in range(0, len(data), SUB_PACKET):
            self._air(data[at : at + SUB_PACKET], self._deliver)

    def _air(self, data: bytes, arrives: Callable[[bytes], None]) -> None:
        """One packet after the other on the one channel, each for its time."""
        clock = self._world.clock
        self.packets += 1
        self._free_s = max(clock.monotonic(), self._free_s) + self._world.wait_s(module_s(len(data), self._air_rate))
        if self._chance.random() < LOST:
            self.lost += 1
            return
        clock.call_at(self._free_s, arrives, data)

    def _deliver(self, data: bytes) -> None:
        if self.receive is not None:
            signal = bytes([256 + self._chance.randint(FAR_DBM, CLOSE_DBM)]) if self._rssi else b""
            self.receive(data + signal)


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run converters, each with its cell, until cancelled."""
    cells = {one.id: Cell(wires[one.id], world, one.id, config) for one in collectors if one.id in wires}
    await simulate_callers(config, collectors, cells, world)

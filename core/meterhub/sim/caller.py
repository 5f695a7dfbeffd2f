"""Twins of collectors that dial in, register, breathe, and pass bytes to a simulated wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from meterhub.field.calls.settings import heartbeat_packets
from meterhub.field.link import CollectorConfig

FIRST_REDIAL_S = 1.0
LONGEST_REDIAL_S = 30.0


class Twin(asyncio.Protocol):
    """One collector's twin. ``wire`` is a ``meterhub.sim.wire.Wire``, ``world`` its ``World``."""

    def __init__(self, config: Mapping[str, Any], collector: CollectorConfig, wire: Any, world: Any) -> None:
        host, self._port = config["listen"]
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._registration: bytes = collector.options.get("registration") or collector.id.encode()
        self._every_s: float | None = config.get("heartbeat", {}).get("every")
        self._heartbeat: bytes = (*heartbeat_packets(config), self._registration)[0]
        self._wire = wire
        self._clock = world.clock
        self._random = world.random(f"collector {collector.id}")
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] | None = None
        self._breath: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Call, and call again when cut off, until cancelled."""
        wait_s = 0.0
        try:
            while True:
                # All redial together after a power cut: spread them.
                await self._clock.sleep(wait_s * (0.5 + self._random.random()))
                self._lost = asyncio.get_running_loop().create_future()
                try:
                    await asyncio.get_running_loop().create_connection(lambda: self, self._host, self._port)
                    wait_s = FIRST_REDIAL_S
                    await self._lost
                except OSError:
                    wait_s = min(max(FIRST_REDIAL_S, wait_s * 2), LONGEST_REDIAL_S)
        finally:
            self.cut()

    def cut(self) -> None:
        """Break the connection, as when the power fails."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register."""
        self._transport = cast(asyncio.Transport, transport)
        if self._wire is not None:
            self._wire.receive = self._write
        self._write(self._registration)
        self._breathe(first=True)

    def data_received(self, data: bytes) -> None:
        """The hub's bytes go on the wire."""
        if self._wire is not None:
            self._wire.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cut off: ``run`` calls again."""
        self._transport = None
        if self._breath is not None:
            self._breath.cancel()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _breathe(self, first: bool = False) -> None:
        if self._every_s is None:
            return
        if not first:
            self._write(self._heartbeat)
        self._breath = self._clock.call_later(self._every_s * (0.9 + 0.1 * self._random.random()), self._breathe)


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run a twin of every collector until cancelled."""
    twins = [Twin(config, one, wires.get(one.id), world) for one in collectors]
    await asyncio.gather(*(twin.run() for twin in twins))

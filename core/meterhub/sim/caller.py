"""Twins of collectors: they call or are called, register, breathe, and pass bytes to a simulated wire."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from meterhub.field.calls.settings import heartbeat_packets
from meterhub.field.link import CollectorConfig
from meterhub.sim.weather import Way

FIRST_REDIAL_S = 1.0
LONGEST_REDIAL_S = 30.0
AT_ONCE = struct.pack("ii", 1, 0)
"""For ``SO_LINGER``: a connection that is closed so is reset."""


def _same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Manners:
    """How a twin behaves on its connection. ``every_s`` None: it has no heartbeat.

    ``dress`` and ``undress`` put its bytes into the form of the link and take the hub's out of it.
    """

    registration: bytes
    heartbeat: bytes = b""
    every_s: float | None = None
    dress: Callable[[bytes], bytes] = _same
    undress: Callable[[bytes], bytes] = _same


def manners_of(config: Mapping[str, Any], collector: CollectorConfig) -> Manners:
    """What a link's configuration says of its collectors; one that has no other packet breathes its registration."""
    registration: bytes = collector.options.get("registration") or collector.id.encode()
    heartbeat = (*heartbeat_packets(config), registration)[0]
    return Manners(registration, heartbeat, config.get("heartbeat", {}).get("every"))


class Twin(asyncio.Protocol, asyncio.DatagramProtocol):
    """One collector's twin. ``wire`` is a ``meterhub.sim.wire.Wire`` or works like one, ``world`` its ``World``."""

    def __init__(
        self,
        config: Mapping[str, Any],
        collector: CollectorConfig,
        wire: Any,
        world: Any,
        manners: Manners | None = None,
    ) -> None:
        host, self._port = collector.options.get("connect") or config["listen"]
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._called = bool(collector.options.get("connect"))
        self._udp = config.get("transport") == "udp"
        self._tls = "tls" in config
        self._manners = manners or manners_of(config, collector)
        self._wire = wire
        self._clock = world.clock
        self._random = world.random(f"collector {collector.id}")
        self._transport: Any = None
        self._lost: asyncio.Future[float] | None = None
        self._breath: asyncio.TimerHandle | None = None
        self._trouble: asyncio.TimerHandle | None = None
        self._world = world
        self._up: Way | None = None
        self._down: Way | None = None

    async def run(self) -> None:
        """Call, and call again when cut off, until cancelled; or wait to be called."""
        if self._called:
            server = await asyncio.get_running_loop().create_server(lambda: self, self._host, self._port)
            async with server:
                await server.serve_forever()
        wait_s = 0.0
        try:
            while True:
                # All redial together after a power cut: spread them.
                await self._clock.sleep(wait_s * (0.5 + self._random.random()))
                self._lost = asyncio.get_running_loop().create_future()
                try:
                    await self._call()
                    wait_s = FIRST_REDIAL_S
                    await self._clock.sleep(self._world.wait_s(await self._lost))
                except OSError:
                    wait_s = min(max(FIRST_REDIAL_S, wait_s * 2), LONGEST_REDIAL_S)
        finally:
            self.cut()

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        if self._udp:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=(self._host, self._port))
        elif self._tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its own hub, on this machine
            await loop.create_connection(lambda: self, self._host, self._port, ssl=context)
        else:
            await loop.create_connection(lambda: self, self._host, self._port)

    def cut(self) -> None:
        """Break the connection, as when the power fails."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register."""
        older, self._transport = self._transport, transport
        self._up = Way(self._world, self._random, partial(self._put, transport), self._udp)
        self._down = Way(self._world, self._random, partial(self._take, transport), self._udp)
        if older is not None and older is not transport:
            older.abort()  # called once more: the newest has the wire
        if self._wire is not None:
            self._wire.receive = lambda data: self._write(self._manners.dress(data))
        if not self._called:
            self._write(self._manners.registration)
        self._breathe(first=True)
        self._expect_trouble()

    def _expect_trouble(self) -> None:
        """When will the weather break this connection?"""
        weather, world = self._world.weather, self._world
        if self._trouble is not None:
            self._trouble.cancel()
        wait_s = weather.storm_s - world.age_s % weather.storm_s
        if weather.flap_s < wait_s:
            wait_s = min(wait_s, self._random.expovariate(1 / weather.flap_s))
        if wait_s < float("inf"):
            self._trouble = self._clock.call_later(world.wait_s(wait_s), self._break)

    def _break(self) -> None:
        """It is closed, reset, or half-open: then nobody says anything, and the collector calls again some time."""
        transport = self._transport
        if transport is None:
            return
        kind = self._random.randrange(3)
        if kind == 0:
            transport.close()
        elif kind == 1 or self._called or self._udp:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            transport.abort()
        else:
            transport.set_protocol(asyncio.Protocol())
            self._hang_up(self._random.uniform(0.0, 4 * (self._manners.every_s or 15.0)))

    def data_received(self, data: bytes) -> None:
        """The hub's bytes come in, as the weather lets them."""
        if self._down is not None:
            self._down.send(data)

    def _take(self, transport: Any, data: bytes) -> None:
        """The hub's bytes go on the wire."""
        if transport is not self._transport:
            return  # they were under way when the connection broke
        data = self._manners.undress(data)
        if self._wire is not None and data:
            self._wire.send(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """As ``data_received``."""
        self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cut off: ``run`` calls again."""
        if self._called and self._transport is not None and not self._transport.is_closing():
            return  # an older one has ended
        self._hang_up(0.0)

    def _hang_up(self, wait_s: float) -> None:
        """There is no connection any more; ``run`` makes another after ``wait_s`` more than usual."""
        self._transport = None
        for timer in (self._breath, self._trouble):
            if timer is not None:
                timer.cancel()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(wait_s)

    def _write(self, data: bytes) -> None:
        if self._up is not None:
            self._up.send(data)

    def _put(self, transport: Any, data: bytes) -> None:
        """Give bytes to the network."""
        if transport is not self._transport:
            return  # they were under way when the connection broke
        if self._udp:
            cast(asyncio.DatagramTransport, self._transport).sendto(data)
        else:
            self._transport.write(data)

    def _breathe(self, first: bool = False) -> None:
        if self._breath is not None:
            self._breath.cancel()
        if self._manners.every_s is None:
            return
        if not first:
            self._write(self._manners.heartbeat)
        self._breath = self._clock.call_later(
            self._manners.every_s * (0.9 + 0.1 * self._random.random()), self._breathe
        )


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run a twin of every collector until cancelled."""
    twins = [Twin(config, one, wires.get(one.id), world) for one in collectors]
    await asyncio.gather(*(twin.run() for twin in twins))

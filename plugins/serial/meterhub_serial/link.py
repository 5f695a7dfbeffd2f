"""The serial link: keeps its port open, or several of one device, and opens each again when it went away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import ConfigError, LinkDown
from meterhub.field.causes import in_words
from meterhub.field.link import Channel, ChannelUser, Link, LinkFacts, LinkHost
from meterhub.texts import mark
from meterhub_serial.port import ThreadTransport, open_serial
from meterhub_serial.schema import port_settings, ports_of

WRITE_LIMIT = 8 * 1024
"""Bytes that the port has not taken yet; more than that and it is opened anew."""
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0

HINTS = {
    errno.ENOENT: "there is no such device; is the adapter plugged in?",
    errno.EACCES: "this user may not open it; add it to the group dialout",
    errno.EBUSY: "another program uses it",
    errno.ECONNREFUSED: "nobody listens there",
}


class SerialLink(Link):
    """One task per port keeps it open. Lines with a ``channel:`` have a port each."""

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        self._clock = clock
        self._config = config
        self.facts = LinkFacts(config["latency"], config["latency_max"])
        self._channels: dict[str, SerialChannel] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._troubles: dict[str, str] = {}

    async def open(self, host: LinkHost) -> None:
        """Begin to open the ports. Raises ``ConfigError`` for a link without exactly one collector of its own, and
        for channels that a port of one name cannot tell apart."""
        if len(host.collectors) != 1:
            raise ConfigError(f"a serial link has one port and one collector, not {len(host.collectors)}")
        loop = asyncio.get_running_loop()
        for number, port in enumerate(ports_of(self._config, host.collectors[0])):
            self._keepers.append(loop.create_task(self._keep_open(host, port, number), name=f"serial {port}"))

    async def _keep_open(self, host: LinkHost, port: str, line: int) -> None:
        wait_s = FIRST_RETRY_S
        settings = port_settings(self._config, line)
        while True:
            channel = SerialChannel(port)
            try:
                await open_serial(self._clock, port, settings, channel)
            except Exception as error:  # noqa: BLE001 - the boundary to pyserial, which raises many kinds
                self.trouble(f"cannot open {port}: {_words(error)}", host, port)
            else:
                self._channels[port] = channel
                await channel.made.wait()  # the transport tells it one turn of the loop later
                self.trouble("", host, port)
                opened_s = self._clock.monotonic()
                channel.use(host.attach(host.collectors[0].id, channel, line))
                await channel.ended.wait()
                if self._clock.monotonic() - opened_s > LONGEST_RETRY_S:
                    wait_s = FIRST_RETRY_S  # else it is a port that opens and is lost at once, over and over
                if channel.cause != "silent":
                    self.trouble(f"lost {port}: {in_words(channel.cause)}", host, port)
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_RETRY_S)

    def trouble(self, text: str, host: LinkHost, port: str) -> None:
        """Tell what is wrong with any of the ports, now that this is said of one."""
        self._troubles[port] = text
        host.trouble("; ".join(one for one in self._troubles.values() if one))

    async def close(self) -> None:
        """Close the ports and stop to open them again."""
        for keeper in self._keepers:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self._keepers.clear()
        for channel in self._channels.values():
            channel.close("hub_stopped")


def _words(error: Exception) -> str:
    hint = HINTS.get(getattr(error, "errno", None) or 0)
    return hint or str(error)


class SerialChannel(asyncio.Protocol, Channel):
    """The open port."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.cause = ""
        self.made = asyncio.Event()
        self.ended = asyncio.Event()
        self._transport: Any = None
        self._user: ChannelUser | None = None

    def use(self, user: ChannelUser) -> None:
        """From now on bytes go to ``user``."""
        self._user = user
        if self.cause:
            user.lost(self.cause)

    def set_speed(self, baud: int) -> bool:
        """A port can change its speed while it is open; of one in raw mode only the serial server itself."""
        if self._transport is None or self.cause or self.peer.startswith("socket://"):
            return False
        if isinstance(self._transport, ThreadTransport):
            self._transport.set_baud(baud)
        else:
            self._transport.serial.baudrate = baud
        return True

    def pause(self) -> bool:
        """A port on the network is slowed by TCP. A device is not."""
        if "://" not in self.peer or self._transport is None or self.cause:
            return False
        self._transport.pause_reading()
        return True

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self.cause:
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._transport = transport
        self.made.set()
        if self.cause:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._user is not None and not self.cause:
            self._user.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The port is closed or the device went away."""
        gone = "reset" if exc is not None else "closed"
        self._end(gone if "://" in self.peer else "unplugged")

    def send(self, data: bytes) -> None:
        """Send bytes; raises ``LinkDown`` when the port is closed or does not take any more."""
        if self.cause or self._transport is None:
            why = in_words(self.cause) or mark("it is not open yet")
            raise LinkDown(f"the port cannot be used: {why}", where=self.peer)
        if self._transport.get_write_buffer_size() + len(data) > WRITE_LIMIT:
            self.close("overflow")
            raise LinkDown("the port does not take what is sent to it", where=self.peer)
        self._transport.write(data)

    def close(self, cause: str) -> None:
        """Close the port; unsent bytes are dropped."""
        if self._end(cause) and self._transport is not None:
            self._transport.abort()

    def _end(self, cause: str) -> bool:
        if self.cause:
            return False
        self.cause = cause
        self.ended.set()
        if self._user is not None:
            self._user.lost(cause)
        return True

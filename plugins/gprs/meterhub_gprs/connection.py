"""One connection of a collector: first a caller, then the channel of whom it named. No task, no timer."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, cast

from meterhub.errors import LinkDown
from meterhub.field.link import Channel, ChannelUser
from meterhub_gprs.registration import UNKNOWN, WAIT, Sieve

if TYPE_CHECKING:
    from meterhub_gprs.listener import GprsLink

UNREGISTERED_BYTES = 256
WRITE_LIMIT = 16 * 1024
"""Bytes not yet taken by the network; a collector that lets more pile up is cut."""
KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000))


def set_up(sock: socket.socket) -> None:
    """No delay, and the kernel notices a dead peer within about two minutes."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Connection(asyncio.Protocol, Channel):
    """A caller, and after its registration the ``Channel`` of a collector."""

    __slots__ = ("_cause", "_link", "_sieve", "_start", "_transport", "_user", "address", "peer")

    def __init__(self, link: GprsLink, address: str, port: int) -> None:
        self.peer = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.address = address
        self._link = link
        self._start = b""
        """What came before the registration was complete."""
        self._sieve: Sieve | None = None
        self._user: ChannelUser | None = None
        self._transport: asyncio.Transport | None = None
        self._cause = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up."""
        self._transport = cast(asyncio.Transport, transport)
        if self._cause:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes came from the network."""
        if self._user is None:
            self._introduce(data)
        elif not self._cause:
            self._pass_on(data)

    def _introduce(self, data: bytes, final: bool = False) -> None:
        """Find out who calls."""
        if self._cause:
            return
        self._start += data
        found, packet, rest = self._link.recognise(self._start, final)
        if found == WAIT and len(self._start) <= UNREGISTERED_BYTES:
            self._link.hold(self)
        elif found in (UNKNOWN, WAIT):
            self.turn_away("unknown registration")
        else:
            self._start = b""
            self._sieve = self._link.sieve(packet)
            self._link.named(self)
            self._user = self._link.host.attach(found, self)
            if self._cause:
                self._user.lost(self._cause)
            elif rest:
                self._pass_on(rest)

    def _pass_on(self, data: bytes, final: bool = False) -> None:
        assert self._sieve is not None and self._user is not None
        data, beats = self._sieve.strip(data, final)
        if beats:
            self._user.alive()
        if data:
            self._user.received(data)
        if self._sieve.held:
            self._link.hold(self)

    def release(self) -> None:
        """Nothing more came: what was held back because it might have been the beginning of a packet is data."""
        if self._user is None:
            if self._start.strip() and self._link.recognise(self._start, final=True)[0] != UNKNOWN:
                self._introduce(b"", final=True)
        elif self._sieve is not None and self._sieve.held and not self._cause:
            self._pass_on(b"", final=True)

    def turn_away(self, why: str) -> None:
        """Close the connection of somebody we do not know."""
        if self._cause:
            return
        self._link.host.stranger(self.peer, self._start, why)
        self._cause = "closed"
        self._link.named(self)
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        """Send bytes; raises ``LinkDown`` when the connection is closed or does not take any more."""
        if self._cause or self._transport is None:
            raise LinkDown(f"the connection is {self._cause or 'not open yet'}", where=self.peer)
        if self._transport.get_write_buffer_size() + len(data) > WRITE_LIMIT:
            self.close("overflow")
            raise LinkDown("the collector does not take what is sent to it", where=self.peer)
        self._transport.write(data)

    def close(self, cause: str) -> None:
        """End the connection."""
        if self._cause:
            return
        self._cause = cause
        if self._transport is not None:
            if cause in ("overflow", "silent"):
                self._transport.abort()
            else:
                self._transport.close()
        if self._user is not None:
            self._user.lost(cause)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: closed by the other end, reset, or given up by the kernel."""
        self._transport = None
        self._link.gone(self)
        if self._cause:
            return
        if exc is None:
            self._cause = "closed"
        else:
            self._cause = "silent" if getattr(exc, "errno", None) == errno.ETIMEDOUT else "reset"
        if self._user is not None:
            self._user.lost(self._cause)
        elif self._start:
            self._link.host.stranger(self.peer, self._start, "hung up before its registration was complete")

"""One UDP socket for all collectors of a link: a datagram belongs to the caller of its address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meterhub.field.calls.connection import Connection

DATAGRAMS_PER_TURN = 256
LARGEST = 2048
OVERFLOW = 40 if sys.platform == "linux" else None
"""Linux' SO_RXQ_OVFL: each datagram brings along how many were lost before it, as a number of 32 bits."""
COUNT = struct.Struct("=I")
ROOM = socket.CMSG_SPACE(COUNT.size) if OVERFLOW is not None else 0

Greet = Callable[[tuple[Any, ...]], "Connection | None"]
"""The connection for the address of somebody new, or None to refuse it."""


class Mailbox:
    """The socket. UDP has no end of a connection: silence ends it, or a newer address of the same collector."""

    def __init__(self, greet: Greet, lost: Callable[[int], None]) -> None:
        """``lost`` hears how many datagrams found no room in the kernel."""
        self._greet = greet
        self._lost = lost
        self._overflow = 0
        self._socket: socket.socket | None = None
        self._guests: dict[tuple[Any, ...], Connection] = {}
        self._paused: set[tuple[Any, ...]] = set()
        """Who cannot take more now: nothing is read then, and what the kernel has no room for is lost."""

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it really listens, None while it does not."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    def open(self, host: str, port: int) -> None:
        """Listen. Raises ``OSError``."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((host, port))
            if OVERFLOW is not None:
                sock.setsockopt(socket.SOL_SOCKET, OVERFLOW, 1)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._take)

    def _take(self) -> None:
        for _ in range(DATAGRAMS_PER_TURN):
            if self._socket is None or self._paused:
                return
            try:
                data, extra, _, address = self._socket.recvmsg(LARGEST, ROOM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP answer to what was sent before
            if extra:
                self._count(extra[0][2])
            guest = self._guests.get(address) or self._newcomer(address)
            if guest is not None:
                guest.data_received(data)

    def _count(self, total: bytes) -> None:
        """The kernel says how many it has lost since the socket was opened."""
        if len(total) == COUNT.size:
            (lost,) = COUNT.unpack(total)
            new, self._overflow = (lost - self._overflow) & 0xFFFF_FFFF, lost
            if new:
                self._lost(new)

    def _newcomer(self, address: tuple[Any, ...]) -> Connection | None:
        guest = self._greet(address)
        if guest is not None:
            self._guests[address] = guest
            guest.use(Peer(self, address))
        return guest

    def send(self, data: bytes, address: tuple[Any, ...]) -> None:
        """Send one datagram; lost when the network does not take it, as any datagram may be."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(data, address)

    def pause(self, address: tuple[Any, ...]) -> None:
        """Read nothing for the sake of this address."""
        if not self._paused and self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._paused.add(address)

    def resume(self, address: tuple[Any, ...]) -> None:
        """It can take more; read again when all can."""
        was_paused = bool(self._paused)
        self._paused.discard(address)
        if was_paused and not self._paused and self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._take)

    def forget(self, address: tuple[Any, ...]) -> None:
        """What comes from there is from somebody new."""
        guest = self._guests.pop(address, None)
        self.resume(address)
        if guest is not None:
            asyncio.get_running_loop().call_soon(guest.connection_lost, None)

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None


class Peer:
    """The pipe to one address."""

    __slots__ = ("_address", "_mailbox")

    def __init__(self, mailbox: Mailbox, address: tuple[Any, ...]) -> None:
        self._mailbox = mailbox
        self._address = address

    def write(self, data: bytes) -> None:
        """Send a datagram."""
        self._mailbox.send(data, self._address)

    def get_write_buffer_size(self) -> int:
        """Nothing waits: what the network does not take is lost."""
        return 0

    def pause_reading(self) -> None:
        """Read nothing more."""
        self._mailbox.pause(self._address)

    def resume_reading(self) -> None:
        """Read again."""
        self._mailbox.resume(self._address)

    def close(self) -> None:
        """Forget the address."""
        self._mailbox.forget(self._address)

    abort = close

"""The door: a listening socket of its own that takes callers in batches, since the loop's starves behind busy ones."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

from meterhub.descriptors import for_callers

ACCEPTS_PER_TURN = 256
"""The loop's own listener takes one or so per turn and starves behind busy connections."""
BACKLOG = 4096
KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000))
HANDSHAKE_S = 20.0
RECEIVE_BYTES = 8 * 1024
"""Room in the kernel for what a collector sends, seconds of any wire (Linux takes double); more piles up floods."""
INHERITED = sys.platform == "linux"

Admit = Callable[[tuple[Any, ...]], asyncio.Protocol | None]
"""The protocol for a caller's address, or None to refuse it."""


def set_up(sock: socket.socket) -> None:
    """No delay, bounded room for what comes, and the kernel notices a dead peer within about two minutes."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    for name, value in KEEP_ALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Door:
    """Listens on one TCP port. ``admit`` decides who gets in.

    When callers have all the descriptors that they may, ``make_room`` is asked to turn some away, and says whether
    there are any to turn away; when there are none, or no descriptors at all, ``full`` hears why nobody is let in.
    """

    def __init__(
        self,
        admit: Admit,
        make_room: Callable[[], bool],
        full: Callable[[OSError], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._admit = admit
        self._make_room = make_room
        self._full = full
        self._tls = tls
        self._most = 0
        self._socket: socket.socket | None = None
        self._welcoming: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it really listens, None while it does not."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    def open(self, host: str, port: int) -> None:
        """Listen. Raises ``OSError``."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self._most = for_callers()
        set_up(self._socket)  # on Linux those that it accepts inherit it: six system calls less for each
        self.resume()

    def resume(self) -> None:
        """Take callers (again)."""
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        """Take what waits at the door."""
        assert self._socket is not None
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # hung up while waiting
            except OSError as error:
                self._shut(error)
                return
            crowded = sock.fileno() >= self._most
            if crowded and not self._make_room():
                sock.close()
                self._shut(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
                return
            self._let_in(sock, address)
            if crowded:
                return  # those who were turned away let go of theirs before the next turn

    def _shut(self, error: OSError) -> None:
        """No more file descriptors: let others finish first."""
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._full(error)

    def _let_in(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        sock.setblocking(False)
        guest = self._admit(address)
        if guest is None:
            sock.close()
            return
        task = asyncio.get_running_loop().create_task(self._welcome(sock, guest))
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    async def _welcome(self, sock: socket.socket, guest: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        try:
            if not INHERITED:
                set_up(sock)
            if self._tls is None:
                await loop.connect_accepted_socket(lambda: guest, sock)
            else:
                await loop.connect_accepted_socket(
                    lambda: guest, sock, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
                )
        except OSError as error:  # ssl.SSLError among them
            sock.close()
            guest.connection_lost(error)

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for task in list(self._welcoming):
            task.cancel()

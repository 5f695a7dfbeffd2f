"""The door: a listening socket of its own that takes callers in batches, since the loop's starves behind busy ones."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from meterhub.descriptors import RESERVED, for_callers

ACCEPTS_PER_TURN = 256
"""The loop's own listener takes one or so per turn and starves behind busy connections."""
BACKLOG = 4096
KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000))
HANDSHAKE_S = 20.0
SPARE = RESERVED // 4
"""Descriptors kept for others that callers may take for a moment, until those who have to go are gone."""
RECEIVE_BYTES = 8 * 1024
"""Room in the kernel for what a collector sends, seconds of any wire (Linux takes double); more piles up floods."""
INHERITED = sys.platform == "linux"

Admit = Callable[[tuple[Any, ...]], asyncio.Protocol | None]
"""The protocol for a caller's address, or None to refuse it."""


def set_up(sock: socket.SocketType) -> None:
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
        self._opening: list[Coroutine[Any, Any, Any]] = []
        """Connections of this turn; a task for each would cost as much as the registration that follows."""
        self._welcoming: set[asyncio.Task[Any]] = set()
        """Those who still shake hands by TLS."""

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it really listens, None while it does not."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    def open(self, host: str, port: int) -> None:
        """Listen. Raises ``OSError``."""
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=self._family, backlog=BACKLOG)
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
        self._take_callers()
        opening, self._opening = self._opening, []
        if opening:
            asyncio.get_running_loop().call_soon(_opened, opening)

    def _take_callers(self) -> None:
        listener = self._socket
        assert listener is not None
        for _ in range(ACCEPTS_PER_TURN):
            try:
                descriptor, address = listener._accept()  # type: ignore[attr-defined]  # what accept() does before its enums
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # hung up while waiting
            except OSError as error:
                self._shut(error)
                return
            sock = socket.SocketType(self._family, socket.SOCK_STREAM, 0, descriptor)
            if descriptor < self._most:
                self._let_in(sock, address)
            elif descriptor < self._most + SPARE and self._make_room():
                self._let_in(sock, address)
                loop = asyncio.get_running_loop()  # which may ask more than once in a turn
                loop.remove_reader(listener)
                loop.call_soon(self.resume)  # those who were turned away let go of theirs until then
                return
            else:
                sock.close()
                self._shut(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
                return

    def _shut(self, error: OSError) -> None:
        """No more file descriptors: let others finish first."""
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._full(error)

    def _let_in(self, sock: socket.SocketType, address: tuple[Any, ...]) -> None:
        guest = self._admit(address)
        if guest is None:
            sock.close()
            return
        if not INHERITED:
            set_up(sock)
        loop = asyncio.get_running_loop()
        if self._tls is not None:
            task = loop.create_task(_shake_hands(loop, self._tls, sock, guest))
            self._welcoming.add(task)
            task.add_done_callback(self._welcoming.discard)
            return
        opening = loop.connect_accepted_socket(lambda: guest, sock)  # type: ignore[arg-type]
        try:
            opening.send(None)  # opens it; all that is left is to wait for ``connection_made``
        except OSError as error:
            _fail(sock, guest, error)
        else:
            self._opening.append(opening)

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for task in list(self._welcoming):
            task.cancel()


def _opened(opening: list[Coroutine[Any, Any, Any]]) -> None:
    """``connection_made`` has been called on each: nothing is left to wait for."""
    for one in opening:
        with contextlib.suppress(StopIteration):
            one.send(None)


async def _shake_hands(
    loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext, sock: socket.SocketType, guest: asyncio.Protocol
) -> None:
    try:
        await loop.connect_accepted_socket(lambda: guest, sock, ssl=tls, ssl_handshake_timeout=HANDSHAKE_S)  # type: ignore[arg-type]
    except OSError as error:  # ssl.SSLError among them
        _fail(sock, guest, error)


def _fail(sock: socket.SocketType, guest: asyncio.Protocol, error: OSError) -> None:
    sock.close()
    guest.connection_lost(error)

"""The web application: API, live socket and pages on one aiohttp server."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import cast

from aiohttp import web

from meterhub.errors import ConfigError
from meterhub.web import api, message_receipts, pay_notify
from meterhub.web.middleware import add_security_headers, guard
from meterhub.web.rooms import ROOMS, Rooms

MAX_BODY_BYTES = 1024 * 1024
MAX_CONNECTIONS = 4_000
KEEP_ALIVE_S = 75.0
STOP_S = 5.0

HINTS = {
    errno.EADDRINUSE: "another program, or another hub, uses it: stop that one or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all it has",
    errno.EACCES: "ports below 1024 need a privilege; choose a higher one",
}
"""What to do about an address that cannot be had."""
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


def build_app(rooms: Rooms, pages: Callable[[web.Application], None] | None = None) -> web.Application:
    """The application; ``pages(app)`` adds the pages, their static files and ``app[ERROR_PAGE]``."""
    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app[ROOMS] = rooms
    app.on_response_prepare.append(add_security_headers)
    api.set_up(app)
    if rooms.money is not None:
        pay_notify.set_up(app, rooms.money, rooms.clock)
    if rooms.messages is not None:
        message_receipts.set_up(app, rooms.messages, rooms.clock)
    if pages is not None:
        pages(app)
    return app


class Site:
    """A listening server. ``port`` is the real one when 0 was asked for."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server) -> None:
        self._runner = runner
        self._server = server
        self.host, self.port = server.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Take no new connections, close live sockets, give requests under way ``STOP_S`` seconds."""
        self._server.close()
        await self._runner.cleanup()


class _Busy(asyncio.Protocol):
    """What a connection gets while there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        busy = cast(asyncio.Transport, transport)  # that of uvloop only works like one
        busy.write(BUSY)
        busy.close()


async def start(app: web.Application, listen: str, where: str = "web.listen") -> Site:
    """Serve ``app`` at ``host:port``, which stands at ``where``; raises ``ConfigError`` when it cannot be had."""
    host, port = parse_listen(listen)
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEP_ALIVE_S, shutdown_timeout=STOP_S, handle_signals=False
    )
    await runner.setup()
    handlers = runner.server
    assert handlers is not None

    def one() -> asyncio.BaseProtocol:
        return handlers() if len(handlers.connections) < MAX_CONNECTIONS else _Busy()

    try:
        server = await asyncio.get_running_loop().create_server(one, host, port, backlog=1024)
    except OSError as error:
        await runner.cleanup()
        known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
        why = os.strerror(error.errno).lower() if known and error.errno else error.strerror or str(error)
        hint = HINTS.get(error.errno or 0, "choose another address for web.listen")
        raise ConfigError(f"cannot listen on {listen}: {why}", where=where, hint=hint) from None
    return Site(runner, server)


def parse_listen(listen: str) -> tuple[str, int]:
    """``127.0.0.1:8645`` or ``[::]:8645`` as host and port; raises ``ConfigError``."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{listen!r} is not host:port", where="web.listen", hint="such as 127.0.0.1:8645")
    return host.strip("[]") or "0.0.0.0", int(port)

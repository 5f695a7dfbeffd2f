"""The far end of a serial link: a pseudo-terminal under the configured path, or a listening socket, on a wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from meterhub.errors import ConfigError
from meterhub.field.link import CollectorConfig, wire_key
from meterhub_serial.schema import ports_of
from meterhub_serial.telnet import BAUD, ComPortServer, doubled


def _link_terminal(path: str) -> tuple[int, int]:
    """A new pseudo-terminal (master, slave), linked at ``path`` in place of nothing or of an earlier one only."""
    if os.path.exists(path) and not os.path.realpath(path).startswith("/dev/pts/"):
        raise ConfigError(f"{path} is a real device; its twin needs a path that does not exist", where=path)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(os.ttyname(slave), path)
    return master, slave


@contextlib.asynccontextmanager
async def pseudo_terminal(path: str, heard: Callable[[bytes], None]) -> AsyncIterator[Callable[[bytes], None]]:
    """A pseudo-terminal linked at ``path``, where nothing may be yet; gives what sends bytes to whoever opens it."""
    master, slave = _link_terminal(path)

    def say(data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a real wire
            os.write(master, data)

    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: heard(os.read(master, 4096)))
    try:
        yield say
    finally:
        loop.remove_reader(master)
        os.unlink(path)
        os.close(master)
        os.close(slave)


class SocketTwin(asyncio.Protocol):
    """A serial server: one caller at a time has the wire, the newest. It speaks RFC 2217 if ``telnet``."""

    def __init__(self, wire: Any, telnet: bool = False) -> None:
        self._wire = wire
        self._transport: asyncio.WriteTransport | None = None
        self._telnet = ComPortServer() if telnet else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The hub connects."""
        self._transport = cast(asyncio.WriteTransport, transport)  # that of uvloop only works like one
        self._wire.receive = self._say

    def _say(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data if self._telnet is None else doubled(data))

    def data_received(self, data: bytes) -> None:
        """The hub's bytes go on the wire."""
        if self._telnet is not None:
            data = self._telnet.receive(data)
            self._wire.retune(self._telnet.settings.get(BAUD, self._wire.speed))
            assert self._transport is not None
            self._transport.write(bytes(self._telnet.answers))
            self._telnet.answers.clear()
        if data:
            self._wire.send(data)


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run the far end of the ports until cancelled. Raises ``ConfigError`` for a port that cannot be simulated."""
    (collector,) = collectors
    ports = enumerate(ports_of(config, collector))
    await asyncio.gather(*(_simulate_port(port, wires[wire_key(collector.id, number)]) for number, port in ports))


async def _simulate_port(port: str, wire: Any) -> None:
    if "://" not in port:
        async with pseudo_terminal(port, wire.send) as say:
            wire.receive = say
            await asyncio.Event().wait()
    url = urlsplit(port)
    if url.scheme not in ("socket", "rfc2217"):
        raise ConfigError(f"there is no twin for {port}", hint="use a path, socket://host:port or rfc2217://host:port")
    loop = asyncio.get_running_loop()
    telnet = url.scheme == "rfc2217"
    server = await loop.create_server(lambda: SocketTwin(wire, telnet), url.hostname, url.port or 0)
    async with server:
        await server.serve_forever()

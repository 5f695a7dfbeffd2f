"""The listener: accepts callers in batches, lets them name themselves, and hands their channels to the hub."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import ConfigError
from meterhub.field.link import Link, LinkFacts, LinkHost
from meterhub_gprs.connection import Connection, set_up
from meterhub_gprs.registration import UNKNOWN, Register, Sieve
from meterhub_gprs.schema import heartbeat_packets

ACCEPTS_PER_TURN = 256
"""The loop's own listener takes one or so per turn and starves behind busy connections."""
BACKLOG = 4096
RETRY_S = 5.0
HOLD_S = 0.2
"""How long bytes that may begin a packet of the link are held back."""


class GprsLink(Link):
    """Listens on one port. One timer for all callers who have not named themselves, one for all bytes held back."""

    host: LinkHost

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        self._clock = clock
        self._listen: tuple[str, int] = config["listen"]
        self._heartbeats = heartbeat_packets(config)
        self._register_within_s: float = config["register_within"]
        self._per_address: int = config["unregistered_per_address"]
        self.facts = LinkFacts(config["latency"], config["latency_max"], metered=True)
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._unnamed: dict[Connection, float] = {}
        """Callers not yet named, the oldest first, with the time when their patience ends."""
        self._callers: Counter[str] = Counter()
        self._held: set[Connection] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._accepting: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it really listens, None while it does not."""
        return None if self._listener is None else self._listener.getsockname()[:2]

    async def open(self, host: LinkHost) -> None:
        """Listen; a port that is taken is tried again. Raises ``ConfigError`` for a registration used twice."""
        self.host = host
        packets: dict[bytes, str] = {}
        for collector in host.collectors:
            registration = collector.options.get("registration") or collector.id.encode()
            if registration in packets:
                raise ConfigError(
                    f"the collectors {packets[registration]} and {collector.id} have the same registration",
                    where=collector.id,
                    hint="give each collector a registration of its own",
                )
            packets[registration] = collector.id
        self.register = Register(packets)
        self._start_listening()

    def _start_listening(self) -> None:
        host, port = self._listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            self.host.trouble(f"cannot listen on {host}:{port}: {error.strerror or error}")
            self._later("listen", RETRY_S, self._start_listening)
            return
        self._listener.setblocking(False)
        self.host.trouble("")
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Take what waits at the door."""
        assert self._listener is not None
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # hung up while waiting
            except OSError as error:  # no more file descriptors: let others finish first
                self.host.trouble(f"cannot accept calls: {error.strerror or error}")
                loop.remove_reader(self._listener)
                self._later("accept", 1.0, self._accept_again)
                return
            if self._callers[address[0]] >= self._per_address:
                sock.close()
                self.host.stranger(f"{address[0]}:{address[1]}", b"", "too many callers without a name from there")
                continue
            task = loop.create_task(self._welcome(sock, self._caller(address)))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _accept_again(self) -> None:
        if self._listener is not None:
            self.host.trouble("")
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _caller(self, address: tuple[Any, ...]) -> Connection:
        connection = Connection(self, address[0], address[1])
        self._connections.add(connection)
        self._callers[connection.address] += 1
        self._unnamed[connection] = self._clock.monotonic() + self._register_within_s
        self._later("unnamed", self._register_within_s, self._lose_patience)
        return connection

    async def _welcome(self, sock: socket.socket, connection: Connection) -> None:
        try:
            set_up(sock)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except OSError:
            sock.close()
            self.gone(connection)

    def recognise(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """As ``Register.find``; heartbeats may come before the registration."""
        found = self.register.find(data, final)
        for packet in self._heartbeats:
            if found[0] == UNKNOWN and data.startswith(packet):
                return self.recognise(data[len(packet) :], final)
        return found

    def sieve(self, registration: bytes) -> Sieve:
        """What takes this collector's packets out of its stream."""
        return Sieve((registration, *self._heartbeats))

    def named(self, connection: Connection) -> None:
        """The caller is known now, or has been turned away."""
        if self._unnamed.pop(connection, None) is not None:
            self._callers[connection.address] -= 1
            if not self._callers[connection.address]:
                del self._callers[connection.address]

    def gone(self, connection: Connection) -> None:
        """The connection has ended."""
        self.named(connection)
        self._connections.discard(connection)
        self._held.discard(connection)

    def hold(self, connection: Connection) -> None:
        """Bytes are held back; give them up if nothing follows soon."""
        self._held.add(connection)
        self._later("held", HOLD_S, self._release)

    def _release(self) -> None:
        held, self._held = self._held, set()
        for connection in held:
            connection.release()

    def _lose_patience(self) -> None:
        now = self._clock.monotonic()
        while self._unnamed:
            connection, until = next(iter(self._unnamed.items()))
            if until > now:
                self._later("unnamed", until - now, self._lose_patience)
                return
            connection.turn_away("did not name itself in time")
            self.named(connection)

    def _later(self, name: str, delay_s: float, callback: Any) -> None:
        """One timer per purpose."""
        if name not in self._timers:
            self._timers[name] = self._clock.call_later(delay_s, self._fired, name, callback)

    def _fired(self, name: str, callback: Any) -> None:
        del self._timers[name]
        callback()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in list(self._accepting):
            task.cancel()
        for connection in list(self._connections):
            connection.close("hub_stopped")
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(1.0):
                while self._connections:
                    await self._clock.sleep(0.01)

"""A link whose collectors call or are called: lets callers name themselves and hands their channels to the hub."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import ConfigError
from meterhub.field.calls.connection import Connection
from meterhub.field.calls.datagrams import Mailbox
from meterhub.field.calls.dialler import Dialler
from meterhub.field.calls.door import Door
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.registration import UNKNOWN, Greeter, Register
from meterhub.field.calls.sieve import Sieve
from meterhub.field.calls.turns import Turns
from meterhub.field.link import Channel, ChannelUser, CollectorConfig, Link, LinkFacts, LinkHost, line_of_key

RETRY_S = 5.0
HOLD_S = 0.2
"""How long bytes that may begin a packet of the link are held back."""
TICK_S = 1.0
CROWD = 64
"""Callers without a name who are turned away at once when descriptors run out."""
CALM_S = 10.0
"""So long callers must have found room before that is over."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How a link is called. Without ``listen`` nobody can call; collectors with ``connect`` are called by us."""

    listen: tuple[str, int] | None = None
    udp: bool = False
    tls: ssl.SSLContext | None = None
    allow: Sequence[IPv4Network | IPv6Network] = ()
    """Where callers may come from; empty: from anywhere."""
    heartbeats: tuple[bytes, ...] = ()
    register_within_s: float = 10.0
    per_address: int = 200
    """Callers of one address that have not named themselves yet."""
    unnamed_limit: int = 10_000
    """Such callers of all addresses; beyond that the oldest has to go."""


class CallLink(Link):
    """One timer for all callers who have not named themselves, one for all bytes held back."""

    host: LinkHost
    ticks = False
    """Do the framings want to be called each second?"""

    def __init__(self, clock: Clock, settings: CallSettings, facts: LinkFacts) -> None:
        self._clock = clock
        self._settings = settings
        self.facts = facts
        self._entrance: Door | Mailbox = (
            Mailbox(self._admit, self._lost)
            if settings.udp
            else Door(self._admit, self._make_room, self._full, settings.tls)
        )
        self.hang_ups, self.losses = Turns(), Turns()
        """Those who hung up and are to be closed; closed ones of which the hub is to hear."""
        self._dialler: Dialler | None = None
        self._collectors: dict[str, CollectorConfig] = {}
        """By ``wire_key``: where each line of a collector has a connection of its own, one for each."""
        self._connections: set[Connection] = set()
        self._unnamed: dict[Connection, float] = {}
        """Callers not yet named, the oldest first, with the time when their patience ends."""
        self._callers: dict[str, int] = {}
        """How many of them call from each address."""
        self._held: set[Connection] = set()
        self._full_at = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it really listens, None while it does not."""
        return self._entrance.address

    def greeter(self, collectors: Sequence[CollectorConfig]) -> Greeter:
        """What knows callers; raises ``ConfigError`` for a registration used twice."""
        return Register(packets_of(collectors))

    @property
    def encrypted(self) -> bool:
        """Do the connections go through TLS?"""
        return self._settings.tls is not None

    @property
    def heartbeats(self) -> tuple[bytes, ...]:
        """The packets that are signs of life."""
        return self._settings.heartbeats

    def framing(self, collector: CollectorConfig, packet: bytes) -> Framing:
        """The framing of a new connection; ``packet`` is its registration, b'' when we called."""
        return Sieve((packet, *self.heartbeats) if packet else self.heartbeats)

    def ports(self, collectors: Sequence[CollectorConfig]) -> Sequence[CollectorConfig]:
        """Who calls: the collectors, or one with a ``wire_key`` for an id for each port that calls by itself.

        Raises ``ConfigError`` for channels that cannot be.
        """
        return collectors

    def frame(self, key: str, packet: bytes) -> Framing:
        """``framing`` for the caller with this ``wire_key``."""
        return self.framing(self._collectors[key], packet)

    def attach(self, key: str, channel: Channel) -> ChannelUser:
        """Tell the host that the caller with this ``wire_key`` is there."""
        collector_id, line = line_of_key(key)
        return self.host.attach(collector_id, channel, line)

    async def open(self, host: LinkHost) -> None:
        """Listen and call; a port that is taken is tried again. Raises ``ConfigError`` for what never works."""
        self.host = host
        callers = self.ports(host.collectors)
        self._collectors = {one.id: one for one in callers}
        targets = {one.id: tuple(one.options["connect"]) for one in callers if one.options.get("connect")}
        if self._settings.listen is None:
            _all_called(callers)
        self._greeter = self.greeter([one for one in callers if one.id not in targets])
        if self._settings.listen is not None:
            self._start_listening(*self._settings.listen)
        if targets:
            self._dialler = Dialler(self, self._clock, targets)
            self._dialler.start()
        if self.ticks:
            self._later("tick", TICK_S, self._tick)

    def _start_listening(self, host: str, port: int) -> None:
        try:
            self._entrance.open(host, port)
        except OSError as error:
            self.host.trouble(f"cannot listen on {host}:{port}: {error.strerror or error}")
            self._later("listen", RETRY_S, lambda: self._start_listening(host, port))
            return
        self.host.trouble("")

    def _lost(self, datagrams: int) -> None:
        self.host.lost(datagrams)

    def _make_room(self) -> bool:
        """Descriptors run out: the oldest callers without a name have to go. False when there are none.

        Nobody has to while those who hung up wait for their turn: they take theirs along.
        """
        if self.hang_ups:
            return True
        oldest = list(islice(self._unnamed, CROWD))
        for connection in oldest:
            connection.turn_away("had not named itself when no more file descriptors were left")
        return bool(oldest)

    def _full(self, error: OSError) -> None:
        self.host.trouble(f"cannot accept calls: {error.strerror or error}")
        self._full_at = self._clock.monotonic()
        self._later("accept", 1.0, self._accept_again)
        self._later("calm", CALM_S, self._calm)

    def _accept_again(self) -> None:
        if isinstance(self._entrance, Door):
            self._entrance.resume()

    def _calm(self) -> None:
        left_s = self._full_at + CALM_S - self._clock.monotonic()
        if left_s > 0:
            self._later("calm", left_s, self._calm)
        else:
            self.host.trouble("")

    def _admit(self, address: tuple[Any, ...]) -> Connection | None:
        """A connection for a caller at the door, unless too many of its kind are there."""
        settings = self._settings
        if settings.allow and not any(ip_address(address[0].partition("%")[0]) in one for one in settings.allow):
            self.host.stranger(f"{address[0]}:{address[1]}", b"", "not from an address that is allowed")
            return None
        if self._callers.get(address[0], 0) >= settings.per_address:
            self.host.stranger(f"{address[0]}:{address[1]}", b"", "too many callers without a name from there")
            return None
        if len(self._unnamed) >= settings.unnamed_limit:
            next(iter(self._unnamed)).turn_away("had not named itself when too many others called")
        connection = Connection(self, address[0], address[1])
        self._connections.add(connection)
        self._callers[address[0]] = self._callers.get(address[0], 0) + 1
        self._unnamed[connection] = self._clock.monotonic() + settings.register_within_s
        self._later("unnamed", settings.register_within_s, self._lose_patience)
        return connection

    def called(self, collector_id: str, host: str, port: int) -> Connection:
        """A connection to a collector that we are calling."""
        connection = Connection(self, host, port, known=collector_id)
        self._connections.add(connection)
        return connection

    def recognise(self, data: bytes, final: bool = False) -> tuple[str, bytes, bytes]:
        """As ``Greeter.find``; heartbeats may come before the registration."""
        found = self._greeter.find(data, final)
        for packet in self._settings.heartbeats:
            if found[0] == UNKNOWN and data.startswith(packet):
                return self.recognise(data[len(packet) :], final)
        return found

    def pair(self, collector_id: str, registration: bytes) -> None:
        """Know a caller from now on. Raises ``BadInput`` for a registration that is another's."""
        self._greeter.add(registration, collector_id)

    def stranger(self, peer: str, first: bytes, why: str) -> None:
        """Tell the host of somebody unknown; a secret that is wrong stays between him and us."""
        known = self._greeter.without_secret(first)
        if known is None:
            self.host.stranger(peer, first, why)
        else:
            self.host.stranger(peer, known, "its secret is wrong")

    def named(self, connection: Connection) -> None:
        """The caller is known now, or has been turned away."""
        if self._unnamed.pop(connection, None) is None:
            return
        left = self._callers.pop(connection.address) - 1
        if left:
            self._callers[connection.address] = left

    def gone(self, connection: Connection, known: str = "") -> None:
        """The connection has ended; one that we made is made again."""
        self.named(connection)
        self._connections.discard(connection)
        self._held.discard(connection)
        if known and self._dialler is not None:
            self._dialler.again(known)

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

    def _tick(self) -> None:
        now = self._clock.monotonic()
        for connection in list(self._connections):
            connection.tick(now)
        self._later("tick", TICK_S, self._tick)

    def _later(self, name: str, delay_s: float, callback: Any) -> None:
        """One timer per purpose."""
        if name not in self._timers:
            self._timers[name] = self._clock.call_later(delay_s, self._fired, name, callback)

    def _fired(self, name: str, callback: Any) -> None:
        del self._timers[name]
        callback()

    async def close(self) -> None:
        """Stop listening and calling, and close every connection."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        dialler, self._dialler = self._dialler, None
        if dialler is not None:
            dialler.stop()
        for connection in list(self._connections):
            connection.close("hub_stopped")
        self._entrance.close()
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(1.0):
                while self._connections:
                    await self._clock.sleep(0.01)


def _all_called(collectors: Sequence[CollectorConfig]) -> None:
    """Raises ``ConfigError`` for a collector that has no way to call, and is not called either."""
    for one in collectors:
        if not one.options.get("connect"):
            hint = "give the link listen: address:port, or the collector connect: address:port"
            raise ConfigError(f"the collector {one.id} can neither call nor be called", where=one.id, hint=hint)


def packets_of(collectors: Sequence[CollectorConfig]) -> Mapping[bytes, str]:
    """Registration packet to collector id; a collector without ``registration`` sends its id.

    Raises ``ConfigError`` for one that two collectors have.
    """
    packets: dict[bytes, str] = {}
    for collector in collectors:
        registration = collector.options.get("registration") or collector.id.encode()
        if registration in packets:
            raise ConfigError(
                f"the collectors {packets[registration]} and {collector.id} have the same registration",
                where=collector.id,
                hint="give each collector a registration of its own",
            )
        packets[registration] = collector.id
    return packets

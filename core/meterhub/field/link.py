"""Link: how bytes reach a collector. A byte pipe, or a listener that yields one pipe per collector.

Links know no meter. A link reports each pipe that is open as a ``Channel`` to
its ``LinkHost``, which is the hub's side of it, and gets a ``ChannelUser`` that takes the bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from meterhub.config.base import Type
from meterhub.errors import BadInput


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What a line must know of its link. ``latency_s`` is the usual round trip, ``latency_max_s`` what to wait for."""

    latency_s: float = 0.0
    latency_max_s: float = 0.5
    largest_frame: int | None = None
    metered: bool = False


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a radio network says of one node behind a collector; None: it does not say.

    ``quality`` is a share of 100, ``hops`` 0 for a node that is reached directly, ``phase`` 1 to 3.
    """

    address: str
    online: bool | None = None
    hops: int | None = None
    quality: int | None = None
    signal_dbm: int | None = None
    phase: int | None = None


class Channel(ABC):
    """One open byte pipe to a collector."""

    __slots__ = ()
    paced: bool = True
    """May ``pause_s`` be more than 0?"""
    peer: str = ""
    """Where the other end is, for people: ``10.1.2.3:40112`` or ``/dev/ttyUSB0``."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send bytes without waiting. Raises ``LinkDown`` when the pipe is closed or its buffer is full."""

    def pause_s(self, size: int) -> float:
        """How long to wait before so many bytes may be sent, where a radio has to keep to a share of the time."""
        return 0.0

    def set_speed(self, baud: int) -> bool:
        """Change the speed of the wire behind this pipe; False where that cannot be done."""
        return False

    def pause(self) -> bool:
        """Read no further until ``resume``; bytes under way may still come. False where the sender cannot be slowed."""
        return False

    def resume(self) -> None:  # noqa: B027 - a pipe that cannot pause has nothing to resume
        """Read again."""

    @abstractmethod
    def close(self, cause: str) -> None:
        """Close the pipe; never blocks, may be called twice. ``ChannelUser.lost`` follows once."""


class ChannelUser(Protocol):
    """The hub's end of a channel."""

    def received(self, data: bytes) -> None:
        """Bytes came in, registration and heartbeats already taken out."""

    def alive(self) -> None:
        """The collector gave a sign of life that is not meter data (a heartbeat)."""

    def lost(self, cause: str) -> None:
        """The channel is gone; ``cause`` is one of the words of ``field.collector.CAUSES``."""

    def gave_up(self, why: str) -> None:
        """The network says that no answer will come to what was sent last: nobody needs to wait for it."""

    def node(self, facts: NodeFacts) -> None:
        """The network said something of one of its nodes."""

    def signal(self, dbm: int) -> None:
        """How strong the collector itself is received."""


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """A collector as the link sees it; ``options`` passed the link type's ``collector_schema``."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[Any, ...] = ()
    """What its lines say under ``channel:``, in their order; () where it has one wire and needs no name for it."""


def wire_key(collector_id: str, line: int = 0) -> str:
    """A name for one of a collector's lines by its number, where a name of the collector alone is not enough."""
    return f"{collector_id}#{line}" if line else collector_id


def line_of_key(key: str) -> tuple[str, int]:
    """Collector id and number of the line of a ``wire_key``."""
    collector_id, _, line = key.partition("#")
    return collector_id, int(line or 0)


class LinkHost(Protocol):
    """What the hub offers to a link."""

    @property
    def collectors(self) -> Sequence[CollectorConfig]:
        """The collectors that the configuration puts on this link. A serial link finds one, with the link's own id."""

    def attach(self, collector_id: str, channel: Channel, line: int = 0) -> ChannelUser:
        """A collector is there. The newest channel wins: an older one of the same id is closed as ``replaced``.

        Where each line of a collector has a channel of its own, ``line`` is the number of that line.
        """

    def stranger(self, peer: str, first_bytes: bytes, why: str) -> None:
        """Somebody called who is not known; kept in a short list for the deployer, and logged within limits."""

    def trouble(self, text: str) -> None:
        """The link itself does not work (port taken, device missing), in words; '' when it works again."""

    def lost(self, datagrams: int) -> None:
        """So many datagrams came when there was no room for them; counted, and logged within limits."""


class Link(ABC):
    """One configured link."""

    facts: LinkFacts = LinkFacts()

    def facts_of(self, collector: CollectorConfig) -> LinkFacts:
        """The facts of one collector, where they differ."""
        return self.facts

    def pair(self, collector_id: str, registration: bytes) -> None:
        """From now on who calls with ``registration`` is this collector; ``BadInput`` where that cannot be."""
        raise BadInput("on this kind of link nobody is paired", where=collector_id)

    @abstractmethod
    async def open(self, host: LinkHost) -> None:
        """Start to work and return soon; a device that is missing is retried, not an error.

        Raises ``ConfigError`` for what will never work.
        """

    @abstractmethod
    async def close(self) -> None:
        """Stop; every channel is closed and reported lost."""


FarEnd = Callable[[Mapping[str, Any], Sequence[CollectorConfig], Mapping[str, Any], Any], Awaitable[None]]
"""``simulate(config, collectors, wires, world)``; ``wires`` by ``wire_key``."""


@dataclass(frozen=True, slots=True)
class LinkType:
    """A kind of link that a plugin registers.

    ``schema``: voluptuous mapping of the link's own keys in YAML. ``collector_schema``: keys that a collector on
    such a link may have. ``dial_in``: collectors are listed apart and call; else the link carries its ``lines:``
    itself. ``channel(options of the link)``: what each line says under ``channel:`` where a collector has several;
    None where it has one wire. ``envelope``: what wraps the frames of a line that names no envelope itself, a type
    the plugin registers. ``unique`` are keys of ``collector_schema`` in which no two collectors of a link may be
    alike. ``simulate(config, collectors, wires, world)`` runs the far end of such a link until cancelled: a
    wire of ``meterhub.sim`` per line, by its ``wire_key``: the collector's id for its first.
    """

    name: str
    schema: Mapping[Any, Any]
    open: Callable[[Any, Mapping[str, Any]], Link]
    collector_schema: Mapping[Any, Any] = field(default_factory=dict)
    dial_in: bool = True
    channel: Callable[[Mapping[str, Any]], Type | None] = lambda options: None
    envelope: str = ""
    unique: tuple[str, ...] = ()
    simulate: FarEnd | None = None
    description: str = ""

"""Collectors: who owns a connection, since when, and why it ended.

Three clocks are kept apart: the link is alive (``alive_ms``), the wires behind the collector said something
(``heard_ms``), a meter answered (``meter_ms``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.field.flow import Flow
from meterhub.field.line import Line
from meterhub.field.link import Channel, CollectorConfig, NodeFacts
from meterhub.field.session import Session

MAX_NODES = 4096
"""Nodes that are remembered behind one collector."""

ONLINE, OFFLINE, NEVER_SEEN = "online", "offline", "never_seen"

CAUSES = (
    "connected",
    "closed",  # the other end closed in good order
    "reset",  # the connection broke
    "silent",  # no sign of life for more than two heartbeats
    "replaced",  # the same collector called again
    "overflow",  # it does not take what we send
    "babble",  # it sends and sends what is no frame
    "unplugged",  # the device went away
    "hub_stopped",
    "never_seen",
)
"""Why a collector is in its state."""


FACTS = tuple(one.name for one in fields(NodeFacts))


@dataclass(frozen=True, slots=True)
class CollectorOnline:
    """A collector is connected."""

    collector_id: str
    ms: int
    peer: str


@dataclass(frozen=True, slots=True)
class CollectorOffline:
    """A collector is no longer connected; ``online_ms`` is when that spell had begun."""

    collector_id: str
    ms: int
    cause: str
    online_ms: int


class Collector:
    """One collector and its lines. ``heartbeat_s``: how often it promises a sign of life, None if it does not."""

    def __init__(
        self,
        config: CollectorConfig,
        lines: Sequence[Line],
        clock: Clock,
        bus: Bus,
        heartbeat_s: float | None = None,
        flow: Flow | None = None,
    ) -> None:
        self.id = config.id
        self.config = config
        self.lines = tuple(lines)
        self.heartbeat_s = heartbeat_s
        self.state = NEVER_SEEN
        self.cause = "never_seen"
        """Why it is in this state: one of ``CAUSES``."""
        self.since_ms = clock.now()
        self.peer = ""
        self.sessions: list[Session | None] = [None] * max(1, len(config.channels))
        """Its present connections: one, or one for each line where each line has a channel of its own."""
        self.link_trouble = ""
        """What is wrong with its link itself, in words; '' when nothing is."""
        self.lost_on_link: Callable[[], int] = int
        """Datagrams lost on its link since the start, its own or others'."""
        self.signal_dbm: int | None = None
        """How strong it is received; None where that is not told."""
        self.nodes: dict[str, Node] = {}
        """What its radio network said of the nodes behind it, by address."""
        self.flow = flow or Flow(clock)
        self.spells = 0
        """How often it has connected since the start."""
        self.dropped_bytes = 0
        """Bytes of it that were given up since the start, for want of room or because the hub stopped."""
        self._clock = clock
        self._bus = bus
        self._alive_s: float | None = None
        self._heard_s: float | None = None
        """What the sessions that ended had."""

    @property
    def alive_ms(self) -> int | None:
        """UTC ms of the last sign of life of any kind."""
        return self._ms(self._alive_s, [one.alive_s for one in self.sessions if one is not None])

    @property
    def heard_ms(self) -> int | None:
        """UTC ms of the last bytes from behind the collector."""
        return self._ms(self._heard_s, [one.heard_s for one in self.sessions if one is not None])

    @property
    def meter_ms(self) -> int | None:
        """UTC ms of the last valid answer of a meter."""
        return max((line.last_good_ms for line in self.lines if line.last_good_ms is not None), default=None)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that came and wait their turn."""
        return sum(session.waiting for session in self.sessions if session is not None)

    def drop(self, size: int) -> None:
        """So many bytes of it are given up."""
        self.dropped_bytes += size
        self.flow.dropped(size, self.id)

    def _ms(self, before_s: float | None, now_s: Sequence[float | None]) -> int | None:
        at_s = _latest(before_s, *now_s)
        return None if at_s is None else self._clock.ms_of(at_s)

    def attach(self, channel: Channel, line: int = 0) -> Session:
        """The collector connected; an older connection is fenced off and closed as ``replaced``.

        It is online while one of its lines has a connection.
        """
        sessions = self.sessions
        older = sessions[line]
        first = len(sessions) == 1 or not any(one is not None and one is not older for one in sessions)
        if older is not None:
            older.hand_over()
            self._part(older)
            if first:
                self._ended("replaced")
        lines = self.lines[line : line + 1] if self.config.channels else self.lines
        session = sessions[line] = Session(self, channel, line, lines, self._clock)
        self.peer = channel.peer
        self.spells += 1
        if first:
            self._began()
        for one in lines:
            one.attached(channel)
        if older is not None:
            older.channel.close("replaced")
        return session

    def _began(self) -> None:
        self.state, self.cause = ONLINE, "connected"
        self.since_ms = self._clock.now()
        self._bus.emit(CollectorOnline(self.id, self.since_ms, self.peer))

    def detach(self, cause: str) -> None:
        """End every present connection."""
        for session in self.sessions:
            if session is not None:
                self.end(session, cause)

    def end(self, session: Session, cause: str) -> None:
        """End one connection."""
        self.lost(session, cause)
        session.channel.close(cause)

    def lost(self, session: Session, cause: str) -> None:
        """A session ended; one that was replaced before has nothing to say."""
        if session is not self.sessions[session.line]:
            return
        if cause == "hub_stopped":  # there was time to take it in, see ``Flow.drain``
            session.give_up()
        else:
            session.hand_over()
        self.sessions[session.line] = None
        self._part(session)
        if not any(self.sessions):
            self._ended(cause)
        for line in session.lines:
            line.lost(cause)

    def _part(self, session: Session) -> None:
        """A session is no longer present; what is known of its life stays."""
        session.present = False
        self._alive_s = _latest(self._alive_s, session.alive_s)
        self._heard_s = _latest(self._heard_s, session.heard_s)

    def _ended(self, cause: str) -> None:
        online_ms, self.since_ms = self.since_ms, self._clock.now()
        self.state, self.cause = OFFLINE, cause
        self._bus.emit(CollectorOffline(self.id, self.since_ms, cause, online_ms))

    def end_silent(self, now: float) -> None:
        """End what has been silent for two heartbeats and 4 s. (Looked at each second: noticed within 5 s.)"""
        if self.heartbeat_s is None:
            return
        earliest = now - 2 * self.heartbeat_s - 4
        for session in self.sessions:
            if session is not None and session.alive_s < earliest and not session.held:
                self.end(session, "silent")

    def told(self, facts: NodeFacts) -> None:
        """Its network said something of a node: what it does not say now stays as it was."""
        known = self.nodes.get(facts.address)
        if known is None:
            if len(self.nodes) >= MAX_NODES:
                return
            known = self.nodes[facts.address] = Node()
        known.learn(facts, self._clock.now())


def _latest(*times_s: float | None) -> float | None:
    return max((one for one in times_s if one is not None), default=None)


class Node:
    """One node of a radio network as far as it is known; see ``NodeFacts``."""

    __slots__ = ("facts", "since_ms", "told_ms")

    def __init__(self) -> None:
        self.facts = NodeFacts("")
        self.since_ms = 0
        """Since when it is online, or is not."""
        self.told_ms = 0

    def learn(self, facts: NodeFacts, now_ms: int) -> None:
        """Put what is new over what is known."""
        if facts.online is not None and facts.online != self.facts.online:
            self.since_ms = now_ms
        self.told_ms = now_ms
        new = {name: value for name in FACTS if (value := getattr(facts, name)) is not None}
        self.facts = replace(self.facts, **new)

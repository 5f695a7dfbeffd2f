"""The hub's side of one link: its collectors, callers nobody knows, and trouble of the link itself."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.errors import Misuse
from meterhub.field.collector import ONLINE, Collector
from meterhub.field.flow import Flow
from meterhub.field.link import Channel, CollectorConfig
from meterhub.field.session import Session

SWEEP_S = 1.0
MAX_STRANGERS = 50
LOG_EVERY_S = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who called and is not known. ``calls``: how often in a row."""

    ms: int
    peer: str
    first_bytes: bytes
    why: str
    calls: int = 1


@dataclass(frozen=True, slots=True)
class LinkTrouble:
    """A link does not work, in words; '' when it works again."""

    link_id: str
    ms: int
    text: str


class LinkDesk:
    """The ``LinkHost`` of one link. One timer watches all its collectors for silence."""

    def __init__(
        self, link_id: str, collectors: Iterable[Collector], clock: Clock, bus: Bus, flow: Flow | None = None
    ) -> None:
        self.link_id = link_id
        self.sessions = {one.id: one for one in collectors}
        self.strangers: deque[Stranger] = deque(maxlen=MAX_STRANGERS)
        self.text = ""
        """What is wrong with the link, in words; '' when nothing is."""
        self._clock = clock
        self._bus = bus
        self._flow = flow or Flow(clock)
        self._timer: asyncio.TimerHandle | None = None
        self._log_at = float("-inf")
        self._not_logged = 0
        self._lost_datagrams = 0
        for one in self.sessions.values():
            one.lost_on_link = self.lost_datagrams

    @property
    def collectors(self) -> list[CollectorConfig]:
        """The collectors that the configuration puts on this link."""
        return [one.config for one in self.sessions.values()]

    def start(self) -> None:
        """Begin to watch for silence."""
        self._timer = self._clock.call_later(SWEEP_S, self._sweep)

    def stop(self) -> None:
        """The hub stops: every collector goes offline and every job of its lines ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for collector in self.sessions.values():
            collector.detach("hub_stopped")
            for line in collector.lines:
                line.close()

    def online(self) -> int:
        """How many collectors are connected."""
        return sum(one.state == ONLINE for one in self.sessions.values())

    def attach(self, collector_id: str, channel: Channel, line: int = 0) -> Session:
        """A collector is there. Raises ``Misuse`` for an id that is not of this link."""
        collector = self.sessions.get(collector_id)
        if collector is None:
            raise Misuse(f"the link {self.link_id} has no collector {collector_id!r}")
        return collector.attach(channel, line)

    def stranger(self, peer: str, first_bytes: bytes, why: str) -> None:
        """Remember a caller who is not known; an equal one only counts up."""
        host = peer.rpartition(":")[0]
        newest = self.strangers[-1] if self.strangers else None
        calls = 1
        if newest is not None and newest.why == why and newest.peer.rpartition(":")[0] == host:
            calls = newest.calls + 1
            self.strangers.pop()
        self.strangers.append(Stranger(self._clock.now(), peer, first_bytes[:64], why, calls))
        now = self._clock.monotonic()
        if now < self._log_at:
            self._not_logged += 1
            return
        more = f" (and {self._not_logged} more)" if self._not_logged else ""
        log.warning("link %s: %s called: %s%s", self.link_id, peer, why, more)
        self._log_at, self._not_logged = now + LOG_EVERY_S, 0

    def trouble(self, text: str) -> None:
        """The link itself does not work; told once per change."""
        if text == self.text:
            return
        self.text = text
        for collector in self.sessions.values():
            collector.link_trouble = text
        log.warning("link %s: %s", self.link_id, text or "works again")
        self._bus.emit(LinkTrouble(self.link_id, self._clock.now(), text))

    def lost(self, datagrams: int) -> None:
        """So many datagrams came when the kernel had no room for them."""
        self._lost_datagrams += datagrams
        self._flow.lost(datagrams, self.link_id)

    def lost_datagrams(self) -> int:
        """How many were lost on this link since the start; nobody knows whose they were."""
        return self._lost_datagrams

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for collector in self.sessions.values():
            collector.end_silent(now)
        self._timer = self._clock.call_later(SWEEP_S, self._sweep)

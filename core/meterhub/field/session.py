"""Session: the hub's end of one connection of a collector, where its bytes wait their turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterhub.clock import Clock
from meterhub.field.flow import SLICE, WAITING_BYTES
from meterhub.field.link import Channel, NodeFacts

if TYPE_CHECKING:
    from meterhub.field.collector import Collector
    from meterhub.field.line import Line

MAX_BABBLE = 256 * 1024
"""Bytes without a valid frame among them after which a connection is closed: looking at more takes time from others."""


class Session:
    """The hub's end of one connection. Silent once it is not the collector's newest."""

    __slots__ = (
        "_babble",
        "_clock",
        "_flow",
        "_slowed",
        "_waiting",
        "alive_s",
        "channel",
        "collector",
        "heard_s",
        "held",
        "line",
        "lines",
        "present",
    )

    def __init__(self, collector: Collector, channel: Channel, line: int, lines: Sequence[Line], clock: Clock) -> None:
        self.collector = collector
        self.channel = channel
        self.line = line
        """Which of the collector's connections it is."""
        self.lines = lines
        """The lines that it leads to."""
        self.present = True
        """Is it still the newest of its line?"""
        self.alive_s = clock.monotonic()
        """When it last gave a sign of life."""
        self.heard_s: float | None = None
        """When bytes last came from behind the collector."""
        self.held = False
        """Do bytes of this session wait their turn?"""
        self._waiting = b""
        self._slowed = False
        self._babble = 0
        """Bytes since the last valid frame."""
        self._clock = clock
        self._flow = collector.flow

    @property
    def waiting(self) -> int:
        """How many."""
        return len(self._waiting)

    def received(self, data: bytes) -> None:
        """Bytes came in."""
        if not self.present:
            return
        if self.held:
            self._wait(data)
            if not self._slowed and self._asking():
                self.hand_over()
        elif self._flow.admits(len(data)) or not self._must_wait(len(data)):
            self._heard(data)
        else:
            self.held = True
            self._wait(data)
            self._flow.hold(self._serve)

    def _heard(self, data: bytes) -> None:
        """Hand bytes on to the lines; hang up on who sends and sends what is no frame."""
        now = self.alive_s = self.heard_s = self._clock.monotonic()
        fruitless = True
        for line in self.lines:
            if line.received(data, now):
                fruitless = False
        if fruitless:
            self._babble += len(data)
            if self._babble > MAX_BABBLE:
                self.collector.detach("babble")
        elif self._babble:
            self._babble = 0

    def _must_wait(self, size: int) -> bool:
        """Slow the sender down; who cannot be slowed has to wait as well, unless he answers."""
        if size <= SLICE and not self._flow.shut and self._asking():
            return True  # an answer is served in a moment: to slow its sender down would take longer
        self._slowed = self.channel.pause()
        return self._slowed or not self._asking()

    def _asking(self) -> bool:
        """Is an answer waited for? That one is no flood, and would else come too late."""
        return any(line.asking for line in self.lines)

    def _wait(self, data: bytes) -> None:
        """Keep them, as far as there is room; who was slowed down has little left that may come."""
        room = len(data) if self._slowed else max(0, WAITING_BYTES - len(self._waiting))
        self._waiting += data[:room]
        if room < len(data):
            self.collector.drop(len(data) - room)

    def _serve(self, size: int) -> int:
        """Hand on a slice of what waits; reads again after the last."""
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        if data and self.present:
            self._heard(data)
        if len(data) < size and self.held and not self._flow.ending:
            self.held = False
            if self._slowed:
                self.channel.resume()
        return len(data)

    def give_up(self) -> None:
        """The hub stops: what still waits is dropped, and counted."""
        data, self._waiting = self._waiting, b""
        if data and self.present:
            self.collector.drop(len(data))

    def hand_over(self) -> None:
        """The session ends: what waits is not lost."""
        data, self._waiting = self._waiting, b""
        if data and self.present:
            self._heard(data)

    def alive(self) -> None:
        """A heartbeat came."""
        if self.present:
            self.alive_s = self._clock.monotonic()

    def lost(self, cause: str) -> None:
        """The channel is gone."""
        self.collector.lost(self, cause)

    def gave_up(self, why: str) -> None:
        """The network says that no answer will come to what was sent last."""
        if self.present:
            for line in self.lines:
                line.gave_up(why)

    def node(self, facts: NodeFacts) -> None:
        """The network said something of one of its nodes."""
        if self.present:
            self.collector.told(facts)

    def signal(self, dbm: int) -> None:
        """How strong the collector itself is received."""
        if self.present:
            self.collector.signal_dbm = dbm

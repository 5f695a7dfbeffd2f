"""Session: the hub's end of one connection of a collector, where its bytes wait their turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterhub.field.flow import WAITING_BYTES
from meterhub.field.link import Channel, NodeFacts

if TYPE_CHECKING:
    from meterhub.field.collector import Collector
    from meterhub.field.line import Line


class Session:
    """The hub's end of one connection. Silent once it is not the collector's newest."""

    __slots__ = ("_slowed", "_waiting", "alive_s", "channel", "collector", "held", "line", "lines")

    def __init__(
        self, collector: Collector, channel: Channel, line: int, lines: Sequence[Line], alive_s: float
    ) -> None:
        self.collector = collector
        self.channel = channel
        self.line = line
        """Which of the collector's connections it is."""
        self.lines = lines
        """The lines that it leads to."""
        self.alive_s = alive_s
        """When it last gave a sign of life."""
        self.held = False
        """Do bytes of this session wait their turn?"""
        self._waiting = b""
        self._slowed = False

    @property
    def waiting(self) -> int:
        """How many."""
        return len(self._waiting)

    @property
    def present(self) -> bool:
        """Is it still the newest of its line?"""
        return self.collector.sessions[self.line] is self

    def received(self, data: bytes) -> None:
        """Bytes came in."""
        collector = self.collector
        if not self.present:
            return
        if self.held:
            self._wait(data)
            if not self._slowed and self._asking():
                self.hand_over()
        elif collector.flow.admits(len(data)) or not self._must_wait():
            collector.heard(self, data)
        else:
            self.held = True
            self._wait(data)
            collector.flow.hold(self._serve)

    def _must_wait(self) -> bool:
        """Slow the sender down; who cannot be slowed has to wait as well, unless he answers."""
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
            self.collector.heard(self, data)
        if len(data) < size and self.held and not self.collector.flow.ending:
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
            self.collector.heard(self, data)

    def alive(self) -> None:
        """A heartbeat came."""
        if self.present:
            self.collector.breathed(self)

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

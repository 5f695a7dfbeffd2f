"""A simulated half-duplex wire with meters on it: real wire time, and the faults that real wires have.

No task and, when nothing goes wrong, one timer per exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, zip_longest
from typing import Any

from meterhub.field.codec import Codec
from meterhub.field.protocol import Protocol, SimulatedMeter
from meterhub.sim.weather import Faults
from meterhub.sim.world import World

__all__ = ["Faults", "Wire"]

TIMER_S = 0.002
"""Event loops fire timers up to so much early: an answer just delivered is over."""


class Wire:
    """One wire. The collector's twin calls ``send`` and sets ``receive``, which gets the bytes that come back."""

    def __init__(
        self, world: World, name: str = "wire", *, baud: int = 2400, char_bits: int = 11, faults: Faults | None = None
    ) -> None:
        self.name = name
        self.retune(baud, char_bits)
        self.faults = faults or Faults()
        self.receive: Callable[[bytes], None] | None = None
        self.connected = True
        """False: the wire is cut behind the collector; nothing gets through."""
        self.requests = 0
        """Frames that meters have heard."""
        self.answers = 0
        self.collisions = 0
        self._world = world
        self._random = world.random(name)
        self._groups: list[tuple[Protocol, Codec, list[SimulatedMeter]]] = []
        self._sent_until = 0.0
        self._busy_until = 0.0
        self._garbled = False

    def add(self, protocol: Protocol, meter: SimulatedMeter) -> None:
        """Put a meter on the wire."""
        for known, _, meters in self._groups:
            if known is protocol:
                meters.append(meter)
                return
        self._groups.append((protocol, protocol.codec(), [meter]))

    def remove(self, meter: SimulatedMeter) -> None:
        """Take a meter off the wire; one that is not on it does not matter."""
        for _, _, meters in self._groups:
            if meter in meters:
                meters.remove(meter)

    def retune(self, baud: int, char_bits: int = 11) -> None:
        """The collector's twin talks at another speed; meters at a speed of their own answer only there."""
        self.speed = baud
        self.byte_s = char_bits / baud

    def send(self, data: bytes) -> None:
        """The collector puts ``data`` on the wire; each byte takes its time."""
        now = self._world.clock.monotonic()
        if now + TIMER_S < self._busy_until:
            self.collisions += 1
            self._garbled = True  # both the answer on the wire and this request are spoilt
            return
        self._sent_until = max(now, self._sent_until) + self._world.wait_s(len(data) * self.byte_s)
        if self.faults.echo:
            self._world.clock.call_at(self._sent_until, self._deliver, data)
        if not self.connected:
            return
        for _, codec, meters in self._groups:
            codec.receive(data)
            while (frame := codec.next_frame()) is not None:
                self.requests += 1
                self._offer(frame, meters)

    def _offer(self, frame: Any, meters: list[SimulatedMeter]) -> None:
        """Let every meter hear the frame; more than one answer collide."""
        answer: bytes | None = None
        turnaround_s = 0.0
        for meter in meters:
            said = meter.answer(frame) if meter.only_at in (0, self.speed) else None
            if said is None:
                continue
            if answer is not None:
                self.collisions += 1
                said = bytes(one & other for one, other in zip_longest(answer, said, fillvalue=0xFF))
            answer, turnaround_s = said, max(turnaround_s, meter.turnaround_s)
        if answer is not None:
            self._say(answer, turnaround_s)

    def _say(self, answer: bytes, turnaround_s: float) -> None:
        late_s, segments = self._spoil(answer) if self.faults.any() else (0.0, [answer])
        clock, world = self._world.clock, self._world
        self.answers += 1
        self._garbled = False
        end_s = turnaround_s
        for data in segments:
            end_s += len(data) * self.byte_s
            self._busy_until = self._sent_until + world.wait_s(end_s)
            clock.call_at(self._busy_until + world.wait_s(late_s), self._deliver, data)

    def _spoil(self, answer: bytes) -> tuple[float, list[bytes]]:
        """Apply the faults: how much later than usual the answer comes, and its segments."""
        chance, faults = self._random.random, self.faults
        if chance() < faults.drop:
            return 0.0, []
        if chance() < faults.corrupt:
            spoilt = bytearray(answer)
            spoilt[self._random.randrange(len(spoilt))] ^= 1 << self._random.randrange(8)
            answer = bytes(spoilt)
        if faults.cut and chance() < faults.cut and len(answer) > 1:
            answer = answer[: self._random.randrange(1, len(answer))]
        if faults.twice and chance() < faults.twice:
            answer *= 2
        if chance() < faults.noise:
            answer = self._random.choice((b"\x00", b"\xff")) * self._random.randint(1, 5) + answer
        late_s = faults.late_s if chance() < faults.late else 0.0
        if chance() >= faults.split or len(answer) < 3:
            return late_s, [answer]
        cuts = sorted({0, self._random.randrange(1, len(answer)), self._random.randrange(1, len(answer)), len(answer)})
        return late_s, [answer[start:end] for start, end in pairwise(cuts)]

    def _deliver(self, data: bytes) -> None:
        if self.receive is None or not self.connected:
            return
        if self._garbled:
            data = bytes(byte & 0x55 for byte in data)
        self.receive(data)

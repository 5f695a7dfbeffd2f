"""A scripted wire: the far end of a line in a test says exactly what the script says."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from meterhub.clock import Clock
from meterhub.errors import LinkDown
from meterhub.field.link import Channel, ChannelUser


class AttachableLine(Protocol):
    """What a wire can be connected to: a ``Line``."""

    def attached(self, channel: Channel) -> None:
        """The channel is there."""

    def received(self, data: bytes) -> None:
        """Bytes came."""

    def lost(self, cause: str) -> None:
        """The channel is gone."""


class SimulatedWire(Protocol):
    """What a wire can be bridged to: a ``meterhub.sim.wire.Wire``."""

    receive: Any

    def send(self, data: bytes) -> None:
        """Bytes of the master."""


def as_bytes(data: bytes | str) -> bytes:
    """Bytes as they are, text as hex."""
    return bytes.fromhex(data) if isinstance(data, str) else data


class Expectation:
    """One expected request and what follows it."""

    def __init__(self, request: bytes | None) -> None:
        self.request = request
        self.segments: list[tuple[float, bytes]] = []

    def answer(self, *segments: bytes | str, after_s: float = 0.05, apart_s: float = 0.02) -> Expectation:
        """Answer with these segments, the first ``after_s`` after the request. May be called again for more."""
        for number, data in enumerate(segments):
            self.segments.append((after_s + number * apart_s, as_bytes(data)))
        return self

    def silent(self) -> Expectation:
        """No answer: only says so in the script."""
        return self


class ScriptedWire(Channel):
    """The channel of a line under test. Requests must come in the order of the script."""

    peer = "scripted wire"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._user: AttachableLine | ChannelUser | None = None
        self._script: deque[Expectation] = deque()
        self._bridge: SimulatedWire | None = None
        self.sent: list[bytes] = []
        """Every request that was sent."""
        self.sent_at: list[float] = []
        """``clock.monotonic()`` of each."""
        self.unexpected: list[bytes] = []
        """Requests that the script did not foresee; they get no answer."""

    def connect(self, line: AttachableLine) -> ScriptedWire:
        """Attach this wire to ``line``."""
        self._user = line
        line.attached(self)
        return self

    def bridge(self, wire: SimulatedWire) -> ScriptedWire:
        """Let a simulated wire answer instead of a script."""
        self._bridge = wire
        wire.receive = self.say
        return self

    def expect(self, request: bytes | str | None = None) -> Expectation:
        """The next request, as bytes or hex; None: whatever it is."""
        expectation = Expectation(None if request is None else as_bytes(request))
        self._script.append(expectation)
        return expectation

    def say(self, data: bytes | str) -> None:
        """Let the line receive bytes now."""
        if self._user is not None:
            self._user.received(as_bytes(data))

    def cut(self, cause: str = "reset") -> None:
        """Cut the connection."""
        user, self._user = self._user, None
        if user is not None:
            user.lost(cause)

    def finish(self) -> None:
        """Assert that the script was followed to its end, and nothing else was asked."""
        assert not self.unexpected, f"unexpected requests: {[one.hex(' ') for one in self.unexpected]}"
        left = [one.request.hex(" ") if one.request else "any" for one in self._script]
        assert not left, f"requests never sent: {left}"

    def send(self, data: bytes) -> None:
        """What the line sends. Raises ``LinkDown`` after ``cut``."""
        if self._user is None:
            raise LinkDown("the scripted wire is cut")
        self.sent.append(data)
        self.sent_at.append(self._clock.monotonic())
        if self._bridge is not None:
            self._bridge.send(data)
            return
        if not self._script or self._script[0].request not in (None, data):
            self.unexpected.append(data)
            return
        for after_s, segment in self._script.popleft().segments:
            self._clock.call_later(after_s, self.say, segment)

    def close(self, cause: str) -> None:
        """The hub closes the channel."""
        self.cut(cause)

"""The station: what the link itself says to the module of a concentrator, without I/O.

It learns the network map at the start and again and again, mends the module's list of nodes, answers what
the module asks by itself, and knows which forwarded frame gets no answer. The meters' frames pass it untouched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from meterhub.clock import Clock, utc
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import ChannelUser, NodeFacts
from meterhub.texts import mark
from meterhub_mesh.local_frame import MEDIA, STARTER, LocalFrame, Scanner, bcd, digits, encode
from meterhub_mesh.routed import FORWARD, LAST_SEQUENCE, REPORT

DENIED = {
    0: mark("the mesh says: time-out"),
    3: mark("the mesh says: wrong checksum"),
    6: mark("the mesh says: this meter is twice in its list"),
    7: mark("the mesh does not know this meter"),
    8: mark("the node answers, but not its meter"),
    9: mark("the mesh is busy"),
    11: mark("the mesh says: the node does not answer"),
    12: mark("the node is not in the network"),
    109: mark("the mesh says: too many requests at once"),
    111: mark("the mesh is reading this meter itself"),
}
NOT_JOINED = (7, 11, 12)
ACCEPTED = b"\xff\xff\xff\xff\x00\x00"
PAUSE, RESUME = (0x12, 2), (0x12, 3)
"""AFN and Fn for the module's own reading."""
PAGE = 10
"""Nodes asked for at once."""
ADD_AT_ONCE = 20
ANSWER_S = 6.0
"""A module answers its own commands within 2 s, slow ones 6 s."""
TRIES = 3
FORWARD_S = 120.0
"""A forwarded frame that the module never mentions again is forgotten after this time."""
DONE = b"\x01\x00\x00\x00"
"""To a router that asks what to read of a node: nothing, go on."""


class Station(Framing):
    """One per connection. ``nodes``: who must be in the module's list; ``survey_s``: how often the map is learnt.

    ``prune``: whoever else is in the list is taken out of it.
    """

    talks = True

    def __init__(
        self, clock: Clock, sieve: Sieve, medium: str, nodes: Sequence[str], survey_s: float, *, prune: bool = False
    ) -> None:
        self._clock = clock
        self._sieve = sieve
        self._control = MEDIA[medium]
        self._nodes = tuple(nodes)
        self._survey_s = survey_s
        self._prune = prune
        self._scanner = Scanner()
        self._out = bytearray()
        self._todo: deque[LocalFrame] = deque()
        self._asked: LocalFrame | None = None
        self._tries = 0
        self._wait_until = 0.0
        self._survey_at = 0.0
        self._forwarded: int | None = None
        """The sequence number of the meter's frame that is under way."""
        self._forget_at = 0.0
        self._sequence = LAST_SEQUENCE
        self._listed: set[str] = set()
        self._paused = bool(nodes)
        """May the module's own reading be paused? A connection that ended between pause and resume left it so."""
        self._news: list[NodeFacts] = []
        self._gave_up = ""

    @property
    def held(self) -> bytes:  # type: ignore[override]
        """The end of the last segment, which may be the beginning of a heartbeat."""
        return self._sieve.held

    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """Frames for the station are taken out and count as signs of life."""
        data, beats = self._sieve.strip(data, final)
        passed = b""
        for frame, whole in self._scanner.find(data) if data else ():
            if (frame.afn, frame.fn) in (FORWARD, REPORT):
                passed += whole if self._delivers(frame) else b""
            beats += 1
            self._take(frame)
        return passed, beats

    def dress(self, data: bytes) -> bytes:
        """Note the meter's frame that is under way: nothing else is asked meanwhile."""
        for frame, _ in Scanner().find(data):
            self._forwarded = frame.sequence
            self._forget_at = self._clock.monotonic() + FORWARD_S
        return data

    def answers(self) -> bytes:
        """What the station has to send."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def tell(self, user: ChannelUser) -> None:
        """Nodes, and an answer that will not come."""
        for one in self._news:
            user.node(one)
        self._news.clear()
        if self._gave_up:
            why, self._gave_up = self._gave_up, ""
            user.gave_up(why)

    def tick(self, now: float) -> None:
        """Ask what is next when nothing is under way."""
        if self._forwarded is not None and now > self._forget_at:
            self._forwarded = None
        if self._asked is not None and now > self._wait_until:
            if self._tries < TRIES:
                self._send(self._asked, now)
                return
            self._asked = None
        if now >= self._survey_at:
            self._survey_at = now + self._survey_s
            self._listed.clear()
            self._todo.extend((self._request(0x03, 10), self._request(0x10, 1)))
        if self._asked is None and self._forwarded is None and self._todo:
            self._asked, self._tries = self._todo.popleft(), 0
            self._send(self._asked, now)

    def _send(self, frame: LocalFrame, now: float) -> None:
        self._tries += 1
        self._wait_until = now + ANSWER_S
        self._out += encode(frame)

    def _request(self, afn: int, fn: int, data: bytes = b"") -> LocalFrame:
        self._sequence = LAST_SEQUENCE + 1 + (self._sequence - LAST_SEQUENCE) % (0xFF - LAST_SEQUENCE)
        return LocalFrame(STARTER | self._control, afn, fn, data, bytes(5) + bytes([self._sequence]))

    def _delivers(self, frame: LocalFrame) -> bool:
        """Is there a meter's frame in it? One of length 0 says that the node's meter did not answer."""
        if (frame.afn, frame.fn) == REPORT or (len(frame.data) > 3 and frame.data[3]):
            return True
        self._fail(frame.sequence, "the node says that its meter does not answer")
        return False

    def _take(self, frame: LocalFrame) -> None:
        if (frame.afn, frame.fn) == FORWARD:
            self._forwarded = None if frame.sequence == self._forwarded else self._forwarded
            self._heard(frame)
        elif frame.started:
            self._asked_by_module(frame)
        elif self._asked is not None and frame.sequence == self._asked.sequence:
            if (self._asked.afn, self._asked.fn, frame.afn, frame.fn) == (*RESUME, 0x00, 1):
                self._paused = False
            self._asked = None
            self._learn(frame)
        elif (frame.afn, frame.fn) == (0x00, 2) and frame.data:
            why = DENIED.get(frame.data[0], mark(f"the mesh refused with code {frame.data[0]}"))
            if frame.source and frame.data[0] in NOT_JOINED:
                self._news.append(NodeFacts(frame.source, online=False))
            self._fail(frame.sequence, why)

    def _fail(self, sequence: int, why: str) -> None:
        if sequence == self._forwarded:
            self._forwarded = None
            self._gave_up = why

    def _heard(self, frame: LocalFrame) -> None:
        """What the head of an uplink says of its node: phase, and quality of the last answer."""
        if frame.source:
            quality = frame.route[3] >> 4
            phase = frame.route[2] & 0x0F
            self._news.append(
                NodeFacts(
                    frame.source, online=True, quality=quality * 100 // 15 if quality else None, phase=phase or None
                )
            )

    def _learn(self, frame: LocalFrame) -> None:
        """An answer to the station's own question."""
        data = frame.data
        if (frame.afn, frame.fn) == (0x10, 1) and len(data) >= 2:
            count = int.from_bytes(data[:2], "little")
            for start in range(1, count + 1, PAGE):
                self._todo.append(self._request(0x10, 2, start.to_bytes(2, "little") + bytes([PAGE])))
            if not count:
                self._complete()
        elif (frame.afn, frame.fn) == (0x10, 2) and len(data) >= 3:
            for at in range(3, 3 + 8 * data[2], 8):
                self._listed_node(data[at : at + 8])
            if not any((one.afn, one.fn) == (0x10, 2) for one in self._todo):
                self._complete()

    def _listed_node(self, data: bytes) -> None:
        if len(data) == 8:
            address, info = digits(data[:6]), int.from_bytes(data[6:], "little")
            self._listed.add(address)
            quality, phase = info >> 4 & 0x0F, info >> 8 & 0x07
            self._news.append(
                NodeFacts(address, quality > 0, info & 0x0F, quality * 100 // 15, phase=phase.bit_length() or None)
            )

    def _complete(self) -> None:
        """The whole list is known: mend it, with the module's own reading paused meanwhile."""
        missing = [one for one in self._nodes if one not in self._listed]
        strange = sorted(self._listed.difference(self._nodes)) if self._prune and self._nodes else []
        if missing or strange:
            self._paused = True
            self._todo.append(self._request(*PAUSE))
            self._change(2, strange, b"")  # the list may be full: make room first
            self._change(1, missing, b"\x02")
        if self._paused:
            self._todo.append(self._request(*RESUME))
        self._news += [NodeFacts(one, online=False) for one in (*missing, *strange)]

    def _change(self, fn: int, nodes: Sequence[str], protocol: bytes) -> None:
        """AFN 11: put nodes into the list, each with its ``protocol``, or take them out, some at once."""
        for start in range(0, len(nodes), ADD_AT_ONCE):
            group = nodes[start : start + ADD_AT_ONCE]
            rows = b"".join(bcd(one) + protocol for one in group)
            self._todo.append(self._request(0x11, fn, bytes([len(group)]) + rows))

    def _asked_by_module(self, frame: LocalFrame) -> None:
        """Answer with the same sequence number; nothing that the module begins may stay without an answer."""
        if frame.afn == 0x06 and frame.fn == 1 and frame.data:
            for at in range(1, 1 + 9 * frame.data[0], 9):
                if len(frame.data) >= at + 6:
                    self._news.append(NodeFacts(digits(frame.data[at : at + 6]), online=True))
        elif frame.afn == 0x06 and frame.fn == 2:
            self._heard(frame)
        if frame.afn == 0x03:  # the module has started anew, and its list may be gone
            self._survey_at = 0.0
        if frame.afn == 0x14:
            data = self._now() if frame.fn == 2 else DONE
            self._reply(frame, frame.afn, frame.fn, data)
        else:
            self._reply(frame, 0x00, 1, ACCEPTED)

    def _reply(self, frame: LocalFrame, afn: int, fn: int, data: bytes) -> None:
        reply = LocalFrame(
            self._control,
            afn,
            fn,
            data,
            bytes([frame.route[0] & 0x04, 0, 0, 0, 0, frame.sequence]),
            frame.destination,
            frame.source,
        )
        self._out += encode(reply)

    def _now(self) -> bytes:
        """Second, minute, hour, day, month, year as BCD."""
        now = utc(self._clock.now()).astimezone()
        return bytes.fromhex(now.strftime("%S%M%H%d%m%y"))

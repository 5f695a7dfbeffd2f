"""The far end: a concentrator's module and its tree of nodes, between the connection and the simulated wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meterhub.field.link import CollectorConfig
from meterhub.sim.caller import simulate as simulate_callers
from meterhub_mesh.local_frame import ADDRESSED, MEDIA, STARTER, UP, LocalFrame, Scanner, bcd, digits, encode
from meterhub_mesh.routed import BROADCAST, FORWARD, node_of

ANSWER_S = 2.5
"""How long a node waits for its meter."""
MOST_NODES = 1024


@dataclass(slots=True)
class Faults:
    """What goes wrong on the air: probabilities per frame."""

    lost: float = 0.004
    """Per hop, each way."""
    late: float = 0.02
    """The answer takes ``late_s`` more."""
    late_s: float = 12.0
    duplicate: float = 0.02
    """It comes over two paths, and twice."""


@dataclass(frozen=True, slots=True)
class TwinNode:
    """One node of the tree."""

    hops: int
    quality: int
    phase: int
    hop_s: float


class Concentrator:
    """Works like a wire towards the collector's twin. A node is made up, from the seed, when it is first heard of."""

    def __init__(self, wire: Any, world: Any, name: str, *, medium: str, faults: Faults, listed: Sequence[str]) -> None:
        self.receive: Callable[[bytes], None] | None = None
        self.nodes: dict[str, TwinNode] = {}
        self.paused = False
        self._wire = wire
        self._world = world
        self._medium = MEDIA[medium]
        self._faults = faults
        self._chance = world.random(f"mesh {name}")
        self._name = name
        self._scanner = Scanner()
        self._waiting: deque[LocalFrame] = deque()
        self._at_meter: LocalFrame | None = None
        self._answer = bytearray()
        self._timer: Any = None
        for address in listed:
            self._node(address)
        wire.receive = self._heard

    def _node(self, address: str) -> TwinNode:
        if address not in self.nodes and len(self.nodes) < MOST_NODES:
            chance = self._world.random(f"node {self._name} {address}")
            hops = chance.choice((1, 1, 1, 2, 2, 3, 4))
            self.nodes[address] = TwinNode(
                hops, chance.randint(5, 15), chance.randint(1, 3), 0.15 + chance.random() * 0.25
            )
        return self.nodes.get(address, TwinNode(1, 8, 1, 0.3))

    def send(self, data: bytes) -> None:
        """The hub's frames."""
        for frame, _ in self._scanner.find(data):
            if frame.up:
                continue
            if (frame.afn, frame.fn) == FORWARD:
                self._waiting.append(frame)
                self._next()
            elif frame.started:
                self._later(0.1, self._command, frame)

    def _later(self, delay_s: float, act: Callable[..., None], *args: Any) -> Any:
        clock = self._world.clock
        return clock.call_later(self._world.wait_s(delay_s), act, *args)

    def _next(self) -> None:
        """Bring the next frame to its node; one is under way at a time."""
        if self._at_meter is not None or not self._waiting:
            return
        frame = self._at_meter = self._waiting.popleft()
        node = self._node(frame.destination)
        self._answer.clear()
        content = frame.data[4 : 4 + frame.data[3]] if len(frame.data) > 3 else b""
        if any(self._chance.random() < self._faults.lost for _ in range(2 * node.hops)):
            content = b""
        travel_s = node.hops * node.hop_s
        if content:
            self._later(travel_s, self._wire.send, content)
        self._timer = self._later(travel_s + ANSWER_S, self._settle)

    def _heard(self, data: bytes) -> None:
        """Bytes of a meter: the answer is over when nothing more comes for a moment."""
        if self._at_meter is None:
            return
        self._answer += data
        self._timer.cancel()
        self._timer = self._later(0.2, self._settle)

    def _settle(self) -> None:
        """Carry back what the meter said; length 0 when it said nothing."""
        frame, self._at_meter = self._at_meter, None
        assert frame is not None
        node, faults = self._node(frame.destination), self._faults
        content = bytes(self._answer[:255])
        travel_s = node.hops * node.hop_s
        if content and self._chance.random() < faults.late:
            travel_s += faults.late_s
        answer = self._forwarded(frame, node, content, travel_s)
        self._later(travel_s, self._say, answer)
        if content and self._chance.random() < faults.duplicate:
            self._later(travel_s + 0.5, self._say, answer)
        self._next()

    def _forwarded(self, frame: LocalFrame, node: TwinNode, content: bytes, travel_s: float) -> bytes:
        data = round(2 * travel_s).to_bytes(2, "little") + bytes([frame.data[0], len(content)]) + content
        route = bytes([ADDRESSED, 0, node.phase, node.quality << 4 | node.quality, 0, frame.sequence])
        return encode(
            LocalFrame(UP | self._medium, *FORWARD, data, route, source=frame.destination, destination=frame.source)
        )

    def _say(self, data: bytes) -> None:
        if self.receive is not None:
            self.receive(data)

    def _command(self, frame: LocalFrame) -> None:
        """Answer the station."""
        kind, data = (frame.afn, frame.fn), frame.data
        if kind == BROADCAST and len(data) > 2:
            self._wire.send(data[2 : 2 + data[1]])
        elif kind == (0x11, 1) and data:
            for at in range(1, 1 + 7 * data[0], 7):
                self._node(data[at : at + 6][::-1].hex().upper())
        elif kind == (0x11, 2) and data:
            for at in range(1, 1 + 6 * data[0], 6):
                self.nodes.pop(digits(data[at : at + 6]), None)
        elif frame.afn == 0x12:
            self.paused = frame.fn == 2
        if kind == (0x03, 10):
            self._reply(frame, bytes([3, 0, 1, 1, 0, 0, 60]) + bytes(32))
        elif kind == (0x10, 1):
            self._reply(frame, len(self.nodes).to_bytes(2, "little") + MOST_NODES.to_bytes(2, "little"))
        elif kind == (0x10, 2) and len(data) == 3:
            self._reply(frame, self._page(int.from_bytes(data[:2], "little"), data[2]))
        else:
            self._reply(frame, b"\xff\xff\xff\xff\x00\x00", 0x00, 1)

    def _page(self, start: int, count: int) -> bytes:
        """Nodes from number ``start`` on."""
        chosen = list(self.nodes.items())[start - 1 : start - 1 + count]
        rows = b"".join(
            bcd(address) + (one.hops | one.quality << 4 | 1 << (7 + one.phase)).to_bytes(2, "little")
            for address, one in chosen
        )
        return len(self.nodes).to_bytes(2, "little") + bytes([len(chosen)]) + rows

    def _reply(self, frame: LocalFrame, data: bytes, afn: int | None = None, fn: int | None = None) -> None:
        route = bytes([0, 0, 0, 0, 0, frame.sequence])
        self._say(encode(LocalFrame(UP | self._medium, frame.afn if afn is None else afn, fn or frame.fn, data, route)))

    def report(self, address: str) -> None:
        """A node joins and the module says so by itself."""
        self._node(address)
        route = bytes([0, 0, 0, 0, 0, self._chance.randrange(256)])
        data = bytes([1]) + bcd(address) + b"\x02" + len(self.nodes).to_bytes(2, "little")
        self._say(encode(LocalFrame(UP | STARTER | self._medium, 0x06, 1, data, route)))


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run concentrators, with their networks, until cancelled."""
    if config["module"] == "gdw376_2":
        wires = {
            one.id: Concentrator(
                wires[one.id],
                world,
                one.id,
                medium=config["medium"],
                faults=Faults(),
                listed=[node_of(address) for address in one.options.get("nodes", ())],
            )
            for one in collectors
            if one.id in wires
        }
    await simulate_callers(config, collectors, wires, world)

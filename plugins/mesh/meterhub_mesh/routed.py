"""The envelope ``mesh``: each frame goes to a node by its address, through the module of the concentrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config.types import choice, packet, text
from meterhub.errors import BadInput
from meterhub.field.envelope import Envelope
from meterhub_mesh.local_frame import ADDRESSED, MEDIA, OURS, STARTER, LocalFrame, Scanner, encode

FORWARD, BROADCAST, REPORT = (0x13, 1), (0x05, 3), (0x06, 2)
FRAMES = {"transparent": 0, "dlt645-1997": 1, "dlt645-2007": 2, "dlt698": 3}
"""What the module is told of the frames in it."""
LAST_SEQUENCE = 0x7F
"""The link's own requests use the numbers above."""

SCHEMA = {
    vol.Optional("medium", default="wireless", description="What carries the network."): choice(*MEDIA),
    vol.Optional("frames", default="dlt645-2007", description="What the module is told of the frames."): choice(
        *FRAMES
    ),
    vol.Optional("node", default="", description="The node all meters hang on; not given: each is its own."): text(
        12, empty=True
    ),
    vol.Optional("own", default=OURS, description="The concentrator's address, 12 digits."): text(12),
    vol.Optional("strip", default="hex:FE", description="A wake-up byte that is left out in front of frames."): packet(
        1
    ),
}


def node_of(address: str) -> str:
    """The node of a meter that is its own node: the last twelve digits of its address."""
    return address[-12:].zfill(12)


class Routed(Envelope):
    """AFN 13 F1 to one node and AFN 05 F3 to all; back come its answers and AFN 06 F2, what a node says by itself."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._control = STARTER | MEDIA[config["medium"]]
        self._protocol = FRAMES[config["frames"]]
        self._node: str = config["node"] and node_of(config["node"])
        self._own = node_of(config["own"])
        self._strip: bytes = config["strip"]
        self._sequence = -1
        self._scanner = Scanner()

    def wrap(self, frame: bytes, address: str) -> bytes:
        """Raises ``BadInput`` for a frame of more than 255 bytes, which a module does not carry."""
        frame = frame.lstrip(self._strip)
        if len(frame) > 255:
            raise BadInput(f"a frame of {len(frame)} bytes is too long for the mesh", hint="ask for less at once")
        self._sequence = (self._sequence + 1) & LAST_SEQUENCE
        content = bytes([len(frame)]) + frame
        if not address:
            route = bytes([0, 0, 0, 0, 0, self._sequence])
            return encode(LocalFrame(self._control, *BROADCAST, bytes([self._protocol]) + content, route))
        route = bytes([ADDRESSED, 0, 0, 0, 0, self._sequence])
        data = bytes([self._protocol, 0, 0]) + content
        node = self._node or node_of(address)
        return encode(LocalFrame(self._control, *FORWARD, data, route, self._own, node))

    def unwrap(self, data: bytes) -> bytes:
        """The meters' frames in what the module sent."""
        return b"".join(carried(frame) for frame, _ in self._scanner.find(data))

    def reset(self) -> None:
        """Forget what is not complete."""
        self._scanner.reset()


def carried(frame: LocalFrame) -> bytes:
    """The meter's frame in a frame of the module; b'' where there is none."""
    kind = (frame.afn, frame.fn)
    head = {FORWARD: 3, REPORT: 5}.get(kind, -1) if frame.up else -1
    if head < 0 or len(frame.data) <= head:
        return b""
    return frame.data[head + 1 : head + 1 + frame.data[head]]

"""The envelope ``lora_fixed``: transparent LoRa modules that take the target's address and channel before the data.

    ADDH | ADDL | CHAN | frame          what the module is told; it does not send the three bytes

The receiver gives out the bare frame and does not say who sent it: the meter's own address must tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config.base import Type, words_of
from meterhub.config.schema import check
from meterhub.config.types import mapping, whole
from meterhub.errors import BadInput
from meterhub.field.envelope import Envelope

EVERYONE = b"\xff\xff"


def _node(value: Any) -> bytes:
    data = bytes.fromhex(words_of(value))
    if len(data) not in (2, 3):
        raise ValueError
    return data


NODE = Type("node", "a module's address of 4 hex digits, such as 0005, or 6 with its channel,", _node)
SCHEMA = {
    vol.Optional("channel", default=23, description="The radio channel of the modules."): whole(0, 255),
    vol.Optional("node", default="FFFF", description="The module of meters that are not listed; FFFF is all."): NODE,
    vol.Optional("nodes", default=dict, description="The module of each meter by the meter's address."): mapping(),
    vol.Optional("largest", default=240, description="Bytes that a module sends in one packet."): whole(16, 1000),
}


class FixedPoint(Envelope):
    """Three bytes before each frame; nothing around what comes back."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._channel = bytes([config["channel"]])
        self._largest: int = config["largest"]
        self._default = self._target(config["node"])
        nodes = config["nodes"].items()
        self._nodes = {meter: self._target(check({"node": node}, {"node": NODE})["node"]) for meter, node in nodes}

    def _target(self, node: bytes) -> bytes:
        return node if len(node) == 3 else node + self._channel

    def wrap(self, frame: bytes, address: str) -> bytes:
        """Raises ``BadInput`` for a frame that does not fit into one packet."""
        if len(frame) > self._largest:
            raise BadInput(f"a frame of {len(frame)} bytes is too long for the radio", hint="ask for less at once")
        return (self._nodes.get(address, self._default) if address else EVERYONE + self._channel) + frame

    def unwrap(self, data: bytes) -> bytes:
        """As it came."""
        return data

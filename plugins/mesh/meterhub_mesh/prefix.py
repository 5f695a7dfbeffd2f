"""The envelope ``mesh_prefix``: simple radios that want the node's address, or wake-up bytes, before each frame.

There is no standard; the forms that are met are presets, and each of their keys can be given by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import voluptuous as vol

from meterhub.config.schema import check
from meterhub.config.types import boolean, choice, mapping, packet, whole
from meterhub.errors import BadInput
from meterhub.field.envelope import Envelope

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "transparent": {"address_bytes": 0, "low_first": False, "wake": b"", "wake_count": 0},
        "address2": {"address_bytes": 2, "low_first": False, "wake": b"", "wake_count": 0},
        "address6": {"address_bytes": 6, "low_first": True, "wake": b"", "wake_count": 0},
        "wake": {"address_bytes": 0, "low_first": False, "wake": b"\xfe", "wake_count": 480},
    }
)
"""``address_bytes`` of the node before each frame both ways, ``low_first`` their order; ``wake_count`` times ``wake``
before each frame down: battery meters listen once in 1 to 3 s (480 bytes at 2400 baud last 2.2 s)."""

SCHEMA = {
    vol.Optional("preset", default="address2", description="The form of the radio."): choice(*PRESETS),
    vol.Optional("address_bytes", description="Bytes of the node's address before each frame."): whole(0, 8),
    vol.Optional("low_first", description="The low byte of the address comes first."): boolean(),
    vol.Optional("wake", description="The wake-up byte."): packet(1),
    vol.Optional("wake_count", description="How many wake-up bytes before each frame."): whole(0, 2000),
    vol.Optional("everyone", default="hex:FF", description="Each byte of the address of all nodes."): packet(1),
    vol.Optional("nodes", default=dict, description="The node of each meter by the meter's address."): mapping(),
}
NODE = {"node": packet(8)}


class Prefix(Envelope):
    """An address before each frame; what comes back may bear it too, in front of each segment."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        form = {name: config.get(name, default) for name, default in PRESETS[config["preset"]].items()}
        self._length: int = form["address_bytes"]
        self._low_first: bool = form["low_first"]
        self._wake: bytes = form["wake"] * form["wake_count"]
        self._everyone: bytes = config["everyone"] * self._length
        self._nodes: dict[str, bytes] = {
            meter: check({"node": node}, NODE)["node"] for meter, node in config["nodes"].items()
        }
        self._last = b""

    def wrap(self, frame: bytes, address: str) -> bytes:
        """Raises ``BadInput`` for a meter whose node cannot be told from its address."""
        self._last = self._node(address) if address else self._everyone
        return self._wake + self._last + frame

    def _node(self, address: str) -> bytes:
        known = self._nodes.get(address)
        if known is not None:
            return known
        try:
            node = bytes.fromhex(address.zfill(16))[8 - self._length :]
        except ValueError:
            raise BadInput(f"the node of the meter {address} is not known", hint="list it under nodes:") from None
        return node[::-1] if self._low_first else node

    def unwrap(self, data: bytes) -> bytes:
        """Without the address of the node that was asked; any other stays, and the codec passes over it."""
        return data[len(self._last) :] if self._last and data.startswith(self._last) else data

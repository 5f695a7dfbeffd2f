"""The last raw frames of a device, for the technical part of its page."""

from __future__ import annotations

from typing import Any

from meterhub.devices.device import Device
from meterhub.field.protocol import Protocol
from meterhub.field.trace import TraceEntry
from meterhub.web.rooms import Rooms

MOST_FRAMES = 30
MAX_HEX_BYTES = 300


def frames_of(rooms: Rooms, device: Device, from_ms: int = 0, to_ms: int | None = None) -> list[dict[str, Any]]:
    """Newest first: ``ms``, ``direction`` (sent, received, event), ``hex``, ``meaning``; from its line's trace.

    Only those of the time from ``from_ms`` to ``to_ms``. What the protocol calls secret is ``**``.
    """
    line = rooms.lines().get(device.parent)
    if line is None:
        return []
    protocol = rooms.protocols().get(device.profile.protocol)
    passed = line.trace.entries(device.id)
    wanted = [one for one in passed if one.ms >= from_ms and (to_ms is None or one.ms <= to_ms)]
    return [_frame(one, protocol) for one in reversed(wanted[-MOST_FRAMES:])]


def _frame(entry: TraceEntry, protocol: Protocol | None) -> dict[str, Any]:
    hidden = protocol.secrets(entry.data) if protocol is not None else ()
    shown = ["**" if at in hidden else f"{byte:02X}" for at, byte in enumerate(entry.data[:MAX_HEX_BYTES])]
    if len(entry.data) > MAX_HEX_BYTES:
        shown.append("…")
    return {"ms": entry.ms, "direction": entry.direction, "hex": " ".join(shown), "meaning": entry.note}

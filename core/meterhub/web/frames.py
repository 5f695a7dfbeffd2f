"""The last raw frames of a device, for the technical part of its page."""

from __future__ import annotations

from typing import Any

from meterhub.devices.device import Device
from meterhub.field.trace import TraceEntry
from meterhub.web.rooms import Rooms

MOST_FRAMES = 30
MAX_HEX_BYTES = 300


def frames_of(rooms: Rooms, device: Device) -> list[dict[str, Any]]:
    """Newest first: ``ms``, ``direction`` (sent, received, event), ``hex``, ``meaning``; from its line's trace."""
    line = rooms.lines().get(device.parent)
    if line is None:
        return []
    return [_frame(one) for one in reversed(line.trace.entries(device.id)[-MOST_FRAMES:])]


def _frame(entry: TraceEntry) -> dict[str, Any]:
    cut = " …" if len(entry.data) > MAX_HEX_BYTES else ""
    shown = entry.data[:MAX_HEX_BYTES].hex(" ").upper() + cut
    return {"ms": entry.ms, "direction": entry.direction, "hex": shown, "meaning": entry.note}

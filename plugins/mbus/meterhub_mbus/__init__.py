"""Wired M-Bus (EN 13757): water, heat, gas and electricity meters on a two-wire bus.

``decode_frame`` is for whoever wants link frames without a hub: bytes in, objects out, no I/O.
"""

from __future__ import annotations

from meterhub_mbus.frame import Frame, decode_frame

__all__ = ["Frame", "decode_frame"]

requires_api = 1

"""Wired M-Bus (EN 13757) and CJ/T 188: water, heat, gas and electricity meters on a two-wire bus.

``decode_frame`` and ``decode_cjt188`` are for whoever wants link frames without a hub: bytes in, objects out, no I/O.
"""

from __future__ import annotations

from meterhub_mbus.cjt188.explain import decode_cjt188
from meterhub_mbus.frame import Frame, decode_frame

__all__ = ["Frame", "decode_cjt188", "decode_frame"]

requires_api = 1

"""Wired M-Bus (EN 13757) and CJ/T 188: water, heat, gas and electricity meters on a two-wire bus.

``decode_telegram`` and ``records`` explain a telegram with its records, ``decode_frame`` only the link frame, and
``decode_cjt188`` a frame of CJ/T 188. They are for whoever wants that without a hub: bytes in, objects out, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from meterhub import hookimpl, texts
from meterhub.field.protocol import ProtocolType
from meterhub_mbus.cjt188.explain import decode_cjt188
from meterhub_mbus.explain import records
from meterhub_mbus.frame import Frame, decode_frame
from meterhub_mbus.record import Record
from meterhub_mbus.telegram import Telegram, decode_telegram

__all__ = ["Frame", "Record", "Telegram", "decode_cjt188", "decode_frame", "decode_telegram", "records"]

requires_api = 1


@hookimpl
def register_protocols() -> Iterable[ProtocolType]:
    """``mbus`` and ``cjt188``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_mbus")
    from meterhub_mbus.cjt188.protocol import PROTOCOLS
    from meterhub_mbus.protocol import MBUS

    return (MBUS, *PROTOCOLS)


@hookimpl
def register_profiles() -> Iterable[Path]:
    """The models that stand in ``profiles/``."""
    return sorted((Path(__file__).parent / "profiles").glob("*.yaml"))

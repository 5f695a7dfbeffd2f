"""DL/T 645-1997 and 2007: the protocol of Chinese electricity meters.

``decode_frame`` and ``encode_read`` are for whoever wants frames without a hub: bytes in, objects out, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from meterhub import hookimpl, texts
from meterhub.field.protocol import ProtocolType
from meterhub_dlt645.frame import Frame, decode_frame, encode_read

__all__ = ["Frame", "decode_frame", "encode_read"]

requires_api = 1


@hookimpl
def register_protocols() -> Iterable[ProtocolType]:
    """``dlt645-2007`` and ``dlt645-1997``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_dlt645")
    from meterhub_dlt645.protocol import PROTOCOLS

    return PROTOCOLS


@hookimpl
def register_profiles() -> Iterable[Path]:
    """The models that stand in ``profiles/``."""
    return sorted((Path(__file__).parent / "profiles").glob("*.yaml"))

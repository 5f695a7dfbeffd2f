"""What terminals of makers do when they call, as data: their names, their heartbeats, their frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Preset:
    """One way. ``identity``: how a collector's ``identity`` stands in its registration, a name of ``FORMS``.

    ``framing``: ``transparent``, ``ddp`` or ``prot``. ``speed``: can the hub change the speed of its serial port?
    """

    identity: str = "text"
    heartbeats: tuple[bytes, ...] = ()
    framing: str = "transparent"
    transport: str = "tcp"
    speed: bool = False


FORMS = ("text", "hex", "imei", "ddp", "prot", "likong")
"""``text``, ``hex``: as it is; ``imei``: 15 digits as text or 8 BCD bytes; the others in packets of their makers."""

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "transparent": Preset(),
        "imei": Preset("imei"),  # 15 digits, what most 4G terminals can send
        "iccid": Preset("text"),  # 20 characters of the SIM card; letters occur
        "mac": Preset("hex"),  # 6 raw bytes, Ethernet and WiFi converters
        "usr": Preset("text", (b"www.usr.cn",), speed=True),  # USR-G780, DR404, T24: heartbeat when idle for 30 s
        "usr_mac": Preset("hex", (b"www.usr.cn",), speed=True),
        "prot": Preset("prot", (b"\xfe",), "prot"),  # Four-Faith PROT
        "likong": Preset("likong"),  # InHand
        "ddp": Preset("ddp", framing="ddp", transport="udp"),  # Hongdian, Four-Faith
    }
)

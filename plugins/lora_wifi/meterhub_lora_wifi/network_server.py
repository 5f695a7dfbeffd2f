"""What a LoRaWAN network server says and wants over MQTT: topics and JSON of ChirpStack 4, as pure functions."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from meterhub.clock import iso
from meterhub.texts import mark

LIMITS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "cn470": (0, 23, 86, 184, 242, 242),
        "eu868": (51, 51, 51, 115, 242, 242, 242, 242),
        "none": (242,),
    }
)
"""Bytes of the application that fit, by data rate. (CN470 from one transmission of at most 1 s.)"""
ERRORS = {
    "DOWNLINK_PAYLOAD_SIZE": mark("the network server says: too long for the present data rate"),
    "DOWNLINK_GATEWAY": mark("the network server says: no gateway can send it"),
    "EXPIRED": mark("it was too late to send it"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a node. ``kind``: up, join, ack, txack, log, status; ``key`` tells a repeated one."""

    eui: str
    kind: str
    key: str = ""
    port: int = 0
    data: bytes = b""
    data_rate: int | None = None
    signal_dbm: int | None = None
    item: str = ""
    """The id of the downlink that an ack is for."""
    acknowledged: bool = True
    code: str = ""


def filter_of(application: str) -> str:
    """The topics of all events of an application; '+' stands for every one."""
    return f"application/{application}/device/+/event/+"


def down_topic(application: str, eui: str) -> str:
    """Where a downlink is published."""
    return f"application/{application}/device/{eui}/command/down"


def downlink(item: str, eui: str, port: int, data: bytes, confirmed: bool, expires_ms: int) -> bytes:
    """A downlink that the server drops when it is too late: a switching command must never come afterwards."""
    return json.dumps(
        {
            "id": item,
            "devEui": eui,
            "confirmed": confirmed,
            "fPort": port,
            "data": base64.b64encode(data).decode(),
            "expiresAt": iso(expires_ms),
        }
    ).encode()


def event_of(topic: str, payload: bytes) -> Event | None:
    """The event in a message; None for what is none. Fields that are missing have their defaults."""
    parts = topic.split("/")
    if len(parts) != 6 or parts[0] != "application" or parts[4] != "event":
        return None
    try:
        said = json.loads(payload)
        return _event(parts[3].lower(), parts[5], said)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return None


def _event(eui: str, kind: str, said: Mapping[str, Any]) -> Event:
    heard = [int(one["rssi"]) for one in said.get("rxInfo") or () if "rssi" in one]
    return Event(
        eui,
        kind,
        key=str(said.get("deduplicationId") or ""),
        port=int(said.get("fPort") or 0),
        data=base64.b64decode(said.get("data") or "", validate=True),
        data_rate=int(said.get("dr") or 0) if kind == "up" else None,
        signal_dbm=max(heard) if heard else None,
        item=str(said.get("queueItemId") or ""),
        acknowledged=bool(said.get("acknowledged", False)),
        code=str(said.get("code") or ""),
    )

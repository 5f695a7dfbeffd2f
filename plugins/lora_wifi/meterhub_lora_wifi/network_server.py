"""What LoRaWAN network servers say and want over MQTT: the topics and JSON of each kind as data, and pure functions."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
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
    "application_downlink_too_long": mark("the network server says: too long for the present data rate"),
}
REFUSED = mark("the network server could not send it")


@dataclass(frozen=True, slots=True)
class Downlink:
    """What is to reach a node. The server drops it at ``expires_ms``, where it can: a command must never come late."""

    item: str
    eui: str
    port: int
    data: bytes
    confirmed: bool
    expires_ms: int


Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of network server. Topics begin with four parts, of which the second is the application and the last
    the device; ``kinds`` names an event by what follows. Paths say where a thing stands in the JSON, () if nowhere.
    """

    events: str
    down: str
    kinds: Mapping[str, str]
    speech: Callable[[Downlink], Mapping[str, Any]]
    eui: Path = ()
    """Nowhere: the device in the topic is the EUI. Else it is a name that the node's first uplink tells."""
    key: Path = ()
    port: Path = ()
    data: Path = ()
    rate: Path = ()
    spreading: Path = ()
    """Instead of the data rate: its spreading factor, 12 for the slowest."""
    receivers: Path = ()
    items: Path = ()
    code: Path = ()
    empty: Mapping[str, Any] | None = None
    """What empties the node's queue, for a server that does not drop by itself what is too late."""


def _chirpstack(one: Downlink) -> Mapping[str, Any]:
    data = base64.b64encode(one.data).decode()
    return {"devEui": one.eui, "confirmed": one.confirmed, "fPort": one.port, "data": data}


def _chirpstack4(one: Downlink) -> Mapping[str, Any]:
    return {"id": one.item, **_chirpstack(one), "expiresAt": iso(one.expires_ms)}


def _things_stack(one: Downlink) -> Mapping[str, Any]:
    data = base64.b64encode(one.data).decode()
    ids = {"correlation_ids": [one.item]}
    return {"downlinks": [{"f_port": one.port, "frm_payload": data, "confirmed": one.confirmed, **ids}]}


_CHIRPSTACK_EVENTS = "application/{application}/device/+/event/+"
_CHIRPSTACK_DOWN = "application/{application}/device/{device}/command/down"
_CHIRPSTACK_KINDS = {f"event/{kind}": kind for kind in ("up", "join", "ack", "txack", "log", "status")}

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "chirpstack4": Dialect(
            _CHIRPSTACK_EVENTS,
            _CHIRPSTACK_DOWN,
            _CHIRPSTACK_KINDS,
            _chirpstack4,
            key=("deduplicationId",),
            port=("fPort",),
            data=("data",),
            rate=("dr",),
            receivers=("rxInfo",),
            items=("queueItemId",),
            code=("code",),
        ),
        # It knows no id of a downlink and no time after which it is dropped: relays need class C.
        "chirpstack3": Dialect(
            _CHIRPSTACK_EVENTS,
            _CHIRPSTACK_DOWN,
            {**_CHIRPSTACK_KINDS, "event/error": "log"},
            _chirpstack,
            key=("fCnt",),
            port=("fPort",),
            data=("data",),
            rate=("dr",),
            receivers=("rxInfo",),
            code=("type",),
        ),
        "things_stack": Dialect(
            "v3/{application}/devices/+/#",
            "v3/{application}/devices/{device}/down/replace",  # what still waits there is too late anyway
            {"up": "up", "join": "join", "down/ack": "ack", "down/nack": "nack", "down/failed": "log"},
            _things_stack,
            eui=("end_device_ids", "dev_eui"),
            key=("uplink_message", "f_cnt"),
            port=("uplink_message", "f_port"),
            data=("uplink_message", "frm_payload"),
            spreading=("uplink_message", "settings", "data_rate", "lora", "spreading_factor"),
            receivers=("uplink_message", "rx_metadata"),
            items=("correlation_ids",),
            code=("downlink_failed", "error", "name"),
            empty={"downlinks": []},
        ),
    }
)


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
    items: tuple[str, ...] = ()
    """The ids of the downlink that an ack is for; () where that is not told."""
    acknowledged: bool = True
    code: str = ""


def payload_of(content: Mapping[str, Any]) -> bytes:
    """JSON as it is published."""
    return json.dumps(content).encode()


def event_of(topic: str, payload: bytes, dialect: Dialect = DIALECTS["chirpstack4"]) -> Event | None:
    """The event in a message; None for what is none. Fields that are missing have their defaults."""
    parts = topic.split("/", 4)
    kind = dialect.kinds.get(parts[4]) if len(parts) == 5 and parts[0] == dialect.events.split("/")[0] else None
    if kind is None:
        return None
    try:
        said = json.loads(payload)
        eui = str(_at(said, dialect.eui)) if dialect.eui else parts[3]
        return _event(eui.lower(), kind, said, dialect)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return None


def _at(said: Any, path: Path) -> Any:
    """What stands there, None for nothing."""
    for name in path:
        said = said.get(name)
        if said is None:
            return None
    return said if path else None


def _event(eui: str, kind: str, said: Mapping[str, Any], dialect: Dialect) -> Event:
    heard = [int(one["rssi"]) for one in _at(said, dialect.receivers) or () if "rssi" in one]
    key = _at(said, dialect.key)
    items = _at(said, dialect.items)
    said_yes = bool(said.get("acknowledged", False)) if not dialect.eui else kind == "ack"
    return Event(
        eui,
        "ack" if kind == "nack" else kind,
        key="" if key is None else f"{kind} {key}",
        port=int(_at(said, dialect.port) or 0),
        data=base64.b64decode(_at(said, dialect.data) or "", validate=True),
        data_rate=_data_rate(said, dialect) if kind == "up" else None,
        signal_dbm=max(heard) if heard else None,
        items=(str(items),) if isinstance(items, str) else tuple(map(str, items or ())),
        acknowledged=said_yes,
        code=str(_at(said, dialect.code) or ""),
    )


def _data_rate(said: Mapping[str, Any], dialect: Dialect) -> int | None:
    """Data rate 0 is spreading factor 12 at 125 kHz, 5 is 7 (EU868 and CN470)."""
    if dialect.spreading:
        spreading = _at(said, dialect.spreading)
        return None if spreading is None else max(0, 12 - int(spreading))
    return int(_at(said, dialect.rate) or 0)

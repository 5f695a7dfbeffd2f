"""How simulated network servers tell events and understand downlinks: ChirpStack's way, and The Things Stack's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

APPLICATION = "00000000-0000-0000-0000-000000000001"
THINGS_APPLICATION = "meters@ttn"
FAILED = {"EXPIRED": "expired"}
NAMED = "eui-"
"""The Things Stack names a device so when nobody gives it another name."""

Told = tuple[str, Mapping[str, Any]]
Wanted = Iterator[tuple[str, dict[str, Any]]]


def chirpstack_event(eui: str, kind: str, said: Mapping[str, Any]) -> Told:
    """Topic and content of an event; version 3 differs only in what it leaves out."""
    info = {"devEui": eui, "deviceName": eui, "applicationId": APPLICATION}
    return f"application/{APPLICATION}/device/{eui}/event/{kind}", {"deviceInfo": info, **said}


def chirpstack_downlinks(topic: list[str], said: dict[str, Any]) -> Wanted:
    """The downlink in a message, with its node."""
    if len(topic) == 6 and topic[4:] == ["command", "down"]:
        yield topic[3], said


def things_event(eui: str, kind: str, said: Mapping[str, Any]) -> Told:
    """As ``chirpstack_event``. Empty fields are left out there."""
    content: dict[str, Any] = {"end_device_ids": {"device_id": NAMED + eui, "dev_eui": eui.upper()}}
    suffix = {"ack": "down/ack" if said.get("acknowledged") else "down/nack", "log": "down/failed"}.get(kind, kind)
    if kind == "up":
        lora = {"bandwidth": 125_000, "spreading_factor": 12 - int(said["dr"])}
        uplink = {
            "f_port": said["fPort"],
            "f_cnt": said["fCnt"],
            "frm_payload": said["data"],
            "rx_metadata": [{"rssi": one["rssi"], "snr": one["snr"]} for one in said["rxInfo"]],
            "settings": {"data_rate": {"lora": lora}},
        }
        content["uplink_message"] = {name: value for name, value in uplink.items() if value}
    elif kind == "log":
        content["downlink_failed"] = {"error": {"name": FAILED.get(str(said.get("code")), "unknown")}}
    if "queueItemId" in said:
        content["correlation_ids"] = ["as:downlink:01", said["queueItemId"]]
    return f"v3/{THINGS_APPLICATION}/devices/{NAMED}{eui}/{suffix}", content


def things_downlinks(topic: list[str], said: dict[str, Any]) -> Wanted:
    """As ``chirpstack_downlinks``."""
    if len(topic) == 6 and topic[4] == "down" and topic[3].startswith(NAMED):
        for one in said.get("downlinks", ()):
            ids = one.get("correlation_ids") or [""]
            confirmed = one.get("confirmed", False)
            yield topic[3].removeprefix(NAMED), {"id": ids[-1], "confirmed": confirmed, "data": one.get("frm_payload")}

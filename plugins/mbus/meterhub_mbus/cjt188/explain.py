"""A frame in words: what ``meterhub decode cjt188`` prints, as a JSON object.

Keys: ``meter_type``, ``address``, ``control``, ``function``, ``direction``, ``refused``, ``identifier``,
``identifier_order``, ``name``, ``serial``, ``values``, ``status``. Each value has ``key``, ``name``, ``value``,
``unit`` and ``valid``; one that is not valid has None as value, and its bytes under ``raw``. Keys are never shown.
"""

from __future__ import annotations

from typing import Any

from meterhub_mbus.cjt188.catalogue import catalogue, family_of
from meterhub_mbus.cjt188.frame import FUNCTION, START, Frame, decode_frame
from meterhub_mbus.cjt188.payload import Item, decode_payload, split
from meterhub_mbus.cjt188.status import STANDARD

WRITE, MODIFY_KEY = 0x04, "A107"
FUNCTIONS = {
    0x01: "read",
    0x03: "read address",
    0x04: "write",
    0x09: "read key version",
    0x15: "write address",
    0x16: "set base value",
}
METER_TYPES = {
    0x10: "cold water",
    0x11: "hot water",
    0x12: "drinking water",
    0x13: "reclaimed water",
    0x20: "heat",
    0x21: "cold",
    0x22: "heat and cold",
    0x25: "heat and cold",
    0x30: "gas",
    0x40: "electricity",
    0xAA: "any",
}


def decode_cjt188(data: bytes) -> dict[str, Any]:
    """One frame of CJ/T 188, FE before it allowed, as a JSON object. Raises only ``BadFrame``."""
    return explain(decode_frame(data))


def explain(frame: Frame) -> dict[str, Any]:
    """A checked frame as a JSON object. Never raises."""
    identifier, control = frame.identifier, frame.control
    row = catalogue().find(identifier, family_of(frame.meter_type))
    serial, payload = split(frame)
    items = [] if frame.refused else decode_payload(identifier, frame.meter_type, frame.from_meter, payload)
    status = payload if frame.refused else b"".join(one.raw for one in items if one.field.key == "status")
    values = [entry(one) for one in items if one.field.key != "status"]
    if identifier == MODIFY_KEY:
        values = [one | {"value": "********"} for one in values]
    back = row.back(identifier) if row is not None and identifier else None
    if back is not None and values:
        word = "months_back" if identifier and identifier[1] in "12" else "freezes_back"
        name = {"name": "How long ago", "name_zh": "往前次数"}
        values.append({"key": word, **name, "value": str(back), "unit": None, "valid": True})
    return {
        "meter_type": f"{frame.meter_type:02X}",
        "medium": METER_TYPES.get(frame.meter_type),
        "address": frame.address,
        "control": f"{control:02X}",
        "function": FUNCTIONS.get(control & FUNCTION, "maker's own" if control & 0x20 else "unknown"),
        "direction": "response" if frame.from_meter else "request",
        "refused": refusal(status) if frame.refused else None,
        "identifier": identifier,
        "identifier_order": frame.order,
        "name": row.name if row is not None else None,
        "serial": serial,
        "values": values,
        "status": status_of(status),
    }


KEY_BYTES = {b"\xa0\x14": range(1, 9), b"\x14\xa0": range(1, 9), b"\xa1\x07": range(50), b"\x07\xa1": range(50)}
"""Where a new key stands behind the serial number: after the version of A014; of A107 anywhere."""


def secrets_on_wire(data: bytes) -> set[int]:
    """Where keys, and check sums that would tell of them, stand in bytes from the wire, be they whole or cut."""
    hidden: set[int] = set()
    at = data.find(START)
    while at >= 0:
        places = KEY_BYTES.get(data[at + 11 : at + 13])
        if places is not None and data[at + 9] == WRITE:
            end = at + 11 + data[at + 10]
            found = (at + 14 + place for place in places)
            hidden |= {one for one in found if one < min(end, len(data))} | ({end} if end < len(data) else set())
        at = data.find(START, at + 1)
    return hidden


def entry(item: Item) -> dict[str, Any]:
    """One entry of ``values``."""
    shown = item.shown
    field = item.field
    found = {"key": field.key, "name": field.name, "name_zh": field.name_zh, "value": shown, "unit": item.unit}
    return found | {"valid": shown is not None} | ({} if shown is not None else {"raw": item.raw.hex().upper()})


def status_of(raw: bytes) -> dict[str, Any] | None:
    """What the status bytes say by the standard; None where a frame has none."""
    if not raw:
        return None
    return {"valve": STANDARD.valve(raw), "battery_low": STANDARD.battery_low(raw), "raw": raw.hex().upper()}


def refusal(raw: bytes) -> dict[str, Any]:
    """A refusal's status as code and reasons."""
    return {"code": raw.hex().upper(), "reasons": list(STANDARD.reasons(raw))}

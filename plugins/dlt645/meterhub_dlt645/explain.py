"""A frame in words: what ``meterhub decode`` prints, as a JSON object.

Keys: ``address``, ``control``, ``function``, ``direction``, ``follow``, ``refused``, ``identifier``, ``name``,
``values``, ``data``; where the frame has them also ``level``, ``operator`` and ``sequence``. Each value has ``key``,
``name``, ``value``, ``unit`` and ``valid``; the value is None when the bytes hold none. Passwords are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from meterhub_dlt645.catalogue import Layout, catalogue
from meterhub_dlt645.frame import FROM_METER, FUNCTION, IDENTIFIER_SIZES, REFUSED, Frame, decode_frame
from meterhub_dlt645.security import security_fields
from meterhub_dlt645.values import PASSWORD_ITEMS, field_values, layout_values, moment, value
from meterhub_dlt645.words import OUTPUTS, RELAY_COMMANDS, SPEEDS, function_name, refusal

Values = list[dict[str, Any]]

EVENT_STATUS = "04001501"
"""Answers a read-next when D5 was set only because an event waits."""
MASKS: dict[str, dict[int, tuple[int, ...]]] = {
    "2007": {0x14: (1,), 0x18: (1, 5), 0x19: (1,), 0x1A: (1,), 0x1B: (1,), 0x1C: (1,), 0x98: (1,)},
    "1997": {0x04: (1,), 0x0F: (1, 5), 0x10: (1,), 0x8F: (1,), 0x09: (1,), 0x0B: (1,), 0x0D: (1,)},
}
"""Where passwords of three bytes begin in the data after the identifier, by control byte."""


def explain_1997(data: bytes) -> dict[str, Any]:
    """One frame of DL/T 645-1997 as a JSON object; raises ``BadFrame``."""
    return explain(decode_frame(data, "1997"))


def explain_2007(data: bytes) -> dict[str, Any]:
    """One frame of DL/T 645-2007 as a JSON object; raises ``BadFrame``."""
    return explain(decode_frame(data, "2007"))


def explain(frame: Frame) -> dict[str, Any]:
    """A checked frame as a JSON object. Never raises."""
    payload = frame.payload
    control, identifier = frame.control, frame.identifier
    refused = None
    if frame.refused:
        code, reasons = refusal(frame.edition, control, payload)
        refused = {"code": code, "reasons": list(reasons)}
    layout = catalogue(frame.edition).find(identifier) if identifier and frame.edition else None
    answer: dict[str, Any] = {
        "address": frame.address,
        "control": f"{control:02X}",
        "function": function_name(frame.edition, control),
        "direction": "response" if frame.from_meter else "request",
        "follow": frame.follows,
        "refused": refused,
        "identifier": identifier,
        "name": layout.name if layout is not None else None,
        "values": [] if refused else values_of(frame, layout, payload),
        "data": masked(frame, identifier, payload),
    }
    return answer | extras(frame, payload)


def extras(frame: Frame, payload: bytes) -> dict[str, Any]:
    """Level and operator of a request that carries them, sequence number of a follow-on frame."""
    control = frame.control
    if frame.edition == "2007" and control & FUNCTION == 0x12 and not control & REFUSED and payload:
        return {"sequence": payload[-1]}
    if control & FROM_METER or frame.edition is None or len(payload) < 4:
        return {}
    if frame.edition == "2007" and control == 0x03:
        return {"operator": payload[3::-1].hex().upper()}
    if control not in MASKS[frame.edition]:
        return {}
    more = {"level": f"{payload[0]:02X}"}
    if frame.edition == "2007" and control != 0x18 and len(payload) >= 8:
        more["operator"] = payload[7:3:-1].hex().upper()
    return more


def masked(frame: Frame, identifier: str | None, payload: bytes) -> str:
    """The data in hex with ``**`` for each byte of a password."""
    hidden = password_bytes(frame.edition or "", frame.control, identifier)
    return "".join("**" if at in hidden else f"{byte:02X}" for at, byte in enumerate(payload))


def password_bytes(edition: str, control: int, identifier: str | None) -> set[int]:
    """Where the bytes of passwords stand in the data after the identifier."""
    starts = list(MASKS.get(edition, {}).get(control, ()))
    if identifier is not None and identifier.startswith(PASSWORD_ITEMS):
        writes = {("2007", 0x14): 9, ("1997", 0x04): 5}
        starts.append(writes.get((edition, control), 1))
    return {at for start in starts for at in range(start, start + 3)}


def secrets_on_wire(edition: str, data: bytes) -> set[int]:
    """Where passwords, and check sums that would tell of them, stand in bytes from the wire, be they whole or cut."""
    hidden: set[int] = set()
    at = data.find(0x68)
    while at >= 0:
        if at + 9 < len(data) and data[at + 7] == 0x68:
            frame = Frame(data[at:], edition)
            end = at + 10 + data[at + 9]
            begin = at + 10 + IDENTIFIER_SIZES[edition][frame.control]
            found = {begin + one for one in password_bytes(edition, frame.control, frame.identifier)}
            inside = {one for one in found if one < min(end, len(data))}
            hidden |= inside | ({end} if inside and end < len(data) else set())
        at = data.find(0x68, at + 1)
    return hidden


def values_of(frame: Frame, layout: Layout | None, payload: bytes) -> Values:
    """What the data of a frame say, by its function; nothing where that is not known."""
    explainer = EXPLAINERS.get((frame.edition or "", frame.control & ~0x20 if frame.from_meter else frame.control))
    return list(explainer(frame, layout, payload)) if explainer is not None else []


def read_answer(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """A read's answer; of one that others follow only the items that are surely whole."""
    if layout is not None:
        yield from layout_values(layout, payload, frame.follows)


def next_answer(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """A follow-on frame is decoded only after joining, except the status of a waiting event."""
    if layout is not None and layout.identifier == EVENT_STATUS:
        yield from layout_values(layout, payload[:12])


def load_request(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """A read of load records: how many, and from when."""
    if payload and len(payload) in (1, 6):
        yield value("blocks", "Number of blocks", str(payload[0]))
        if len(payload) == 6:
            yield from moment("from", "From", "YYMMDDhhmm", payload[1:])


def write_2007(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """Level and password, operator, data; level 98 writes are ciphertext, level 99 ones end in a MAC."""
    if layout is not None and payload and payload[0] != 0x98:
        yield from layout_values(layout, payload[8:-4] if payload[0] == 0x99 else payload[8:])


def write_1997(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """Level and password, data."""
    if layout is not None:
        yield from layout_values(layout, payload[4:])


def security(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """A security command or its answer; of an unknown layout the bytes as they are."""
    data = payload if frame.from_meter else payload[4:]
    identifier = frame.identifier or ""
    operator = "" if frame.from_meter else payload[3::-1].hex().upper()
    fields = security_fields(identifier, frame.from_meter, len(data), operator)
    if fields is None:
        if layout is not None:
            yield from layout_values(layout, data)
        return
    at = 0
    for field in fields:
        yield from field_values(field, data[at : at + field.format.size])
        at += field.format.size


def relay(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """Remote control in plain text: what, how long after, valid until when."""
    if len(payload) == 16:
        command = payload[8]
        words = RELAY_COMMANDS.get(command)
        yield value("command", f"Command: {words}" if words else "Command", f"{command:02X}")
        yield value("delay", "Delay", f"{payload[9]:02X}")
        yield from moment("valid_until", "Valid until", "YYMMDDhhmmss", payload[10:])


def broadcast_time(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """The time that all meters should take."""
    yield from moment("time", "Time", "YYMMDDhhmmss", payload)


def address(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """The meter's own address, or its new one."""
    if len(payload) == 6:
        yield value("address", "Address" if frame.from_meter else "New address", payload[::-1].hex().upper())


def freeze(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """When to freeze: 99 in front widens it from once to monthly, daily, hourly, now."""
    if len(payload) != 4:
        return
    month, day, hour, minute = payload[::-1].hex()[:2], *(f"{one:02X}" for one in payload[2::-1])
    text = f"once at {month}-{day} {hour}:{minute}"
    if month == "99":
        text = f"monthly on day {day} at {hour}:{minute}"
        if day == "99":
            text = f"daily at {hour}:{minute}"
            if hour == "99":
                text = "now" if minute == "99" else f"hourly at minute {minute}"
    yield value("freeze", "Freeze", text if payload.hex().isdigit() else None)


def speed(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """The speed to change to; exactly one bit is set."""
    if len(payload) == 1:
        bits = SPEEDS.get(payload[0])
        yield value("speed", "Speed", None if bits is None else str(bits), "bit/s")


def output(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """What the multifunction output gives."""
    if len(payload) == 1:
        yield value("output", "Multifunction output", OUTPUTS.get(payload[0]))


def clear_events(frame: Frame, layout: Layout | None, payload: bytes) -> Iterator[dict[str, Any]]:
    """Which events to clear."""
    if len(payload) == 12:
        identifier = payload[:7:-1].hex().upper()
        yield value("events", "Events", "all" if identifier == "FFFFFFFF" else identifier)


Explainer = Callable[[Frame, Layout | None, bytes], Iterator[dict[str, Any]]]

EXPLAINERS: dict[tuple[str, int], Explainer] = {
    ("2007", 0x03): security,
    ("2007", 0x83): security,
    ("2007", 0x08): broadcast_time,
    ("2007", 0x11): load_request,
    ("2007", 0x91): read_answer,
    ("2007", 0x92): next_answer,
    ("2007", 0x93): address,
    ("2007", 0x14): write_2007,
    ("2007", 0x15): address,
    ("2007", 0x16): freeze,
    ("2007", 0x17): speed,
    ("2007", 0x97): speed,
    ("2007", 0x1B): clear_events,
    ("2007", 0x1C): relay,
    ("2007", 0x1D): output,
    ("2007", 0x9D): output,
    ("1997", 0x81): read_answer,
    ("1997", 0x04): write_1997,
    ("1997", 0x08): broadcast_time,
    ("1997", 0x0A): address,
    ("1997", 0x0C): speed,
    ("1997", 0x8C): speed,
}
"""By edition and control byte (D5 of answers left out)."""

"""Any identifier by name: read it, write it and compare what the meter then says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_mbus.cjt188.catalogue import READ, READS, WRITES, Row, family_of
from meterhub_mbus.cjt188.exchange import Reply, Talk, ask, read_data, settle_order
from meterhub_mbus.cjt188.explain import entry
from meterhub_mbus.cjt188.names import identifier_of
from meterhub_mbus.cjt188.payload import decode_payload
from meterhub_mbus.cjt188.points import Point, encode_fields
from meterhub_mbus.cjt188.reading import items_by_key
from meterhub_mbus.cjt188.units import CODES

WRITE = 0x04
READ_OF = {write: read for read, write in WRITES.items()}
LONGEST_WRITE = 47
"""By the standard L is at most 50 when writing, and identifier and serial number take three of it."""
OWN_ACTION = {
    "A013": mark("meter.credit does this"),
    "A014": mark("keys are set with the maker's tool"),
    "A015": mark("meter.set_clock does this"),
    "A016": mark("meter.set_base_value does this"),
    "A017": mark("meter.open_valve and meter.close_valve do this"),
    "A018": mark("meter.set_address does this"),
    "A019": mark("it can be done once, at the factory"),
    "A0EC": mark("meter.refund does this"),
    "A107": mark("keys are set with the maker's tool"),
}


def read_register(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Read one identifier by name or in hex."""
    identifier, row = identifier_of(params["register"], family_of(talk.dialect.meter_type))
    control = row.control if row is not None and row.control in READS else READ
    reply = yield from read_data(talk, identifier, control)
    return CommandReply(detail=told(talk, identifier, row, reply))


def write_register(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write one identifier by name or in hex, read it back where it can be read, and compare."""
    identifier, row = identifier_of(params["register"], family_of(talk.dialect.meter_type))
    identifier = WRITES.get(identifier, identifier)
    if identifier in OWN_ACTION:
        raise BadInput(f"{identifier} is not written like a setting", where=meter.id, hint=OWN_ACTION[identifier])
    if identifier[0] != "A":
        raise BadInput(f"{identifier} cannot be written", where=meter.id, hint="identifiers to write begin with A")
    _, row = identifier_of(identifier, family_of(talk.dialect.meter_type))
    payload = _payload(row, str(params["value"]))
    return (yield from write_payload(talk, identifier, payload))


def write_entity(meter: Meter, talk: Talk, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write one setting and compare what the meter then says."""
    point: Point | None = meter.points.get(params["entity"])
    if point is None:
        raise BadInput(f"{meter.id} has no setting {params['entity']}", where=meter.id)
    shown = point.stored(params["value"])
    identifier = WRITES[point.identifier]
    _, row = identifier_of(identifier, family_of(talk.dialect.meter_type))
    reply = yield from write_payload(talk, identifier, _payload(row, shown))
    payload = bytes.fromhex(reply.detail["data"])
    items = items_by_key(point.identifier, talk.reply(payload), talk.dialect)
    return CommandReply({point.key: point.take(items, payload, talk.dialect)[0]}, reply.detail)


def write_payload(talk: Talk, identifier: str, payload: bytes) -> Dialogue[CommandReply]:
    """Write once, and compare where the same can be read; else the result says ``verified`` false."""
    silence = yield from tell(talk, WRITE, identifier, payload)
    shown_by = READ_OF.get(identifier)
    if shown_by is None:
        if silence is not None:
            raise silence
        return CommandReply(detail={"identifier": identifier, "verified": False, "acknowledged": True})
    reply = yield from read_data(talk, shown_by)
    _, row = identifier_of(shown_by, family_of(talk.dialect.meter_type))
    if reply.payload and payload.startswith(reply.payload):
        detail = told(talk, shown_by, row, reply)
        return CommandReply(detail=detail | {"verified": True, "acknowledged": silence is None})
    if silence is not None:
        raise silence
    shown = ", ".join(str(one["value"]) for one in told(talk, shown_by, row, reply)["values"])
    raise Refused(f"the meter accepted the write of {identifier}, but still has {shown}", where=talk.where)


def tell(
    talk: Talk, control: int, identifier: str, payload: bytes, what: str = "the write"
) -> Dialogue[NoAnswer | None]:
    """Send a write once. The error when nobody answered; ``Refused`` passes."""
    yield from settle_order(talk)
    try:
        yield from ask(talk, talk.frame(control, identifier, payload), what, tries=1, hold=True)
    except NoAnswer as error:
        return error
    return None


def told(talk: Talk, identifier: str, row: Row | None, reply: Reply) -> dict[str, Any]:
    """What an identifier's payload says, as the result of an action."""
    items = decode_payload(identifier, reply.meter_type, True, reply.payload, talk.dialect.position)
    names = {} if row is None else {"name": row.name, "name_zh": row.name_zh}
    return {
        "identifier": identifier,
        **names,
        "values": [entry(item) for item in items],
        "data": reply.payload.hex().upper(),
    }


def _payload(row: Row | None, text: str) -> bytes:
    """The bytes of a write; where the catalogue knows no fields they are given in hex. Raises ``BadInput``."""
    if row is not None and row.request:
        return encode_fields(row.request, text, CODES["m³"])
    try:
        data = bytes.fromhex(re.sub(r"\s", "", text))
    except ValueError:
        raise BadInput("the fields of this item are not known: write its bytes in hex, as on the wire") from None
    if len(data) > LONGEST_WRITE:
        raise BadInput(f"{len(data)} bytes are more than one write holds")
    return data

"""Any identifier by name: read it, write it and compare what the meter then says, page through load records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.authority import authority, tell
from meterhub_dlt645.catalogue import Field, Layout
from meterhub_dlt645.encoding import changed_items, encode_values, names_items
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.formats import Value, parse
from meterhub_dlt645.load_profile import records
from meterhub_dlt645.names import layout_of
from meterhub_dlt645.purse import operator_of, secure
from meterhub_dlt645.values import PASSWORD_ITEMS, field_values, layout_values

WRITE = {"2007": 0x14, "1997": 0x04}
CLOCKS = {"04000101", "04000102", "0400010C", "C010", "C011"}
"""They run on between writing and reading back."""
CLOCK_SLACK_S = 60
MOST_BLOCKS, MOST_RECORDS = 9, 3_000
"""Up to nine blocks are the same in BCD and in binary: sources differ."""
LOAD_CLASS = {"2007": "06", "1997": "none"}
"""Load records and curves: what follows the identifier says how many and from when."""
PARAMETER_BLOCKS = "07"
"""Of the class of security commands only what can be written as well as read."""


def read_register(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Read one identifier by name or in hex; load records take ``count`` and ``from``."""
    layout = layout_of(edition, params["register"])
    if layout.access == "cmd":
        raise BadInput(f"{layout.name} is a command and no item to read", where=meter.id)
    load = layout.identifier.startswith(LOAD_CLASS[edition])
    tail = block_request(params.get("count", 0), params.get("from", "")) if load else b""
    data = yield from read_data(Talk(meter, edition), layout.identifier, layout.fixed(), tail)
    return CommandReply(detail=told(layout, data))


def told(layout: Layout, data: bytes) -> dict[str, Any]:
    """What an identifier's data say, as the result of an action. Passwords are masked."""
    secret = layout.identifier.startswith(PASSWORD_ITEMS)
    return {
        "identifier": layout.identifier,
        "name": layout.name,
        "name_zh": layout.name_zh,
        "values": list(layout_values(layout, data)),
        "data": "**" * len(data) if secret else data.hex().upper(),
    }


def block_request(count: int, start: str) -> bytes:
    """What follows the identifier of a load record: nothing, the number of blocks, or number and time (appendix B)."""
    if not count and not start:
        return b""
    number = min(max(count, 1), MOST_BLOCKS)
    blocks = bytes((number,))
    return blocks + parse("YYMMDDhhmm").encode(start[:16]) if start else blocks


def read_load_profile(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """The load records of one class (0: all) from ``from`` to ``to``, page by page.

    A page is ``count`` records; each page begins a minute behind the last record of the one before, and a good answer
    without data is the end.
    """
    if edition != "2007":
        raise BadInput("load records by time are of the 2007 edition", where=meter.id)
    number = int(params.get("class", "0"))
    layout = layout_of(edition, f"06{number:02X}0001")
    talk = Talk(meter, edition)
    found: list[dict[str, Any]] = []
    start, end = params["from"][:16], params.get("to", "")[:16] or "9999"
    while len(found) < MOST_RECORDS:
        tail = block_request(params.get("count", 8), start)
        data = yield from read_data(talk, layout.identifier, None, tail)
        page = [_record(whole, items) for whole, items in records(data, number)]
        found += [one for one in page if str(one["time"]) <= end]
        last = str(page[-1]["time"]) if page else ""
        if last < start or last >= end:
            break
        start = (datetime.fromisoformat(last) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    return CommandReply(detail={"identifier": layout.identifier, "name": layout.name, "records": found})


def _record(whole: bool, items: Sequence[tuple[Field, bytes]]) -> dict[str, Any]:
    values = [one for field, part in items for one in field_values(field, part, whole or field.key == "time")]
    return {"time": values[0]["value"] or "", "whole": whole, "values": values[1:]}


def write_register(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Write one identifier by name or in hex, read it back and compare."""
    layout = layout_of(edition, params["register"])
    if "w" not in layout.access:
        raise BadInput(f"{layout.name} cannot be written", where=meter.id)
    talk, text = Talk(meter, edition), params["value"]
    if names_items(layout, text):
        data = changed_items(layout, (yield from read_data(talk, layout.identifier, layout.fixed())), text)
    else:
        data = encode_values(layout, text)
    if layout.identifier.startswith(PARAMETER_BLOCKS):
        return (yield from write_parameters(talk, meter, layout, data))
    return (yield from write_data(talk, meter, layout, data, params.get("level")))


def write_parameters(talk: Talk, meter: Meter, layout: Layout, data: bytes) -> Dialogue[CommandReply]:
    """Write a maker's parameter block by security command, and compare all its bytes whatever the meter said.

    Such a meter was seen to refuse a write and yet to take over a part of it.
    """
    before = yield from read_data(talk, layout.identifier, layout.fixed())
    failure: NoAnswer | Refused | None = None
    try:
        yield from secure(talk, layout.identifier, operator_of(meter), data, tries=1)
    except (NoAnswer, Refused) as error:
        failure = error
    after = yield from read_data(talk, layout.identifier, layout.fixed())
    if after == data:
        return CommandReply(detail=told(layout, after) | {"verified": True, "acknowledged": failure is None})
    if after == before and failure is not None:
        raise failure
    wrong = sum(one != other for one, other in zip(after, data, strict=False))
    raise Refused(
        f"{layout.name}: {wrong} bytes are not as they were written"
        + (", " + mark("and the meter said no") if failure else ""),
        where=meter.id,
        hint="write nothing more to this meter before somebody has looked at it",
    )


def write_data(
    talk: Talk, meter: Meter, layout: Layout, data: bytes, level: str | None = None
) -> Dialogue[CommandReply]:
    """Write the data of an identifier and compare what the meter then says.

    What cannot be read (passwords, write-only items) is reported with ``verified`` false.
    """
    wire = bytes.fromhex(layout.identifier)[::-1]
    silence = yield from tell(talk, WRITE[talk.edition], wire + authority(meter.options, talk.edition, level) + data)
    answer = None
    if "r" in layout.access and not layout.identifier.startswith(PASSWORD_ITEMS):
        answer = yield from read_data(talk, layout.identifier, layout.fixed())
    if answer is None:
        if silence is not None:
            raise silence
        return CommandReply(detail={"identifier": layout.identifier, "verified": False, "acknowledged": True})
    if not same(layout, answer, data):
        if silence is not None:
            raise silence
        shown = ", ".join(str(one["value"]) for one in layout_values(layout, answer))
        raise Refused(f"the meter accepted the write of {layout.name}, but still has {shown}", where=meter.id)
    return CommandReply(detail=told(layout, answer) | {"verified": True, "acknowledged": silence is None})


def same(layout: Layout, answer: bytes, wanted: bytes) -> bool:
    """Whether the meter has what was written; a clock may have run on."""
    if answer[: len(wanted)] == wanted:
        return True
    one, other = _decoded(layout, answer), _decoded(layout, wanted)
    if layout.identifier in CLOCKS and None not in (*one, *other):
        return abs(_seconds(str(one[0])) - _seconds(str(other[0]))) <= CLOCK_SLACK_S
    return one == other


def _decoded(layout: Layout, data: bytes) -> list[Value]:
    found = [field.format.decode(data[at : at + field.format.size]) for field, at in layout.items(len(data))]
    return found or [data.hex()]


def _seconds(text: str) -> float:
    whole = text if "-" in text else f"2000-01-01T{text}"
    return datetime.fromisoformat(whole).timestamp()

"""A polite look for an unknown meter: a few harmless reads to whoever is alone on the line.

2007 meters tell their address to the wildcard AA; 1997 meters answer reads to 999999999999. What they have besides (a
second phase, a relay, a purse) proposes the profile. Nothing is written, and each question is asked once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterhub.errors import NoAnswer
from meterhub.field.dialogue import Ask, Dialogue
from meterhub_dlt645.frame import FROM_METER, Frame, build, identifier_wire

READ_ADDRESS = 0x13
ANYBODY = {"2007": "AAAAAAAAAAAA", "1997": "999999999999"}
READ = {"2007": 0x11, "1997": 0x01}
FIRST_OF_1997 = ("C032", "9010")
"""The meter number; its answer comes from the real address, which need not equal the number."""
SECOND_PHASE = {"2007": "02010200", "1997": "B612"}
RELAY, PURSES = "04000503", (("028011FF", "dial-in-2007-prepaid"), ("03330201", "dlt645-2007-local-prepaid"))
PREAMBLE = 4
ANSWER_BYTES = 40


def probe(edition: str) -> Dialogue[Sequence[Mapping[str, Any]]]:
    """Who is there? An empty list when nobody of this edition answers."""
    address = yield from (_address_2007() if edition == "2007" else _address_1997())
    if address is None:
        return []
    three = yield from _has(edition, address, SECOND_PHASE[edition])
    found = {"edition": edition, "address": address, "phases": 3 if three else 1}
    profile = f"dlt645-{edition}-{'three' if three else 'single'}-phase"
    if edition == "2007":
        relay = yield from _has(edition, address, RELAY)
        profile = profile if relay else f"{profile}-plain"
        for identifier, name in PURSES if not three else ():
            if (yield from _has(edition, address, identifier)):
                profile = name
                break
        found["relay"] = relay
    return [found | {"profile": profile}]


def _address_2007() -> Dialogue[str | None]:
    reply = yield from _once(build(ANYBODY["2007"], READ_ADDRESS, b"", "2007", PREAMBLE), b"")
    data = reply.data if reply is not None and not reply.refused else b""
    return data[::-1].hex().upper() if len(data) == 6 else None


def _address_1997() -> Dialogue[str | None]:
    for identifier in FIRST_OF_1997:
        request = build(ANYBODY["1997"], READ["1997"], bytes.fromhex(identifier)[::-1], "1997", PREAMBLE)
        reply = yield from _once(request, identifier_wire(identifier))
        if reply is None:
            return None  # nobody is there: do not ask again
        if not reply.refused and reply.address != ANYBODY["1997"]:
            return reply.address
        if not reply.refused and identifier == FIRST_OF_1997[0] and len(reply.payload) == 6:
            return reply.payload[::-1].hex().upper()
    return None


def _has(edition: str, address: str, identifier: str) -> Dialogue[bool]:
    """Whether a meter knows an item and has a value for it."""
    request = build(address, READ[edition], bytes.fromhex(identifier)[::-1], edition, PREAMBLE)
    reply = yield from _once(request, identifier_wire(identifier), address)
    return reply is not None and not reply.refused and reply.payload.strip(b"\xff") != b""


def _once(request: Frame, begin: bytes, address: str = "") -> Dialogue[Frame | None]:
    """Ask once; None for silence."""
    good = request.control | FROM_METER

    def match(frame: Frame) -> bool:
        raw = frame.raw
        if raw[8] & 0x9F != good or (address and frame.address != address):
            return False
        return frame.refused or raw[10:-2].startswith(begin)

    try:
        reply: Frame = yield Ask(request, match, tries=1, answer_bytes=ANSWER_BYTES, hold=True)
    except NoAnswer:
        return None
    return reply

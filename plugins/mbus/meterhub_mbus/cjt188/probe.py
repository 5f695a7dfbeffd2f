"""A polite look for an unknown meter: its address, asked of whoever is alone on the line.

The wildcard AA is answered by the one meter that is there. Some want their own type in the question, others take AA for
any; the bytes of the identifier may stand in either order. Nothing is written, and each question is asked once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterhub.errors import NoAnswer
from meterhub.field.dialogue import Ask, Dialogue
from meterhub_mbus.cjt188.catalogue import HEAT_TYPES, READ_ADDRESS
from meterhub_mbus.cjt188.frame import ADDRESS_BYTES, ANY_BYTE, FROM_METER, HIGH, OVERHEAD, Frame, build
from meterhub_mbus.cjt188.options import DEFAULT_PREAMBLE

ANYBODY = f"{ANY_BYTE:02X}" * ADDRESS_BYTES
QUESTIONS = tuple(
    (meter_type, order) for meter_type in (ANY_BYTE, 0x10, 0x20, 0x30) for order in (b"\x81\x0a", b"\x0a\x81")
)
GAS_TYPES = range(0x30, 0x3A)


def probe() -> Dialogue[Sequence[Mapping[str, Any]]]:
    """Who is there? An empty list when nobody of this protocol answers."""
    for meter_type, identifier in QUESTIONS:
        request = build(meter_type, ANYBODY, READ_ADDRESS, identifier + b"\x01", DEFAULT_PREAMBLE)
        try:
            reply: Frame = yield Ask(request, _is_address, tries=1, answer_bytes=OVERHEAD + 3, hold=True)
        except NoAnswer:
            continue
        family = "heat" if reply.meter_type in HEAT_TYPES else "gas" if reply.meter_type in GAS_TYPES else "water"
        edition = "2004" if reply.order in (HIGH, None) else "2018"
        return [{"address": reply.address, "edition": edition, "profile": f"cjt188-{family}"}]
    return []


def _is_address(frame: Frame) -> bool:
    return frame.control == READ_ADDRESS | FROM_METER and frame.address != ANYBODY

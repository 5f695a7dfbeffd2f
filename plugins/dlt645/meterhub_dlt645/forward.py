"""Frames made by somebody who has the keys: sent as they are, once, and the answer told in words.

State Grid meters take relay commands, protected settings, authentication, purse and key commands only with ciphers and
MACs of the utility's password machine. Such a frame comes ready from there; nothing of it can be checked here but that
it is a whole frame for this meter and of a kind that needs keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import Ask, CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.exchange import Talk
from meterhub_dlt645.explain import explain
from meterhub_dlt645.frame import Frame, decode_frame

WRITE, REMOTE_CONTROL, SECURITY = 0x14, 0x1C, 0x03
PROTECTED_LEVELS = (b"\x98", b"\x99")


def forward(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Send the frame of ``frame`` (hex). What it did is for the caller to read from the meter."""
    talk = Talk(meter, edition)
    request = signed_frame(meter, str(params["frame"]))
    begin = request.raw[10:14] if request.control == SECURITY else b""
    reply: Frame = yield Ask(request, talk.answers(request.control, begin), tries=1, answer_bytes=60, hold=True)
    told = explain(talk.check(reply, mark("the signed frame")))
    return CommandReply(detail={key: told[key] for key in ("control", "identifier", "name", "values", "data")})


def signed_frame(meter: Meter, text: str) -> Frame:
    """The frame, if it is one for this meter that needs keys; raises ``BadInput``."""
    try:
        frame = decode_frame(bytes.fromhex(text), "2007")
    except (ValueError, BadFrame) as error:
        raise BadInput(f"this is no frame: {error}", where=meter.id, hint="the whole frame in hex, 68 … 16") from None
    if frame.address != meter.address:
        raise BadInput(f"the frame is for {frame.address}, not for {meter.address}", where=meter.id)
    protected = frame.control in (WRITE, REMOTE_CONTROL) and frame.payload[:1] in PROTECTED_LEVELS
    if frame.control != SECURITY and not protected:
        raise BadInput(
            "only security commands (03), and settings and relay commands of level 98 or 99, are sent as they are",
            where=meter.id,
            hint="for the others there are actions, which check what they do",
        )
    return frame

"""Words for codes: control functions, reasons of a refusal, relay commands, speeds.

Sources: DL/T 645-2007 clause 7 and its supplements on remote control and prepayment; the 1997 lists as makers use them.
"""

from __future__ import annotations

from collections.abc import Sequence

from meterhub.texts import mark
from meterhub_dlt645.frame import FROM_METER, FUNCTION

FUNCTIONS = {
    "1997": {
        0x01: "read",
        0x02: "read next",
        0x03: "re-read",
        0x04: "write",
        0x08: "broadcast time",
        0x0A: "write address",
        0x0C: "change speed",
        0x0F: "change password",
        0x10: "clear maximum demand",
        0x05: "calibrate or freeze (maker's)",
        0x09: "clear all or freeze (maker's)",
        0x0B: "clear events (maker's)",
        0x0D: "clear statistics (maker's)",
    },
    "2007": {
        0x03: "security",
        0x08: "broadcast time",
        0x11: "read",
        0x12: "read next",
        0x13: "read address",
        0x14: "write",
        0x15: "write address",
        0x16: "freeze",
        0x17: "change speed",
        0x18: "change password",
        0x19: "clear maximum demand",
        0x1A: "clear meter",
        0x1B: "clear events",
        0x1C: mark("remote control"),
        0x1D: "multifunction output",
    },
}

REASONS_1997 = (
    mark("illegal data"),
    mark("identifier wrong"),
    mark("password wrong"),
    mark("speed cannot be changed"),
    mark("too many year zones"),
    mark("too many day periods"),
    mark("too many tariffs"),
)
REASONS_2007 = (
    mark("other error"),
    mark("no such data"),
    mark("password wrong or not authorised"),
    mark("speed cannot be changed"),
    mark("too many year zones"),
    mark("too many day periods"),
    mark("too many tariffs"),
)
REASONS_SECURITY = (
    mark("other error"),
    mark("repeated recharge"),
    mark("ESAM verification failed"),
    mark("identity authentication failed"),
    mark("customer number mismatch"),
    mark("recharge count wrong"),
    mark("over the hoarding limit"),
    mark("address abnormal"),
    mark("meter suspended"),
    mark("reclose failed"),
)
REASONS_RELAY = (
    mark("meter suspended"),
    mark("MAC wrong"),
    mark("password wrong"),
    mark("authentication expired"),
    mark("time tag invalid"),
    mark("trip refused by keep-power"),
    mark("auto-recover refused by keep-power"),
    mark("auto-recover time invalid"),
    mark("auto-recover refused"),
)

RELAY_COMMANDS = {
    0x1A: "trip",
    0x1B: "allow close",
    0x1C: "close",
    0x1D: "trip, then allow close after the delay",
    0x1E: "trip, then close after the delay",
    0x2A: "alarm on",
    0x2B: "alarm off",
    0x3A: "keep power on",
    0x3B: "keep power off",
}

SPEEDS = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}

OUTPUTS = {0: "second pulse", 1: "demand period", 2: "tariff switch"}


def function_name(edition: str | None, control: int) -> str:
    """The function of a control byte in words, or ``unknown``."""
    return FUNCTIONS.get(edition or "2007", {}).get(control & FUNCTION, "unknown")


def refusal(edition: str | None, control: int, error: bytes) -> tuple[str, tuple[str, ...]]:
    """The code of a refusal (hex, high byte first) and its reasons in words."""
    words: Sequence[str] = REASONS_1997 if edition == "1997" else REASONS_2007
    if edition != "1997" and len(error) == 2 and control & (FROM_METER | FUNCTION) == FROM_METER | 0x03:
        words = REASONS_SECURITY
    elif edition != "1997" and len(error) == 2 and control & (FROM_METER | FUNCTION) == FROM_METER | 0x1C:
        words = REASONS_RELAY
    number = int.from_bytes(error, "little")
    reasons = [
        words[bit] if bit < len(words) else f"reserved bit {bit}" for bit in range(8 * len(error)) if number >> bit & 1
    ]
    return error[::-1].hex().upper(), tuple(reasons)

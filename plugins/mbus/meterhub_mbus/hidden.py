"""What nobody may see of a telegram: passwords, access codes and keys, wherever bytes of the wire are shown."""

from __future__ import annotations

import re

from meterhub.errors import BadFrame
from meterhub_mbus.frame import LONG_START, Frame
from meterhub_mbus.telegram import read_telegram

SECRETS = frozenset(
    {
        "access_code_user",
        "access_code_operator",
        "access_code_system_operator",
        "access_code_developer",
        "password",
        "security_key",
    }
)
"""Quantities whose values are secret: FD 12 to 16, and FD 19."""
CODES = re.compile(rb"\xfd[\x12-\x16\x19\x92-\x96\x99]", re.DOTALL)
"""How a record with one of them begins behind its DIF."""


def secrets_on_wire(data: bytes) -> set[int]:
    """Where secrets, and check sums that would tell of them, stand in bytes from the wire.

    ``data`` may be one frame, several, or a part of one. Where a frame is cut or broken, everything from the first
    code of a secret on is hidden. Never raises.
    """
    hidden: set[int] = set()
    at = data.find(LONG_START)
    while at >= 0:
        size = data[at + 1] + 6 if data[at + 3 : at + 4] == data[at : at + 1] else 0
        if size:
            hidden |= {at + one for one in _in_frame(data[at : at + size], size)}
        at = data.find(LONG_START, at + max(size, 1))
    return hidden


def _in_frame(raw: bytes, size: int) -> set[int]:
    """The same for the bytes of one frame, which should be ``size``."""
    if not CODES.search(raw):
        return set()
    try:
        telegram = read_telegram(Frame(raw)) if len(raw) == size else None
    except BadFrame:
        telegram = None
    if telegram is None:
        return _from_first_code(raw)
    start = len(raw) - 2 - len(telegram.body)
    found: set[int] = set()
    for part in telegram.layout.parts:
        if part.head.quantity in SECRETS:
            found |= set(range(start + part.at.start, start + part.at.stop))
    return found | {len(raw) - 2} if found else found


def _from_first_code(raw: bytes) -> set[int]:
    """All that follows the first code of a secret."""
    code = CODES.search(raw)
    return set() if code is None else set(range(code.end(), len(raw)))

"""Finds CJ/T 188 frames in a stream with noise, echo, split and glued segments, and with telegrams of EN 13757.

A candidate is a 68 with a meter type behind it, the 16 where its length byte says, and the right sum. When one of these
fails, the search goes on one byte behind its 68, because a 68 may stand inside a damaged frame or a payload. A frame of
EN 13757 has its length behind the 68, and mostly fails at the first test.
"""

from __future__ import annotations

from collections.abc import Set

from meterhub.field.codec import StreamCodec
from meterhub_mbus.cjt188.frame import ANY_BYTE, END, OVERHEAD, START, WAKE_UP, Frame

METER_TYPES = frozenset((*(high << 4 | low for high in (1, 2, 3, 4) for low in range(10)), ANY_BYTE))
"""10 to 49 in decimal digits, and AA of requests for an address."""


class Cjt188Codec(StreamCodec):
    """Codec of one stream. FE before frames is not counted as dropped; ``types`` are the meter types to look for."""

    def __init__(self, types: Set[int] = METER_TYPES) -> None:
        super().__init__()
        self._types = types

    def find(self, buffer: bytearray) -> tuple[Frame | None, int]:
        """The first frame in ``buffer``, also when an unfinished candidate stands before it."""
        keep = -1
        at = buffer.find(START)
        while at >= 0:
            end = end_of(buffer, at, self._types)
            if end == UNFINISHED:
                keep = at if keep < 0 else keep
            elif end != NO_FRAME:
                self.dropped += at - buffer.count(WAKE_UP, 0, at)
                return Frame(bytes(buffer[at:end])), end
            at = buffer.find(START, at + 1)
        used = len(buffer) if keep < 0 else keep
        self.dropped -= buffer.count(WAKE_UP, 0, used)
        return None, used

    def encode(self, frame: Frame) -> bytes:
        """The frame with as many FE before it as it says."""
        return b"\xfe" * frame.preamble + frame.raw


UNFINISHED, NO_FRAME = 0, -1


def end_of(buffer: bytearray, at: int, types: Set[int] = METER_TYPES) -> int:
    """Where the frame that may begin at ``at`` ends; ``UNFINISHED`` while bytes are missing, ``NO_FRAME`` for none."""
    size = len(buffer)
    if at + 1 < size and buffer[at + 1] not in types:
        return NO_FRAME
    if at + 10 >= size:
        return UNFINISHED
    end = at + OVERHEAD + buffer[at + 10]
    if end > size:
        return UNFINISHED
    right = buffer[end - 1] == END and sum(buffer[at : end - 2]) & 0xFF == buffer[end - 2]
    return end if right else NO_FRAME

"""Finds M-Bus frames in a stream with noise, echo, split and glued segments.

Many level converters send back every byte of the master. The frame that was encoded last is taken out once when it
comes back whole; its bytes are counted in ``echoed``, so that an echo is neither an answer nor garbage.
"""

from __future__ import annotations

from meterhub.field.codec import StreamCodec
from meterhub_mbus.frame import ACKNOWLEDGE, END, LONG_START, SHORT_START, Frame

ACKNOWLEDGED = ACKNOWLEDGE[0]
SHORT_SIZE, LONG_HEAD = 5, 4
UNFINISHED = -1


class MbusCodec(StreamCodec):
    """Codec of one stream; frames are ``Frame`` objects.

    E5 is an acknowledgement only where it stands by itself: not within a long frame, be it unfinished or spoilt.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sent = b""

    def encode(self, frame: Frame) -> bytes:
        """The bytes of the frame, whose echo is looked out for from now on."""
        self._sent = frame.raw
        self.echoed = 0
        return frame.raw

    def reset(self) -> None:
        """Forget the incomplete bytes and the echo that has not come."""
        super().reset()
        self._sent = b""
        self.echoed = 0

    def next_frame(self) -> Frame | None:
        """The next complete frame that is not the echo of our own, or None."""
        frame: Frame | None = super().next_frame()
        if frame is not None and frame.raw == self._sent:
            self.echoed, self._sent = len(frame.raw), b""
            frame = super().next_frame()
        return frame

    def find(self, buffer: bytearray) -> tuple[Frame | None, int]:
        """The first frame in ``buffer``; bytes that cannot start one are skipped."""
        size = len(buffer)
        spoilt_until = 0
        for at in range(size):
            byte = buffer[at]
            if byte == ACKNOWLEDGED and at >= spoilt_until:
                length = 1
            elif byte == LONG_START:
                length = _long_size(buffer, at)
                if length == 0 and _looks_long(buffer, at):
                    spoilt_until = max(spoilt_until, at + buffer[at + 1] + 6)
            elif byte == SHORT_START:
                length = _short_size(buffer, at)
            else:
                continue
            if length == UNFINISHED:
                return None, at
            if length:
                self.dropped += at
                return Frame(bytes(buffer[at : at + length])), at + length
        return None, size


def _looks_long(buffer: bytearray, at: int) -> bool:
    """Whether the four bytes that begin a long frame stand here."""
    head = buffer[at : at + LONG_HEAD]
    return len(head) == LONG_HEAD and head[1] == head[2] >= 3 and head[3] == LONG_START


def _long_size(buffer: bytearray, at: int) -> int:
    """The size of the valid long or control frame at ``at``; 0: none; ``UNFINISHED``: perhaps one."""
    head = buffer[at : at + LONG_HEAD]
    if len(head) < LONG_HEAD:
        return UNFINISHED if len(head) < 3 or head[1] == head[2] >= 3 else 0
    if not _looks_long(buffer, at):
        return 0
    end = at + head[1] + 6
    if end > len(buffer):
        return UNFINISHED
    return end - at if buffer[end - 1] == END and sum(buffer[at + 4 : end - 2]) & 0xFF == buffer[end - 2] else 0


def _short_size(buffer: bytearray, at: int) -> int:
    """As ``_long_size``, for a short frame. Only masters send these, so that D6 of C is set."""
    part = buffer[at : at + SHORT_SIZE]
    if len(part) > 1 and part[1] & 0xC0 != 0x40:
        return 0
    if len(part) < SHORT_SIZE:
        return UNFINISHED
    return SHORT_SIZE if part[4] == END and (part[1] + part[2]) & 0xFF == part[3] else 0

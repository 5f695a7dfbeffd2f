"""Finds DL/T 645 frames in a stream with noise, echo, split and glued segments.

A frame ends where its length byte says, never at a pause: collectors split and delay segments. When a candidate fails a
test the search goes on one byte behind its 68, because a 68 may stand inside a damaged frame.
"""

from __future__ import annotations

from meterhub.field.codec import StreamCodec
from meterhub_dlt645.frame import Frame

SHORTEST = 12
START, END, WAKE_UP = 0x68, 0x16, 0xFE
WAKE_UPS = bytes((WAKE_UP,))


class Dlt645Codec(StreamCodec):
    """Codec of one stream; frames are ``Frame`` objects of ``edition``. FE before frames is not counted as dropped."""

    __slots__ = ("_whole", "edition")

    def __init__(self, edition: str = "2007") -> None:
        super().__init__()
        self.edition = edition
        self._whole: Frame | None = None
        """A frame that came in a segment of its own."""

    def receive(self, data: bytes) -> None:
        """Take the next bytes. Mostly they are one whole frame, which needs no buffer."""
        if not self._buffer and self._whole is None:
            raw = data.lstrip(WAKE_UPS)
            if (
                len(raw) >= SHORTEST
                and raw[0] == START == raw[7]
                and len(raw) == SHORTEST + raw[9]
                and raw[-1] == END
                and not (sum(raw) - 2 * raw[-2] - END) & 0xFF
            ):
                self._whole = Frame(raw, self.edition)
                return
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next complete frame, or None."""
        whole = self._whole
        if whole is not None:
            self._whole = None
            return whole
        return super().next_frame() if self._buffer else None

    def reset(self) -> None:
        """Forget what has not been fetched yet."""
        self._whole = None
        self._buffer.clear()

    def find(self, buffer: bytearray) -> tuple[Frame | None, int]:
        """The first frame in ``buffer``, also when an unfinished candidate stands before it."""
        size = len(buffer)
        if size >= SHORTEST and buffer[0] == START == buffer[7]:  # of glued ones each begins at once
            end = SHORTEST + buffer[9]
            if end <= size and buffer[end - 1] == END:
                raw = bytes(buffer[:end])
                if not (sum(raw) - 2 * raw[-2] - END) & 0xFF:
                    return Frame(raw, self.edition), end
        keep = -1
        at = buffer.find(START)
        while at >= 0:
            if at + SHORTEST > size:
                if at + 7 >= size or buffer[at + 7] == START:
                    keep = at if keep < 0 else keep
            elif buffer[at + 7] == START:
                end = at + SHORTEST + buffer[at + 9]
                if end > size:
                    keep = at if keep < 0 else keep
                elif buffer[end - 1] == END:
                    raw = bytes(buffer[at:end])
                    if not (sum(raw) - 2 * raw[-2] - END) & 0xFF:
                        if at:
                            self.dropped += at - buffer.count(WAKE_UP, 0, at)
                        return Frame(raw, self.edition), end
            at = buffer.find(START, at + 1)
        used = size if keep < 0 else keep
        self.dropped -= buffer.count(WAKE_UP, 0, used)
        return None, used

    def encode(self, frame: Frame) -> bytes:
        """The frame with as many FE before it as it says."""
        return b"\xfe" * frame.preamble + frame.raw if frame.preamble else frame.raw

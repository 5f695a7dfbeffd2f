"""Codec: bytes to frames and back, without I/O and without a clock.

A codec finds frames in a stream that may hold garbage, echo, split and glued
segments. ``receive`` never raises; ``next_frame`` yields what was found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from meterhub.errors import Misuse

MAX_BUFFER = 4096
"""Bytes kept while looking for a frame; longer than any frame of the protocols we speak."""


class Codec(ABC):
    """Bytes to frames and back; one object per stream, it keeps what is not complete yet.

    A frame is any object of the protocol's own; the core never looks inside.
    """

    __slots__ = ()

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Take the next bytes of the stream. Never raises; drops what cannot be part of a frame."""

    @abstractmethod
    def next_frame(self) -> Any | None:
        """The next complete frame, or None when more bytes are needed. Never raises."""

    @abstractmethod
    def encode(self, frame: Any) -> bytes:
        """The bytes to send for ``frame``."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the incomplete bytes, as when the link was cut."""

    dropped: int = 0
    """Bytes thrown away so far because they were no part of a valid frame."""
    echoed: int = 0
    """Bytes of the last frame encoded that came back as an echo and were taken out, where the codec does so."""


class Codecs(dict[str, Codec]):
    """The codecs of one line by protocol, made when first wanted; raises ``Misuse`` for a protocol there is not."""

    __slots__ = ("_makers", "_where")

    def __init__(self, makers: Mapping[str, Callable[[], Codec]], where: str) -> None:
        super().__init__()
        self._makers = makers
        self._where = where

    def __missing__(self, name: str) -> Codec:
        maker = self._makers.get(name)
        if maker is None:
            raise Misuse(f"the line has no codec {name!r}", where=self._where)
        codec = self[name] = maker()
        return codec


class StreamCodec(Codec):
    """A codec that only has to say where a frame is; buffering, limits and counting are done here."""

    __slots__ = ("_buffer", "dropped")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.dropped = 0

    @abstractmethod
    def find(self, buffer: bytearray) -> tuple[Any | None, int]:
        """Look for the first frame in ``buffer``: ``(frame, bytes used)``.

        ``(None, n)`` throws ``n`` bytes away that cannot start a frame and waits for more
        (``(None, 0)``: the buffer may still become a frame). Never raises.
        """

    def receive(self, data: bytes) -> None:
        """Take the next bytes; keeps at most ``MAX_BUFFER`` of them beyond what ``find`` has used."""
        self._buffer += data

    def next_frame(self) -> Any | None:
        """The next complete frame, or None."""
        if not self._buffer:
            return None
        frame, used = self.find(self._buffer)
        if frame is None:
            self.dropped += used
            over = len(self._buffer) - used - MAX_BUFFER
            if over > 0:
                used += over
                self.dropped += over
        if used:
            del self._buffer[:used]
        return frame

    def reset(self) -> None:
        """Forget the incomplete bytes."""
        if self._buffer:
            self._buffer.clear()

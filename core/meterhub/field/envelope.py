"""Envelope: pure wrapping of a frame for a link (a mesh address, a LoRa header). Stackable, no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Envelope(ABC):
    """Wraps what goes out and unwraps what comes in; one object per line."""

    @abstractmethod
    def wrap(self, frame: bytes, address: str) -> bytes:
        """The bytes to send for ``frame``, meant for the meter with ``address``; '' means for all of them.

        Raises ``MeterHubError`` for a frame that cannot be sent, one too long for the radio for instance.
        """

    @abstractmethod
    def unwrap(self, data: bytes) -> bytes:
        """The meter's bytes within ``data``; b'' while more is needed. Never raises."""

    def reset(self) -> None:
        """Forget what is not complete yet: the connection was cut."""
        return


class Stack(Envelope):
    """Several envelopes around one another, the innermost first."""

    def __init__(self, layers: Sequence[Envelope]) -> None:
        self._layers = tuple(layers)

    def wrap(self, frame: bytes, address: str) -> bytes:
        """Wrapped by the innermost first."""
        for layer in self._layers:
            frame = layer.wrap(frame, address)
        return frame

    def unwrap(self, data: bytes) -> bytes:
        """Unwrapped by the outermost first."""
        for layer in reversed(self._layers):
            data = layer.unwrap(data)
        return data

    def reset(self) -> None:
        """Forget what is not complete yet."""
        for layer in self._layers:
            layer.reset()


@dataclass(frozen=True, slots=True)
class EnvelopeType:
    """A kind of envelope that a plugin registers; a line names it under ``envelope:``."""

    name: str
    schema: Mapping[Any, Any]
    open: Callable[[Any, Mapping[str, Any]], Envelope]
    description: str = ""

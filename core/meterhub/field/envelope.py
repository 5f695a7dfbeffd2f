"""Envelope: pure wrapping of a frame for a link (a mesh address, a LoRa header). Stackable, no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class Envelope(ABC):
    """Wraps what goes out and unwraps what comes in; one object per line."""

    @abstractmethod
    def wrap(self, frame: bytes, address: str) -> bytes:
        """The bytes to send for ``frame``, meant for the meter with ``address``."""

    @abstractmethod
    def unwrap(self, data: bytes) -> bytes:
        """The meter's bytes within ``data``; b'' while more is needed. Never raises."""


@dataclass(frozen=True, slots=True)
class EnvelopeType:
    """A kind of envelope that a plugin registers; a line names it under ``envelope:``."""

    name: str
    schema: Mapping[Any, Any]
    open: Callable[[Any, Mapping[str, Any]], Envelope]
    description: str = ""

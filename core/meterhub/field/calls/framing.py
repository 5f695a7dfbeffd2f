"""Framing: how a collector's bytes stand in the stream of its connection. Pure: no I/O, no clock of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meterhub.field.link import ChannelUser


class Framing(ABC):
    """Takes what belongs to the link out of what comes in, and puts it around what goes out. One per connection."""

    __slots__ = ()

    held: bytes
    """What may be the beginning of something; given up with ``strip(b"", final=True)`` when nothing follows."""
    talks = False
    """Has it anything of its own to say, through ``answers``, ``tick`` and ``tell``?"""

    @abstractmethod
    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """``(the meters' bytes, number of signs of life)`` in what came. Never raises."""

    def dress(self, data: bytes) -> bytes:
        """What to send for the line's bytes."""
        return data

    def pause_s(self, size: int) -> float:
        """How long to wait before so many bytes may be sent; 0 when at once."""
        return 0.0

    def speed(self, baud: int) -> bytes | None:
        """What to send to change the speed of the collector's wire; None where that cannot be done."""
        return None

    def answers(self) -> bytes:
        """What the link itself has to send now, such as a receipt; b'' when nothing. It is given out once."""
        return b""

    def tick(self, now: float) -> None:
        """A second has passed; ``now`` in ``Clock.monotonic`` seconds."""
        return

    def tell(self, user: ChannelUser) -> None:
        """Tell the hub what the last bytes said of nodes, signal, or an answer that will not come."""
        return

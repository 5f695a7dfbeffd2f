"""How one wire is set up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineConfig:
    """One wire. ``timeout_s``: how long a meter may take to begin its answer when the protocol does not say."""

    id: str
    baud: int = 2400
    bits: int = 8
    parity: str = "even"
    stop: int = 1
    gap_s: float = 0.0
    """Quiet time before each request."""
    meter_gap_s: float = 0.0
    """Quiet time before each request to the same meter."""
    timeout_s: float = 1.0
    tries: int = 3
    quiet_s: float = 0.1
    """After a time-out the line is silent when no byte came for so long."""
    queue_limit: int = 2000
    trace_size: int = 100
    """Raw frames kept for people to look at."""

    @property
    def byte_s(self) -> float:
        """Seconds that one byte takes: start, data, parity and stop bits (8E1: 11 bits)."""
        return (1 + self.bits + (self.parity != "none") + self.stop) / self.baud

"""The two status bytes ST0 and ST1: valve, battery, and bits of the maker.

By the standard bits 1-0 of ST0 are the valve (00 open, 01 closed, 11 fault) and bit 2 a low battery. Makers differ, so
that places and meanings are options of a profile: ``valve_at``, ``valve_states``, ``battery_at``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from meterhub.texts import mark

OPEN, CLOSED, MOVING, FAULT = mark("open"), mark("closed"), mark("moving"), mark("fault")
UNKNOWN = mark("unknown")
STATES = (OPEN, CLOSED, MOVING, FAULT, UNKNOWN)
STANDARD_STATES = (OPEN, CLOSED, UNKNOWN, FAULT)


class StatusBits(NamedTuple):
    """Where the bits stand, counted from bit 0 of ST0; bit 8 is bit 0 of ST1."""

    valve_at: int = 0
    valve_states: tuple[str, ...] = STANDARD_STATES
    battery_at: int = 2

    def valve(self, raw: bytes) -> str | None:
        """``open``, ``closed``, ``moving``, ``fault``, or None for a code that means none of them."""
        code = int.from_bytes(raw, "little") >> self.valve_at & len(self.valve_states) - 1
        state = self.valve_states[code]
        return None if state == UNKNOWN else state

    def battery_low(self, raw: bytes) -> bool:
        """Whether the battery is low."""
        return bool(int.from_bytes(raw, "little") >> self.battery_at & 1)

    def put(self, valve: str, battery_low: bool, others: int = 0) -> bytes:
        """ST0 and ST1 that say so, with the bits of ``others`` beside."""
        code = self.valve_states.index(valve) if valve in self.valve_states else 0
        mask = len(self.valve_states) - 1 << self.valve_at | 1 << self.battery_at
        word = others & ~mask | code << self.valve_at | battery_low << self.battery_at
        return word.to_bytes(2, "little")

    def reasons(self, raw: bytes) -> tuple[str, ...]:
        """What a refusal's status says in words; the standard has no list of errors."""
        said = [mark(f"valve {state}")] if (state := self.valve(raw)) in (FAULT, MOVING) else []
        said += [mark("battery low")] if self.battery_low(raw) else []
        taken = len(self.valve_states) - 1 << self.valve_at | 1 << self.battery_at
        rest = int.from_bytes(raw, "little") & ~taken
        said += [mark(f"maker's bit {bit % 8} of ST{bit // 8}") for bit in range(8 * len(raw)) if rest >> bit & 1]
        return tuple(said)


STANDARD = StatusBits()


def bits_of(options: Mapping[str, Any]) -> StatusBits:
    """The bits that a meter's options name."""
    states = options.get("valve_states", STANDARD_STATES)
    return StatusBits(options.get("valve_at", 0), tuple(states), options.get("battery_at", 2))

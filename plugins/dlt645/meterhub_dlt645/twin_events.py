"""What the simulated meter remembers of what was done to it: programming, clearing, clock, relay."""

from __future__ import annotations

from dataclasses import dataclass

PROGRAMMED, METER_CLEARED, DEMAND_CLEARED, EVENTS_CLEARED, CLOCK_SET = (f"03300{number}" for number in range(5))
TRIPPED, CLOSED = "1D00", "1E00"
"""Kinds of events, as the identifiers of their records begin."""
OF_1997 = {"B210": PROGRAMMED, "B211": DEMAND_CLEARED, "B212": PROGRAMMED, "B213": DEMAND_CLEARED}
RECORDS_KEPT = 10
COUNTED_BEFORE = 10
"""So many events of each kind a twin has behind it when it starts; they lie on the days before."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: when by the meter's clock, by which operator (hex), and which identifier was written."""

    at_ms: int
    operator: str = "00000000"
    identifier: str = "FFFFFFFF"


class EventLog:
    """The last events of each kind, and how many there were."""

    def __init__(self) -> None:
        self._records: dict[str, list[Event]] = {}
        self._counts: dict[str, int] = {}
        self._before = COUNTED_BEFORE

    def add(self, kind: str, event: Event) -> None:
        """Remember an event."""
        records = self._records.setdefault(kind, [])
        records.append(event)
        del records[:-RECORDS_KEPT]
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def clear(self) -> None:
        """Forget all of them."""
        self._records.clear()
        self._counts.clear()
        self._before = 0

    def count(self, identifier: str) -> int:
        """How many events of the kind that an identifier tells of there were."""
        return self._before + self._counts.get(kind_of(identifier), 0)

    def last(self, identifier: str) -> Event | None:
        """The event that a record's identifier means (its last byte counts back), None for one before the start."""
        records = self._records.get(kind_of(identifier), [])
        back = 1 if len(identifier) == 4 else max(1, int(identifier[6:], 16))
        return records[-back] if back <= len(records) else None


def kind_of(identifier: str) -> str:
    """The kind of event behind an identifier."""
    if len(identifier) == 4:
        return OF_1997.get(identifier, "")
    return identifier[:6] if identifier.startswith("03") else identifier[:4]

"""The fixed data structure (CI 73, and 77 with the high byte first): two counters. EN 13757-3, annex on older meters.

::

    ID (4) | access | status | medium/unit 1 | medium/unit 2 | counter 1 (4) | counter 2 (4)

The low six bits of each medium/unit byte are the unit of its counter; the high two bits are half of the medium.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from meterhub_mbus import dif
from meterhub_mbus.head import Head, nothing, reversed_head, scaled
from meterhub_mbus.meaning import UNKNOWN, Meaning, Table, ladder
from meterhub_mbus.number_types import bcd, signed
from meterhub_mbus.record import Layout
from meterhub_mbus.vif import ValueInformation

BINARY, STORED = 0x01, 0x02
"""Bits of the status: the counters are binary and not BCD; they were stored at a fixed date."""
CLOCK_TIME, CLOCK_DATE, SAME_BUT_HISTORIC, NO_UNIT = 0x00, 0x01, 0x3E, 0x3F

UNITS: Table = {
    CLOCK_TIME: Meaning("time"),
    CLOCK_DATE: Meaning("date"),
    **ladder(0x02, 9, "energy", "kWh", 0, shift=-3),
    **ladder(0x0B, 9, "energy", "J", 3),
    **ladder(0x14, 9, "power", "W", 0),
    **ladder(0x1D, 9, "power", "J/h", 3),
    **ladder(0x26, 9, "volume", "m³", -6),
    **ladder(0x2F, 9, "volume_flow", "m³/h", -6),
    0x38: Meaning("temperature", "°C", -3),
    0x39: Meaning("hca", "hca"),
    NO_UNIT: Meaning("dimensionless"),
}


def fixed_layout(data: bytes, high_first: bool = False) -> Layout:
    """The two counters as records. One with the unit "same, but historic" is storage 1, as are both if stored."""
    status, units = data[5], (data[6] & 0x3F, data[7] & 0x3F)
    places = []
    for unit, start in zip(units, (8, 12), strict=True):
        historic = unit == SAME_BUT_HISTORIC
        head = _head(
            units[0] if historic else unit, bool(status & BINARY), historic or bool(status & STORED), high_first
        )
        places.append((head, start, start + 4))
    return Layout(places, len(data))


@lru_cache(maxsize=256)
def _head(unit: int, binary: bool, stored: bool, high_first: bool) -> Head:
    meaning = UNITS.get(unit, UNKNOWN)
    read: Callable[[bytes], Decimal | int | None] = signed if binary else bcd
    head = Head(
        size=4,
        read=scaled(read, ValueInformation(meaning)),
        function=dif.FUNCTIONS[0],
        storage=int(stored),
        tariff=0,
        device=0,
        quantity=meaning.quantity,
        unit=meaning.unit,
        code=f"{unit:02X}",
    )
    if unit in (CLOCK_TIME, CLOCK_DATE):
        return replace(head, read=nothing, error="clock counters are not interpreted")
    return reversed_head(head) if high_first else head

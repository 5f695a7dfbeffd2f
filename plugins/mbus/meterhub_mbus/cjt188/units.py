"""Unit codes of CJ/T 188: one byte beside a value, such as 2C for m³.

The standard lists the codes in ``STANDARD``. Between them each step is a factor of ten, which one implementation uses,
too; both are understood. Makers give a few codes a meaning of their own: a profile says so with the option ``unit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """What a code says: ``10 ** tens`` of ``word``, of a ``quantity``."""

    word: str
    tens: int
    quantity: str


STANDARD = (0x02, 0x05, 0x08, 0x0A, 0x01, 0x0B, 0x0E, 0x11, 0x13, 0x14, 0x17, 0x1A, 0x29, 0x2C, 0x32, 0x35)

_STEPS: tuple[tuple[int, int, str, str], ...] = (
    (0x02, 3, "Wh", "energy"),
    (0x05, 3, "kWh", "energy"),
    (0x08, 3, "MWh", "energy"),
    (0x01, 1, "J", "energy"),
    (0x0B, 3, "kJ", "energy"),
    (0x0E, 3, "MJ", "energy"),
    (0x11, 3, "GJ", "energy"),
    (0x14, 3, "W", "power"),
    (0x17, 3, "kW", "power"),
    (0x1A, 3, "MW", "power"),
    (0x29, 3, "L", "volume"),
    (0x2C, 3, "m³", "volume"),
    (0x32, 3, "L/h", "flow"),
    (0x35, 3, "m³/h", "flow"),
    (0x40, 3, "J/h", "power"),
    (0x43, 3, "kJ/h", "power"),
    (0x46, 3, "MJ/h", "power"),
    (0x49, 3, "GJ/h", "power"),
)
"""First code, how many steps of ten, word, quantity."""


def _codes() -> Iterator[tuple[int, Unit]]:
    for first, steps, word, quantity in _STEPS:
        for tens in range(steps):
            yield first + tens, Unit(word, tens, quantity)


UNITS: Mapping[int, Unit] = dict(_codes())

FACTORS: Mapping[str, tuple[str, Fraction]] = {
    "Wh": ("energy", Fraction(1)),
    "kWh": ("energy", Fraction(1000)),
    "MWh": ("energy", Fraction(1_000_000)),
    "J": ("energy", Fraction(1, 3600)),
    "kJ": ("energy", Fraction(1000, 3600)),
    "MJ": ("energy", Fraction(1_000_000, 3600)),
    "GJ": ("energy", Fraction(1_000_000_000, 3600)),
    "W": ("power", Fraction(1)),
    "kW": ("power", Fraction(1000)),
    "MW": ("power", Fraction(1_000_000)),
    "J/h": ("power", Fraction(1, 3600)),
    "kJ/h": ("power", Fraction(1000, 3600)),
    "MJ/h": ("power", Fraction(1_000_000, 3600)),
    "GJ/h": ("power", Fraction(1_000_000_000, 3600)),
    "L": ("volume", Fraction(1)),
    "m³": ("volume", Fraction(1000)),
    "L/h": ("flow", Fraction(1)),
    "m³/h": ("flow", Fraction(1000)),
}
"""Each word's quantity, and how much of the smallest unit of it that is, exactly."""

USUAL: Mapping[str, str] = {"energy": "kWh", "power": "kW", "volume": "m³", "flow": "m³/h"}
"""The unit in which a point has its value unless it says another."""
CODES: Mapping[str, int] = {unit.word: code for code, unit in UNITS.items() if not unit.tens}


def converted(value: int, decimals: int, word: str, target: str, scale: int) -> int | None:
    """A value with ``decimals`` in ``word`` as integer of ``scale`` decimals in ``target``; None for another quantity.

    What the target's last digit cannot hold is cut off, as a register with fewer digits would.
    """
    if word == target:
        shift = scale - decimals
        return value * int(10**shift) if shift >= 0 else value // int(10**-shift)
    if word not in FACTORS or target not in FACTORS or FACTORS[word][0] != FACTORS[target][0]:
        return None
    exact = value * FACTORS[word][1] / FACTORS[target][1] * Fraction(10) ** (scale - decimals)
    return int(exact // 1)

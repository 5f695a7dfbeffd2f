"""What a value information code means, and how tables of such meanings are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = (1, 60, 3600, 86400)
"""Seconds in what the last two bits of a duration's code name: second, minute, hour, day."""

SIGNED, UNSIGNED, TIME, OPAQUE = "signed", "unsigned", "time", "opaque"
"""How the data are to be read: a number with sign (types A, B, H), one without (types C, D), a point in time by
its size (types F, G, I, J), or bytes whose inner coding is not interpreted (types K, L and containers)."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The value is ``raw * multiplier * 10 ** exponent`` in ``unit``; ``unit`` is None where there is none."""

    quantity: str
    unit: str | None = None
    exponent: int = 0
    multiplier: int = 1
    coding: str = SIGNED
    shift: int = 0
    """The power of ten from the unit of the standard's table to ours, such as -3 from Wh to kWh."""


UNKNOWN = Meaning("unknown")
"""A reserved code: its number is kept, without any scale."""

Table = Mapping[int, Meaning]


def ladder(first: int, count: int, quantity: str, unit: str, exponent: int, shift: int = 0) -> Table:
    """``count`` codes from ``first`` on, each ten times the one before.

    The first one is 10 ** ``exponent`` of the standard's unit, which is 10 ** ``shift`` of ``unit``.
    """
    return {first + step: Meaning(quantity, unit, exponent + shift + step, shift=shift) for step in range(count)}


def durations(first: int, quantity: str, units: str = "smhd") -> Table:
    """Codes from ``first`` on that differ in the unit of time, all given in seconds; months and years stay."""
    seconds = dict(zip("smhd", SECONDS, strict=True))
    long = {"M": "month", "y": "year"}
    return {
        first + step: Meaning(quantity, long.get(letter, "s"), 0, seconds.get(letter, 1))
        for step, letter in enumerate(units)
    }


def plain(coding: str, names: Mapping[int, str]) -> Table:
    """Codes without unit and scale."""
    return {code: Meaning(name, coding=coding) for code, name in names.items()}

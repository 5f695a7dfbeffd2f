"""Days in the site file: ``2026-10-01``, ``10-01`` of each year, or a day of the week such as ``sat``."""

from __future__ import annotations

from datetime import date
from typing import Any

from meterhub.config.base import Type, words_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEAP_YEAR = 2024
"""A year that has every day."""


def day() -> Type:
    """One day, or one that comes again."""

    def convert(value: Any) -> str:
        words = words_of(value).lower()
        if words in WEEKDAYS:
            return words
        whole = words if len(words) > len("10-01") else f"{LEAP_YEAR}-{words}"
        if date.fromisoformat(whole).isoformat() != whole:
            raise ValueError
        return words

    return Type("day", "a day such as 2026-10-01, 10-01 for each year, or sat", convert)


def is_one_of(today: date, days: tuple[str, ...]) -> bool:
    """Whether a day is meant by any of them."""
    whole = today.isoformat()
    return any(one in (whole, whole[5:], WEEKDAYS[today.weekday()]) for one in days)

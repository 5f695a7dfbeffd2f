"""Dates and times as they stand in records. EN 13757-3, annex A, types F, G, I and J.

A meter's time is local and without zone. What is no time is None: all bits set, a month 0 or 15, a day that the month
does not have, a minute 63 ("every"), or the bit that says that the clock is not to be trusted.

Types K (daylight saving), L (listening window) and M (time with zone) are not interpreted: their bytes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time

Moment = date | datetime | time

INVALID_F, INVALID_I, SUMMER = 0x80, 0x80, 0x80
"""Bits of minute (types F and I), and of hour (F) or second (I)."""


def _year(low: int, high: int, century: int = 0) -> int:
    """The year of a date whose two bytes are ``low`` and ``high``; ``century`` as in type F."""
    year = low >> 5 | (high & 0xF0) >> 1
    if century:
        return 1900 + 100 * century + year if year < 100 else 0
    return 0 if year > 99 else year + (1900 if year > 80 else 2000)


def type_g(raw: bytes) -> date | None:
    """2 bytes: day in D4..D0, month in D3..D0 of the second; the year is the other bits, the low three first."""
    low, high = raw
    try:
        return date(_year(low, high), high & 0x0F, low & 0x1F)
    except ValueError:
        return None


def type_f(raw: bytes) -> datetime | None:
    """4 bytes: minute with D7 invalid, hour with D7 summer time and D6..D5 century, then type G."""
    minute, hour, low, high = raw
    if minute & INVALID_F:
        return None
    try:
        year = _year(low, high, hour >> 5 & 3)
        return datetime(year, high & 0x0F, low & 0x1F, hour & 0x1F, minute & 0x3F)  # noqa: DTZ001 - the meter names no zone
    except ValueError:
        return None


def type_i(raw: bytes) -> datetime | None:
    """6 bytes: second, minute with D7 invalid, hour with day of week in D7..D5, then type G, then the week."""
    second, minute, hour, low, high, _ = raw
    if minute & INVALID_I:
        return None
    try:
        day = (_year(low, high), high & 0x0F, low & 0x1F)
        return datetime(*day, hour & 0x1F, minute & 0x3F, second & 0x3F)  # noqa: DTZ001 - the meter names no zone
    except ValueError:
        return None


def type_j(raw: bytes) -> time | None:
    """3 bytes: second, minute, hour."""
    second, minute, hour = raw
    try:
        return time(hour & 0x1F, minute & 0x3F, second & 0x3F)
    except ValueError:
        return None


BY_SIZE: Mapping[int, Callable[[bytes], Moment | None]] = {2: type_g, 3: type_j, 4: type_f, 6: type_i}
"""Which type a point in time has is told by its size alone."""


def summer_time(raw: bytes) -> bool | None:
    """Whether a point in time says that it is in summer time; None where its type does not tell."""
    if len(raw) == 4:
        return bool(raw[1] & SUMMER)
    return bool(raw[0] & SUMMER) if len(raw) == 6 else None

"""Quarter hours, hours, days and months of local time, as the history counts them.

Every zone's offset is a multiple of a quarter hour, so that a slot lies in one hour and one day of any zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

SLOT_MS = 900_000
"""A quarter hour: the unit by which readings are stored."""

HOUR_MS = 3_600_000


def day_of(ms: int, zone: tzinfo) -> int:
    """The local day, counted from 0001-01-01."""
    return datetime.fromtimestamp(ms // 1000, zone).toordinal()


def day_start(day: int, zone: tzinfo) -> int:
    """The first instant of a local day."""
    local = date.fromordinal(day)
    return int(datetime(local.year, local.month, local.day, tzinfo=zone).timestamp()) * 1000


def hour_start(ms: int, zone: tzinfo) -> int:
    """The first instant of the local hour that ``ms`` lies in."""
    offset = datetime.fromtimestamp(ms // 1000, zone).utcoffset() or timedelta()
    shift_ms = int(offset.total_seconds()) * 1000
    return (ms + shift_ms) // HOUR_MS * HOUR_MS - shift_ms


def month_of(day: int) -> int:
    """The first day of the month that ``day`` lies in."""
    return date.fromordinal(day).replace(day=1).toordinal()


def month_after(day: int) -> int:
    """The first day of the month after the one that ``day`` lies in."""
    return (date.fromordinal(day).replace(day=28) + timedelta(days=4)).replace(day=1).toordinal()


def zone_name(zone: tzinfo) -> str:
    """A name that tells zones apart."""
    return "UTC" if zone is UTC else str(zone)

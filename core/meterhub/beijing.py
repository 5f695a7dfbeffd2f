"""The time of China's payment and message companies: UTC+8 all year round, whatever zone the host is in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from meterhub.clock import utc

ZONE = timezone(timedelta(hours=8), "Beijing")
FORM = "%Y-%m-%d %H:%M:%S"


def text(ms: int) -> str:
    """Epoch milliseconds as ``2026-11-24 15:49:58``, fractions of a second cut off."""
    return utc(ms).astimezone(ZONE).strftime(FORM)


def rfc3339(ms: int) -> str:
    """Epoch milliseconds as ``2026-11-24T15:49:58+08:00``."""
    return utc(ms).astimezone(ZONE).isoformat(timespec="seconds")


def ms(words: str) -> int | None:
    """Epoch milliseconds of a time in one of the forms above, also with fractions; None for anything else."""
    try:
        found = datetime.fromisoformat(words.strip())
    except ValueError:
        return None
    return round((found if found.tzinfo else found.replace(tzinfo=ZONE)).timestamp() * 1000)


def day(ms_: int) -> str:
    """The day in Beijing of epoch milliseconds, as ``20261124``."""
    return utc(ms_).astimezone(ZONE).strftime("%Y%m%d")

"""Durations as people write them: ``200ms``, ``60s``, ``5m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {
    "d": Decimal(86400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
"""Seconds per unit, from the largest to the smallest."""

_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|[dhms])")


def parse_duration(text: str) -> Decimal:
    """The exact seconds of ``1h30m``; raises ``ValueError`` for a number without unit and for anything else."""
    total = Decimal(0)
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(text)
        total += Decimal(part[1]) * UNITS[part[2]]
        at = part.end()
    if not text:
        raise ValueError(text)
    return total


def duration_text(seconds: float) -> str:
    """The same in the largest unit that fits in whole: 5400 gives ``90m``, 0.2 ``200ms``."""
    exact = Decimal(str(seconds))
    if not exact:
        return "0s"
    for unit, size in UNITS.items():
        if exact % size == 0:
            return f"{exact / size:f}{unit}"
    return f"{exact:f}s"

"""Moments in configurations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from meterhub.config.base import Type, words_of


def local_time() -> Type:
    """A moment of a zone's clock, without the zone."""
    needed = "a time such as 2026-12-01 03:00"

    def convert(value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        found = datetime.fromisoformat(words_of(value))
        if found.tzinfo is not None or not 2000 <= found.year < 2100:
            raise ValueError
        return found

    return Type("local_time", needed, convert)

"""What a meter says of its purse: how many purchases it has had, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PurseReading:
    """``count`` is the number of the last purchase, None for meters that keep none; ``balance`` is yuan as text."""

    count: int | None
    balance: str | None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> PurseReading:
        """From the result of ``meter.balance`` or ``meter.credit``."""
        count, balance = result.get("count"), result.get("balance")
        return cls(count if isinstance(count, int) else None, None if balance is None else str(balance))

"""What a meter says of its purse: how many purchases it has had, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class PurseReading:
    """``count`` is the number of the last purchase, None for meters that keep none; ``balance`` is yuan as text.

    ``last`` is the amount of that last purchase, yuan as text, None where the meter does not tell it. Meters that sell
    something else than money say so by ``unit``.
    """

    count: int | None
    balance: str | None
    last: str | None = None
    unit: str = "yuan"

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> PurseReading:
        """From the result of ``meter.balance`` or ``meter.credit``."""
        count = result.get("count")
        balance, last = (None if result.get(name) is None else str(result[name]) for name in ("balance", "last"))
        return cls(count if isinstance(count, int) else None, balance, last, str(result.get("unit", "yuan")))

    def holds(self, fen: int) -> bool | None:
        """Whether this much is left; None where the meter does not tell its balance."""
        return None if self.balance is None else Decimal(self.balance) * 100 >= fen

    def contradicts(self, number: int, fen: int) -> bool:
        """Whether the meter has the purchase ``number`` as its last one, but over another amount."""
        return self.count == number and self.last is not None and Decimal(self.last) * 100 != fen

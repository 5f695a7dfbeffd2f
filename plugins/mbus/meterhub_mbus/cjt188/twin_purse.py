"""The purse of the simulated meter. It keeps a ledger, refuses wrong numbers, and books a repeated one only once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub_mbus.cjt188.purse import coding_of
from meterhub_mbus.cjt188.twin_state import TwinState

OPENING = 20_000
"""What a new meter brings, in the least step of its coding: 200 yuan."""
LEDGER_LIMIT = 1000


class TwinPurse:
    """Money or volume, as the profile's coding says. ``ledger`` holds number and amount; refunds are negative."""

    def __init__(self, spec: Mapping[str, Any], state: TwinState) -> None:
        self.coding = coding_of(spec)
        self.opening = OPENING
        self.ledger: list[tuple[int, int]] = []
        self.booked = 0
        """All purchases, refunds taken off."""
        self.bought = 0
        """All purchases, refunds not taken off: what the meter tells as total."""
        self._state = state
        self._since_ml = state.volume_ml()

    @property
    def number(self) -> int:
        """That of the last purchase, 0 before the first."""
        return self.ledger[-1][0] if self.ledger else 0

    @property
    def remaining(self) -> int:
        """What is left, not below 0: a BCD register knows no debt."""
        used_ml = self._state.volume_ml() - self._since_ml
        cost = used_ml * self._state.prices["price1"] // 1_000_000 if self.coding.form.text.startswith("X") else 0
        return max(0, self.opening + self.booked - cost)

    def books(self) -> bytes:
        """The answer to 8105 without its status."""
        this = abs(self.ledger[-1][1]) if self.ledger else 0
        encode = self.coding.form.encode
        return bytes((self.number,)) + encode(this) + encode(self.bought) + encode(self.remaining)

    def book(self, payload: bytes, back: bool) -> bool:
        """Book a purchase or a refund; False for what the meter refuses. A repetition is answered, not booked."""
        amount = self.coding.form.decode(payload[1:5]) if len(payload) == 5 else None
        if not isinstance(amount, int) or (back and amount > self.remaining):
            return False
        signed = -amount if back else amount
        if self.ledger and self.ledger[-1] == (payload[0], signed):
            return True
        if not self.coding.follows(payload[0], self.number):
            return False
        self.ledger.append((payload[0], signed))
        del self.ledger[:-LEDGER_LIMIT]
        self.booked += signed
        self.bought += 0 if back else amount
        return True

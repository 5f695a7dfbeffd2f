"""The purse of the simulated meter in its three variants. It keeps a ledger and refuses wrong numbers."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub_dlt645.formats import parse
from meterhub_dlt645.purse import MONEY, OPEN, RECHARGE, REFUND, STATUS
from meterhub_dlt645.twin_state import TwinState
from meterhub_dlt645.words import REASONS_SECURITY

LEDGER_LIMIT = 1000
RECORD = {
    "1": "YYMMDDhhmm",
    "2": "XXXX",
    "3": "XXXXXX.XX",
    "4": "XXXXXX.XX",
    "5": "XXXXXX.XX",
    "6": "XXXXXX.XX",
}
"""The items of a purchase record: when, count, amount, before, after, total."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One row of the ledger; money in fen, negative for money taken back."""

    number: int
    amount: int
    at: str
    before: int


class TwinPurse:
    """``variant`` is national, kede or order. ``macs`` are the two that a national purse accepts."""

    def __init__(self, variant: str, state: TwinState, wire_address: bytes, customer: str) -> None:
        self.variant = variant
        self.count = 0
        self.opened = True
        self.limit_fen = 9_999_900
        self.macs = (bytes(4), bytes(4))
        self.ledger: list[Purchase] = []
        self.customer = bytes.fromhex(customer or "0" * 12)[::-1]
        self._state = state
        self._address = wire_address

    def answer(self, identifier: str, content: bytes) -> tuple[bytes | None, int]:
        """What a security command brings: data behind the identifier, or None and the bit of the reason."""
        if identifier == STATUS:
            return self._status(), 0
        if identifier in (OPEN, RECHARGE) and self.variant in ("national", "kede"):
            return self._counted(identifier, content)
        if identifier in (RECHARGE, REFUND) and self.variant == "order" and len(content) == 26:
            return self._ordered(identifier, content)
        return None, 0

    def _status(self) -> bytes:
        remaining = self._state.remaining_fen()
        if self.variant == "kede":
            total = sum(one.amount for one in self.ledger)
            return b"\x00" + MONEY.encode(remaining) + MONEY.encode(total) + parse("XXXX").encode(self.count)
        return remaining.to_bytes(4, "little") + self.count.to_bytes(4, "little") + self.customer + bytes(4)

    def _counted(self, identifier: str, content: bytes) -> tuple[bytes | None, int]:
        if len(content) != 22:
            return None, 0
        if self.variant == "kede":
            amount, count = MONEY.decode(content[:4]), parse("XXXXXXXX").decode(content[4:8])
            if not isinstance(amount, int) or not isinstance(count, int):
                return None, 0
            amount = -amount if content[8] else amount
        else:
            amount, count = int.from_bytes(content[:4], "little"), int.from_bytes(content[4:8], "little")
            if content[8:12] != self.macs[0] or content[18:] != self.macs[1]:
                return None, _bit("ESAM verification failed")
            if content[12:18] != self.customer:
                return None, _bit("customer number mismatch")
        if identifier == OPEN and self.opened:
            return None, _bit("repeated recharge")
        if count == self.count:
            return None, _bit("repeated recharge")
        if count != self.count + 1:
            return None, _bit("recharge count wrong")
        return self._book(count, amount)

    def _ordered(self, identifier: str, content: bytes) -> tuple[bytes | None, int]:
        if content[16:22] != self._address:
            return None, _bit("address abnormal")
        order = int(content[11:3:-1].hex()) if content[11:3:-1].hex().isdigit() else 0
        if any(one.number == order for one in self.ledger):
            return None, _bit("repeated recharge")
        amount = int.from_bytes(content[:4], "little")
        return self._book(order, -amount if identifier == REFUND else amount)

    def _book(self, number: int, amount: int) -> tuple[bytes | None, int]:
        before = self._state.remaining_fen()
        if before + amount > self.limit_fen:
            return None, _bit("over the hoarding limit")
        if before + amount < 0:
            return None, 0
        self.ledger.append(Purchase(number, amount, self._state.moment()[:16], before))
        del self.ledger[:-LEDGER_LIMIT]
        self._state.credited_fen += amount
        self.opened = True
        if self.variant != "order":
            self.count = number
        return b"", 0

    def record(self, identifier: str) -> bytes | None:
        """The data of ``0333xxnn``, the purchase records; None for anything else and for a record there is not."""
        if not identifier.startswith("0333"):
            return None
        back = int(identifier[6:], 16)
        item = identifier[5]
        if not 0 < back <= len(self.ledger):
            return parse("XXXX").encode(self.count) if identifier == "03330201" else None
        row = self.ledger[-back]
        total = sum(one.amount for one in self.ledger if one.amount > 0)
        values: tuple[int | str, ...] = (
            row.at,
            row.number % 10_000,
            abs(row.amount),
            row.before,
            row.before + row.amount,
            total,
        )
        shown = [parse(form).encode(value) for form, value in zip(RECORD.values(), values, strict=True)]
        return b"".join(shown) if item == "F" else shown[int(item) - 1] if item in RECORD else None


def _bit(reason: str) -> int:
    return REASONS_SECURITY.index(reason)

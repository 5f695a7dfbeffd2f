"""Refunds that cannot reach the payer and are sent elsewhere: to a bank card, or to the merchant's own account.

A card is never stored: while a second person is asked, it is kept in memory alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from meterhub.errors import BadInput, Conflict
from meterhub.money.approvals import Deed
from meterhub.money.provider import BankCard
from meterhub.money.room import Money
from meterhub.store.engine import Row

NAME = "money.redirect_refund"
MOST = 500
"""Deeds that wait, of which those about a refund are looked through."""


def card_of(params: Mapping[str, Any]) -> BankCard | None:
    """The card that the params name, None for the merchant's own account; raises ``BadInput`` for half a card."""
    given = [params[name].strip() for name in ("bank", "card", "holder")]
    if any(given) and not all(given):
        raise BadInput("a card has a bank, a number and a holder", hint="or leave all three empty")
    return BankCard(*given) if all(given) else None


class Redirects:
    """Sends such refunds, at once or after a second person's word."""

    def __init__(self, money: Money) -> None:
        self._money = money
        self._cards: dict[int, BankCard] = {}

    async def send(self, refund_no: str, card: BankCard | None, by: str) -> dict[str, Any]:
        """Send it; raises what the company says."""
        await self._money.refunding.redirect(refund_no, card)
        await self._money.counter.redirected(refund_no, "merchant" if card is None else "payer", by)
        return {"state": (await self._money.one("money.refund", no=refund_no))["state"]}

    async def ask(self, refund: Row, card: BankCard | None, deed: Deed) -> dict[str, Any]:
        """Keep the wish for a second person; the table learns the end of the card's number only."""
        await self._money.refunding.stranded(refund["no"])
        waiting = await self._money.all("approvals.waiting", operator=self._money.policy.operator, most=MOST)
        if any(one["action"] == NAME and json.loads(one["params_json"])["refund"] == refund["no"] for one in waiting):
            raise Conflict(
                "this refund waits for a second person already",
                where=refund["no"],
                hint="take that back to ask for something else",
            )
        approval = await self._money.ask_second(deed)
        if card is not None:
            self._cards[approval["id"]] = card
        return {"approval": approval["id"]}

    async def approved(self, approval: Row, by: str) -> dict[str, Any]:
        """A second person says yes: the approval is used up first, so that no word of it sends money twice."""
        params, card = json.loads(approval["params_json"]), self._cards.get(approval["id"])
        if params["to"] and card is None:
            raise Conflict(
                "the card of this refund is not known any more",
                where=approval["about"],
                hint="refuse it and ask again: cards are not stored",
            )
        await self._money.accept(approval["id"], by)
        self._cards.pop(approval["id"], None)
        return await self.send(params["refund"], card, approval["asked_by"])

    def forget(self, approval_id: int) -> None:
        """The wish is over: its card is not needed any more."""
        self._cards.pop(approval_id, None)

"""The deeds of the counter that are carried out at once, or over a limit only after a second person has approved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from meterhub.money.counter import Counter
from meterhub.money.orders import Wish
from meterhub.money.refunds import RefundWish

Params = Mapping[str, Any]
Carry = Callable[[Counter, Params, str], Awaitable[dict[str, Any]]]
"""``carry(counter, params, by)``; the params are plain JSON, so that they can wait in a table."""


async def _sell(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    order = await counter.sell_for_cash(Wish(params["account"], params["fen"], params["key"], by))
    return {"order": order["no"]}


async def _refund(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    wish = RefundWish(params["payment"], params["fen"], params["reason"], params["meter_gives_back"])
    refund = await counter.refund(wish, by)
    return {"refund": None if refund is None else refund["no"]}


async def _apply_late(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    await counter.apply_late(params["payment"], by, params["reason"])
    return {"order": params["order"]}


async def _decide(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    delivery = await counter.resolve_delivery(params["order"], params["decision"], params["reason"], by)
    return {"state": delivery["state"]}


async def _charge(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    account = await counter.charge(params["account"], params["ref"], params["fen"], by, params["reason"])
    return {"account": account["id"]}


async def _close(counter: Counter, params: Params, by: str) -> dict[str, Any]:
    account = await counter.close_account(params["account"], params["fen"], by)
    return {"state": account["state"]}


DEEDS: Mapping[str, Carry] = {
    "money.sell": _sell,
    "money.refund": _refund,
    "money.apply_late": _apply_late,
    "money.decide_delivery": _decide,
    "money.charge": _charge,
    "money.close_account": _close,
}
"""How each deed is carried out, by the name of its action."""

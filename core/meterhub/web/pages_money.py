"""Money for managers: one order with everything behind it, and its receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.actions import Action
from meterhub.errors import BadInput, MeterHubError, NotFound
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.texts import Texts, mark
from meterhub.web.case_cards import delivery_decisions, titles_of, told
from meterhub.web.money_acts import carried_out, new_key
from meterhub.web.order_steps import OrderView
from meterhub.web.order_wire import wire_of
from meterhub.web.order_words import EVENTS, ORDERED_BY, REFUNDED, TOLD, named, tried
from meterhub.web.pages import Site
from meterhub.web.pages_pay import order_view

PAPERS = {"58": mark("58 mm"), "80": mark("80 mm"), "a4": mark("A4")}
VIEW = "money.view"


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/orders/{no}`` and its forms; all for those who are logged in."""
    pages = MoneyPages(site, money)
    return [
        web.get("/orders/{no}", pages.order),
        web.post("/orders/{no}/act", pages.act),
        web.post("/orders/{no}/receipt", pages.receipt),
    ]


class MoneyPages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def order(self, request: web.Request) -> web.Response:
        """Everything about one order."""
        return await self._page(request, await self._seen(request))

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Call an action of money from a form of the page, and show what came of it."""
        view, given = await self._seen(request), await request.post()
        action = self._site.rooms.actions.get(str(given.get("action", "")))
        if not action.name.startswith("money.") or action.target:
            raise BadInput(f"{action.name} is not done here")
        try:
            params = _params(action, given, view)
            result = await carried_out(self._site, request, action.name, "", params, str(given.get("key", "")))
        except MeterHubError as error:
            return await self._page(request, view, error)
        raise web.HTTPSeeOther("/cases" if "approval" in result else f"/orders/{view.order['no']}")

    async def receipt(self, request: web.Request) -> web.Response:
        """A receipt to print; what was printed before is marked as a copy."""
        view, given = await self._seen(request), await request.post()
        paper = str(given.get("paper", ""))
        if paper not in PAPERS:
            raise BadInput("this paper is not known", hint=", ".join(PAPERS))
        if not view.payments:
            raise BadInput("nothing was paid, so there is no receipt")
        copy = await self._money.counter.printed(view.order["no"], request["actor"].id)
        account = await self._money.one("money.account", id=view.order["account"])
        texts = self._site.texts(request)
        return self._site.page(
            request,
            "receipt.html",
            paper=paper,
            copy=copy,
            order=view.order,
            account=account,
            place=self._place(view.order["meter"]),
            delivery=view.delivery,
            payment=view.payments[0],
            company=self._titles(texts).get(view.payments[0]["provider"], view.payments[0]["provider"]),
            amount=yuan(view.order["amount_fen"]),
            back=yuan(view.payments[0]["amount_fen"] - view.left_of(view.payments[0])),
        )

    def _place(self, meter: str) -> str:
        device = self._site.rooms.estate.get(meter)
        return " / ".join(device.place) if device is not None else ""

    async def _seen(self, request: web.Request) -> OrderView:
        """The order; one that may not be seen is not found."""
        view = await order_view(self._site, self._money, request.match_info["no"])
        if not request["actor"].may(VIEW, view.order["scope"]):
            raise NotFound(f"there is no order {view.order['no']}")
        return view

    async def _page(self, request: web.Request, view: OrderView, error: MeterHubError | None = None) -> web.Response:
        texts, no = self._site.texts(request), view.order["no"]
        lines = await self._money.all("ledger.of_order", order_no=no)
        cases = await self._money.all("cases.of_order", order_no=no)
        account = await self._money.one("money.account", id=view.order["account"])
        may = request["actor"].may
        scope = view.order["scope"]
        return self._site.page(
            request,
            "order.html",
            status=400 if error is not None else 200,
            error=error,
            order=view.order,
            amount=yuan(view.order["amount_fen"]),
            holder=account["holder"],
            place=self._place(view.order["meter"]),
            steps=view.steps(texts, self._titles(texts)),
            wire=await wire_of(self._site.rooms, self._money, view, texts) if may("device.read", scope) else None,
            sentence=view.sentence(texts),
            tone=view.tone,
            by=named(ORDERED_BY, view.order["created_by"].rpartition(":")[2], texts),
            attempts=[{**one, "shown": tried(one["state"], texts)} for one in view.attempts],
            payments=_payments(view, texts),
            refunds=self._refunds(view, texts),
            messages=[
                {**one, "shown": self._site.state("messages", one["told"], texts)}
                for one in view.messages
                if one["message_no"]
            ],
            delivery=view.delivery,
            decisions=delivery_decisions(view, texts),
            lines=[{**one, "yuan": yuan(one["fen"]), "event": named(EVENTS, one["kind"], texts)} for one in lines],
            cases=[told(one, texts, view) for one in cases if one["solved_ms"] is None],
            decides=may("money.decide", scope),
            key=new_key(self._site),
            papers=PAPERS,
            titles=self._titles(texts),
        )

    def _refunds(self, view: OrderView, texts: Texts) -> list[dict[str, Any]]:
        return [
            {
                **one,
                "yuan": yuan(one["amount_fen"]),
                "shown": self._site.state("refunds", one["state"], texts),
                "why": named(REFUNDED, one["reason"], texts),
            }
            for one in view.refunds
        ]

    def _titles(self, texts: Texts) -> Mapping[str, str]:
        return titles_of(self._money, texts)


def _payments(view: OrderView, texts: Texts) -> list[dict[str, Any]]:
    """``left`` is what can still be given back, "" for nothing."""
    return [
        {
            **one,
            "yuan": yuan(one["amount_fen"]),
            "left": yuan(left) if (left := view.left_of(one)) else "",
            "told": named(TOLD, one["source"], texts),
        }
        for one in view.payments
    ]


def _params(action: Action, given: Mapping[str, Any], view: OrderView) -> dict[str, Any]:
    """The fields of a form as the action wants them; payments must be of this very order."""
    wanted = [str(key) for key in action.schema]
    params: dict[str, Any] = {name: str(given[name]) for name in wanted if name in given}
    if "order" in wanted:
        params["order"] = view.order["no"]
    if "payment" in params:
        known = {str(one["id"]): one["id"] for one in view.payments}
        if params["payment"] not in known:
            raise BadInput("this payment is not of this order")
        params["payment"] = known[params["payment"]]
    return params

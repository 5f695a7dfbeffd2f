"""Money for managers: one order with everything behind it, the cases that need a person, receipts, the proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.actions import Action
from meterhub.errors import BadInput, MeterHubError, NotAllowed, NotFound
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.texts import Texts, mark
from meterhub.web.money_acts import carried_out, new_key
from meterhub.web.order_steps import OrderView
from meterhub.web.order_wire import wire_of
from meterhub.web.order_words import EVENTS, ORDERED_BY, TOLD, named, tried
from meterhub.web.pages import Site, holds
from meterhub.web.pages_pay import order_view

CASES_SHOWN = 200
PAPERS = {"58": mark("58 mm"), "80": mark("80 mm"), "a4": mark("A4")}
VIEW = "money.view"

ADVICE: Mapping[str, tuple[str, str]] = {
    "uncertain_delivery": (mark("Nobody knows whether the meter has the credit"),
                           mark("Look at the meter's display, then say whether it arrived.")),
    "refused_delivery": (mark("The meter refused the credit"),
                         mark("See why, mend it and send again, or give the money back.")),
    "count_gap": (mark("The meter was credited by somebody else"),
                  mark("Find out who did it, then adopt the meter's count.")),
    "books_differ": (mark("The meter has this purchase over another amount"),
                     mark("Find out whose purchase it is, then say whether ours arrived.")),
    "late_payment": (mark("A payment came too late"), mark("Credit it, or give it back.")),
    "second_payment": (mark("An order was paid twice"), mark("The second payment is given back by itself; look why.")),
    "unmatched_payment": (mark("A payment without an order"), mark("Ask the payment company who paid.")),
    "unknown_order": (mark("A statement about an order that is not ours"), mark("Ask the payment company.")),
    "wrong_amount": (mark("The amount is not that of the order"),
                     mark("Nothing was credited. Ask the payment company.")),
    "wrong_currency": (mark("The currency is not ours"), mark("Nothing was credited. Ask the payment company.")),
    "other_channel": (mark("Another account claims this order"), mark("Nothing was credited. Look for an attack.")),
    "contradiction": (mark("The company contradicts itself"), mark("Compare with the company's own pages.")),
    "refund_refused": (mark("The company refuses a refund"), mark("See its reason; it is asked again every hour.")),
    "refund_abnormal": (mark("A refund cannot reach the payer"),
                        mark("Send it to a bank card, or handle it on the company's own pages.")),
    "refund_closed": (mark("A refund was not carried out"), mark("The credit is the customer's again. Ask why.")),
    "attempt_unknown": (mark("The company gives no answer for days"), mark("Look at the company's own pages.")),
}  # fmt: skip


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/orders/{no}``, ``/cases`` and their forms; all for those who are logged in."""
    pages = MoneyPages(site, money)
    return [
        web.get("/orders/{no}", pages.order),
        web.post("/orders/{no}/act", pages.act),
        web.post("/orders/{no}/receipt", pages.receipt),
        web.get("/cases", pages.cases),
        web.post("/cases/approve", pages.approve),
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
        )

    async def cases(self, request: web.Request) -> web.Response:
        """What needs a person, the oldest first, each with what to do."""
        if not holds(request["actor"], VIEW):
            raise NotAllowed("you may not see money", hint=f"it needs {VIEW}")
        return await self._cases(request)

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """Approve or refuse what somebody else asked for."""
        given = await request.post()
        number = str(given.get("approval", ""))
        params = {"approval": int(number) if number.isdecimal() else 0, "decision": str(given.get("decision", ""))}
        try:
            await carried_out(self._site, request, "money.approve", "", params)
        except MeterHubError as error:
            return await self._cases(request, error)
        raise web.HTTPSeeOther("/cases")

    async def _cases(self, request: web.Request, error: MeterHubError | None = None) -> web.Response:
        texts, most = self._site.texts(request), CASES_SHOWN
        rows = await self._money.all("cases.open", operator=self._money.policy.operator, most=most)
        waiting = await self._money.all("approvals.waiting", operator=self._money.policy.operator, most=most)
        actor = request["actor"]
        return self._site.page(
            request,
            "cases.html",
            status=400 if error is not None else 200,
            error=error,
            cases=[_told(row, texts) for row in rows],
            waiting=[
                {
                    **one,
                    "title": texts.pick(self._site.rooms.actions.get(one["action"]).title),
                    "yuan": yuan(one["amount_fen"]),
                    "mine": one["asked_by"] == actor.id,
                    "href": f"/orders/{one['about']}" if one["about"].startswith("E") else f"/accounts/{one['about']}",
                    "decides": actor.may("money.decide", one["scope"]),
                }
                for one in waiting
                if actor.may(VIEW, one["scope"])
            ],
        )

    def _place(self, meter: str) -> str:
        device = self._site.rooms.estate.get(meter)
        return " / ".join(device.place) if device is not None else ""

    async def _seen(self, request: web.Request) -> OrderView:
        """The order; one that may not be seen is not found."""
        view = await order_view(self._money, request.match_info["no"])
        if not request["actor"].may(VIEW, view.order["scope"]):
            raise NotFound(f"there is no order {view.order['no']}")
        return view

    async def _page(self, request: web.Request, view: OrderView, error: MeterHubError | None = None) -> web.Response:
        texts, no = self._site.texts(request), view.order["no"]
        lines = await self._money.all("ledger.of_order", order_no=no)
        cases = await self._money.all("cases.of_order", order_no=no)
        may = request["actor"].may
        scope = view.order["scope"]
        return self._site.page(
            request,
            "order.html",
            status=400 if error is not None else 200,
            error=error,
            order=view.order,
            amount=yuan(view.order["amount_fen"]),
            steps=view.steps(texts, self._titles(texts)),
            wire=await wire_of(self._site.rooms, self._money, view, texts) if may("device.read", scope) else None,
            sentence=view.sentence(texts),
            tone=view.tone,
            by=named(ORDERED_BY, view.order["created_by"], texts),
            attempts=[{**one, "shown": tried(one["state"], texts)} for one in view.attempts],
            payments=[
                {**one, "yuan": yuan(one["amount_fen"]), "told": named(TOLD, one["source"], texts)}
                for one in view.payments
            ],
            refunds=[
                {**one, "yuan": yuan(one["amount_fen"]), "shown": self._site.state("refunds", one["state"], texts)}
                for one in view.refunds
            ],
            messages=[
                {**one, "shown": self._site.state("messages", one["told"], texts)}
                for one in view.messages
                if one["message_no"]
            ],
            delivery=view.delivery,
            decisions=_decisions(view, texts),
            lines=[{**one, "yuan": yuan(one["fen"]), "event": named(EVENTS, one["kind"], texts)} for one in lines],
            cases=[_told(one, texts) for one in cases if one["solved_ms"] is None],
            decides=may("money.decide", scope),
            key=new_key(self._site),
            papers=PAPERS,
            titles=self._titles(texts),
        )

    def _titles(self, texts: Texts) -> Mapping[str, str]:
        titles = {one.type.name: texts.pick(one.type.title) for one in self._money.merchants}
        return {**titles, "cash": texts(mark("Cash"))}


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


def _decisions(view: OrderView, texts: Texts) -> list[tuple[str, str]]:
    """What can be decided about the delivery as it stands."""
    delivery = view.held
    if delivery is None:
        return []
    if delivery["state"] == "unknown" and delivery["needs_person"]:
        if delivery["takes_back"]:
            return [
                ("arrived", texts(mark("The meter gave it back"))),
                ("not_arrived", texts(mark("The meter still has it"))),
            ]
        return [
            ("arrived", texts(mark("The meter has it"))),
            ("not_arrived", texts(mark("The meter does not have it"))),
        ]
    if delivery["state"] == "planned" and delivery["needs_person"]:
        return [("adopt_count", texts(mark("Adopt the meter's count")))]
    if delivery["state"] == "not_delivered" and view.order["state"] == "paid":
        return [("send_again", texts(mark("Send again")))]
    return []


def _told(case: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    title, advice = ADVICE.get(case["kind"], (case["kind"], ""))
    return {**case, "title": texts(title), "advice": texts(advice)}

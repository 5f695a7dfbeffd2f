"""What needs a person, on one page: each case with what happened, what to do, and the form that decides it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from markupsafe import Markup

from meterhub.errors import BadInput, MeterHubError, NotAllowed, NotFound
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.store.engine import Row
from meterhub.texts import Texts
from meterhub.web import values
from meterhub.web.balance import balance_of
from meterhub.web.case_cards import Card, Choices, facts_of, titles_of, told
from meterhub.web.money_acts import carried_out, new_key
from meterhub.web.pages import Site, holds
from meterhub.web.pages_pay import order_view

CASES_SHOWN = 50
LATELY = 10
MAX_TYPED = 200
VIEW, DECIDE = "money.view", "money.decide"


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/cases`` and its forms; all for those who are logged in."""
    pages = CasePages(site, money)
    return [
        web.get("/cases", pages.show),
        web.post("/cases/approve", pages.approve),
        web.post("/cases/{case}/decide", pages.decide),
        web.get("/cases/{case}/follow", pages.follow),
    ]


class CasePages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def show(self, request: web.Request) -> web.Response:
        """What needs a person, the oldest first."""
        if not holds(request["actor"], VIEW):
            raise NotAllowed("you may not see money", hint=f"it needs {VIEW}")
        return await self._page(request)

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Carry out what was chosen for a case, and say how things stand."""
        given = await request.post()
        card = await self._card(request)
        typed = {name: str(given.get(name, ""))[:MAX_TYPED] for name in ("choice", "reason", "bank", "card", "holder")}
        try:
            choice = card.choice(typed["choice"])
            if choice is None:
                raise BadInput("choose what is to be done")
            params = {**choice.params, **{name: typed[name] for name in choice.asks}, "reason": typed["reason"]}
            key = str(given.get("key", ""))
            result = await carried_out(self._site, request, choice.action, "", params, key)
        except MeterHubError as error:
            card.typed, card.error = typed, error
            return await self._page(request, failed=card)
        done = "" if "approval" in result or card.order is None else f"?done={card.order['no']}"
        raise web.HTTPSeeOther(f"/cases{done}")

    async def follow(self, request: web.Request) -> web.Response:
        """Whether a case that closes by itself has done so: nothing while it has not, then a card that says so."""
        number = request.match_info["case"]
        rows = await self._money.all("cases.one", id=int(number) if number.isdecimal() else 0)
        if not rows or await self._built(request, rows[0]) is None:
            raise NotFound(f"there is no case {number}"[:200])
        if rows[0]["solved_ms"] is None:
            return web.Response(status=204)
        case = told(rows[0], self._site.texts(request))
        visitor, now_ms = self._site.visitor(request), self._site.rooms.clock.now()
        html = self._site.look.draw("_case_closed.html", visitor, now_ms, case=case)
        return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """Approve or refuse what somebody else asked for."""
        given = await request.post()
        number = str(given.get("approval", ""))
        params = {"approval": int(number) if number.isdecimal() else 0, "decision": str(given.get("decision", ""))}
        try:
            await carried_out(self._site, request, "money.approve", "", params)
        except MeterHubError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther("/cases")

    async def _card(self, request: web.Request) -> Card:
        """The case that the path names; one that is closed, or that the visitor may not decide, is not found."""
        number = request.match_info["case"]
        rows = await self._money.all("cases.one", id=int(number) if number.isdecimal() else 0)
        card = await self._built(request, rows[0]) if rows and rows[0]["solved_ms"] is None else None
        if card is None or not card.choices:
            raise NotFound(f"there is no open case {number}", hint="somebody may have decided it already")
        return card

    async def _built(self, request: web.Request, case: Row) -> Card | None:
        """A case as the visitor may see it; None for one that is not theirs to see."""
        texts, may, scope = self._site.texts(request), request["actor"].may, self._money.policy.operator
        orders = await self._money.all("money.order", no=case["order_no"])
        view = await order_view(self._site, self._money, case["order_no"]) if orders else None
        facts: list[tuple[str, str]] = []
        if view is not None:
            scope = view.order["scope"]
            account = await self._money.one("money.account", id=view.order["account"])
            device = self._site.rooms.estate.get(view.order["meter"])
            place = " / ".join(device.place) if device is not None else ""
            says_now = await self._says_now(account, texts) if view.held is not None else ""
            facts = facts_of(view, account["holder"], place, titles_of(self._money, texts), texts, says_now)
        if case["operator"] != self._money.policy.operator or not may(VIEW, scope):
            return None
        decides = may(DECIDE, scope)
        choices = await Choices(self._money, texts).of(case, view) if decides else ()
        shown = told(case, texts, view)
        return Card(
            case, shown["title"], shown["advice"], facts, view.order if view is not None else None, choices, decides
        )

    async def _says_now(self, account: Row, texts: Texts) -> Markup:
        """The balance that the meter told last, with its age; "" when none is known."""
        balance = await balance_of(self._site.rooms, self._money, account)
        if balance.left is None or balance.ms is None:
            return Markup("")
        return Markup("{} · {}").format(balance.left, Markup(values.age(balance.ms, self._site.rooms.zone, texts)))

    async def _page(
        self, request: web.Request, error: MeterHubError | None = None, failed: Card | None = None
    ) -> web.Response:
        texts, operator = self._site.texts(request), self._money.policy.operator
        rows = await self._money.all("cases.open", operator=operator, most=CASES_SHOWN + 1)
        built = [await self._built(request, row) for row in rows[:CASES_SHOWN]]
        cards = [one for one in built if one is not None]
        if failed is not None:
            cards = [failed if one.case["id"] == failed.case["id"] else one for one in cards]
        lately = await self._money.all("cases.lately", operator=operator, most=LATELY)
        return self._site.page(
            request,
            "cases.html",
            status=400 if error is not None or failed is not None else 200,
            error=error,
            done=await self._done(request, texts),
            cards=cards,
            more=len(rows) > CASES_SHOWN,
            waiting=await self._waiting(request, texts),
            lately=[told(one, texts) for one in lately],
            key=new_key(self._site),
        )

    async def _done(self, request: web.Request, texts: Texts) -> Mapping[str, str] | None:
        """How the order stands that was decided just now."""
        rows = await self._money.all("money.order", no=request.query.get("done", ""))
        if not rows or not request["actor"].may(VIEW, rows[0]["scope"]):
            return None
        view = await order_view(self._site, self._money, rows[0]["no"])
        return {"no": rows[0]["no"], "sentence": view.sentence(texts), "tone": view.tone}

    async def _waiting(self, request: web.Request, texts: Texts) -> list[dict[str, Any]]:
        """The deeds that wait for a second person."""
        actor, most = request["actor"], CASES_SHOWN
        rows = await self._money.all("approvals.waiting", operator=self._money.policy.operator, most=most)
        return [self._deed(one, actor, texts) for one in rows if actor.may(VIEW, one["scope"])]

    def _deed(self, one: Row, actor: Any, texts: Texts) -> dict[str, Any]:
        return {
            **one,
            "title": texts.pick(self._site.rooms.actions.get(one["action"]).title),
            "to": str(json.loads(one["params_json"]).get("to", "")),
            "yuan": yuan(one["amount_fen"]),
            "mine": one["asked_by"] == actor.id,
            "href": f"/orders/{one['about']}" if one["about"].startswith("E") else f"/accounts/{one['about']}",
            "decides": actor.may(DECIDE, one["scope"]),
        }

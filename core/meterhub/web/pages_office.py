"""The companies that a site works with, each with a test, and what became of one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.errors import ConfigError, MeterHubError, NotAllowed, NotFound
from meterhub.money.merchants import Merchant
from meterhub.money.room import Money
from meterhub.people.user import operator_of
from meterhub.store.engine import Row
from meterhub.web.money_acts import carried_out
from meterhub.web.pages import Site, holds

VIEW = "money.view"
TESTS = {"payment": ("money.test_merchant", "account"), "message": ("message.test", "notifier")}
"""Which action tries an account, and what its parameter is called."""


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/merchants`` with its tests, ``/messages/{no}``."""
    pages = OfficePages(site, money)
    return [
        web.get("/merchants", pages.companies),
        web.post("/merchants", pages.test),
        web.get("/messages/{no}", pages.message),
    ]


class OfficePages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def companies(self, request: web.Request) -> web.Response:
        """All accounts at companies for payments and messages."""
        return self._companies(request, {})

    async def test(self, request: web.Request) -> web.Response:
        """Try one account, without moving money or sending anything, and say beside it what came of that."""
        given = await request.post()
        kind, name = str(given.get("kind", "")), str(given.get("name", ""))
        if kind not in TESTS:
            raise NotFound("there is no such account")
        action, param = TESTS[kind]
        try:
            told: Mapping[str, Any] = await carried_out(self._site, request, action, "", {param: name})
        except MeterHubError as error:
            told = {"error": error}
        return self._companies(request, {(kind, name): told})

    def _companies(self, request: web.Request, told: Mapping[tuple[str, str], Mapping[str, Any]]) -> web.Response:
        self._may_see(request)
        desk = self._site.rooms.messages
        return self._site.page(
            request,
            "merchants.html",
            merchants=[
                {**self._merchant(one, request), "told": told.get(("payment", one.id))}
                for one in self._money.merchants
                if request["actor"].may(VIEW, one.scope)
            ],
            notifiers=[{"id": one, "told": told.get(("message", one))} for one in (desk.notifiers if desk else ())],
        )

    def _merchant(self, one: Merchant, request: web.Request) -> dict[str, Any]:
        try:
            notices = self._money.paying.notify_url(one)
        except ConfigError:
            notices = ""
        title = self._site.texts(request).pick(one.type.title)
        return {
            "id": one.id,
            "title": one.name or title,
            "company": title,
            "number": one.account.merchant,
            "scope": one.scope,
            "notices": notices,
        }

    async def message(self, request: web.Request) -> web.Response:
        """One message: whom it was for, and each step it took."""
        self._may_see(request)
        message = await self._one(request)
        texts = self._site.texts(request)
        steps = await self._money.all("messages.steps", no=message["no"])
        kinds = self._site.rooms.collections["messages"].field("template").choice_labels
        return self._site.page(
            request,
            "message.html",
            message=message,
            kind=texts.pick(kinds.get(message["template"], message["template"])),
            state=self._site.state("messages", message["state"], texts),
            steps=[{**one, "shown": self._site.state("messages", one["state"], texts)} for one in steps],
        )

    async def _one(self, request: web.Request) -> Row:
        message = await self._money.one("messages.by_no", no=request.match_info["no"])
        if message["operator"] != operator_of(request["actor"]):
            raise NotFound(f"there is no message {message['no']}")
        return message

    def _may_see(self, request: web.Request) -> None:
        if not holds(request["actor"], VIEW):
            raise NotAllowed("you may not see money", hint=f"it needs {VIEW}")

"""The page of an account of money: its credit, its tenant's link, selling, booking, and the steps to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from meterhub.devices.device import Device
from meterhub.errors import BadInput, MeterHubError, NotAllowed, NotFound
from meterhub.messages.notifier import masked
from meterhub.money.room import Money
from meterhub.money.states import Mode
from meterhub.store.engine import Row
from meterhub.web import credit_parts as parts
from meterhub.web.balance import balance_of
from meterhub.web.money_acts import carried_out, new_key
from meterhub.web.pages import Site

VIEW, SELL, DECIDE = "money.view", "money.sell", "money.decide"
ACTS = (
    "money.sell",
    "money.renew_link",
    "money.charge",
    "money.freeze_account",
    "money.close_account",
    "message.set_number",
)
"""What is done from the page of an account."""
ORDERS_SHOWN, LINES_SHOWN, DECISIONS_SHOWN = 8, 20, 10


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/accounts/{id}``, its forms and its sticker; ``/devices/{id}/account`` opens one."""
    pages = CreditPages(site, money)
    return [
        web.get("/accounts/{id}", pages.show),
        web.post("/accounts/{id}/act", pages.act),
        web.get("/accounts/{id}/sticker", pages.sticker),
        web.get("/devices/{device}/account", pages.opening),
        web.post("/devices/{device}/account", pages.open),
    ]


class CreditPages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def show(self, request: web.Request) -> web.Response:
        """Everything about one account."""
        return await self._page(request, await self._seen(request))

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Do one of the deeds of the page; a sale leads to its order, where the receipt is printed."""
        account, given = await self._seen(request), await request.post()
        name = str(given.get("action", ""))
        if name not in ACTS:
            raise BadInput(f"{name} is not done here")
        action = self._site.rooms.actions.get(name)
        params = {str(one): str(given[str(one)]) for one in action.schema if str(one) in given}
        if not action.target:
            params["account"] = account["id"]
        target = account["meter"] if action.target else ""
        try:
            result = await carried_out(self._site, request, name, target, params, str(given.get("key", "")))
        except MeterHubError as error:
            return await self._page(request, account, error)
        if "approval" in result:
            raise web.HTTPSeeOther("/cases")
        raise web.HTTPSeeOther(f"/orders/{result['order']}" if "order" in result else f"/accounts/{account['id']}")

    async def sticker(self, request: web.Request) -> web.Response:
        """The code for the wall beside the meter, to print."""
        account = await self._seen(request)
        link = parts.link_of(self._money, account, self._site.texts(request))
        return self._site.page(request, "sticker.html", account=account, link=link, place=self._place(account))

    async def opening(self, request: web.Request) -> web.StreamResponse:
        """The form that opens an account; leads to the account when there is one."""
        return await self._opening(request, self._meter(request))

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Open it, and lead to its page."""
        device, given = self._meter(request), await request.post()
        params = {name: str(given.get(name, ""))[:200] for name in ("mode", "holder", "phone")}
        try:
            result = await carried_out(self._site, request, "money.open_account", device.id, params)
        except MeterHubError as error:
            return await self._opening(request, device, error, params)
        raise web.HTTPSeeOther(f"/accounts/{result['account']}")

    async def _opening(
        self,
        request: web.Request,
        device: Device,
        error: MeterHubError | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        for account in await self._money.all("money.account_of_meter", name=device.id):
            raise web.HTTPSeeOther(f"/accounts/{account['id']}")
        texts = self._site.texts(request)
        modes = parts.modes(device, texts)
        return self._site.page(
            request, "credit_open.html", status=400 if error else 200, device=device, modes=modes,
            error=error, typed=typed or {"mode": modes[0]["value"], "holder": "", "phone": ""},
        )  # fmt: skip

    def _meter(self, request: web.Request) -> Device:
        device = self._site.device(request)
        if device.kind != "meter":
            raise NotFound(f"{device.id} is no meter")
        if not request["actor"].may(SELL, device.scope):
            raise NotAllowed("you may not do this here", hint=f"it needs {SELL}")
        return device

    async def _seen(self, request: web.Request) -> Row:
        """The account; one that may not be seen is not found."""
        account = await self._money.one("money.account", id=request.match_info["id"])
        if not request["actor"].may(VIEW, account["scope"]):
            raise NotFound(f"there is no account {account['id']}")
        return account

    def _place(self, account: Row) -> str:
        device = self._site.rooms.estate.get(account["meter"])
        return " / ".join(device.place) if device is not None else ""

    async def _page(self, request: web.Request, account: Row, error: MeterHubError | None = None) -> web.Response:
        texts, money, may, scope = self._site.texts(request), self._money, request["actor"].may, account["scope"]
        server = account["mode"] == Mode.SERVER
        decisions = await money.all("money.decisions_of", account=account["id"], most=DECISIONS_SHOWN) if server else []
        return self._site.page(
            request,
            "credit.html",
            status=400 if error is not None else 200,
            error=error,
            account=account,
            place=self._place(account),
            mode=parts.mode_name(account["mode"], texts),
            state=self._site.state("accounts", account["state"], texts),
            balance=await balance_of(self._site.rooms, money, account),
            books=await parts.books_of(money, account, texts),
            orders=await parts.orders_of(self._site, money, account, ORDERS_SHOWN, texts),
            lines=await parts.lines_of(money, account, LINES_SHOWN, texts),
            decisions=[{**one, "shown": parts.decided(one, texts)} for one in decisions],
            link=parts.link_of(money, account, texts),
            phone=masked(account["phone"]) if account["phone"] else "",
            ending=await parts.ending_of(money, account, texts),
            tiles=parts.tiles_of(money),
            key=new_key(self._site),
            sells=may(SELL, scope) and account["state"] == "open",
            manages=may(SELL, scope) and account["state"] != "closed",
            decides=may(DECIDE, scope) and account["state"] != "closed",
        )

"""The tenant's page: what is left, what is owed, how to pay, and one timeline that follows the payment. No login.

It knows no payment company: each brings its title, its ways to pay, and if it likes its own part of the page.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jinja2
from aiohttp import web
from markupsafe import Markup

from meterhub.devices.device import Status
from meterhub.errors import BadInput, MeterHubError, NotFound, ProviderRefused, ProviderUnknown, StoreError
from meterhub.money import ledger
from meterhub.money.amount import parse_yuan, yuan
from meterhub.money.merchants import Merchant
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.money.policy import Policy
from meterhub.money.room import Money
from meterhub.store.engine import Row
from meterhub.texts import LANGUAGES, Texts, mark
from meterhub.web import qr
from meterhub.web.addresses import client_address
from meterhub.web.balance import Balance, balance_of
from meterhub.web.middleware import for_strangers
from meterhub.web.order_steps import AGAIN, OrderView
from meterhub.web.pages import Site
from meterhub.web.pages_login import YEAR_S
from meterhub.web.tenant_now import now_of

ORDERS_SHOWN = 5
TENANT, PASSER_BY = "tenant", "passer-by"
"""Who orders: whoever has the unguessable link of the sticker, or whoever typed the number of a meter."""
AGENT_MOST = 500
MAX_TYPED = 60
NOTHING: Mapping[str, str] = MappingProxyType({"amount": "", "tile": "", "way": ""})
"""What is typed in a form that nobody has sent."""


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/pay/{name}`` and ``/pay/order/{no}``; those of notices are added with the API."""
    pages = PayPages(site, money)
    return [
        web.get("/pay/order/{no}", pages.order),
        web.get("/pay/order/{no}/steps", pages.steps),
        web.post("/pay/order/{no}/look", pages.look),
        web.post("/pay/order/{no}/open", pages.open),
        web.get("/pay/part/{type}.js", pages.script),
        web.get("/pay/{name}", pages.show),
        web.post("/pay/{name}", pages.start),
    ]


async def order_view(site: Site, money: Money, no: str) -> OrderView:
    """All rows about an order; raises ``NotFound``."""
    order = await money.one("money.order", no=no)
    deliveries = await money.all("money.delivery_of_order", order_no=no)
    messages = await money.all("outbox.of_order", order_no=no)
    device = site.rooms.estate.get(order["meter"])
    return OrderView(
        order,
        await money.all("money.attempts_of_order", order_no=no),
        await money.all("money.payments_of_order", order_no=no),
        await money.all("money.refunds_of_order", order_no=no),
        deliveries[0] if deliveries else None,
        messages,
        await money.all("money.withdrawals_of_order", order_no=no),
        device is None or device.status not in (Status.LINK_DOWN, Status.NO_ANSWER),
    )


class PayPages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def show(self, request: web.Request) -> web.Response:
        """Balance, debt, amounts, ways to pay, the latest orders; by the meter's number only what paying needs."""
        language = request.query.get("language", "")
        if language in LANGUAGES:
            answer = web.HTTPSeeOther(request.path)
            answer.set_cookie("language", language, max_age=YEAR_S, samesite="Lax")
            raise answer
        account = await self._account(request)
        return await self._page(request, account)

    async def start(self, request: web.Request) -> web.StreamResponse:
        """Create the order and open the payment; a repeat of the form is the same order."""
        account, given = await self._account(request), await request.post()
        typed = {name: str(given.get(name, ""))[:MAX_TYPED] for name in NOTHING}
        try:
            amount = typed["amount"] or typed["tile"]
            merchant, way = self._chosen(account, typed["way"], request)
            by = TENANT if by_link(request, account) else PASSER_BY
            wish = Wish(account["id"], parse_yuan(amount), str(given.get("key", ""))[:255], by)
            order = await self._money.order(wish)
        except MeterHubError as error:
            return await self._page(request, account, error, typed)
        await self._opened(request, order["no"], account, merchant, way)
        raise web.HTTPSeeOther(f"/pay/order/{order['no']}?way={merchant.id}.{way}")

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Pay an order that is there, by this way or another."""
        order = await self._money.one("money.order", no=request.match_info["no"])
        account = await self._money.one("money.account", id=order["account"])
        given = await request.post()
        merchant, way = self._chosen(account, str(given.get("way", "")), request)
        await self._opened(request, order["no"], account, merchant, way)
        raise web.HTTPSeeOther(f"/pay/order/{order['no']}?way={merchant.id}.{way}")

    async def order(self, request: web.Request) -> web.Response:
        """The timeline of an order and, while it can be paid, what to scan or to tap."""
        view = await order_view(self._site, self._money, request.match_info["no"])
        account = await self._money.one("money.account", id=view.order["account"])
        checkout = await self._checkout(request, view, account)
        if checkout is not None and "failed" in checkout:  # what the company said of it is stored by now
            view = await order_view(self._site, self._money, view.order["no"])
            checkout = checkout if view.word == "checking" else None
        return self._site.page(
            request, "pay_order.html", account=account, checkout=checkout, **self._timeline(request, view),
            ways=self._ways(account, request, self._site.texts(request)), place=self._place(account), typed=NOTHING,
            back=view.order["meter"] if view.order["created_by"] == PASSER_BY else account["link"],
        )  # fmt: skip

    async def steps(self, request: web.Request) -> web.Response:
        """The timeline alone, for the page to draw anew; when the order is over the whole page is loaded again."""
        view = await order_view(self._site, self._money, request.match_info["no"])
        now_ms = self._site.rooms.clock.now()
        visitor = self._site.visitor(request)
        html = self._site.look.draw("_pay_steps.html", visitor, now_ms, **self._timeline(request, view))
        headers = {"Cache-Control": "no-store"}
        if request.query.get("word") != view.word:
            headers["HX-Refresh"] = "true"
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def look(self, request: web.Request) -> web.StreamResponse:
        """The payer says it is paid: ask the company now."""
        order = await self._money.one("money.order", no=request.match_info["no"])
        await self._money.paying.look_now(order["no"])
        raise web.HTTPSeeOther(f"/pay/order/{order['no']}")

    async def script(self, request: web.Request) -> web.StreamResponse:
        """The script that a payment company brings for its part of the page."""
        for merchant in self._money.merchants:
            kind = merchant.type
            if kind.name == request.match_info["type"] and kind.script is not None:
                return web.FileResponse(kind.script, headers={"Content-Type": "text/javascript; charset=utf-8"})
        raise NotFound("there is no such script")

    async def _account(self, request: web.Request) -> Row:
        rows = await self._money.all("money.account_of_meter", name=request.match_info["name"])
        if not rows:
            raise NotFound("nothing can be paid here", hint="is the address that of the sticker at your meter?")
        return rows[0]

    async def _page(
        self, request: web.Request, account: Row, error: MeterHubError | None = None, typed: Mapping[str, str] = NOTHING
    ) -> web.Response:
        texts = self._site.texts(request)
        known, policy = by_link(request, account), self._money.policy
        params = {"account": account["id"], "most": ORDERS_SHOWN}
        orders = await self._money.all("money.orders_of_account", **params) if known else []
        balance = await balance_of(self._site.rooms, self._money, account) if known else None
        return self._site.page(
            request,
            "pay.html",
            status=200 if error is None else error.status if isinstance(error, StoreError) else 400,
            account=account,
            name=request.match_info["name"],
            balance=balance,
            error=None if error is None else for_strangers(error),
            typed=typed,
            key=f"{self._site.rooms.clock.random.getrandbits(96):024x}",
            tiles=_tiles(policy, balance),
            least=yuan(policy.least_fen),
            most=yuan(policy.most_fen),
            ways=self._ways(account, request, texts),
            orders=[
                {**row, "yuan": yuan(row["amount_fen"]), "shown": self._site.state("orders", row["state"], texts)}
                for row in orders
            ],
            place=self._place(account),
            now=now_of(self._site, account, request.query.get("now", ""), texts) if known else None,
        )

    def _place(self, account: Row) -> str:
        device = self._site.rooms.estate.get(account["meter"])
        return " / ".join(device.place) if device is not None and device.place else str(account["meter"])

    def _ways(self, account: Row, request: web.Request, texts: Texts) -> list[dict[str, str]]:
        agent = request.headers.get("User-Agent", "")[:AGENT_MOST]
        found = []
        for merchant in self._money.merchants.serving(account["scope"]):
            for way in merchant.account.ways(agent):
                names = {"company": texts.pick(merchant.type.title), "title": texts.pick(way.title)}
                found.append({"value": f"{merchant.id}.{way.name}", "tint": merchant.type.tint, **names})
        return found

    def _chosen(self, account: Row, value: str, request: web.Request) -> tuple[Merchant, str]:
        offered = [one["value"] for one in self._ways(account, request, self._site.texts(request))]
        if value not in offered:
            raise BadInput("choose how to pay")
        merchant_id, _, way = value.rpartition(".")
        return self._money.merchants.get(merchant_id), way

    async def _opened(
        self, request: web.Request, no: str, account: Row, merchant: Merchant, way: str, *, may_leave: bool = False
    ) -> Any:
        """Open the payment; when the company gives no clear answer the order's page says that we are asking.

        A way that must know the payer first leads away to the company, from the order's page alone.
        """
        texts, company = self._site.texts(request), merchant.account
        subject = f"{texts(mark('Meter'))} {account['meter']}"
        address = client_address(request, self._site.rooms.trusted_proxies)
        agent = request.headers.get("User-Agent", "")[:AGENT_MOST]
        away = company.identify_url(way, f"{self._money.paying.order_url(no)}?way={merchant.id}.{way}")
        if away and "code" not in request.query:
            if may_leave:
                raise web.HTTPFound(away)
            return None
        try:
            payer = await company.identify(request.query) if away else ""
            return await self._money.paying.open(no, merchant, way, subject, Browser(agent, address, payer))
        except (ProviderUnknown, ProviderRefused):
            return None

    async def _checkout(self, request: web.Request, view: OrderView, account: Row) -> Mapping[str, Any] | None:
        if view.word not in ("created", "paying") or "way" not in request.query:
            return None
        try:
            merchant, way = self._chosen(account, request.query["way"], request)
        except MeterHubError:
            return None
        checkout = await self._opened(request, view.order["no"], account, merchant, way, may_leave=True)
        if checkout is None:
            return {"failed": True}
        kind, texts = merchant.type, self._site.texts(request)
        own = self._own_part(merchant, checkout, view, texts)
        image = qr.svg(checkout.qr, texts(mark("QR code to pay"))) if checkout.qr and not own else ""
        return {
            "title": texts.pick(kind.title),
            "qr": image,
            "url": checkout.url or (checkout.qr if checkout.qr.startswith(("http://", "https://")) else ""),
            "own": own,
            "params": json.dumps(dict(checkout.params)),
            "script": f"/pay/part/{kind.name}.js" if kind.script is not None else "",
        }

    def _own_part(self, merchant: Merchant, checkout: Any, view: OrderView, texts: Texts) -> Markup | str:
        if merchant.type.template is None:
            return ""
        source = merchant.type.template.read_text(encoding="utf-8")
        template = jinja2.Environment(autoescape=True).from_string(source)
        return Markup(template.render(checkout=checkout, order=view.order, _=texts).strip())

    def _timeline(self, request: web.Request, view: OrderView) -> dict[str, Any]:
        texts = self._site.texts(request)
        titles = {one.type.name: texts.pick(one.type.title) for one in self._money.merchants}
        titles[ledger.CASH] = texts(mark("Cash"))
        return {
            "order": view.order,
            "amount": yuan(view.order["amount_fen"]),
            "steps": view.steps(texts, titles),
            "sentence": view.sentence(texts),
            "word": view.word,
            "again": view.word in AGAIN,
            "tone": view.tone,
            "over": view.over,
        }


def _tiles(policy: Policy, balance: Balance | None) -> list[str]:
    """The amounts that are offered, what is owed before all others."""
    owed = [parse_yuan(balance.owed)] if balance is not None and balance.owed else []
    offered = dict.fromkeys([*owed, *policy.tiles_fen])
    return [yuan(fen) for fen in offered if policy.least_fen <= fen <= policy.most_fen]


def by_link(request: web.Request, account: Row) -> bool:
    """Whether the visitor came by the unguessable link: only that shows what concerns the tenant alone."""
    return hmac.compare_digest(request.match_info["name"].encode(), str(account["link"]).encode())

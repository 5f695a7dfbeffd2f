"""What a tenant sees beyond paying: the meter read on demand, the history of use and payments. By the link alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meterhub.actions import System
from meterhub.cause import TENANT
from meterhub.clock import utc
from meterhub.devices.device import Device
from meterhub.errors import MeterHubError, NotFound
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.people.throttle import Buckets
from meterhub.store.engine import Row
from meterhub.texts import Texts, mark
from meterhub.web.pages import Site
from meterhub.web.pages_pay import by_link
from meterhub.web.tenant_use import (
    SPANS,
    Period,
    balance_entity,
    main_register,
    money_by_month,
    rows_of,
    total,
    used,
)

ANSWER_S = 6.0
"""How long the page waits for the meter before it says that it has been asked."""
ORDERS_SHOWN = 100
SPAN_WORDS = {"day": mark("One day"), "month": mark("One month"), "year": mark("One year")}
BEFORE_WORDS = {"day": mark("the day before"), "month": mark("the month before"), "year": mark("the year before")}


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/pay/{name}/now`` and ``/pay/{name}/use``."""
    pages = UsePages(site, money)
    return [web.post("/pay/{name}/now", pages.now), web.get("/pay/{name}/use", pages.use)]


class UsePages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money
        self._often = Buckets(site.rooms.clock, burst=2, refill_s=30)

    async def now(self, request: web.Request) -> web.StreamResponse:
        """Read the tenant's meter, and lead back to the page with what came of it."""
        account = await self._account(request)
        device = self._site.rooms.estate.get(account["meter"])
        word = "failed" if device is None else await self._asked(account, device)
        raise web.HTTPSeeOther(f"/pay/{account['link']}?now={word}#now")

    async def _asked(self, account: Row, device: Device) -> str:
        if math.ceil(self._often.take(account["id"])):
            return "often"
        wanted = [one for one in (main_register(device), balance_entity(device)) if one is not None]
        params = {"entities": [one.definition.key for one in wanted]}
        try:
            run = await self._site.rooms.actions.call("meter.read", device.id, params, actor=System(TENANT))
        except MeterHubError:
            return "failed"
        assert run.done is not None
        try:
            async with self._site.rooms.clock.timeout(ANSWER_S):
                await asyncio.shield(run.done)
        except TimeoutError:
            return "waits"
        return "read" if run.error is None else "failed"

    async def use(self, request: web.Request) -> web.Response:
        """Consumption of a day, a month or a year with the one before, and the money of that year."""
        account, texts, rooms = await self._account(request), self._site.texts(request), self._site.rooms
        today = utc(rooms.clock.now()).astimezone(rooms.zone).date()
        period = Period.of(request.query.get("by", "month"), request.query.get("at", ""), today)
        opened = utc(account["opened_ms"]).astimezone(rooms.zone).date()
        back, on = period.moved(-1), period.moved(1)
        orders = await self._money.all("money.orders_of_account", account=account["id"], most=ORDERS_SHOWN)
        device = rooms.estate.get(account["meter"])
        return self._site.page(
            request,
            "pay_use.html",
            account=account,
            place=" / ".join(device.place) if device is not None and device.place else account["meter"],
            period=period.name,
            back=_href(back) if back.moved(1).start > opened else "",
            on=_href(on) if on.start <= today else "",
            chart=await self._chart(account, device, period, texts),
            money=await money_by_month(self._money, account, period.start.year, rooms.zone),
            year=period.start.year,
            orders=[
                {**row, "yuan": yuan(row["amount_fen"]), "shown": self._site.state("orders", row["state"], texts)}
                for row in orders
            ],
        )

    async def _chart(self, account: Row, device: Device | None, period: Period, texts: Texts) -> dict[str, Any] | None:
        """What ``_chart.html`` draws; None where nothing is counted or kept."""
        rooms = self._site.rooms
        entity = main_register(device) if device is not None else None
        if entity is None or rooms.store is None:
            return None
        definition, zone = entity.definition, rooms.zone
        today = utc(rooms.clock.now()).astimezone(zone).date()
        more = (account["opened_ms"], rooms.clock.now(), zone)
        parts = await used(rooms.store, entity, period, *more)
        before = await used(rooms.store, entity, period.moved(-1), *more)
        rows = rows_of(period, definition, parts, before, zone)
        title = texts(mark("%(name)s: consumption")) % {"name": texts.pick(definition.name)}
        summed = total(definition, parts)
        note = texts(mark("Total %(sum)s %(unit)s")) % {"sum": summed, "unit": definition.unit} if summed else ""
        return {
            "title": title,
            "unit": definition.unit,
            "column": f"{title} ({definition.unit})" if definition.unit else title,
            "form": "bars",
            "zone": str(zone),
            "note": note,
            "before": texts(BEFORE_WORDS[period.span]) if any(row["before"] for row in rows) else "",
            "rows": rows if any(row["v"] for row in rows) else [],
            "entities": [],
            "whole": True,
            "ranges": [
                {
                    "label": texts(SPAN_WORDS[span]),
                    "href": _href(period.as_span(span, today)),
                    "on": span == period.span,
                }
                for span in SPANS
            ],
        }

    async def _account(self, request: web.Request) -> Row:
        """The account of the link; whoever knows the number of a meter alone finds nothing here."""
        rows = await self._money.all("money.account_of_meter", name=request.match_info["name"])
        if not rows or not by_link(request, rows[0]):
            raise NotFound("there is nothing here", hint="is the address that of the sticker at your meter?")
        return rows[0]


def _href(period: Period) -> str:
    return f"?{urlencode({'by': period.span, 'at': period.name})}"

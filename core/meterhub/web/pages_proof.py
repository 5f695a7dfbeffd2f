"""The proofs: each night's comparison of bills, orders, ledger and meters, and the signed file of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.errors import NotAllowed
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.store.engine import Row
from meterhub.texts import mark
from meterhub.web.pages import Site, holds

NIGHTS = 60
NOTHING: Mapping[str, Any] = {"checks": [], "corrections": [], "books_fen": {}}
"""What a proof holds at least; older ones know no corrections."""
CHECKS: Mapping[str, str] = {
    "bills": mark("Bills of the payment companies"),
    "funds": mark("Bills equal what was booked to the merchant's account"),
    "ledger": mark("Books equal their lines and sum to zero"),
    "clearing": mark("Payments equal what the companies hold"),
    "orders": mark("Orders, payments and bills belong together"),
    "deliveries": mark("Credit sent equals credit in the books"),
    "meters": mark("Counts in the meters equal those in the books"),
    "waiting": mark("Nothing waits, nobody is needed"),
}


def routes(site: Site, money: Money) -> Sequence[web.RouteDef]:
    """``/proofs`` and ``/proofs/{day}``, as a page and as the signed file."""
    pages = ProofPages(site, money)
    return [
        web.get("/proofs", pages.show),
        web.get("/proofs/{day:[0-9-]+}.json", pages.content),
        web.get("/proofs/{day:[0-9-]+}.sig", pages.signature),
        web.get("/proofs/{day:[0-9-]+}", pages.show),
    ]


class ProofPages:
    """The handlers."""

    def __init__(self, site: Site, money: Money) -> None:
        self._site = site
        self._money = money

    async def show(self, request: web.Request) -> web.Response:
        """One night, the newest when none is named, and the list of the others."""
        nights = await self._nights(request)
        day = request.match_info.get("day") or (nights[0]["day"] if nights else "")
        one = await self._one(request, day) if day else None
        texts = self._site.texts(request)
        content = {**NOTHING, **(json.loads(one["content_json"]) if one is not None else {})}
        checks = [{**check, "title": texts(CHECKS.get(check["name"], check["name"]))} for check in content["checks"]]
        books = [(book, yuan(fen)) for book, fen in content["books_fen"].items()]
        lines = {"checks": checks, "books": books, "corrections": content["corrections"]}
        return self._site.page(request, "proofs.html", one=one, nights=nights, **lines)

    async def content(self, request: web.Request) -> web.Response:
        """The file that was signed, byte for byte."""
        row = await self._one(request, request.match_info["day"])
        return _file(row["content_json"], f"{row['day']}.json", "application/json")

    async def signature(self, request: web.Request) -> web.Response:
        """Its signature: Ed25519, Base64; the public key lies beside the files, ``proof.pub``."""
        row = await self._one(request, request.match_info["day"])
        return _file(row["signature"], f"{row['day']}.sig", "text/plain")

    async def _nights(self, request: web.Request) -> list[Row]:
        if not holds(request["actor"], "money.view"):
            raise NotAllowed("you may not see money", hint="it needs money.view")
        return await self._money.all("proof.latest", operator=self._money.policy.operator, most=NIGHTS)

    async def _one(self, request: web.Request, day: str) -> Row:
        await self._nights(request)
        return await self._money.one("proof.one", operator=self._money.policy.operator, day=day)


def _file(text: str, name: str, media: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=text.encode(), content_type=media, headers=headers)

"""Money on the page "Today": what came in and went back, and what waits. Each figure leads to the list behind it."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from aiohttp import web

from meterhub.clock import utc
from meterhub.money.amount import yuan
from meterhub.texts import Texts, mark
from meterhub.web.pages import Site

VIEW = "money.view"


async def money_today(site: Site, request: web.Request, texts: Texts) -> list[dict[str, Any]]:
    """Label, figure, unit, href and tone of each; none for whoever may not see money, or has no account."""
    money = site.rooms.money
    if money is None or not request["actor"].may(VIEW, money.policy.operator):
        return []
    today = utc(site.rooms.clock.now()).astimezone(site.rooms.zone).date()
    since_ms = int(datetime.combine(today, time(), tzinfo=site.rooms.zone).timestamp() * 1000)
    (row,) = await money.all("money.today", operator=money.policy.operator, since_ms=since_ms)
    if not row["accounts"]:
        return []
    person = row["cases"] + row["approvals"]
    figures = [
        (mark("Paid today"), yuan(row["paid_fen"]), mark("yuan"), f"/payments?q={today}", ""),
        (mark("Given back today"), yuan(row["back_fen"]), mark("yuan"), f"/refunds?q={today}", ""),
        (mark("Paid, not done yet"), row["waiting"], "", "/orders?state=paid", "info" if row["waiting"] else ""),
        (mark("Needs a person"), person, "", "/cases", "warn" if person else ""),
        (mark("Messages not sent today"), row["untold"], "", f"/messages?state=failed&q={today}", ""),
    ]
    return [
        {"label": texts(label), "figure": figure, "unit": texts(unit) if unit else "", "href": href, "tone": tone}
        for label, figure, unit, href, tone in figures
    ]

"""What the page of an account is put together from: its books, orders, link, and how far it is from its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from markupsafe import Markup

from meterhub.devices.device import Device
from meterhub.money import ledger
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.money.states import Mode
from meterhub.store.engine import Row
from meterhub.texts import Texts, mark
from meterhub.web import qr, values
from meterhub.web.balance import balance_of, held
from meterhub.web.order_words import EVENTS, named
from meterhub.web.pages import Site

MODES: Mapping[str, tuple[str, str]] = {
    "meter": (mark("In the meter"), mark("The meter counts its credit down and cuts off at zero by itself.")),
    "server": (mark("On the server"), mark("The books keep the credit; at zero the supply is cut off by command.")),
    "postpaid": (mark("Paid later"), mark("What was used is owed and paid by bill.")),
}
"""Where an account keeps its credit, and what that means."""


async def credit_card(site: Site, request: web.Request, device: Device) -> dict[str, Any] | None:
    """The account of a meter in short, for its own page; None for whoever may not see money there."""
    money, may, texts = site.rooms.money, request["actor"].may, site.texts(request)
    if money is None or device.kind != "meter" or not may("money.view", device.scope):
        return None
    rows = await money.all("money.account_of_meter", name=device.id)
    if not rows:
        return {"account": None, "opens": may("money.sell", device.scope)}
    account = rows[0]
    return {
        "account": account,
        "mode": mode_name(account["mode"], texts),
        "state": site.state("accounts", account["state"], texts),
        "balance": await balance_of(site.rooms, money, account),
        "link": link_of(money, account, texts),
    }


def mode_name(mode: str, texts: Texts) -> str:
    """Where the credit is, in words."""
    return texts(MODES[mode][0])


def modes(device: Device, texts: Texts) -> list[dict[str, str]]:
    """The modes that suit a meter: only one with a purse can keep credit itself."""
    fitting = [one for one in MODES if one != Mode.METER or "meter.credit" in device.commands]
    return [{"value": one, "title": texts(MODES[one][0]), "about": texts(MODES[one][1])} for one in fitting]


def tiles_of(money: Money) -> list[str]:
    """The amounts that are offered, in yuan."""
    policy = money.policy
    return [yuan(fen) for fen in policy.tiles_fen if policy.least_fen <= fen <= policy.most_fen]


async def books_of(money: Money, account: Row, texts: Texts) -> list[dict[str, Any]]:
    """What the books of an account hold, those that suit its mode."""
    name, mode = account["id"], account["mode"]
    wanted = [(ledger.prepaid(name), texts(mark("Credit on the server")), 1)] if mode != Mode.POSTPAID else []
    if mode == Mode.METER:
        wanted += [
            (ledger.in_flight(name), texts(mark("On its way to the meter")), 1),
            (ledger.on_meter(name), texts(mark("Sent to the meter in all")), 1),
        ]
    else:
        wanted.append((ledger.receivable(name), texts(mark("Owed")), -1))
    return [{"label": label, "yuan": yuan(sign * await held(money, account, book))} for book, label, sign in wanted]


async def orders_of(site: Site, money: Money, account: Row, most: int, texts: Texts) -> list[dict[str, Any]]:
    """The latest orders of an account."""
    rows = await money.all("money.orders_of_account", account=account["id"], most=most)
    return [
        {**one, "yuan": yuan(one["amount_fen"]), "shown": site.state("orders", one["state"], texts)} for one in rows
    ]


async def lines_of(money: Money, account: Row, most: int, texts: Texts) -> list[dict[str, Any]]:
    """The latest lines of the ledger that moved something of an account."""
    name = account["id"]
    books = {
        "prepaid": ledger.prepaid(name),
        "in_flight": ledger.in_flight(name),
        "on_meter": ledger.on_meter(name),
        "receivable": ledger.receivable(name),
    }
    rows = await money.all("ledger.of_account", operator=account["operator"], most=most, **books)
    return [{**one, "yuan": yuan(one["fen"]), "event": named(EVENTS, one["kind"], texts)} for one in rows]


def decided(decision: Row, texts: Texts) -> Markup:
    """A decision on the supply as a state: off, on, or not done now."""
    if not decision["allow"]:
        return Markup(values.toned("info", texts(mark("Not cut off"))))
    if decision["wanted"] == "off":
        return Markup(values.toned("bad", texts(mark("Cut off"))))
    return Markup(values.toned("ok", texts(mark("Switched on"))))


def link_of(money: Money, account: Row, texts: Texts) -> dict[str, Any]:
    """The address of the tenant's page, its code, and whether it is one that phones can reach."""
    path = f"/pay/{account['link']}"
    url = money.paying.page_url(path)
    image = qr.svg(url, texts(mark("QR code of the tenant's page"))) if url else ""
    return {"path": path, "url": url or path, "qr": image}


async def ending_of(money: Money, account: Row, texts: Texts) -> dict[str, Any]:
    """How far an account is from its end: what is under way, and what is still in its books."""
    name = account["id"]
    orders = await money.all("money.orders_open", account=name)
    deliveries = await money.all("money.deliveries_open", account=name)
    left = {book: await held(money, account, book) for book in (ledger.prepaid(name), ledger.receivable(name))}
    on_meter = await held(money, account, ledger.on_meter(name))
    return {
        "frozen": account["state"] != "open",
        "orders": [one["no"] for one in orders],
        "waits": len(orders) + len(deliveries),
        "credit": yuan(left[ledger.prepaid(name)]) if left[ledger.prepaid(name)] else "",
        "owed": yuan(-left[ledger.receivable(name)]) if left[ledger.receivable(name)] else "",
        "on_meter": yuan(on_meter),
        "ready": account["state"] == "closing" and not orders and not deliveries and not any(left.values()),
    }

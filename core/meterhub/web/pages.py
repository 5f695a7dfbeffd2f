"""The pages: what they share, and where each of them is.

``setup_pages(app, rooms)`` adds the routes. Everything is drawn by the server; each page works without scripts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup, escape

from meterhub.actions import Actor
from meterhub.collections import Collection
from meterhub.devices.device import Device
from meterhub.devices.states import StatesChanged
from meterhub.errors import MeterHubError, NotFound
from meterhub.people.user import User
from meterhub.runs import Run, RunChanged
from meterhub.texts import Texts, mark, negotiate, texts_for
from meterhub.web import tables
from meterhub.web.render import THEMES, Entry, Look, Visitor
from meterhub.web.rooms import ERROR_PAGE, Rooms
from meterhub.web.visibility import may_see

MINUTES = 60
MAX_RECENT = 200
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GROUPS = (mark("Estate"), mark("Money"), mark("People"), mark("System"))
MAIN_COLLECTIONS = ("devices", "meters", "collectors")


class Pulse:
    """Counts the values that arrive, per minute of the last hour, and keeps the latest runs that people started."""

    def __init__(self, rooms: Rooms) -> None:
        self._clock = rooms.clock
        self._minutes: deque[tuple[int, int]] = deque(maxlen=MINUTES + 1)
        self.runs: deque[Run] = deque(maxlen=MAX_RECENT)
        rooms.bus.on(StatesChanged, self._count)
        rooms.bus.on(RunChanged, self._keep)

    def _count(self, message: StatesChanged) -> None:
        minute = self._clock.now() // 60_000
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1] = (minute, self._minutes[-1][1] + len(message.changes))
        else:
            self._minutes.append((minute, len(message.changes)))

    def _keep(self, message: RunChanged) -> None:
        run = message.run
        if run.actor.startswith("user:") and all(one.id != run.id for one in self.runs):
            self.runs.appendleft(run)

    def per_minute(self) -> list[int]:
        """Values received in each of the last 60 minutes, oldest first, the running one last."""
        now = self._clock.now() // 60_000
        counted = dict(self._minutes)
        return [counted.get(minute, 0) for minute in range(now - MINUTES + 1, now + 1)]


class Site:
    """What every page needs: the rooms behind it, the look, the cached rows."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.look = Look(rooms.name, rooms.zone)
        self.rows = tables.Rows()
        self.pulse = Pulse(rooms)

    @property
    def meters_list(self) -> str:
        """The collection in which meters are listed."""
        return next((name for name in ("meters", "devices") if name in self.rooms.collections), "devices")

    def visitor(self, request: web.Request) -> Visitor:
        """Who asks, and how they want to see it."""
        known: Visitor | None = request.get("visitor")
        if known is not None:
            return known
        actor, session = request["actor"], request["session"]
        theme = request.cookies.get("theme", "")
        chosen = actor.language if isinstance(actor, User) else ""
        wish = request.headers.get("Accept-Language", "")
        request["visitor"] = found = Visitor(
            actor=actor,
            name=actor.title if isinstance(actor, User) else "",
            csrf=session.csrf if session is not None else "",
            language=negotiate(chosen, request.cookies.get("language", ""), wish, self.rooms.language),
            theme=theme if theme in THEMES else THEMES[0],
        )
        return found

    def page(self, request: web.Request, template: str, status: int = 200, **content: Any) -> web.Response:
        """A whole page for whoever is logged in."""
        visitor = self.visitor(request)
        now_ms, menu = self.rooms.clock.now(), self.menu(visitor)
        return self.look.page(request, template, visitor, now_ms, menu, status, **content)

    def menu(self, visitor: Visitor) -> Sequence[Entry]:
        """The entries that this visitor may open; none for nobody."""
        if visitor.actor is None:
            return ()
        texts = texts_for(visitor.language)
        entries = [Entry("/", "today", texts(mark("Today")), "", True)]
        for one in self.rooms.collections.values():
            if one.group and holds(visitor.actor, one.permission):
                main = one.name in MAIN_COLLECTIONS
                group = "" if main else texts(one.group)
                entries.append(Entry(f"/{one.name}", one.icon or "list", texts.pick(one.title), group, main))
        if self.rooms.money is not None and holds(visitor.actor, "money.view"):
            entries.append(Entry("/cases", "warn", texts(mark("Needs a person")), texts(mark("Money"))))
            entries.append(Entry("/merchants", "config", texts(mark("Companies")), texts(mark("Money"))))
            entries.append(Entry("/proofs", "proof", texts(mark("Proofs")), texts(mark("Money"))))
        if holds(visitor.actor, "plugin.view"):
            entries.append(Entry("/plugins", "plugin", texts(mark("Plugins")), texts(mark("System"))))
        order = [texts(one) for one in ("", *GROUPS)]
        return sorted(entries, key=lambda one: order.index(one.group) if one.group in order else len(order))

    def texts(self, request: web.Request) -> Texts:
        """The texts in the visitor's language."""
        return texts_for(self.visitor(request).language)

    def state(self, collection: str, word: str, texts: Texts) -> Markup:
        """A state as the lists of this collection show it; its name where there is no such list."""
        if collection not in self.rooms.collections:
            return Markup(escape(word))
        field = self.rooms.collections[collection].field("state")
        return Markup(tables.cell(field, word, texts, self.rooms.zone))

    def collection(self, request: web.Request) -> Collection:
        """The collection that the path names; one that may not be seen is not found."""
        name = request.match_info["collection"]
        found = self.rooms.collections.get(name)
        if found is None or not holds(request["actor"], found.permission):
            raise NotFound(f"there is no page /{name}", hint="the menu lists the pages")
        return found

    def device(self, request: web.Request) -> Device:
        """The device that the path names; one that may not be seen is not found."""
        device = self.may_see(request, request.match_info["device"])
        if device is None:
            raise NotFound(f"there is no device {request.match_info['device']}", hint="the list of meters finds it")
        return device

    def may_see(self, request: web.Request, device_id: str) -> Device | None:
        """The device when the visitor may see it, else None."""
        device = self.rooms.estate.get(device_id)
        if device is None:
            return None
        return device if may_see(request["actor"], device) else None

    def devices(self, request: web.Request) -> list[Device]:
        """All devices that the visitor may see, asked once for each place."""
        known: dict[tuple[bool, str, str, tuple[str, ...]], bool] = {}
        seen = []
        for device in self.rooms.estate.values():
            place = (device.kind == "collector", device.operator, device.site, device.place)
            allowed = known.get(place)
            if allowed is None:
                allowed = known[place] = may_see(request["actor"], device)
            if allowed:
                seen.append(device)
        return seen


def holds(actor: Actor, permission: str) -> bool:
    """Whether the actor holds the permission at any place: enough to open a list, whose rows are checked one by one."""
    return actor.may_anywhere(permission) if isinstance(actor, User) else actor.may(permission, "")


def for_users(handler: Handler) -> Handler:
    """The handler for those who are logged in; others go to the login page and come back from there."""

    async def checked(request: web.Request) -> web.StreamResponse:
        if request["actor"] is not None:
            return await handler(request)
        login = f"/login?next={quote(request.path_qs if request.method == 'GET' else '/')}"
        if "HX-Request" in request.headers:
            return web.Response(status=401, headers={"HX-Redirect": login})
        raise web.HTTPSeeOther(login)

    return checked


def setup_pages(app: web.Application, rooms: Rooms) -> Site:
    """Add all pages, their static files and the error page; the pages of collections, plain names, come last."""
    from meterhub.web import (
        pages_account,
        pages_bulk,
        pages_cases,
        pages_credit,
        pages_device,
        pages_list,
        pages_login,
        pages_money,
        pages_office,
        pages_overview,
        pages_pay,
        pages_proof,
        pages_use,
    )

    site = Site(rooms)
    app.router.add_routes(pages_login.routes(site))
    inside = [one for module in (pages_overview, pages_account, pages_device) for one in module.routes(site)]
    if rooms.money is not None:
        app.router.add_routes([*pages_pay.routes(site, rooms.money), *pages_use.routes(site, rooms.money)])
        for module in (pages_money, pages_cases, pages_credit, pages_office, pages_proof):
            inside += module.routes(site, rooms.money)
    inside += [*pages_bulk.routes(site), *pages_list.routes(site)]
    for one in inside:
        handler = for_users(one.handler)
        app.router.add_route(one.method, one.path, handler)
        if one.method == "GET":
            app.router.add_route("HEAD", one.path, handler)

    async def error_page(request: web.Request, error: MeterHubError, code: str) -> web.StreamResponse:
        return pages_login.error_page(site, request, error, code)

    app[ERROR_PAGE] = error_page
    return site

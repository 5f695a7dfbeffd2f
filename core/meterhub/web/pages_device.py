"""The page of a device, drawn from what its plugin and profile registered: no meter is known here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meterhub.actions import Action
from meterhub.devices.device import Device
from meterhub.devices.entity import Entity, Role
from meterhub.errors import BadInput, MeterHubError, NotFound
from meterhub.field.causes import in_words
from meterhub.runs import Run
from meterhub.texts import Texts, mark
from meterhub.web import forms, values
from meterhub.web.beats import Spell, beats, spells_of
from meterhub.web.charts import chart
from meterhub.web.collector_parts import figures_of, node_of, standing_of
from meterhub.web.collector_view import CollectorView, node_facts, standing_facts
from meterhub.web.credit_parts import credit_card
from meterhub.web.device_parts import ValueRows, line_ids, line_summary, primary, sweep_s
from meterhub.web.frames import frames_of
from meterhub.web.list_parts import tile
from meterhub.web.pages import Site
from meterhub.web.runs import run_view

MOST_RUNS = 8
MOST_TILES = 200
MOST_SPELLS = 6
WRITE = "meter.write"
ELSEWHERE = (WRITE, "money.")
"""Actions that are offered beside the settings, and on the page of the meter's account."""
ICONS = {"meter.read": "read", "open_circuit": "off", "close_circuit": "on", "valve": "valve"}
"""Icons of actions by a part of their name; others get a plain one."""


def routes(site: Site) -> Sequence[web.RouteDef]:
    """``/devices/{device}``, its actions, and the runs of actions."""
    pages = DevicePages(site)
    return [
        web.get("/devices/{device}", pages.show),
        web.post("/devices/{device}/actions/{action}", pages.act),
        web.get("/runs/{run}", pages.run),
    ]


class DevicePages:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: web.Request) -> web.Response:
        """The page of one device."""
        return await self._page(request, self._site.device(request))

    async def act(self, request: web.Request) -> web.Response:
        """Give a command; the answer is its strip, or the page for browsers without scripts."""
        device, given = self._site.device(request), await request.post()
        actions = self._site.rooms.actions
        action = actions.get(request.match_info["action"])
        try:
            run = await actions.call(
                action.name,
                device.id,
                forms.params(action.schema, given),
                actor=request["actor"],
                reason=str(given.get("reason", "")).strip()[:200],
            )
        except (BadInput, NotFound) as error:
            if "HX-Request" not in request.headers:
                return await self._page(request, device, error)
            flash = self._draw(request, "flash.html", error=error)
            return web.Response(text=flash, content_type="text/html")
        if "HX-Request" in request.headers:
            return web.Response(text=self._strip(request, run, device), content_type="text/html")
        raise web.HTTPSeeOther(f"/devices/{device.id}#{run.id}")

    async def run(self, request: web.Request) -> web.Response:
        """How far a command is: the fragment that a page puts in place of the old one."""
        run = await self._site.rooms.actions.find(request.match_info["run"])
        device = self._site.may_see(request, run.target)
        if device is None:
            raise NotFound(f"there is no action run {run.id}")
        if "HX-Request" not in request.headers:
            raise web.HTTPSeeOther(f"/devices/{device.id}#{run.id}")
        return web.Response(text=self._strip(request, run, device), content_type="text/html")

    def _strip(self, request: web.Request, run: Run, device: Device) -> str:
        return self._draw(request, "strip.html", run=self._view(request, run, device))

    def _draw(self, request: web.Request, template: str, **content: Any) -> str:
        visitor = self._site.visitor(request)
        return self._site.look.draw(template, visitor, self._site.rooms.clock.now(), **content)

    def _view(self, request: web.Request, run: Run, device: Device) -> dict[str, Any]:
        return run_view(run, device, self._site.rooms.actions, self._site.texts(request))

    async def _page(self, request: web.Request, device: Device, error: MeterHubError | None = None) -> web.Response:
        rooms, texts, now_ms = self._site.rooms, self._site.texts(request), self._site.rooms.clock.now()
        shown = [one for one in device.entities if not one.definition.hidden]
        make = ValueRows(texts, now_ms, sweep_s(rooms.schedules))
        offered = rooms.actions.offered(device, request["actor"])
        is_collector = device.kind == "collector"
        spells = await spells_of(rooms, device, now_ms) if is_collector else []
        frames = frames_of(rooms, device)
        leads, writes = primary(shown), _writes(device, shown, offered, texts)
        written = {one["key"] for one in writes}
        return self._site.page(
            request,
            "device.html",
            status=200 if error is None else error.status,
            device=self._about(device, texts),
            error=error,
            credit=await credit_card(self._site, request, device),
            actions=[_action(one, device, texts) for one in offered if not one.name.startswith(ELSEWHERE)],
            primary=[make.row(one, big=True) for one in leads],
            groups=make.groups([one for one in shown if one not in leads]),
            settings=[
                {**make.row(one), "dialog": _dialog(one) if one.definition.key in written else ""}
                for one in shown
                if one.definition.role is Role.SETTING
            ],
            writes=writes,
            diagnostics=[make.row(one) for one in shown if one.definition.role is Role.DIAGNOSTIC],
            chart=await chart(rooms.store, device, request, rooms.zone, now_ms, texts),
            runs=[self._view(request, run, device) for run in rooms.actions.recent(device.id, MOST_RUNS)],
            frames=[{**one, "time": values.clock_time(one["ms"], rooms.zone, now_ms)} for one in frames],
            technical=[*_technical(device, texts), *self._standing(device, texts, now_ms)],
            collector=await self._collector(request, device, texts, now_ms) if is_collector else None,
            behind=self._behind(request, device, texts) if is_collector else None,
            beats=beats(spells, now_ms, rooms.zone, texts) if is_collector else None,
            spells=self._spells(spells, now_ms, texts),
        )

    def _about(self, device: Device, texts: Texts) -> dict[str, Any]:
        listed = "collectors" if device.kind == "collector" else self._site.meters_list
        title = self._site.rooms.collections.get(listed)
        crumbs = [{"href": f"/{listed}", "label": texts.pick(title.title) if title is not None else listed}]
        for part in device.place:
            crumbs.append({"href": f"/{listed}?{urlencode({'q': part})}", "label": part})
        name = device.name or device.id
        return {
            "id": device.id,
            "name": name,
            "status": device.status.value,
            "detail": texts.said(device.detail),
            "since_ms": device.since_ms,
            "answered_ms": device.answered_ms,
            "address": device.address,
            "model": texts.pick(device.profile.name) or device.profile.id,
            "crumbs": crumbs,
            "via": self._via(device),
            "object": {"icon": device.kind, "name": name, "place": " / ".join(device.place) or device.id},
        }

    def _via(self, device: Device) -> list[dict[str, str]]:
        """The way to the device: its line, and the collector that the line hangs on."""
        if device.kind == "collector" or not device.parent:
            return []
        way = [{"icon": "list", "href": "", "label": device.parent}]
        for one in self._site.rooms.collectors():
            if device.parent in line_ids(one):
                known = self._site.rooms.estate.get(one.id)
                name = known.name or known.id if known is not None else one.id
                way.append({"icon": "collector", "href": f"/devices/{one.id}", "label": name})
        return way

    async def _collector(self, request: web.Request, device: Device, texts: Texts, now_ms: int) -> dict[str, Any]:
        """Connection, lines and nodes in figures."""
        figures = await figures_of(self._site.rooms, device, lambda one: self._site.may_see(request, one) is not None)
        return CollectorView(figures, texts, self._site.rooms.zone, now_ms).content()

    def _standing(self, device: Device, texts: Texts, now_ms: int) -> Sequence[tuple[str, str]]:
        """How a meter has answered on its line."""
        rooms = self._site.rooms
        if device.kind != "meter":
            return ()
        facts = standing_facts(standing_of(device, rooms.lines()), texts, rooms.zone, now_ms)
        return [*facts, *node_facts(node_of(device, rooms.collectors()), texts)]

    def _behind(self, request: web.Request, device: Device, texts: Texts) -> dict[str, Any]:
        """The lines of a collector with their figures, and its meters as tiles."""
        rooms = self._site.rooms
        ids = next((line_ids(one) for one in rooms.collectors() if one.id == device.id), ())
        meters = [one for one in rooms.estate.values() if one.kind == "meter" and one.parent in (*ids, device.id)]
        seen = [one for one in meters if self._site.may_see(request, one.id) is not None]
        lines, now_s = rooms.lines(), rooms.clock.monotonic()
        return {
            "total": len(seen),
            "href": f"/{self._site.meters_list}?{urlencode({'q': device.id})}",
            "lines": [
                {
                    "id": name,
                    "summary": line_summary(lines[name].figures, now_s, texts),
                    "tiles": _tiles([one for one in seen if one.parent == name], texts),
                }
                for name in ids
                if name in lines
            ],
            "tiles": _tiles([one for one in seen if one.parent not in lines], texts),
        }

    def _spells(self, spells: Sequence[Spell], now_ms: int, texts: Texts) -> list[dict[str, str]]:
        zone = self._site.rooms.zone
        shown = []
        lasting = [one for one in spells if one[2] - one[1] >= 1000 or one is spells[-1]]
        for state, since, until, cause in reversed(lasting[-MOST_SPELLS:]):
            begin = values.clock_time(since, zone, now_ms)
            times = f"{begin} – {values.clock_time(until, zone, now_ms)}"
            shown.append(
                {
                    "status": state,
                    "times": times if until < now_ms else texts(mark("since %(time)s")) % {"time": begin},
                    "cause": texts.said(in_words(cause)),
                }
            )
        return shown


def _action(action: Action, device: Device, texts: Texts) -> dict[str, Any]:
    title = texts.pick(action.title)
    mark_icon = next((name for part, name in ICONS.items() if part in action.name), "sent")
    return {
        "name": action.name,
        "title": title,
        "dialog": "do-" + action.name.replace(".", "-"),
        "icon": mark_icon,
        "danger": action.danger.value,
        "everyday": action.everyday,
        "question": title,
        "effect": texts.pick(action.description) or texts(mark("The command goes to this device at once.")),
        "path": f"/devices/{device.id}/actions/{action.name}",
        "fields": forms.of_schema(action.schema, texts),
    }


def _writes(
    device: Device, entities: Sequence[Entity], offered: Sequence[Action], texts: Texts
) -> list[dict[str, Any]]:
    """The settings that this visitor may write, each with its own small form."""
    known = {one.name: one for one in offered}
    writes = []
    for entity in entities:
        definition = entity.definition
        action = known.get(definition.write)
        if action is None or definition.role is not Role.SETTING:
            continue
        fields = forms.of_setting(definition, entity.shown, texts)
        fields.append(forms.blank("p-entity", "", "hidden", value=definition.key))
        writes.append(
            {
                "key": definition.key,
                "dialog": _dialog(entity),
                "title": texts(mark("Change %(name)s")) % {"name": texts.pick(definition.name)},
                "path": f"/devices/{device.id}/actions/{action.name}",
                "effect": texts.pick(definition.confirm) or texts(mark("The meter is asked to confirm the new value.")),
                "danger": action.danger.value,
                "fields": fields,
            }
        )
    return writes


def _dialog(entity: Entity) -> str:
    return f"set-{entity.definition.key}"


def _technical(device: Device, texts: Texts) -> list[tuple[str, str]]:
    facts = [
        (texts(mark("Id")), device.id),
        (texts(mark("Profile")), device.profile.id),
        (texts(mark("Protocol")), device.profile.protocol),
        (texts(mark("Plugin")), device.owner),
        (texts(mark("Set up in")), device.origin),
    ]
    return [(label, value) for label, value in facts if value]


def _tiles(meters: Sequence[Device], texts: Texts) -> list[dict[str, Any]]:
    """The meters of a line, as far as there is room; those at one place have their ids for names."""
    places = Counter(one.place for one in meters)
    return [
        tile(
            one.place[-1] if places[one.place] == 1 and one.place else one.id,
            one.status.value,
            f"/devices/{one.id}",
            one.id,
            texts,
        )
        for one in meters[:MOST_TILES]
    ]

"""Today: the estate at a glance. Every figure leads to the list behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meterhub.clock import utc
from meterhub.devices.device import Device, Status
from meterhub.errors import NotFound
from meterhub.schedules import Schedule, Schedules
from meterhub.texts import Texts, mark
from meterhub.web import values
from meterhub.web.beats import beats, spells_of
from meterhub.web.money_today import money_today
from meterhub.web.pages import Site, holds
from meterhub.web.runs import run_view

MOST_TROUBLE = 8
MOST_COLLECTORS = 12
MOST_RUNS = 6
SPARK_HEIGHT = 54
FAULTS = {
    "readings": mark("Readings cannot be stored; they wait in memory."),
    "store": mark("Nothing can be stored."),
    "money": mark("Money stands still: nothing is credited or given back. It is tried again every 30 s."),
}
"""What it means that a part does not work."""
CLOCK_OFF_S = 120
"""WeChat Pay refuses whoever is five minutes off."""
AHEAD = mark("The clock of this machine is %(n)d min ahead of that of a company for payments or messages.")
BEHIND = mark("The clock of this machine is %(n)d min behind that of a company for payments or messages.")
SET_CLOCK = mark("Companies may open no payment until it is put right.")
BROUGHT = {
    "register_protocols": mark("Protocols"),
    "register_links": mark("Links"),
    "register_envelopes": mark("Envelopes"),
    "register_profiles": mark("Meter models"),
    "register_actions": mark("Commands"),
    "register_collections": mark("Lists"),
    "register_payments": mark("Payment companies"),
    "register_notifiers": mark("Companies for messages"),
}
"""What the hooks bring, in words."""
TROUBLE = (Status.NO_ANSWER, Status.LINK_DOWN, Status.REFUSED, Status.CONFIG_ERROR)


def routes(site: Site) -> Sequence[web.RouteDef]:
    """The start page and the plugins page."""

    async def overview(request: web.Request) -> web.Response:
        texts, now_ms = site.texts(request), site.rooms.clock.now()
        devices = site.devices(request)
        meters = [one for one in devices if one.kind == "meter"]
        collectors = [one for one in devices if one.kind == "collector"]
        return site.page(
            request,
            "overview.html",
            faults=_faults(site, texts),
            day=utc(now_ms).astimezone(site.rooms.zone).strftime("%Y-%m-%d"),
            money=await money_today(site, request, texts),
            meters=_meters(site, meters),
            readings=_readings(site.pulse.per_minute()),
            collectors=await _collectors(site, collectors[:MOST_COLLECTORS], texts, now_ms),
            trouble=_trouble(site, meters, texts),
            schedules=_schedules(site, request, texts),
            runs=_runs(site, request, texts),
        )

    async def plugins(request: web.Request) -> web.Response:
        if not holds(request["actor"], "plugin.view"):
            raise NotFound("there is no page /plugins", hint="the menu lists the pages")
        order = {"failed": 0, "disabled": 1, "running": 2}
        known = sorted(site.rooms.plugins(), key=lambda one: (order.get(one.state.value, 3), one.name))
        return site.page(request, "plugins.html", plugins=[_plugin(one, site.texts(request)) for one in known])

    return [web.get("/", overview), web.get("/plugins", plugins)]


def _faults(site: Site, texts: Texts) -> list[tuple[str, str]]:
    """What does not work, and why; also a clock with which companies open no payment."""
    found = [(texts(FAULTS[part]), texts.said(why)) for part, why in site.rooms.faults().items()]
    ahead_s = site.rooms.ahead_s()
    if abs(ahead_s) > CLOCK_OFF_S:
        words = AHEAD if ahead_s > 0 else BEHIND
        found.append((texts(words) % {"n": abs(ahead_s) // 60}, texts(SET_CLOCK)))
    return found


def _meters(site: Site, meters: Sequence[Device]) -> dict[str, Any]:
    counts: Counter[str] = Counter([one.status for one in meters])
    tallies = [{"status": word, "count": counts[word]} for word in values.ORDER if counts[word] or word == "online"]
    parts, x = [], 0.0
    for word in values.ORDER:
        width = 1000 * counts[word] / max(1, len(meters))
        if width:
            parts.append({"tone": values.STATUSES[word][1], "x": round(x, 1), "width": round(max(width - 3, 2), 1)})
        x += width
    return {
        "total": len(meters),
        "online": counts["online"],
        "tallies": tallies,
        "parts": parts,
        "href": f"/{site.meters_list}",
    }


def _readings(per_minute: Sequence[int]) -> dict[str, Any]:
    most = max(max(per_minute), 1)
    bars = [
        {"height": max(2, round(SPARK_HEIGHT * one / most)), "look": "rest" if not one else ""} for one in per_minute
    ]
    bars[-1]["look"] = "now"
    return {"total": str(sum(per_minute)), "bars": bars}


async def _collectors(site: Site, collectors: Sequence[Device], texts: Texts, now_ms: int) -> list[dict[str, Any]]:
    shown = []
    spells_of_each = await asyncio.gather(*(spells_of(site.rooms, one, now_ms) for one in collectors))
    for one, spells in zip(collectors, spells_of_each, strict=True):
        note = texts.said(one.detail) if one.status is not Status.ONLINE else ""
        shown.append(
            {
                "id": one.id,
                "name": one.name or one.id,
                "status": one.status.value,
                "note": note,
                "beats": beats(spells, now_ms, site.rooms.zone, texts),
            }
        )
    return shown


def _trouble(site: Site, meters: Sequence[Device], texts: Texts) -> dict[str, Any]:
    """Meters that do not answer; those that share the cause stand together in one line."""
    causes: dict[tuple[str, str, str], list[Device]] = {}
    for one in meters:
        if one.status in TROUBLE:
            shared = one.parent if one.status is Status.LINK_DOWN else one.id
            causes.setdefault((one.status, one.detail, shared), []).append(one)
    ranked = nsmallest(MOST_TROUBLE, causes.items(), key=lambda item: (-len(item[1]), _oldest(item[1]).since_ms))
    query = urlencode([("status", word.value) for word in TROUBLE])
    return {
        "rows": [_cause(site, *cause, found, texts) for cause, found in ranked],
        "more": len(causes) > MOST_TROUBLE,
        "unheard": sum(one.status is Status.NEVER_SEEN for one in meters),
        "total": sum(len(found) for found in causes.values()),
        "href": f"/{site.meters_list}?{query}",
    }


def _oldest(found: Sequence[Device]) -> Device:
    """Who has been in trouble for the longest time."""
    return found[0] if len(found) == 1 else min(found, key=lambda one: (one.since_ms, one.id))


def _cause(site: Site, status: str, detail: str, line: str, found: Sequence[Device], texts: Texts) -> dict[str, Any]:
    first = _oldest(found)
    one = {"status": status, "detail": texts.said(detail) or " / ".join(first.place), "since_ms": first.since_ms}
    if len(found) == 1:
        name = first.name or " / ".join(first.place) or first.id
        return {**one, "id": first.id, "name": name, "href": f"/devices/{first.id}"}
    query = urlencode({"status": status, "q": line})
    name = texts.count("%(n)d meter", "%(n)d meters", len(found))
    return {**one, "id": "", "name": name, "href": f"/{site.meters_list}?{query}"}


def _schedules(site: Site, request: web.Request, texts: Texts) -> list[dict[str, Any]]:
    known = site.rooms.schedules
    return [_schedule(site, request, known, one, texts) for one in known] if known is not None else []


def _schedule(
    site: Site, request: web.Request, schedules: Schedules, schedule: Schedule, texts: Texts
) -> dict[str, Any]:
    action = next((one for one in site.rooms.actions if one.name == schedule.action), None)
    last = schedules.last(schedule.id)
    return {
        "id": schedule.id,
        "rule": schedule.cron
        or (f"{schedule.at:%Y-%m-%d %H:%M}" if schedule.at else "")
        or every_words(schedule.every_s, texts),
        "action": texts.pick(action.title) if action is not None else schedule.action,
        "next_ms": schedules.next_ms(schedule.id),
        "last": _outcome(last[1], texts) if last is not None else "",
        "missing": _missing(site, request, last[1].get("missing", {}), texts) if last is not None else [],
    }


def _missing(site: Site, request: web.Request, missing: Mapping[str, str], texts: Texts) -> list[dict[str, Any]]:
    """Who was not read at the last occasion, and why."""
    seen = [(site.may_see(request, meter_id), why) for meter_id, why in missing.items()]
    return [{"id": one.id, "name": one.name or one.id, "why": texts.said(why)} for one, why in seen if one is not None]


def _rule(schedule: Schedule, texts: Texts) -> str:
    if schedule.at is not None:
        return f"{schedule.at:%Y-%m-%d %H:%M}"
    return schedule.cron or every_words(schedule.every_s, texts)


def every_words(every_s: int, texts: Texts) -> str:
    """How often, in the largest unit that divides it."""
    if every_s % 3600 == 0:
        return texts.count("every hour", "every %(n)d hours", every_s // 3600)
    if every_s % 60 == 0:
        return texts.count("every minute", "every %(n)d minutes", every_s // 60)
    return texts.count("every second", "every %(n)d seconds", every_s)


def _outcome(outcome: Any, texts: Texts) -> str:
    if "asked" in outcome:
        return texts(mark("last time %(answered)d of %(asked)d answered")) % {
            "answered": outcome.get("answered", 0),
            "asked": outcome["asked"],
        }
    return texts.said(str(outcome.get("skipped") or outcome.get("error") or ""))


def _runs(site: Site, request: web.Request, texts: Texts) -> list[dict[str, Any]]:
    shown = []
    for run in site.pulse.runs:
        device = site.may_see(request, run.target)
        if device is not None:
            view = run_view(run, device, site.rooms.actions, texts, named=True)
            view["href"] = f"/devices/{device.id}#{run.id}"
            failure = view["error"] or {}
            view["why"] = failure.get("why") or failure.get("message", "")
            shown.append(view)
        if len(shown) == MOST_RUNS:
            break
    return shown


def _plugin(plugin: Any, texts: Texts) -> dict[str, Any]:
    kind, _, package = plugin.origin.partition(" ")
    origin = texts(mark("package %(name)s")) % {"name": package} if kind == "package" else plugin.origin
    return {
        "name": plugin.name,
        "version": plugin.version,
        "origin": origin,
        "state": plugin.state.value,
        "reason": texts.said(plugin.reason),
        "where": plugin.where,
        "last_error": plugin.last_error,
        "seconds": f"{plugin.seconds:.3f}" if plugin.seconds else "",
        "listed_at": plugin.listed_at,
        "registered": [(texts(BROUGHT.get(hook, hook)), names) for hook, names in plugin.registered.items() if names],
    }

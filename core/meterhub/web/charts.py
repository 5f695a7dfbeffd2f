"""The chart of a device: one quantity over a day, a week or a month, with the period before, as rows of its table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meterhub.clock import utc
from meterhub.devices.device import Device
from meterhub.devices.entity import QUALITIES, EntityDef, Quality, Role
from meterhub.store.engine import Step, Store
from meterhub.texts import Texts, mark
from meterhub.web import values

RANGES = {
    "day": (mark("Day"), 1, Step.HOUR, mark("the day before")),
    "week": (mark("Week"), 7, Step.DAY, mark("the week before")),
    "month": (mark("Month"), 30, Step.DAY, mark("the 30 days before")),
}
MAX_POINTS = 1_500
SHOWN_QUALITIES = tuple(place for place, one in enumerate(QUALITIES) if one is not Quality.INVALID)


def quantities(device: Device) -> list[EntityDef]:
    """What has a history worth drawing: recorded numbers, readings first."""
    numbers = [
        one.definition
        for one in device.entities
        if one.definition.kind in ("number", "money")
        and one.definition.record
        and not one.definition.hidden
        and one.definition.role is not Role.SETTING
    ]
    return sorted(numbers, key=lambda one: one.role is not Role.READING)


async def chart(
    store: Store | None, device: Device, request: web.Request, zone: tzinfo, now_ms: int, texts: Texts
) -> dict[str, Any] | None:
    """What the chart shows, after ``range`` and ``of`` of the URL; None when there is nothing to draw at all."""
    offered = quantities(device)
    if store is None or not offered:
        return None
    definition = next((one for one in offered if one.key == request.query.get("of")), offered[0])
    span = request.query.get("range", "day")
    span = span if span in RANGES else "day"
    rows = await _rows(store, device, definition, span, zone, now_ms)
    name = texts.pick(definition.name)
    used = definition.accumulate
    title = texts(mark("%(name)s: consumption")) % {"name": name} if used else name
    compared = used and any(row["before"] for row in rows)
    return {
        "title": title,
        "unit": definition.unit,
        "column": f"{title} ({definition.unit})" if definition.unit else title,
        "form": "bars" if used else "line",
        "zone": str(zone),
        "note": _note(rows, definition, used, texts),
        "before": texts(RANGES[span][3]) if compared else "",
        "rows": rows if any(row["v"] for row in rows) else [],
        "entities": [
            {"label": texts.pick(one.name), "href": _href(request, of=one.key, range=span), "on": one is definition}
            for one in offered
        ],
        "whole": False,
        "ranges": [
            {"label": texts(RANGES[one][0]), "href": _href(request, of=definition.key, range=one), "on": one == span}
            for one in RANGES
        ],
    }


def _href(request: web.Request, **query: str) -> str:
    return f"{request.path}?{urlencode(query)}"


async def _rows(
    store: Store, device: Device, definition: EntityDef, span: str, zone: tzinfo, now_ms: int
) -> list[dict[str, str]]:
    _, days, step, _ = RANGES[span]
    entity_id = f"{device.id}.{definition.key}"
    if not definition.accumulate and span == "day":
        points = await store.points(entity_id, now_ms - days * 86_400_000, now_ms + 1, limit=10_000)
        numbers = [
            (ms, value) for ms, value, quality in points if quality in SHOWN_QUALITIES and isinstance(value, int)
        ]
        return [_row(ms, definition, value, None, zone, "%m-%d %H:%M") for ms, value in _thinned(numbers)]
    slots = _slots(now_ms, days, step, zone)
    if not definition.accumulate:
        held = {one.start_ms: one.last for one in await store.buckets(entity_id, slots[0][1], now_ms + 1, step, zone)}
        return [_row(start, definition, held.get(start), None, zone, "%Y-%m-%d") for _, start in slots]
    used = {
        one.start_ms: one.consumption for one in await store.buckets(entity_id, slots[0][0], now_ms + 1, step, zone)
    }
    form = "%m-%d %H:%M" if step is Step.HOUR else "%Y-%m-%d"
    return [_row(start, definition, used.get(start), used.get(before), zone, form) for before, start in slots]


def _slots(now_ms: int, days: int, step: Step, zone: tzinfo) -> list[tuple[int, int]]:
    """``(start of the slot in the period before, start)`` of each hour or day, oldest first."""
    now = utc(now_ms).astimezone(zone)
    if step is Step.HOUR:
        hour = now_ms // 3_600_000 * 3_600_000  # zones off by a fraction of an hour begin theirs elsewhere
        hour -= int((now.utcoffset() or timedelta()).total_seconds() * 1000) % 3_600_000
        hour = hour + 3_600_000 if hour + 3_600_000 <= now_ms else hour
        starts = [hour - back * 3_600_000 for back in range(days * 24 - 1, -1, -1)]
        return [(start - 86_400_000 * days, start) for start in starts]
    midnight = datetime.combine(now.date(), time(), zone)
    every = [int((midnight - timedelta(days=back)).timestamp() * 1000) for back in range(2 * days - 1, -1, -1)]
    return list(zip(every[:days], every[days:], strict=True))


def _thinned(points: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Every n-th point, so that a page never carries more than ``MAX_POINTS``."""
    step = len(points) // MAX_POINTS + 1
    return points[::step]


def _row(
    ms: int, definition: EntityDef, value: int | None, before: int | None, zone: tzinfo, form: str
) -> dict[str, str]:
    return {
        "t": str(ms),
        "time": utc(ms).astimezone(zone).strftime(form),
        "v": _shown(definition, value),
        "text": values.grouped(_shown(definition, value)) if value is not None else "–",
        "before": _shown(definition, before),
        "before_text": values.grouped(_shown(definition, before)) if before is not None else "–",
    }


def _shown(definition: EntityDef, value: int | None) -> str:
    return "" if value is None else str(definition.shown(value))


def _note(rows: Sequence[dict[str, str]], definition: EntityDef, used: bool, texts: Texts) -> str:
    """The sum of a consumption, or the least and the most of a quantity; exact."""
    numbers = [Decimal(row["v"]) for row in rows if row["v"]]
    if not numbers:
        return ""
    unit = definition.unit
    if used:
        return texts(mark("Total %(sum)s %(unit)s")) % {"sum": f"{sum(numbers):,f}", "unit": unit}
    least, most = f"{min(numbers):,f}", f"{max(numbers):,f}"
    return texts(mark("Between %(least)s and %(most)s %(unit)s")) % {"least": least, "most": most, "unit": unit}

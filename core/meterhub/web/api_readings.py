"""Readings: the history of one entity, raw or by hour, day and month of the site's time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from meterhub.clock import iso
from meterhub.devices.entity import QUALITIES, EntityDef, Value
from meterhub.errors import BadInput, StoreError
from meterhub.store.engine import Bucket, Step, Store
from meterhub.web.params import choice, moment, query_of
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import VISIBILITY, Route, as_json

MAX_POINTS = 5_000
DAY_MS = 86_400_000
SWITCHES = ("switch", "valve", "boolean")

QUERY = {
    "entity": "the entity, such as a-101.energy_total",
    "from": "first instant: ISO 8601 or epoch ms (24 hours before `to`)",
    "to": "first instant no longer wanted (now)",
    "step": "raw, hour, day or month (raw)",
}


async def get_readings(request: web.Request) -> web.Response:
    """Points of one entity, oldest first. Time without a reading has no point; an unknown value is null."""
    given = query_of(request, QUERY)
    rooms = request.app[ROOMS]
    if "entity" not in given:
        raise BadInput("which entity?", where="entity", hint="?entity=a-101.energy_total")
    entity = request.app[VISIBILITY].entity(request["actor"], given["entity"])
    step = Step(choice(given, "step", "raw", tuple(Step)))
    to_ms = moment(given["to"], "to", rooms.zone) if "to" in given else rooms.clock.now() + 1
    from_ms = moment(given["from"], "from", rooms.zone) if "from" in given else to_ms - DAY_MS
    if rooms.store is None:
        raise StoreError("this hub keeps no history", hint="a data folder is needed")
    definition = entity.definition
    head: dict[str, Any] = {
        "entity": entity.id,
        "unit": definition.unit,
        "step": step,
        "from": iso(max(0, from_ms)) if from_ms < to_ms else "",
        "to": "",
    }
    if definition.secret:
        raise BadInput("this value is secret and has no history", where="entity")
    points = await _points(rooms.store, entity.id, definition, from_ms, to_ms, step, rooms.zone)
    head["to"] = iso(to_ms)
    return as_json({**head, **_cut(points)})


async def _points(
    store: Store, entity_id: str, definition: EntityDef, from_ms: int, to_ms: int, step: Step, zone: Any
) -> list[dict[str, Any]]:
    if step is Step.RAW:
        raw = await store.points(entity_id, from_ms, to_ms, MAX_POINTS + 1)
        return [
            {"t": iso(ms), "v": definition.shown(read_back(definition, value)), "q": QUALITIES[quality]}
            for ms, value, quality in raw
        ]
    return [_bucket(definition, one) for one in await store.buckets(entity_id, from_ms, to_ms, step, zone)]


def _bucket(definition: EntityDef, bucket: Bucket) -> dict[str, Any]:
    shown = definition.shown
    point = {
        "t": iso(bucket.start_ms),
        "v": shown(bucket.last),
        "first": shown(bucket.first),
        "last": shown(bucket.last),
        "min": shown(bucket.minimum),
        "max": shown(bucket.maximum),
        "count": bucket.count,
    }
    if definition.accumulate:
        point["consumption"] = shown(bucket.consumption)
    return point


def _cut(points: list[dict[str, Any]]) -> dict[str, Any]:
    if len(points) <= MAX_POINTS:
        return {"points": points, "more": False}
    following = points[MAX_POINTS]["t"]
    hint = f"{MAX_POINTS} points at most: ask for a coarser step, or go on with from={following}"
    return {"points": points[:MAX_POINTS], "more": True, "next_from": following, "hint": hint}


def read_back(definition: EntityDef, value: int | str | None) -> Value:
    """A stored value as the state had it: switches are stored as 0 and 1."""
    return bool(value) if definition.kind in SWITCHES and isinstance(value, int) else value


def routes() -> Sequence[Route]:
    """The routes of this module."""
    return [
        Route(
            "GET",
            "/api/v1/readings",
            get_readings,
            "The history of one entity",
            query=QUERY,
            answer={"$ref": "#/components/schemas/Readings"},
        )
    ]

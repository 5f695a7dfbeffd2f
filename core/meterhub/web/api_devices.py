"""Devices and entities: what there is, how it is, what it last said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from aiohttp import web

from meterhub.collections import MAX_LIMIT
from meterhub.devices.device import Device, Status
from meterhub.errors import NotFound
from meterhub.web.collector_parts import figures_of
from meterhub.web.fragments import dumps
from meterhub.web.params import choice, from_cursor, query_of, to_cursor, whole
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import FRAGMENTS, VISIBILITY, Route, as_json, list_schema, raw_json
from meterhub.web.visibility import Seen, may_see, may_see_entity

KINDS = ("meter", "collector")
LIST_QUERY = {
    "kind": "only devices of this kind: meter, collector",
    "site": "only devices of this site",
    "q": "text that id, name, address or place (Block A / 1 / 101) contains",
    "status": "only devices in this state: " + ", ".join(Status),
    "limit": f"devices in one answer, 1 to {MAX_LIMIT} (50)",
    "cursor": "from the answer before: the next page",
}


async def list_devices(request: web.Request) -> web.Response:
    """Devices in the order of their ids, without their entities."""
    given = query_of(request, LIST_QUERY)
    limit = whole(given, "limit", 50, 1, MAX_LIMIT)
    status = choice(given, "status", "", ("", *Status))
    kind = choice(given, "kind", "", ("", *sorted({*KINDS, *(one.kind for one in request.app[ROOMS].estate.values())})))
    after = from_cursor(given["cursor"]) if "cursor" in given else ""
    seen = await request.app[VISIBILITY].devices(request["actor"])
    found = _filtered(seen, kind, given.get("site", ""), status, given.get("q", ""))
    start = bisect_right(found, after, key=lambda row: row[0]) if after else 0
    page = found[start : start + limit]
    cursor = to_cursor(page[-1][0]) if page and start + limit < len(found) else None
    device_json = request.app[FRAGMENTS].device
    items = ",".join([device_json(device) + "}" for _, device, _ in page])
    return raw_json(f'{{"items":[{items}],"total":{len(found)},"cursor":{dumps(cursor)}}}')


def _filtered(seen: Seen, kind: str, site: str, status: str, search: str) -> Seen:
    if kind:
        seen = [row for row in seen if row[1].kind == kind]
    if site:
        seen = [row for row in seen if row[1].site == site]
    if status:
        seen = [row for row in seen if row[1].status == status]
    needle = search.casefold().strip()
    return [row for row in seen if needle in row[2]] if needle else seen


def _device(request: web.Request) -> Device:
    """The device that the path names; a line, which devices have as their parent, is said to be one."""
    actor, name = request["actor"], request.match_info["id"]
    for collector in request.app[ROOMS].collectors() if name not in request.app[ROOMS].estate else ():
        found = request.app[ROOMS].estate.get(collector.id)
        if found is not None and may_see(actor, found) and any(one.config.id == name for one in collector.lines):
            hint = f"GET /api/v1/devices/{collector.id}/figures has the figures of its lines"
            raise NotFound(f"{name} is a line of the collector {collector.id}, not a device", hint=hint)
    return request.app[VISIBILITY].device(actor, name)


async def get_device(request: web.Request) -> web.Response:
    """One device with its entities, their states, and the actions that the caller may call."""
    query_of(request, ())
    actor = request["actor"]
    device = _device(request)
    fragments = request.app[FRAGMENTS]
    entities = ",".join([fragments.entity(one) for one in device.entities if may_see_entity(actor, one)])
    offered = dumps([one.name for one in request.app[ROOMS].actions.offered(device, actor)])
    return raw_json(f'{fragments.device(device)},"actions":{offered},"entities":[{entities}]}}')


async def get_figures(request: web.Request) -> web.Response:
    """How a device is reached: a collector's connection, days, lines and nodes; how a meter answered."""
    query_of(request, ())
    actor, rooms = request["actor"], request.app[ROOMS]
    device = _device(request)

    def seen(device_id: str) -> bool:
        found = rooms.estate.get(device_id)
        return found is not None and may_see(actor, found)

    return as_json(await figures_of(rooms, device, seen))


async def get_entity(request: web.Request) -> web.Response:
    """One entity with its definition and latest state."""
    query_of(request, ())
    entity = request.app[VISIBILITY].entity(request["actor"], request.match_info["id"])
    return raw_json(request.app[FRAGMENTS].entity(entity))


def routes() -> Sequence[Route]:
    """The routes of this module."""
    return [
        Route("GET", "/api/v1/devices", list_devices, "List devices", query=LIST_QUERY, answer=list_schema("Device")),
        Route(
            "GET",
            "/api/v1/devices/{id}",
            get_device,
            "One device with its entities and their states",
            answer={"$ref": "#/components/schemas/DeviceWithEntities"},
        ),
        Route("GET", "/api/v1/devices/{id}/figures", get_figures, "How a device is reached, in figures"),
        Route(
            "GET",
            "/api/v1/entities/{id}",
            get_entity,
            "One entity, such as a-101.energy_total",
            answer={"$ref": "#/components/schemas/Entity"},
        ),
    ]

"""The API: its routes gathered from their modules, and what they share."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from meterhub.web import (
    api_actions,
    api_collections,
    api_devices,
    api_export,
    api_import,
    api_live,
    api_readings,
    metrics,
    openapi,
)
from meterhub.web.fragments import Fragments, dumps
from meterhub.web.live import Live
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import FRAGMENTS, VISIBILITY, Route, as_json, raw_json
from meterhub.web.visibility import Visibility

ROUTES: web.AppKey[list[Route]] = web.AppKey("routes", list)

MODULES = (api_devices, api_readings, api_actions, api_export, api_import, api_collections, api_live)
"""Export and import come before the rows, whose ids their names would else be."""


async def healthz(request: web.Request) -> web.Response:
    """Alive, and since when; no login. ``flooded``: for a while more has come from the field than can be stored.

    ``faulty`` names what does not work at present: ``readings``, ``store``, ``money``.
    """
    rooms = request.app[ROOMS]
    faulty = list(rooms.faults())
    flooded = rooms.flow is not None and rooms.flow.lasting()
    status = "degraded" if faulty else "flooded" if flooded else "ok"
    content = {"status": status, "version": rooms.version, "started_ms": rooms.started_ms, "faulty": faulty}
    return as_json(content)


async def get_openapi(request: web.Request) -> web.Response:
    """The description of the API."""
    rooms = request.app[ROOMS]
    routes: list[Route] = request.app[ROUTES]
    found = openapi.describe(routes, rooms.actions, rooms.collections.values(), "MeterHub", rooms.version)
    return raw_json(dumps(found))


def _routes() -> Sequence[Route]:
    return [
        Route("GET", "/healthz", healthz, "Alive, and since when; no login"),
        Route("GET", "/metrics", metrics.get_metrics, "Figures for Prometheus", media="text/plain"),
        Route("GET", "/api/v1/openapi.json", get_openapi, "This description"),
    ]


def set_up(app: web.Application) -> None:
    """Add the routes and what they work with."""
    rooms = app[ROOMS]
    app[FRAGMENTS] = Fragments(rooms.bus)
    app[VISIBILITY] = Visibility(rooms.estate, rooms.bus, rooms.clock)
    app[api_live.LIVE] = Live(rooms.estate, rooms.actions, rooms.bus, rooms.clock, app[FRAGMENTS])
    app[api_live.OPEN] = set()
    app[metrics.REGISTRY] = metrics.registry_for(rooms, app[api_live.LIVE])
    app[ROUTES] = [*_routes(), *(route for module in MODULES for route in module.routes())]
    for route in app[ROUTES]:
        app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.handler)
    app.on_shutdown.append(api_live.close_all)

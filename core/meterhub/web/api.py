"""The routes of the API, gathered from their modules."""

from __future__ import annotations

from aiohttp import web

from meterhub.web.rooms import ROOMS


async def healthz(request: web.Request) -> web.Response:
    """Alive, and since when; no login."""
    rooms = request.app[ROOMS]
    return web.json_response({"status": "ok", "version": rooms.version, "started_ms": rooms.started_ms})


def set_up(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/healthz", healthz)

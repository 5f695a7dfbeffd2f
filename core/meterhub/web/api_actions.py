"""Actions over HTTP: start one, wait for its end if wanted, and look at it later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import voluptuous as vol
from aiohttp import web

from meterhub.actions import Action, Actor
from meterhub.clock import iso
from meterhub.errors import BadInput, NotFound
from meterhub.runs import FINAL, Run
from meterhub.web.params import query_of, read_json, text_of
from meterhub.web.rooms import ROOMS, Rooms
from meterhub.web.routes import VISIBILITY, Route, as_json
from meterhub.web.visibility import Visibility, may_see_run

MAX_WAIT_S = 60.0

CALL = vol.Schema(
    {
        vol.Optional("target", default=""): text_of(100),
        vol.Optional("params", default=dict): dict,
        vol.Optional("key", default=""): text_of(100),
        vol.Optional("reason", default=""): text_of(500),
    }
)
QUERY = {"wait": f"seconds to wait for the end, 0 to {MAX_WAIT_S:.0f} (0)"}


async def call_action(request: web.Request) -> web.Response:
    """202 with the run under way, or 200 when it ended within ``wait`` seconds."""
    wait_s = _wait(query_of(request, QUERY).get("wait"))
    content = await read_json(request, CALL)
    rooms, actor = request.app[ROOMS], request["actor"]
    action = rooms.actions.get(request.match_info["id"])
    _check_target(rooms, request.app[VISIBILITY], action, content["target"], actor)
    run = await rooms.actions.call(
        action.name, content["target"], content["params"], actor=actor, key=content["key"], reason=content["reason"]
    )
    if wait_s:
        run = await _ended(rooms, run, wait_s)
    return as_json(run_json(run), 200 if wait_s and run.state in FINAL else 202)


def _check_target(rooms: Rooms, visibility: Visibility, action: Action, target: str, actor: Actor) -> None:
    """A device that the caller may not see is not found, rather than forbidden."""
    if action.target and target in rooms.estate:
        visibility.device(actor, target)


async def _ended(rooms: Rooms, run: Run, wait_s: float) -> Run:
    """The run, once it is final or the time is over."""
    if run.done is None:
        return run
    try:
        async with rooms.clock.timeout(wait_s):
            return await asyncio.shield(run.done)
    except TimeoutError:
        return run


def _wait(text: str | None) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        raise BadInput(f"wait is a number of seconds from 0 to {MAX_WAIT_S:.0f}", where="wait")
    return seconds


async def get_run(request: web.Request) -> web.Response:
    """How far a run is. One's own runs, and those of devices that one may see."""
    query_of(request, ())
    rooms, actor = request.app[ROOMS], request["actor"]
    run = await rooms.actions.find(request.match_info["id"])
    if not may_see_run(rooms.estate, actor, run):
        raise NotFound(f"there is no action run {run.id}")
    return as_json(run_json(run))


def run_json(run: Run) -> dict[str, Any]:
    """A run as the API shows it."""
    return {
        "id": run.id,
        "action": run.action,
        "target": run.target,
        "state": run.state,
        "result": run.result,
        "error": run.error,
        "actor": run.actor,
        "cause": str(run.cause),
        "reason": run.reason,
        "key": run.key,
        "created": iso(run.created_ms),
        "updated": iso(run.updated_ms),
    }


def routes() -> Sequence[Route]:
    """The routes of this module."""
    run = {"$ref": "#/components/schemas/Run"}
    return [
        Route(
            "POST",
            "/api/v1/actions/{id}",
            call_action,
            "Start an action",
            query=QUERY,
            body={"$ref": "#/components/schemas/Call"},
            answer=run,
            status=202,
            answers={200: "it ended while the request waited"},
        ),
        Route("GET", "/api/v1/actions/{id}", get_run, "How far an action run is", answer=run),
    ]

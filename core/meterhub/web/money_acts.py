"""How a form of the pages of money calls an action: it is waited for, and its error comes out as an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meterhub.errors import BadInput
from meterhub.web.pages import Site

MAX_KEY = 64


async def carried_out(
    site: Site, request: web.Request, name: str, target: str, params: Mapping[str, Any], key: str = ""
) -> dict[str, Any]:
    """The result of an action that the visitor asked for; raises any ``MeterHubError``, also for what failed later.

    ``key`` is that of the form, so that a form that is sent twice is one deed; "" for deeds that bear repeating.
    """
    named = f"form/{request['actor'].id}/{name}/{key[:MAX_KEY]}" if key else ""
    run = await site.rooms.actions.call(
        name, target, dict(params), actor=request["actor"], reason=str(params.get("reason", "")), key=named
    )
    if run.done is not None:
        await run.done
    if run.error is not None:
        raise BadInput(run.error["message"], where=run.error["where"], hint=run.error["hint"])
    return run.result or {}


def new_key(site: Site) -> str:
    """The key of a form that is about to be drawn."""
    return f"{site.rooms.clock.random.getrandbits(96):024x}"

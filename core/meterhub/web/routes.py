"""Routes of the API as data: from them come the router's entries and the OpenAPI description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from meterhub.web.fragments import Fragments, dumps
from meterhub.web.visibility import Visibility

FRAGMENTS = web.AppKey("fragments", Fragments)
VISIBILITY = web.AppKey("visibility", Visibility)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``query`` maps a parameter to what it means, ``body`` and ``answer`` are JSON schemas.

    ``answers`` are further statuses of success with their meaning; ``media`` is the answer's content type.
    """

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    body_media: str = "application/json"
    answer: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    media: str = "application/json"
    status: int = 200
    answers: Mapping[int, str] = field(default_factory=dict)


def raw_json(text: str, status: int = 200) -> web.Response:
    """JSON text as an answer."""
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": "application/json; charset=utf-8"})


def as_json(content: Any, status: int = 200) -> web.Response:
    """An object as a JSON answer."""
    return raw_json(dumps(content), status)


def list_schema(what: str) -> dict[str, Any]:
    """The schema of a page of a list."""
    return {
        "type": "object",
        "required": ["items", "total", "cursor"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{what}"}},
            "total": {"type": "integer", "description": "how many the whole filter has"},
            "cursor": {"type": ["string", "null"], "description": "gives the next page; null on the last"},
        },
    }

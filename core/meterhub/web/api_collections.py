"""Collections over HTTP: list, add, look at, change, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.actions import Actor
from meterhub.collections import MAX_LIMIT, Collection, Query
from meterhub.errors import BadInput, NotAllowed, NotFound
from meterhub.web.params import MAX_TEXT as MAX_WORD
from meterhub.web.params import from_cursor, read_json, to_cursor, unknown, whole
from meterhub.web.records import row_json, row_schema
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import Route, as_json
from meterhub.web.visibility import may_anywhere

MAX_CHOICES = 50
COMMON = ("q", "sort")
LIST_QUERY = {
    "q": "words to look for",
    "sort": "a field; with - in front from the highest",
    "limit": f"rows in one answer, 1 to {MAX_LIMIT} (50)",
    "cursor": "from the answer before: the next page",
    "(field)": "only rows whose field has this value; repeat for several values",
}


def collection_of(request: web.Request, *, edit: bool = False) -> Collection:
    """The collection that the path names; raises ``NotFound`` or ``NotAllowed``."""
    name = request.match_info["name"]
    found = request.app[ROOMS].collections.get(name)
    if found is None:
        raise NotFound(f"there is no collection {name[:100]}", hint="GET /api/v1/openapi.json lists them")
    allow(request["actor"], found.permission, name)
    if edit:
        if not found.edit_permission:
            raise NotAllowed(f"nobody can change {name}", where=name)
        allow(request["actor"], found.edit_permission, name)
    return found


def allow(actor: Actor, permission: str, where: str) -> None:
    """Raise ``NotAllowed`` for whoever holds the permission nowhere."""
    if not may_anywhere(actor, permission):
        raise NotAllowed("you may not do that here", where=where, hint=f"it needs {permission}")


def query_for(collection: Collection, request: web.Request, more: Sequence[str]) -> Query:
    """What part of the collection the URL asks for; raises ``BadInput`` for an unknown or overlong parameter."""
    filters: dict[str, tuple[str, ...]] = {}
    filterable = {one.name for one in collection.fields if one.filter}
    known = {*COMMON, *more, *filterable}
    for name, value in request.query.items():
        if name not in known:
            raise unknown("parameter", name, known)
        if len(value) > MAX_WORD:
            raise BadInput(f"at most {MAX_WORD} characters", where=name)
        if name in filterable and name not in (*COMMON, *more):
            filters[name] = (*filters.get(name, ()), value)[:MAX_CHOICES]
    given = request.query
    sort = given.get("sort", "")
    sortable = [one.name for one in collection.fields if one.sort]
    if sort and sort.removeprefix("-") not in sortable:
        raise unknown("field to sort by", sort.removeprefix("-"), sortable)
    return Query(request["actor"], given.get("q", ""), filters, sort)


async def list_rows(request: web.Request) -> web.Response:
    """One page of rows, the total and the facets of the whole filter."""
    collection = collection_of(request)
    query = query_for(collection, request, ("limit", "cursor"))
    limit = whole(request.query, "limit", 50, 1, MAX_LIMIT)
    offset = _offset(request.query)
    page = await collection.source.page(
        Query(query.actor, query.search, query.filters, query.sort, limit=limit, offset=offset)
    )
    end = offset + len(page.rows)
    cursor = to_cursor(str(end)) if page.rows and end < page.total else None
    items = [row_json(collection, row) for row in page.rows]
    return as_json({"items": items, "total": page.total, "cursor": cursor, "facets": page.facets})


def _offset(given: Mapping[str, str]) -> int:
    if "cursor" not in given:
        return 0
    text = from_cursor(given["cursor"])
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise BadInput("this is no cursor of ours", where="cursor", hint="take it from the answer before")
    return int(text)


async def create_row(request: web.Request) -> web.Response:
    """Add a row: 201 with the row."""
    _no_query(request)
    collection = collection_of(request, edit=True)
    if not collection.can_create:
        raise NotAllowed(f"rows of {collection.name} cannot be added", where=collection.name)
    values = await read_json(request, row_schema(collection, partial=False))
    row = await collection.source.create(request["actor"], values)
    return as_json(row_json(collection, row), 201)


async def get_row(request: web.Request) -> web.Response:
    """One row."""
    _no_query(request)
    collection = collection_of(request)
    row = await collection.source.get(request["actor"], request.match_info["id"])
    return as_json(row_json(collection, row))


async def change_row(request: web.Request) -> web.Response:
    """Change the fields that are given; the others stay."""
    _no_query(request)
    collection = collection_of(request, edit=True)
    schema = row_schema(collection, partial=True)
    if not schema.schema:
        raise NotAllowed(f"rows of {collection.name} cannot be changed", where=collection.name)
    values = await read_json(request, schema)
    row = await collection.source.update(request["actor"], request.match_info["id"], values)
    return as_json(row_json(collection, row))


async def delete_row(request: web.Request) -> web.Response:
    """Take a row away: 204."""
    _no_query(request)
    collection = collection_of(request, edit=True)
    if not collection.can_delete:
        raise NotAllowed(f"rows of {collection.name} cannot be deleted", where=collection.name)
    await collection.source.delete(request["actor"], request.match_info["id"])
    return web.Response(status=204)


def _no_query(request: web.Request) -> None:
    for name in request.query:
        raise unknown("parameter", name, ())


def routes() -> Sequence[Route]:
    """The routes of this module."""
    base = "/api/v1/collections/{name}"
    row: dict[str, Any] = {"type": "object", "required": ["id"]}
    return [
        Route("GET", base, list_rows, "List the rows of a collection", query=LIST_QUERY),
        Route("POST", base, create_row, "Add a row", body={"type": "object"}, answer=row, status=201),
        Route("GET", base + "/{id}", get_row, "One row", answer=row),
        Route("PATCH", base + "/{id}", change_row, "Change fields of a row", body={"type": "object"}, answer=row),
        Route("DELETE", base + "/{id}", delete_row, "Delete a row", status=204),
    ]

"""The description of the API by itself: OpenAPI 3.1, assembled from the routes, the actions and the collections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import voluptuous as vol
from voluptuous_openapi import UNSUPPORTED, convert

from meterhub.actions import Action
from meterhub.collections import Collection
from meterhub.devices.device import Status
from meterhub.devices.entity import Quality, Role
from meterhub.web.records import field_schema, shown_fields
from meterhub.web.routes import Route

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
TIME: Json = {"type": ["string", "null"], "format": "date-time"}
VALUE: Json = {"type": ["string", "boolean", "null"], "description": "decimal string, boolean, text; null is unknown"}


def _object(properties: Mapping[str, Any], required: Sequence[str] = ()) -> Json:
    return {"type": "object", "properties": dict(properties), "required": list(required or properties)}


_DEVICE: Json = {
    **dict.fromkeys(("id", "kind", "name", "operator", "site", "profile", "plugin", "parent", "address"), TEXT),
    "place": {"type": "array", "items": TEXT},
    "origin": TEXT,
    "status": {"type": "string", "enum": [str(one) for one in Status]},
    "detail": TEXT,
    "since": TIME,
    "answered": TIME,
}
_ENTITY: Json = {
    **dict.fromkeys(("id", "device", "key", "kind", "unit", "meaning", "group"), TEXT),
    "name": {"type": "object", "additionalProperties": TEXT},
    "role": {"type": "string", "enum": [str(one) for one in Role]},
    "decimals": {"type": "integer"},
    "v": VALUE,
    "q": {"type": "string", "enum": [str(one) for one in Quality]},
    "t": {**TIME, "description": "measured at"},
    "received": TIME,
    "cause": {"type": ["string", "null"]},
}
_ERROR = _object(dict.fromkeys(("code", "message", "where", "hint"), TEXT))

SCHEMAS: Json = {
    "Error": _object({"error": _ERROR}),
    "Device": _object(_DEVICE),
    "Entity": _object(_ENTITY),
    "DeviceWithEntities": _object(
        {
            **_DEVICE,
            "actions": {"type": "array", "items": TEXT},
            "entities": {"type": "array", "items": {"$ref": "#/components/schemas/Entity"}},
        }
    ),
    "Readings": _object(
        {
            "entity": TEXT,
            "unit": TEXT,
            "step": TEXT,
            "from": TEXT,
            "to": TEXT,
            "more": {"type": "boolean"},
            "next_from": TEXT,
            "hint": TEXT,
            "points": {
                "type": "array",
                "items": {"type": "object", "required": ["t", "v"], "properties": {"t": TEXT, "v": VALUE}},
            },
        },
        ("entity", "step", "points", "more"),
    ),
    "Call": _object(
        {
            "target": {"type": "string", "maxLength": 100},
            "params": {"type": "object"},
            "key": {"type": "string", "maxLength": 100, "description": "the same key is carried out once"},
            "reason": {"type": "string", "maxLength": 500},
        },
        (),
    )
    | {"required": [], "additionalProperties": False},
    "Run": _object(
        {
            **dict.fromkeys(("id", "action", "target", "actor", "cause", "reason", "key"), TEXT),
            "state": {"type": "string", "enum": ["queued", "sent", "confirmed", "failed"]},
            "result": {"type": ["object", "null"]},
            "error": {"oneOf": [_ERROR, {"type": "null"}]},
            "created": TIME,
            "updated": TIME,
        }
    ),
}


def describe(
    routes: Iterable[Route], actions: Iterable[Action], collections: Iterable[Collection], title: str, version: str
) -> Json:
    """The whole description. Every action and every collection has paths of its own beside the general ones."""
    paths: dict[str, Json] = {}
    collections = list(collections)
    actions = list(actions)
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        for path, operation in _special(route, actions, collections):
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version or "0"},
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "meterhub"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(route: Route, path: str = "", query: Mapping[str, str] | None = None) -> Json:
    path = path or route.path
    name = re.sub(r"[^a-z0-9]+", "_", path.removeprefix("/api/v1").lower()).strip("_")
    operation: Json = {
        "operationId": f"{route.method.lower()}_{name}",
        "summary": route.summary,
        "parameters": [
            {"name": one, "in": "path", "required": True, "schema": TEXT} for one in re.findall(r"{(\w+)}", path)
        ]
        + [
            {"name": one, "in": "query", "description": text, "schema": TEXT}
            for one, text in (route.query if query is None else query).items()
            if not one.startswith("(")
        ],
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {route.body_media: {"schema": route.body}}}
    return operation


def _responses(route: Route) -> Json:
    media = {} if route.status == 204 else {"content": {route.media: {"schema": route.answer}}}
    found: Json = {str(route.status): {"description": "done" if route.status != 202 else "under way", **media}}
    for status, text in route.answers.items():
        found[str(status)] = {"description": text, **media}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found["default"] = {"description": "it went wrong, and why", "content": error}
    return found


def _special(route: Route, actions: Sequence[Action], collections: Sequence[Collection]) -> Iterable[tuple[str, Json]]:
    """The operation of a general route for each thing that it stands for."""
    if (route.method, route.path) == ("POST", "/api/v1/actions/{id}"):
        for action in actions:
            yield route.path.replace("{id}", action.name), _action(route, action)
    elif route.path.startswith("/api/v1/collections/{name}"):
        for collection in collections:
            if _offered(route, collection):
                path = route.path.replace("{name}", collection.name)
                yield path, _of_collection(route, path, collection)


def _action(route: Route, action: Action) -> Json:
    operation = _operation(route, route.path.replace("{id}", action.name))
    operation["summary"] = action.title.get("en") or action.name
    operation["description"] = f"Needs {action.permission}. Danger: {action.danger}."
    call = SCHEMAS["Call"]
    params = {**call["properties"], "params": params_schema(action)}
    body = {**call, "properties": params, "required": ["target"] if action.target else []}
    operation["requestBody"]["content"] = {"application/json": {"schema": body}}
    return operation


def params_schema(action: Action) -> Json:
    """The JSON schema of an action's params; what cannot be said in JSON schema is any object."""
    found: Json | object = convert(vol.Schema(dict(action.schema)), custom_serializer=lambda schema: UNSUPPORTED)
    return found if isinstance(found, dict) else {"type": "object"}


def _offered(route: Route, collection: Collection) -> bool:
    editable = bool(collection.edit_permission) and any(one.edit for one in collection.fields)
    if route.path.endswith("/import") or route.method == "PATCH":
        return editable
    if route.method == "POST":
        return editable and collection.can_create
    if route.method == "DELETE":
        return bool(collection.edit_permission) and collection.can_delete
    return True


def _of_collection(route: Route, path: str, collection: Collection) -> Json:
    filters = {one.name: "only rows with this value; repeat for several" for one in collection.fields if one.filter}
    query = {**route.query, **filters} if "(field)" in route.query else None
    operation = _operation(route, path, query)
    operation["description"] = collection.description.get("en") or collection.title.get("en") or collection.name
    if route.method in ("POST", "PATCH") and route.body_media == "application/json":
        edited = [one for one in collection.fields if one.edit]
        required = [one.name for one in edited if one.required] if route.method == "POST" else []
        body = {**_object({one.name: field_schema(one) for one in edited}), "required": required}
        operation["requestBody"]["content"] = {"application/json": {"schema": body}}
    if route.media == "application/json" and route.status != 204 and not path.endswith("/import"):
        operation["responses"][str(route.status)]["content"]["application/json"]["schema"] = _rows(route, collection)
    return operation


def _rows(route: Route, collection: Collection) -> Json:
    properties = {one.name: {**field_schema(one)} for one in shown_fields(collection)}
    for one in properties.values():
        one.pop("enum", None)
    row = _object({"id": {}, **properties}, ("id",))
    if route.method == "GET" and route.path.endswith("{name}"):
        listed: Json = {"items": {"type": "array", "items": row}, "total": {"type": "integer"}}
        return _object({**listed, "cursor": {"type": ["string", "null"]}, "facets": {"type": "object"}})
    return row

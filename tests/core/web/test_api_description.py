"""The OpenAPI description: valid, complete, and as strict as the API itself."""

from __future__ import annotations

import json
import re

import pytest

DOCUMENT = "/api/v1/openapi.json"


@pytest.fixture
async def document(api):
    status, found = await api("vera", "GET", DOCUMENT)
    assert status == 200
    return found


async def test_every_route_of_the_server_is_described(house, document):
    for route in house.app.router.routes():
        if route.method == "HEAD":
            continue
        path = route.resource.canonical
        assert route.method.lower() in document["paths"][path], path


async def test_no_two_paths_are_the_same_but_for_the_names_of_their_parts(document):
    alike = [re.sub("{[^}]+}", "{}", path) for path in document["paths"]]
    assert len(alike) == len(set(alike))


async def test_every_action_and_collection_has_an_entry_of_its_own(house, document):
    for action in house.actions:
        assert f"/api/v1/actions/{action.name}" in document["paths"]
    for name in house.rooms.collections:
        assert f"/api/v1/collections/{name}" in document["paths"]
    paths = document["paths"]
    assert "post" not in paths["/api/v1/collections/audit"]
    assert "/api/v1/collections/audit/import" not in paths
    assert set(paths["/api/v1/collections/prices/{id}"]) == {"get", "patch", "delete"}


async def test_the_schema_of_an_action_is_that_of_its_params(document):
    call = document["paths"]["/api/v1/actions/meter.open_circuit"]["post"]
    body = call["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["target"]
    assert body["properties"]["params"]["properties"]["code"]["type"] == "integer"
    assert "meter.control" in call["description"]


async def test_the_schema_of_a_row_hides_secrets_and_names_what_is_required(document):
    prices = document["paths"]["/api/v1/collections/prices"]
    sent = prices["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sent["required"] == ["id", "name"] and "key" in sent["properties"]
    shown = prices["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "key" not in shown["properties"]["items"]["items"]["properties"]
    assert "kind" in [one["name"] for one in prices["get"]["parameters"]]


async def test_the_document_is_consistent_in_itself(document):
    assert re.fullmatch(r"3\.1\.\d", document["openapi"]) and document["info"]["version"] == "1.2"
    ids = []
    for path, operations in document["paths"].items():
        assert path.startswith("/")
        for method, operation in operations.items():
            assert method in ("get", "post", "patch", "delete") and operation["responses"] and operation["summary"]
            named = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)
            ids.append(operation["operationId"])
    assert len(set(ids)) == len(ids)
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in schemas


async def test_answers_have_what_their_schema_requires(document, api):
    schemas = document["components"]["schemas"]
    _, page = await api("vera", "GET", "/api/v1/devices")
    _, device = await api("vera", "GET", "/api/v1/devices/a-1")
    _, run = await api("vera", "POST", "/api/v1/actions/hub.ping", json={})
    _, error = await api("vera", "GET", "/api/v1/devices/x")
    pairs = [("Device", page["items"][0]), ("DeviceWithEntities", device), ("Entity", device["entities"][0])]
    for name, found in [*pairs, ("Run", run), ("Error", error)]:
        assert set(schemas[name]["required"]) <= set(found), name
        assert set(schemas[name]["properties"]) >= set(found) - {"accumulate", "secret"}, name

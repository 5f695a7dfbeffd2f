"""The live socket over a real server: present values first, then only what changed, was asked for, and is allowed."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from meterhub.actions import System
from meterhub.clock import iso
from meterhub.devices.device import Status
from meterhub.devices.entity import Quality
from meterhub.web import api_live, live

LIVE = "/api/v1/live"


@pytest.fixture
async def connect(house):
    sockets = []

    async def open_socket(user="vera", **headers):
        socket = await house.client.ws_connect(LIVE, headers={**await house.token(user), **headers})
        sockets.append(socket)
        return socket

    yield open_socket
    for one in sockets:
        await one.close()


async def _next(socket):
    message = await socket.receive(timeout=10)
    assert message.type is WSMsgType.TEXT, message
    return json.loads(message.data)


async def _watch(socket, *ids):
    await socket.send_json({"watch": list(ids)})
    return {one["id"]: one for one in await _next(socket)}


async def test_the_present_values_come_first_in_the_form_that_outsiders_rely_on(house, connect):
    socket = await connect()
    seen = await _watch(socket, "a-1.energy_total", "a-1.relay", "a-1", "a-9.nothing", "run-unknown")
    state = house.estate.entity("a-1.energy_total").state
    assert seen["a-1.energy_total"] == {
        "id": "a-1.energy_total",
        "v": "10.01",
        "q": "good",
        "t": iso(state.measured_ms),
    }
    assert seen["a-1.relay"]["v"] is None and seen["a-1.relay"]["t"] is None
    assert seen["a-1"]["v"] == "online" and seen["a-1"]["since"]
    assert set(seen) == {"a-1.energy_total", "a-1.relay", "a-1"}


async def test_changes_of_what_is_watched_are_coalesced_and_others_not_sent(house, connect):
    socket = await connect()
    await _watch(socket, "a-1.energy_total", "a-1.relay")
    for value in range(2000, 2050):
        house.estate.set(house.estate.entity("a-1.energy_total"), value)
        house.estate.set(house.estate.entity("a-3.energy_total"), value)
    house.estate.set(house.estate.entity("a-1.relay"), True, Quality.ESTIMATED)
    found = await _next(socket)
    assert [(one["id"], one["v"], one["q"]) for one in found] == [
        ("a-1.energy_total", "20.49", "good"),
        ("a-1.relay", True, "estimated"),
    ]


async def test_a_new_list_replaces_the_old_one(house, connect):
    socket = await connect()
    await _watch(socket, "a-1.energy_total")
    assert set(await _watch(socket, "b-2.energy_total")) == {"b-2.energy_total"}
    house.estate.set(house.estate.entity("a-1.energy_total"), 1)
    house.estate.set(house.estate.entity("b-2.energy_total"), 2)
    assert [one["id"] for one in await _next(socket)] == ["b-2.energy_total"]
    assert await _watch(socket) == {}
    assert house.app[api_live.LIVE].watched == 0


async def test_a_device_tells_its_status_and_a_run_its_way_to_the_end(house, connect, api):
    socket = await connect("mia")
    house.gate.clear()
    _, run = await api("mia", "POST", "/api/v1/actions/meter.open_circuit", json={"target": "a-1"})
    assert (await _watch(socket, "a-1", run["id"]))[run["id"]]["v"] == "sent"
    house.estate.set_status(house.estate["a-1"], Status.NO_ANSWER, "asked 3 times")
    house.gate.set()
    found = {}
    while len(found) < 2:
        found |= {one["id"]: one for one in await _next(socket)}
    assert (found["a-1"]["v"], found["a-1"]["detail"]) == ("no_answer", "asked 3 times")
    assert (found[run["id"]]["v"], found[run["id"]]["result"]) == ("confirmed", {"read_back": {"relay": True}})


async def test_nobody_watches_what_he_may_not_see(house, connect, api):
    _, run = await api("mia", "POST", "/api/v1/actions/meter.open_circuit", json={"target": "a-1"})
    ids = ("a-1.energy_total", "a-1", "b-2.energy_total", "b-2.tamper", run["id"])
    assert set(await _watch(await connect("ben"), *ids)) == {"b-2.energy_total"}
    assert await _watch(await connect("otto"), *ids) == {}
    assert set(await _watch(await connect("olga"), *ids)) == set(ids)


async def test_rights_that_are_taken_away_end_the_flow_at_once(house, connect):
    socket = await connect("vera")
    await _watch(socket, "a-1.energy_total", "b-2.energy_total")
    await house.people.users.set_roles("vera", [("viewer", "main/main/Block B")], by=System())
    house.estate.set(house.estate.entity("a-1.energy_total"), 1)
    house.estate.set(house.estate.entity("b-2.energy_total"), 2)
    assert [one["id"] for one in await _next(socket)] == ["b-2.energy_total"]


async def test_a_disabled_users_socket_is_closed_and_the_page_told_to_log_in(house, connect):
    socket = await connect("vera")
    await _watch(socket, "b-2.energy_total")
    await house.people.users.disable("vera", by=System())
    house.app[api_live.LIVE]._clients.copy().pop().ready.set()
    message = await socket.receive(timeout=10)
    assert message.type is WSMsgType.CLOSE and message.data == api_live.LOGGED_OUT


async def test_a_device_that_is_exchanged_under_its_id_is_followed(house, connect):
    socket = await connect()
    await _watch(socket, "a-1.energy_total")
    old = house.estate["a-1"]
    house.estate.remove("a-1")
    from meterhub.devices.device import Device

    new = Device("a-1", "meter", old.profile, place=old.place)
    house.estate.add(new)
    house.app[api_live.LIVE]._flush()
    house.estate.set(new.entities[0], 7)
    assert (await _next(socket))[0]["v"] == "0.07"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{}",
        '{"watch": "a"}',
        '{"watch": [1]}',
        '{"watch": [], "more": 1}',
        json.dumps({"watch": ["x" * 101]}),
        json.dumps({"watch": ["x"] * 2_001}),
        "[" * 50_000,
    ],
)
async def test_a_wrong_message_is_answered_by_an_error_and_the_socket_stays(connect, text):
    socket = await connect()
    await socket.send_str(text)
    assert (await _next(socket))["error"]["code"] == "bad_input"
    assert "b-2.energy_total" in await _watch(socket, "b-2.energy_total")


async def test_a_message_beyond_all_bounds_ends_the_socket(connect):
    socket = await connect()
    await socket.send_str("x" * 300_000)
    assert (await socket.receive(timeout=10)).type is WSMsgType.CLOSE


async def test_another_site_cannot_open_a_socket(house, connect):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(WSServerHandshakeError) as refused:
            await connect("vera", **headers)
        assert refused.value.status == 403
    with pytest.raises(WSServerHandshakeError) as refused:
        await house.client.ws_connect(LIVE)
    assert refused.value.status == 401
    async with house.client.get(LIVE, headers=await house.token("vera")) as answer:
        assert answer.status == 400 and (await answer.json())["error"]["hint"]


async def test_at_the_stop_clients_are_told_to_come_back(house, connect):
    socket = await connect()
    await _watch(socket, "a-1")
    stopping = asyncio.ensure_future(house.client.server.close())
    message = await socket.receive(timeout=10)
    assert message.type is WSMsgType.CLOSE and message.data == 1012
    await stopping


async def test_a_client_that_left_is_forgotten(house, connect):
    socket = await connect()
    await _watch(socket, "a-1", "a-1.relay")
    desk = house.app[api_live.LIVE]
    assert (desk.sockets, desk.watched) == (1, 2)
    left = asyncio.Event()
    leave = desk.leave
    desk.leave = lambda watcher: (leave(watcher), left.set())
    await socket.close()
    await left.wait()
    assert (desk.sockets, desk.watched) == (0, 0)


def test_what_a_slow_client_has_not_taken_is_replaced_by_the_newer(clock):
    watcher = live.Watcher(System())
    watcher.news["a"] = "1"
    watcher.news["a"] = "2"
    watcher.ready.set()
    assert watcher.take() == "[2]" and not watcher.ready.is_set() and watcher.take() == "[]"

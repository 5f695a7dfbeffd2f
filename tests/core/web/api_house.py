"""A small house for tests of the API: real estate, actions, people and store behind a real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import voluptuous as vol
from aiohttp.test_utils import TestClient, TestServer

from meterhub.action_journal import StoredRuns
from meterhub.actions import Action, Actions, Danger, System
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.collections import Collection, Field, Page, Query, Source
from meterhub.devices.device import Device, Status
from meterhub.devices.entity import EntityDef, Quality
from meterhub.devices.profile import Profile
from meterhub.devices.states import Estate
from meterhub.errors import Conflict, NotFound, Refused
from meterhub.office.people_collections import people_collections
from meterhub.people.people import People
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks
from meterhub.web.app import build_app
from meterhub.web.rooms import Rooms

ZONE = ZoneInfo("Asia/Shanghai")

METER = Profile(
    "toy-meter",
    "toy",
    {"en": "Toy meter", "zh": "表"},
    (
        EntityDef("energy_total", {"en": "Energy", "zh": "电能"}, unit="kWh", scale=2, accumulate=True),
        EntityDef("relay", {"en": "Relay"}, kind="switch"),
        EntityDef("pin", {"en": "PIN"}, kind="text", secret=True),
        EntityDef("tamper", {"en": "Tamper"}, kind="text", permission="tamper.view"),
    ),
    commands={"meter.open_circuit": {}},
)
COLLECTOR = Profile("toy-collector", "toy", {"en": "Collector"})

PRICE_FIELDS = (
    Field("id", {"en": "Id"}, required=True, search=True, edit=True),
    Field("name", {"en": "Name"}, required=True, search=True, edit=True),
    Field("fen", {"en": "Price"}, "money", edit=True),
    Field("kind", {"en": "Kind"}, "choice", choices=("flat", "tiered"), filter=True, edit=True),
    Field("valid", {"en": "Valid from"}, "time", edit=True),
    Field("key", {"en": "Key"}, "secret", edit=True),
    Field("active", {"en": "Active"}, "boolean", edit=True),
)


class Prices(Source):
    """Prices in a dict, as a plugin might bring them."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.writes = 0

    async def page(self, query: Query) -> Page:
        rows = [
            row
            for row in self.kept.values()
            if query.search in row["name"] and all(str(row.get(name)) in want for name, want in query.filters.items())
        ]
        return Page(rows[query.offset : query.offset + query.limit], len(rows), {"kind": {"flat": len(rows)}})

    async def get(self, actor: Any, row_id: str) -> dict[str, Any]:
        if row_id not in self.kept:
            raise NotFound(f"there is no price {row_id}")
        return self.kept[row_id]

    async def create(self, actor: Any, values: Mapping[str, Any]) -> dict[str, Any]:
        if values["id"] in self.kept:
            raise Conflict(f"there is a price {values['id']}")
        if values["name"] == "refused":
            raise Conflict("this name is not wanted", where="name")
        self.writes += 1
        self.kept[values["id"]] = dict(values)
        return self.kept[values["id"]]

    async def update(self, actor: Any, row_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        self.writes += 1
        (await self.get(actor, row_id)).update(values)
        return self.kept[row_id]

    async def delete(self, actor: Any, row_id: str) -> None:
        await self.get(actor, row_id)
        del self.kept[row_id]


def _actions(found: SimpleNamespace) -> list[Action]:
    async def open_circuit(call: Any) -> dict[str, Any]:
        found.opened.append(call.target.id)
        call.sent()
        await found.gate.wait()
        if call.params["code"] == 13:
            raise Refused("keep-power is on", where=call.target.id, hint="switch it off first")
        return {"read_back": {"relay": True}}

    return [
        Action(
            "meter.open_circuit",
            {"en": "Open circuit"},
            "meter.control",
            open_circuit,
            target="meter",
            schema={vol.Optional("code", default=1): int},
            danger=Danger.REASON,
        ),
        Action("hub.ping", {"en": "Ping"}, "device.view", lambda call: {"pong": True}, durable=False),
    ]


@asynccontextmanager
async def opened_house(data_dir: Path, *, meters: int = 3, **changes: Any) -> AsyncIterator[SimpleNamespace]:
    """``rooms``, ``client``, ``token(user)`` and the parts; users: olga (owner), mia (manager), vera (viewer).

    ben is a viewer of Block B alone; otto owns the other operator, ``east``, which has no device.
    """
    clock, bus, gate = Clock(seed=1), Bus(), asyncio.Event()
    gate.set()
    store = await SqliteStore.open(data_dir, clock, zone=ZONE)
    tasks, people, estate = Tasks(clock), await People.open(store, clock), Estate(bus, clock)
    for name, role, scope in (
        ("olga", "owner", ""),
        ("mia", "manager", ""),
        ("vera", "viewer", ""),
        ("ben", "viewer", "main/main/Block B"),
    ):
        await people.users.add(name, None, role, by=System(), scope=scope)
    await people.users.add("otto", None, "owner", by=System(), operator="east")
    for number in range(1, meters + 1):
        block = "AB"[number % 2 == 0]
        device = Device(
            f"{block.lower()}-{number}",
            "meter",
            METER,
            address=f"{number:012d}",
            place=(f"Block {block}", str(number)),
            name=f"表 {number}",
        )
        estate.add(device)
        estate.apply(device, [(device.entities[0], 1000 + number, Quality.GOOD)], clock.now())
        estate.set_status(device, Status.ONLINE)
    estate.add(Device("c1", "collector", COLLECTOR, place=("Block A",)))
    found = SimpleNamespace(clock=clock, bus=bus, store=store, people=people, estate=estate, gate=gate, opened=[])
    found.actions = Actions(bus, clock, StoredRuns(store, clock), estate.get, tasks.spawn)
    for one in _actions(found):
        found.actions.register(one)
    found.prices = Prices()
    price = Collection(
        "prices", {"en": "Prices"}, PRICE_FIELDS, found.prices, "device.view", "meter.control",
        can_create=True, can_delete=True,
    )  # fmt: skip
    collections = {one.name: one for one in [price, *people_collections(store, people, clock)]}
    rooms = Rooms(clock, bus, estate, found.actions, collections, people, tasks.spawn, ZONE, store=store,
                  version="1.2", started_ms=clock.now())  # fmt: skip
    found.rooms = replace(rooms, **changes)
    found.app = build_app(found.rooms)

    async def token(name: str) -> dict[str, str]:
        secret = await people.tokens.create(people.users.get(name), "test", by=System())
        return {"Authorization": f"Bearer {secret}"}

    found.token = token
    found.client = TestClient(TestServer(found.app))
    await found.client.start_server()
    try:
        yield found
    finally:
        gate.set()
        await found.client.close()
        await tasks.stop()
        people.close()
        await store.close()

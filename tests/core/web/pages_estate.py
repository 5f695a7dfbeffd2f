"""A small estate for page tests: real rooms, real store, real people; only the wire behind the actions is played."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import voluptuous as vol
from aiohttp import web

from meterhub.actions import Action, Actions, Danger, System
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.collections import Collection, Field, ListSource
from meterhub.devices.device import Device, Status
from meterhub.devices.entity import EntityDef, Quality, Role
from meterhub.devices.profile import Profile
from meterhub.devices.states import Estate
from meterhub.errors import NoAnswer
from meterhub.field.collector import Collector
from meterhub.field.figures import ANSWERS, BUSY_S, TRIES, Figures
from meterhub.field.line import Line, LineConfig
from meterhub.field.link import CollectorConfig
from meterhub.field.trace import Trace
from meterhub.people.people import People
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks
from meterhub.web.app import build_app
from meterhub.web.pages import setup_pages
from meterhub.web.rooms import Rooms

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_MS = 3_600_000


def text(en: str, zh: str = "", ja: str = "") -> dict[str, str]:
    return {"en": en, "zh": zh or en, "ja": ja or en}


METER = Profile(
    "test-single-phase",
    "test",
    text("Single-phase meter, 220 V 5(60) A", "单相费控智能电能表 220V 5(60)A", "単相電力量計 220V 5(60)A"),
    (
        EntityDef("energy_total", text("Energy, total", "正向有功总电能", "総電力量"), unit="kWh", scale=2,
                  meaning="energy", group="energy", accumulate=True),
        EntityDef("energy_peak", text("Energy, peak", "峰电能", "ピーク電力量"), unit="kWh", scale=2,
                  meaning="energy", group="energy", accumulate=True),
        EntityDef("energy_valley", text("Energy, valley", "谷电能", "夜間電力量"), unit="kWh", scale=2,
                  meaning="energy", group="energy", accumulate=True),
        EntityDef("voltage", text("Voltage", "电压", "電圧"), unit="V", scale=1, meaning="voltage", group="power"),
        EntityDef("current", text("Current", "电流", "電流"), unit="A", scale=3, meaning="current", group="power"),
        EntityDef("power", text("Active power", "有功功率", "有効電力"), unit="kW", scale=4, meaning="power",
                  group="power"),
        EntityDef("power_factor", text("Power factor", "功率因数", "力率"), scale=3, group="power"),
        EntityDef("balance", text("Remaining amount", "剩余金额", "残額"), kind="money", unit="CNY", scale=2,
                  meaning="balance", role=Role.MONEY, group="money"),
        EntityDef("relay", text("Supply", "供电", "供給"), kind="switch", role=Role.CONTROL, group="relay",
                  options={"true": text("Connected", "已合闸", "投入"), "false": text("Cut off", "已拉闸", "遮断")}),
        EntityDef("alarm", text("Alarm limit", "报警金额", "警報残額"), unit="CNY", scale=2, role=Role.SETTING,
                  write="meter.write", minimum=0, maximum=99999),
        EntityDef("clock", text("Meter clock", "表内时钟", "計器時計"), kind="clock", role=Role.DIAGNOSTIC),
        EntityDef("status_word", text("Status word 1", "状态字 1", "状態語 1"), kind="flags-of-tomorrow",
                  role=Role.DIAGNOSTIC),
    ),
    commands={"meter.open_circuit": {}, "meter.close_circuit": {}, "meter.write": {}},
)  # fmt: skip
COLLECTOR = Profile("test-collector", "test", text("Transparent collector", "透传采集器", "透過型集中器"))

DEVICE_FIELDS = (
    Field("id", text("Id", "编号", "ID"), search=True),
    Field("name", text("Name", "名称", "名称"), search=True, column=False),
    Field("status", text("Status", "状态", "状態"), "status", filter=True),
    Field("place", text("Place", "位置", "場所"), search=True),
    Field("address", text("Address", "表号", "アドレス"), search=True),
    Field("line", text("Line", "线路", "回線"), filter=True, search=True),
    Field("profile", text("Model", "型号", "機種"), filter=True, column=False),
    Field("answered_ms", text("Last answer", "最近应答", "最終応答"), "time"),
    Field("detail", text("Detail", "说明", "詳細"), "sentence", sort=False),
)
COLLECTOR_FIELDS = (
    Field("id", text("Id", "编号", "ID"), search=True),
    Field("name", text("Name", "名称", "名称"), search=True),
    Field("status", text("Status", "状态", "状態"), "status", filter=True),
    Field("place", text("Place", "位置", "場所"), search=True),
    Field("detail", text("Detail", "说明", "詳細"), "sentence"),
)


def device_row(device: Device) -> dict[str, object]:
    return {
        "id": device.id,
        "name": device.name,
        "status": device.status.value,
        "place": " / ".join(device.place),
        "address": device.address,
        "line": device.parent,
        "profile": device.profile.id,
        "answered_ms": device.answered_ms or None,
        "detail": device.detail,
    }


class Wire:
    """What stands behind the actions: meters that obey, but for those in ``deaf``."""

    def __init__(self, estate: Estate, clock: Clock) -> None:
        self._estate = estate
        self._clock = clock
        self.deaf: set[str] = set()
        self.error: Exception = NoAnswer("no answer in time, asked 3 times", hint="read the meter before trying again")
        self.delay_s = 0.0
        self.steps: asyncio.Queue[None] | None = None

    async def _wait(self):
        """Until the next step when a test holds the wire, else for the delay."""
        if self.steps is not None:
            await self.steps.get()
        else:
            await self._clock.sleep(self.delay_s)

    async def command(self, call):
        device = call.target
        await self._wait()
        call.sent()
        await self._wait()
        if device.id in self.deaf:
            raise self.error
        if call.action.name == "meter.read":
            self._estate.apply(
                device, [(one, one.value, Quality.GOOD) for one in device.entities if one.state], self._clock.now()
            )
            return {"values": {one.definition.key: one.shown for one in device.entities if one.state}, "failed": {}}
        if call.action.name == "meter.write":
            return {"read_back": {call.params["entity"]: call.params["value"]}}
        closed = call.action.name == "meter.close_circuit"
        self._estate.set(device.entity("relay"), closed)
        return {"read_back": {"relay": closed}}


def fake_actions(wire: Wire) -> list[Action]:
    def knows(name):
        return lambda device: name in device.commands

    cut = text("The supply of this flat is cut at once.", "该户将立即断电。", "この住戸への供給がただちに止まります。")
    return [
        Action("meter.read", text("Read now", "立即抄表", "今すぐ検針"), "device.read", wire.command, "meter",
               {vol.Optional("entities", default=list): [str]}, durable=False),
        Action("meter.open_circuit", text("Open circuit", "拉闸", "遮断"), "meter.control", wire.command, "meter",
               {}, Danger.REASON, cut, applies=knows("meter.open_circuit")),
        Action("meter.close_circuit", text("Close circuit", "合闸", "投入"), "meter.control", wire.command, "meter",
               {}, Danger.CONFIRM, applies=knows("meter.close_circuit")),
        Action("meter.write", text("Write setting", "写入参数", "設定書込"), "meter.write", wire.command, "meter",
               {vol.Required("entity"): str, vol.Required("value"): vol.Any(str, bool)}, Danger.CONFIRM,
               applies=knows("meter.write")),
        Action("meter.read_register", text("Read an item", "读取数据项", "項目を読む"), "device.read", wire.command, "meter",
               {vol.Required("register"): str, vol.Optional("how"): vol.In(("write", "broadcast"))}, everyday=False),
        Action("meter.read_twice", text("Read twice", "读两次", "二度読む"), "device.read", wire.command, "meter",
               {vol.Required("register"): str}, everyday=False),
    ]  # fmt: skip


class Journal:
    """Keeps nothing: what was just done is enough for a page."""

    async def create(self, run):
        return None

    async def update(self, run):
        return None

    async def find(self, run_id):
        return None


def fill(estate: Estate, clock: Clock, meters: int) -> None:
    now = clock.now()
    for number, block in enumerate("ABC", 1):
        collector = Device(f"c{number}", "collector", COLLECTOR, name=f"Collector block {block}", place=(f"Block {block}",),
                           address=f"DTU{number:05d}", origin=f"site.yaml:{8 + number}")  # fmt: skip
        estate.add(collector)
        estate.set_status(collector, Status.ONLINE if number < 3 else Status.LINK_DOWN,
                          "" if number < 3 else "no heartbeat for 2 min; the network closed the connection")  # fmt: skip
        collector.since_ms = now - (26 if number < 3 else 2) * HOUR_MS
    for count in range(meters):
        block, place = count % 3, count // 3
        room = f"{place // 5 + 1}{place % 5 + 1:02d}"
        meter = Device(f"{'abc'[block]}-{room}", "meter", METER, parent=f"c{block + 1}-a", address=f"2026{count:08d}",
                       place=(f"Block {'ABC'[block]}", str(place // 5 + 1), room), origin=f"site.yaml:{20 + count}")  # fmt: skip
        estate.add(meter)
        _state(estate, meter, count, block, now)


def _state(estate: Estate, meter: Device, count: int, block: int, now: int) -> None:
    if count == 31:
        return
    values = [123_456 + count * 977, 60_000 + count * 300, 63_456 + count * 677, 2_301 + count % 9, 4_120 + count * 11,
              9_480 + count * 25, 967, 8_640 - count * 90, True, 2_000, "2026-11-24 16:02:11", "0000"]  # fmt: skip
    age_ms = 7_400_000 if block == 2 else (count * 997) % 50_000
    pairs = list(zip(meter.entities, values, strict=True))
    estate.apply(meter, [(one, value, Quality.GOOD) for one, value in pairs if count % 7 or one.definition.key != "balance"], now - age_ms)  # fmt: skip
    meter.answered_ms = now - age_ms
    estate.set_status(meter, Status.LINK_DOWN if block == 2 else Status.NO_ANSWER if count in (9, 24) else Status.ONLINE,
                      "collector c3 is offline" if block == 2 else "asked 3 times, 1.5 s each" if count in (9, 24) else "")  # fmt: skip
    meter.since_ms = now - 2 * HOUR_MS


async def remember(store: SqliteStore, estate: Estate, clock: Clock, device_id: str) -> None:
    """A history of five weeks for one meter: a quarter-hour register and its power."""
    device = estate[device_id]
    series = await store.series([one.id for one in device.entities])
    now = clock.now()
    total, rows = 123_456 - 35 * 96 * 14, []
    for step in range(35 * 96, -1, -1):
        at = now - step * 900_000
        hour = (at // HOUR_MS + 8) % 24
        used = 8 + round(9 * (1 + math.sin((hour - 13) / 24 * 2 * math.pi))) + step * 7 % 5
        total += used
        rows.append((series[f"{device_id}.energy_total"], at, total, 0))
        if step < 96:
            rows.append((series[f"{device_id}.power"], at, used * 400, 0))
    await store.record(rows)
    device.entity("energy_total").state.value = total


def collections(estate: Estate) -> dict[str, Collection]:
    def of_kind(kind):
        return lambda: (one for one in estate.values() if one.kind == kind)

    def link(row):
        return f"/devices/{row['id']}"

    scope = lambda one: one.scope  # noqa: E731
    return {
        "meters": Collection(
            "meters", text("Meters", "表计", "メーター"), DEVICE_FIELDS,
            ListSource(of_kind("meter"), device_row, DEVICE_FIELDS, "device.view", scope), "device.view",
            group="Estate", icon="meter", row_link=link,
            bulk_actions=("meter.read", "meter.open_circuit", "meter.close_circuit"),
        ),
        "collectors": Collection(
            "collectors", text("Collectors", "采集器", "集中器"), COLLECTOR_FIELDS,
            ListSource(of_kind("collector"), device_row, COLLECTOR_FIELDS, "collector.view", scope), "collector.view",
            group="Estate", icon="collector", row_link=link,
        ),
    }  # fmt: skip


async def spells(device_id: str, from_ms: int, to_ms: int) -> list[dict[str, object]]:
    cut = to_ms - 5 * HOUR_MS
    rows = [{"state": "online", "since_ms": from_ms + 3 * HOUR_MS, "until_ms": cut, "cause": "connected"}]
    if device_id == "c3":
        rows[0]["until_ms"] = to_ms - 2 * HOUR_MS
        return [*rows, {"state": "offline", "since_ms": to_ms - 2 * HOUR_MS, "until_ms": None, "cause": "silent"}]
    rows.append({"state": "offline", "since_ms": cut, "until_ms": cut + 600_000, "cause": "closed by the network"})
    return [*rows, {"state": "online", "since_ms": cut + 600_000, "until_ms": None, "cause": "connected"}]


def lines(clock: Clock) -> dict[str, Line]:
    """Three lines with figures and a few frames, as a line keeps them."""
    made = {}
    for name in ("c1-a", "c2-a", "c3-a"):
        figures, trace = Figures(0.0), Trace(clock)
        for place, number in ((TRIES, 1240), (ANSWERS, 1233), (BUSY_S, 21.0)):
            figures.counts[place] = number
        now = clock.monotonic()
        request = bytes.fromhex("FEFEFEFE68000000002620681104333433337A16")
        answer = bytes.fromhex("FEFEFEFE680000000026206891083334333356C34533AB16")
        trace.add((now - 1.2, "sent", "a-101", request, "read energy_total"))
        trace.add((now - 0.9, "received", "a-101", answer, "answer"))
        made[name] = Line(LineConfig(name), clock, {})
        made[name].figures, made[name].trace = figures, trace
    return made


@asynccontextmanager
async def pages_estate(data_dir: Path, *, meters: int = 60, history: str = "a-101") -> AsyncIterator[SimpleNamespace]:
    """``app``, ``rooms``, ``site``, ``wire``, ``estate``; the users are anna (owner) and vera (viewer)."""
    clock, bus = Clock(seed=1), Bus()
    store = await SqliteStore.open(data_dir, clock, zone=ZONE)
    tasks = Tasks(clock)
    people = await People.open(store, clock)
    await people.users.add("anna", "a long pass phrase", "owner", by=System())
    await people.users.add("vera", "another pass phrase", "viewer", by=System())
    estate = Estate(bus, clock)
    fill(estate, clock, meters)
    wire = Wire(estate, clock)
    actions = Actions(bus, clock, Journal(), estate.get, tasks.spawn)
    for one in fake_actions(wire):
        actions.register(one)
    if history:
        await remember(store, estate, clock, history)
    wires = lines(clock)
    boxes = [Collector(CollectorConfig(name[:2]), (line,), clock, bus) for name, line in wires.items()]
    rooms = Rooms(clock, bus, estate, actions, collections(estate), people, tasks.spawn, ZONE, name="Sunrise Court",
                  store=store, spells=spells, lines=lambda: wires, collectors=lambda: boxes, plugins=lambda: PLUGINS, started_ms=clock.now())  # fmt: skip
    found = SimpleNamespace(rooms=rooms, wire=wire, estate=estate, people=people, clock=clock, bus=bus)

    def pages(app: web.Application) -> None:
        found.site = setup_pages(app, rooms)

    found.app = build_app(rooms, pages)
    try:
        yield found
    finally:
        await tasks.stop()
        people.close()
        await store.close()


def plugin(name: str, state: str, **more: object) -> SimpleNamespace:
    usual = {"version": "0.1.0", "origin": f"package meterhub_{name}", "reason": "", "where": "", "last_error": "",
             "seconds": 0.012, "listed_at": "site.yaml:5", "registered": {}}  # fmt: skip
    return SimpleNamespace(name=name, state=SimpleNamespace(value=state), **{**usual, **more})


PLUGINS = [
    plugin("dlt645", "running", registered={"register_protocols": ["dlt645-2007", "dlt645-1997"],
                                            "register_profiles": ["dlt645-2007-single-phase"]}),
    plugin("gprs", "running", registered={"register_links": ["gprs"]}, last_error="a registration packet was not known"),
    plugin("toy", "failed", version="", origin="config/plugins/toy.py", reason="ZeroDivisionError: division by zero",
           where="config/plugins/toy.py:17", last_error="ZeroDivisionError: division by zero"),
    plugin("serial", "not_listed", listed_at="", seconds=0.0),
]  # fmt: skip

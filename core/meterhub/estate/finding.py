"""Finding meters at leisure: searches that run in the shadow of all other traffic, and what they have found.

A search is begun by ``collector.find_meters``, stopped by ``collector.stop_search``, and goes on where it was when it
is begun again. It asks at background priority: each of its questions waits for everything else on the line. What was
found stands in the collection ``found-meters``; a click on a row opens the form that takes it into the estate.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from meterhub.clock import Clock
from meterhub.collections import Collection, Field, ListSource
from meterhub.devices.device import Device
from meterhub.devices.states import Estate
from meterhub.errors import Dropped, LinkDown, MeterHubError
from meterhub.field.line import Line, Priority
from meterhub.field.protocol import Protocol
from meterhub.field.search import Search

RETRY_S = 30.0
MOST_RETRIES = 2880
"""A search waits a day at most for its line to come back."""
MOST_FOUND = 2000

Finding = Mapping[str, Any]
Spawn = Callable[[str, Coroutine[Any, Any, Any]], Any]


def _text(en: str, zh: str, ja: str) -> Mapping[str, str]:
    return {"en": en, "zh": zh, "ja": ja}


STATES = {
    "searching": _text("Searching", "正在搜索", "探索中"),
    "waiting": _text("Waiting for the line", "等待线路", "回線待ち"),
    "stopped": _text("Stopped", "已停止", "停止"),
    "failed": _text("Failed", "失败", "失敗"),
    "done": _text("Done", "已完成", "完了"),
}
LINE = Field("line", _text("Line", "线路", "回線"), filter=True)
PROTOCOL = Field("protocol", _text("Protocol", "协议", "プロトコル"), filter=True)
SEARCH_FIELDS = (
    Field("id", _text("Id", "编号", "ID"), column=False),
    LINE,
    PROTOCOL,
    Field("state", _text("State", "状态", "状態"), "choice", choices=tuple(STATES), choice_labels=STATES, filter=True),
    Field("percent", _text("Progress", "进度", "進捗"), "number", unit="%"),
    Field("found", _text("Found", "已找到", "見つかった数"), "number"),
    Field("asked", _text("Questions", "询问次数", "質問数"), "number"),
    Field("unresolved", _text("Several meters answer at", "多块表同时应答", "複数応答のアドレス"), sort=False),
    Field("detail", _text("Detail", "说明", "詳細"), "sentence", sort=False),
    Field("since_ms", _text("Since", "起始时间", "開始時刻"), "time"),
)
FOUND_FIELDS = (
    Field("id", _text("Id", "编号", "ID"), column=False),
    LINE,
    PROTOCOL,
    Field("address", _text("Address", "表号", "計器番号"), search=True),
    Field("maker", _text("Maker", "厂家", "製造者"), search=True, filter=True),
    Field("profile", _text("Model", "型号", "機種"), filter=True),
    Field("baud", _text("Speed", "波特率", "通信速度"), "number", column=False),
    Field("meter", _text("Meter", "表计", "メーター"), filter=True),
)


class Hunt:
    """One search on one line. ``state`` is one of ``STATES``."""

    def __init__(self, line: Line, protocol: str, search: Search, now_ms: int) -> None:
        self.line = line
        self.protocol = protocol
        self.search = search
        self.state = "searching"
        self.detail = ""
        self.since_ms = now_ms
        self.task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """``c1-a-mbus``."""
        return f"{self.line.config.id}-{self.protocol}"


class Finder:
    """All searches and all that was found since the hub started. ``scope`` is where permissions are looked up.

    ``protocols`` tell which meters of the estate are among those found.
    """

    def __init__(
        self, estate: Estate, protocols: Mapping[str, Protocol], clock: Clock, spawn: Spawn, scope: str
    ) -> None:
        self.hunts: dict[str, Hunt] = {}
        self._estate = estate
        self._protocols = protocols
        self._clock = clock
        self._spawn = spawn
        self._scope = scope
        self._others: dict[str, Finding] = {}
        """What was found by asking who is alone."""

    def begin(self, line: Line, protocol: str, make: Callable[[], Search | None], afresh: bool) -> Hunt | None:
        """Search on, or from the beginning; None for a protocol that cannot. One that runs already is left alone."""
        key = f"{line.config.id}-{protocol}"
        hunt = self.hunts.get(key)
        if hunt is not None and hunt.task is not None and not hunt.task.done():
            return hunt
        if hunt is None or afresh or hunt.state == "done":
            search = make()
            if search is None:
                return None
            hunt = self.hunts[key] = Hunt(line, protocol, search, self._clock.now())
        hunt.task = self._spawn(f"search of {key}", self._hunt(hunt))
        return hunt

    def stop(self, lines: Iterable[Line]) -> list[str]:
        """Stop the searches on these lines; they can be gone on with."""
        ids = {line.config.id for line in lines}
        stopped = []
        for hunt in self.hunts.values():
            if hunt.line.config.id in ids and hunt.task is not None and not hunt.task.done():
                hunt.task.cancel()
                hunt.state = "stopped"
                stopped.append(hunt.id)
        return stopped

    def note(self, line: Line, protocol: str, found: Finding) -> None:
        """Keep what was found without a search."""
        if len(self._others) < MOST_FOUND:
            self._others[_slug(line.config.id, found["address"])] = {
                **found,
                "line": line.config.id,
                "protocol": protocol,
            }

    async def _hunt(self, hunt: Hunt) -> None:
        name = f"search-{hunt.protocol}"
        for _ in range(MOST_RETRIES):
            hunt.state, hunt.detail = "searching", ""
            try:
                await hunt.line.run(name, "", hunt.protocol, hunt.search.dialogue, priority=Priority.BACKGROUND)
            except (LinkDown, Dropped) as error:
                hunt.state, hunt.detail = "waiting", error.message
            except MeterHubError as error:
                hunt.state, hunt.detail = "failed", error.message
                return
            else:
                hunt.state = "done"
                return
            finally:
                hunt.line.forget(name)  # silence is no failure of anybody
            await self._clock.sleep(RETRY_S)
        hunt.state = "failed"

    def collections(self) -> list[Collection]:
        """The collections ``searches`` and ``found-meters``."""
        hunts = ListSource(self.hunts.values, _search_row, SEARCH_FIELDS, "collector.view", lambda one: self._scope)
        found = ListSource(self._found, lambda row: row, FOUND_FIELDS, "collector.view", lambda row: self._scope)
        return [
            Collection(
                "searches",
                _text("Searches", "搜索任务", "探索"),
                SEARCH_FIELDS,
                hunts,
                "collector.view",
                group="Estate",
                icon="search",
            ),
            Collection(
                "found-meters",
                _text("Found meters", "搜索到的表计", "見つかったメーター"),
                FOUND_FIELDS,
                found,
                "collector.view",
                group="Estate",
                icon="found",
                row_link=_adopt_link,
                description=_text("Choose one to take it in", "点击一行即可建档", "行を選ぶと登録できます"),
            ),
        ]

    def _found(self) -> list[_Row]:
        found = dict(self._others)
        for hunt in self.hunts.values():
            for one in hunt.search.found:
                line = hunt.line.config
                more = {"line": line.id, "protocol": hunt.protocol, "baud": line.baud}
                found.setdefault(_slug(line.id, one["address"]), {**one, **more})
        meters = [one for one in self._estate.values() if one.kind == "meter"]
        return [_found_row(key, one, self._known(one, meters)) for key, one in found.items()]

    def _known(self, found: Finding, meters: Iterable[Device]) -> str:
        """The id of the meter that was found; '' for one that is not in the estate."""
        same, addresses = self._protocols[found["protocol"]].is_same, [found["address"], *found.get("also", ())]

        def is_it(meter: Device) -> bool:
            speaks = meter.profile.protocol == found["protocol"]
            return any(meter.address == one or (speaks and same(meter.address, one)) for one in addresses)

        return next((one.id for one in meters if one.parent == found["line"] and is_it(one)), "")


class _Row(dict[str, Any]):
    """A row that is its own object."""

    @property
    def id(self) -> str:
        """Its id."""
        return str(self["id"])


def _slug(line: str, address: str) -> str:
    return f"{line}-{re.sub('[^a-z0-9]+', '-', address.lower()).strip('-')}"


def _search_row(hunt: Hunt) -> dict[str, Any]:
    search = hunt.search
    return {
        "id": hunt.id,
        "line": hunt.line.config.id,
        "protocol": hunt.protocol,
        "state": hunt.state,
        "percent": search.percent,
        "found": len(search.found),
        "asked": search.asked,
        "unresolved": ", ".join(search.unresolved),
        "detail": hunt.detail,
        "since_ms": hunt.since_ms,
    }


def _found_row(key: str, one: Finding, meter: str) -> _Row:
    return _Row(
        id=key,
        line=one["line"],
        protocol=one["protocol"],
        address=one["address"],
        maker=one.get("maker", ""),
        profile=one["profile"],
        baud=one.get("baud"),
        meter=meter,
    )


def _adopt_link(row: Mapping[str, Any]) -> str:
    """The page of the meter, or the form that takes it in, filled with what is known of it."""
    if row["meter"]:
        return f"/devices/{row['meter']}"
    filled = {name: row[name] for name in ("line", "address", "profile")}
    return "/meters/new?" + urlencode({"id": f"m-{row['id']}", **filled})

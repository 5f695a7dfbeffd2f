"""Newcomers: who calls without being known, and pairing such a caller with a collector that waits for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call
from meterhub.clock import Clock
from meterhub.collections import Collection, Field, ListSource
from meterhub.config.types import packet, packet_text
from meterhub.errors import MeterHubError
from meterhub.field.link import Link
from meterhub.field.link_desk import LinkDesk, Stranger
from meterhub.store.engine import Store

Links = Callable[[], Iterable[tuple[Link, LinkDesk]]]
PREFIX = "pairing."


def _text(en: str, zh: str, ja: str) -> Mapping[str, str]:
    return {"en": en, "zh": zh, "ja": ja}


FIELDS = (
    Field("id", _text("Id", "编号", "ID"), column=False),
    Field("link", _text("Link", "链路", "リンク"), filter=True),
    Field("peer", _text("From", "来源", "接続元"), search=True),
    Field("first", _text("First bytes", "首包", "最初のバイト"), search=True),
    Field("why", _text("Why not", "未接入原因", "拒否の理由")),
    Field("calls", _text("Calls", "次数", "回数"), "number"),
    Field("at_ms", _text("Last", "最近一次", "最終"), "time"),
)


class Pairing:
    """The collection ``newcomers`` and the action ``collector.pair``; ``links`` are those that are open."""

    def __init__(self, store: Store, clock: Clock, links: Links, scope: str) -> None:
        self._store = store
        self._clock = clock
        self._links = links
        self._scope = scope

    async def restore(self) -> None:
        """Tell the links what was paired before."""
        for row in await self._store.query("pairings", {"prefix": PREFIX + "%"}):
            found = self._of(row["key"].removeprefix(PREFIX))
            if found is not None:
                found[0].pair(found[1], bytes.fromhex(json.loads(row["value_json"])))

    def _of(self, collector_id: str) -> tuple[Link, str] | None:
        for link, desk in self._links():
            collector = desk.sessions.get(collector_id)
            if collector is not None and collector.config.options.get("pairing"):
                return link, collector_id
        return None

    def action(self) -> Action:
        """The action to register."""
        return Action(
            "collector.pair",
            _text("Pair with a caller", "配对新来的采集器", "接続元と組み合わせる"),
            "collector.edit",
            self.pair,
            target="collector",
            schema={vol.Required("registration", description="First bytes, as among the newcomers."): packet()},
            applies=lambda device: self._of(device.id) is not None,
            everyday=False,
        )

    async def pair(self, call: Call) -> dict[str, Any]:
        """From now on the caller with this registration is the collector; raises ``BadInput`` when it is another's."""
        found = self._of(call.target.id)
        if found is None:
            raise MeterHubError(f"the collector {call.target.id} does not wait to be paired", where=call.target.id)
        registration = call.params["registration"]
        data = registration if isinstance(registration, bytes) else packet()(registration)
        found[0].pair(found[1], data)
        row = {"key": PREFIX + found[1], "value": json.dumps(data.hex()), "now_ms": self._clock.now()}
        await self._store.transact(lambda tx: tx.execute("keep_pairing", row))
        call.sent()
        return {"registration": packet_text(data)}

    def collection(self) -> Collection:
        """Callers nobody knows, newest last; each link remembers fifty."""
        return Collection(
            "newcomers",
            _text("Newcomers", "新来的采集器", "未登録の接続元"),
            FIELDS,
            ListSource(self._rows, lambda row: row, FIELDS, "collector.view", lambda row: self._scope),
            "collector.view",
            group="Estate",
            icon="newcomer",
        )

    def _rows(self) -> list[dict[str, Any]]:
        desks = [desk for _, desk in self._links()]
        return [_row(desk.link_id, number, one) for desk in desks for number, one in enumerate(desk.strangers)]


def _row(link_id: str, number: int, one: Stranger) -> dict[str, Any]:
    return {
        "id": f"{link_id}-{number}",
        "link": link_id,
        "peer": one.peer,
        "first": packet_text(one.first_bytes),
        "why": one.why,
        "calls": one.calls,
        "at_ms": one.ms,
    }

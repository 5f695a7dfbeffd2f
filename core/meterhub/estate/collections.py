"""Meters and collectors as collections: the one renderer lists them, the API serves them, exports take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from meterhub.actions import Actor
from meterhub.collections import Collection, Field, ListSource
from meterhub.devices.device import Device, Status
from meterhub.devices.states import Estate


def _text(en: str, zh: str, ja: str) -> Mapping[str, str]:
    return {"en": en, "zh": zh, "ja": ja}


STATUS = Field("status", _text("Status", "状态", "状態"), "status", choices=tuple(map(str, Status)), filter=True)
DETAIL = Field("detail", _text("Detail", "说明", "詳細"), "sentence", sort=False)
ORIGIN = Field("origin", _text("Set up in", "配置位置", "設定元"), column=False)

METER_FIELDS = (
    Field("id", _text("Id", "编号", "ID"), search=True, required=True, edit=True),
    Field("name", _text("Name", "名称", "名称"), search=True, column=False, edit=True),
    STATUS,
    Field("place", _text("Place", "位置", "場所"), search=True, edit=True),
    Field("address", _text("Address", "表号", "計器番号"), search=True, required=True, edit=True),
    Field("line", _text("Line", "线路", "回線"), search=True, filter=True, required=True, edit=True),
    Field("profile", _text("Model", "型号", "機種"), filter=True, column=False, required=True, edit=True),
    Field("answered_ms", _text("Last answer", "最近应答", "最終応答"), "time"),
    DETAIL,
    ORIGIN,
)
COLLECTOR_FIELDS = (
    Field("id", _text("Id", "编号", "ID"), search=True),
    Field("name", _text("Name", "名称", "名称"), search=True),
    STATUS,
    Field("place", _text("Place", "位置", "場所"), search=True),
    Field("link", _text("Link", "链路", "リンク"), filter=True),
    Field("since_ms", _text("Since", "起始时间", "開始時刻"), "time"),
    DETAIL,
    ORIGIN,
)


class Book(Protocol):
    """Where meters are kept that no site file has: a ``meterhub.estate.meter_book.MeterBook``."""

    async def add(self, actor: Actor, values: Mapping[str, Any]) -> Device:
        """Take a meter in."""

    async def change(self, actor: Actor, meter_id: str, values: Mapping[str, Any]) -> Device:
        """Change one."""

    async def remove(self, actor: Actor, meter_id: str) -> None:
        """Let one go."""


class MeterSource(ListSource):
    """All meters; those of the book can be added and taken away, those of the site file are changed there."""

    def __init__(self, estate: Estate, book: Book) -> None:
        super().__init__(_of_kind(estate, "meter"), _meter_row, METER_FIELDS, "device.view", _scope)
        self._book = book

    async def create(self, actor: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
        """Take a meter in; raises ``BadInput`` or ``Conflict``."""
        return _meter_row(await self._book.add(actor, values))

    async def update(self, actor: Actor, row_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change a meter of the book; raises ``BadInput`` for one of the site file."""
        return _meter_row(await self._book.change(actor, row_id, values))

    async def delete(self, actor: Actor, row_id: str) -> None:
        """Let a meter of the book go; raises ``BadInput`` for one of the site file."""
        await self._book.remove(actor, row_id)


def estate_collections(estate: Estate, book: Book) -> list[Collection]:
    """The collections ``meters`` and ``collectors``; what the site file set up is changed there."""
    return [
        Collection(
            "meters",
            _text("Meters", "表计", "メーター"),
            METER_FIELDS,
            MeterSource(estate, book),
            "device.view",
            "meter.edit",
            group="Estate",
            icon="meter",
            row_link=_page,
            bulk_actions=("meter.read", "meter.open_circuit", "meter.close_circuit"),
            can_create=True,
            can_delete=True,
        ),
        Collection(
            "collectors",
            _text("Collectors", "采集器", "集約装置"),
            COLLECTOR_FIELDS,
            ListSource(_of_kind(estate, "collector"), _collector_row, COLLECTOR_FIELDS, "collector.view", _scope),
            "collector.view",
            group="Estate",
            icon="collector",
            row_link=_page,
        ),
    ]


def _of_kind(estate: Estate, kind: str) -> Callable[[], Iterable[Device]]:
    return lambda: [one for one in estate.values() if one.kind == kind]


def _scope(device: Device) -> str:
    return device.scope


def _page(row: Mapping[str, Any]) -> str:
    return f"/devices/{row['id']}"


def _row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "name": device.name,
        "status": str(device.status),
        "place": " / ".join(device.place),
        "detail": device.detail,
        "origin": device.origin,
    }


def _meter_row(device: Device) -> dict[str, Any]:
    return _row(device) | {
        "address": device.address,
        "line": device.parent,
        "profile": device.profile.id,
        "answered_ms": device.answered_ms or None,
    }


def _collector_row(device: Device) -> dict[str, Any]:
    return _row(device) | {"link": device.parent, "since_ms": device.since_ms}

"""How rows of money are found: by their numbers, and by what a manager knows of the person, the room and the money."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from meterhub.collections import Field
from meterhub.devices.device import Device
from meterhub.errors import BadInput
from meterhub.messages.notifier import masked
from meterhub.money.amount import parse_yuan
from meterhub.office.collection_table import TableSource
from meterhub.store.engine import Row, Store

DAY = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?", re.ASCII)
NUMBER = re.compile(r"\d{7,15}", re.ASCII)
COLUMN = "search_"
"""Columns of a query that begin so are searched in place of the field of that name, and shown nowhere."""
MEANT = frozenset({"phone", "shown", "place", "amount_fen", "created_ms", "paid_ms"})
"""Fields of which a query has such a column: what is typed for them is not what is stored."""
PLACE = Field("place", {"en": "Place", "zh": "位置", "ja": "場所"}, search=True, sort=False)
HOLDER = Field("holder", {"en": "Customer", "zh": "户名", "ja": "契約者"}, search=True)
PHONE = Field(
    "phone",
    {"en": "End of mobile number", "zh": "手机尾号", "ja": "携帯番号の末尾"},
    search=True,
    sort=False,
    column=False,
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The places of all meters, and the zone whose days are meant."""

    estate: Mapping[str, Device]
    zone: tzinfo

    def place(self, meter: str) -> str:
        """Where a meter hangs, "" when that is not known."""
        device = self.estate.get(meter)
        return " / ".join(device.place) if device is not None else ""

    def meters(self, words: str) -> list[str]:
        """The meters whose place has these words in it."""
        wanted = words.casefold()
        return [one.id for one in self.estate.values() if one.place and wanted in " / ".join(one.place).casefold()]


class MoneySource(TableSource):
    """A ``TableSource`` that fills in ``place`` and masks ``phone``, and gives its query what was looked for:

    ``:found`` the words themselves, ``:found_meters`` a JSON list, ``:found_fen`` (-1: no amount), ``:found_from`` and
    ``:found_to`` the day or month as epoch ms, ``:found_phone`` the digits of a whole number or "".
    """

    def __init__(
        self, store: Store, query: str, fields: Sequence[Field], permission: str, sort: str, where: Whereabouts
    ) -> None:
        super().__init__(store, query, fields, permission, sort)
        self._searched = [COLUMN + one if one in MEANT else one for one in self._searched]
        self._where = where

    def looked_for(self, words: str) -> dict[str, Any]:
        """What the search box may mean."""
        words = words.strip()
        start_ms, end_ms = _days(words, self._where.zone)
        return {
            "found": words,
            "found_meters": json.dumps(self._where.meters(words) if words else []),
            "found_fen": _fen(words),
            "found_from": start_ms,
            "found_to": end_ms,
            "found_phone": _digits(words),
        }

    def row(self, row: Row) -> dict[str, Any]:
        """The row without the columns that are only searched."""
        shown = {name: value for name, value in super().row(row).items() if not name.startswith(COLUMN)}
        if "meter" in shown:
            shown["place"] = self._where.place(shown["meter"])
        if shown.get("phone"):
            shown["phone"] = masked(shown["phone"])
        return shown


def _fen(words: str) -> int:
    try:
        return parse_yuan(words.strip("¥￥元 ").removesuffix("yuan").strip())
    except BadInput:
        return -1


def _digits(words: str) -> str:
    bare = re.sub(r"[ +()-]", "", words)
    return bare if NUMBER.fullmatch(bare) else ""


def _days(words: str, zone: tzinfo) -> tuple[int, int]:
    """From when to when a day or a month lasts, as ``2026-12-01``, ``2026/12/1`` or ``2026-12``; (0, 0) for neither."""
    found = DAY.fullmatch(words)
    if found is None:
        return 0, 0
    try:
        first = date(int(found[1]), int(found[2]), int(found[3] or 1))
        after = first + timedelta(days=1 if found[3] else 32)
    except (ValueError, OverflowError):
        return 0, 0
    return _midnight(first, zone), _midnight(after if found[3] else after.replace(day=1), zone)


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)

"""Heartbeat bars: a day in 48 half hours, each up, down, in part, or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from meterhub.clock import utc
from meterhub.devices.device import Device, Status
from meterhub.texts import Texts, mark
from meterhub.web.rooms import Rooms

HALF_HOUR_MS = 1_800_000
BEATS = 48
ONLINE = Status.ONLINE.value
UNKNOWN = "unknown"
"""The hub was down: nobody knows."""

Spell = tuple[str, int, int, str]
"""``(state, since_ms, until_ms, cause)``; ``until_ms`` is now for the one that goes on."""


async def spells_of(rooms: Rooms, device: Device, now_ms: int) -> list[Spell]:
    """The online and offline spells of the last day, oldest first.

    They come from ``rooms.spells``: rows with ``state``, ``since_ms``, ``until_ms`` (None: goes on) and ``cause``;
    without any only the present one is known, from the device itself.
    """
    rows = await rooms.spells(device.id, now_ms - BEATS * HALF_HOUR_MS, now_ms)
    spells = [(row["state"], row["since_ms"], row["until_ms"] or now_ms, row.get("cause") or "") for row in rows]
    if not spells and device.since_ms and device.status is not Status.NEVER_SEEN:
        spells.append((device.status.value, device.since_ms, now_ms, device.detail))
    return sorted(spells, key=lambda one: one[1])


def beats(spells: Sequence[Spell], now_ms: int, zone: tzinfo, texts: Texts) -> list[dict[str, Any]]:
    """One mark per half hour, oldest first: ``look`` is up, down, part or empty for unknown."""
    first = (now_ms // HALF_HOUR_MS - BEATS + 1) * HALF_HOUR_MS
    marks = []
    for place in range(BEATS):
        start, end = first + place * HALF_HOUR_MS, min(first + (place + 1) * HALF_HOUR_MS, now_ms)
        up = sum(_shared(one, start, end) for one in spells if one[0] == ONLINE)
        down = sum(_shared(one, start, end) for one in spells if one[0] not in (ONLINE, UNKNOWN))
        look = "" if not up and not down else "up" if not down else "down" if not up else "part"
        word = {"": mark("unknown"), "up": mark("online"), "down": mark("offline"), "part": mark("interrupted")}[look]
        time = utc(start).astimezone(zone).strftime("%H:%M")
        marks.append({"look": look, "title": f"{time} {texts(word)}"})
    return marks


def _shared(spell: Spell, start: int, end: int) -> int:
    return max(0, min(spell[2], end) - max(spell[1], start))

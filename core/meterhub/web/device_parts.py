"""What a device's page is made of: the large values, rows by group, lines and causes in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from meterhub.devices.entity import Entity, Role
from meterhub.field.collector import Collector
from meterhub.field.figures import Figures
from meterhub.schedules import Schedules
from meterhub.texts import Texts, mark
from meterhub.web import values
from meterhub.web.assets import icon

RELAY_ICONS = '{"true": "on", "false": "off"}'
"""The icon of a control by its value, as the live value wants it."""


def line_ids(collector: Collector) -> tuple[str, ...]:
    """The ids of a collector's lines."""
    return tuple(one.config.id for one in collector.lines)


def line_summary(figures: Figures, now_s: float, texts: Texts) -> str:
    """How busy a line is and how many of its requests were answered."""
    if not figures.tries:
        return texts(mark("nothing asked yet"))
    rate = figures.answers / figures.tries
    return texts(mark("%(busy)d %% busy, %(rate)d %% of %(tries)d requests answered")) % {
        "busy": round(100 * figures.utilisation(now_s)),
        "rate": round(100 * rate),
        "tries": figures.tries,
    }


def sweep_s(schedules: Schedules | None) -> int:
    """The seconds between two scheduled reads: the shortest of the plain intervals, 0 when there is none."""
    return min((one.every_s for one in schedules or () if one.enabled and one.every_s), default=0)


def primary(entities: Sequence[Entity]) -> list[Entity]:
    """The few values that stand large: the first register that only grows, power, money, and what can be switched."""
    chosen: list[Entity | None] = [
        next((one for one in entities if one.definition.accumulate and one.definition.role is Role.READING), None),
        next((one for one in entities if one.definition.meaning == "power"), None),
        next((one for one in entities if one.definition.role is Role.MONEY), None),
        next((one for one in entities if one.definition.role is Role.CONTROL), None),
    ]
    found = [one for one in chosen if one is not None]
    return found or [one for one in entities if one.definition.role is Role.READING][:1]


class ValueRows:
    """Makes the rows of values."""

    def __init__(self, texts: Texts, now_ms: int, period_s: int) -> None:
        self._texts = texts
        self._now_ms = now_ms
        self._period_s = period_s

    def row(self, entity: Entity, big: bool = False) -> dict[str, Any]:
        """One value with its name and when the device had it."""
        value = values.live_value(entity, self._texts, self._now_ms, self._period_s)
        if big and entity.definition.role is Role.CONTROL and entity.value in (True, False):
            if entity.definition.kind == "valve":
                picture = "valve"
            else:
                value = value.replace("<live-value ", f'<live-value data-icons="{escape(RELAY_ICONS)}" ', 1)
                picture = "on" if entity.value else "off"
            value = value.replace("<span", icon(picture, "word-icon") + "<span", 1)
        return {
            "name": self._texts.pick(entity.definition.name),
            "value": Markup(value),
            "measured_ms": entity.state.measured_ms if entity.state is not None else None,
        }

    def groups(self, entities: Sequence[Entity]) -> list[dict[str, Any]]:
        """Readings, money and controls by the group that the profile gives, in its order."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for one in entities:
            if one.definition.role in (Role.READING, Role.MONEY, Role.CONTROL):
                groups.setdefault(one.definition.group, []).append(self.row(one))
        return [
            {"title": self._texts(GROUP_WORDS.get(name, name)) if name else "", "rows": rows}
            for name, rows in groups.items()
        ]


GROUP_WORDS = {
    "energy": mark("Energy"),
    "power": mark("Power"),
    "voltage": mark("Voltage"),
    "current": mark("Current"),
    "tariff": mark("Tariffs"),
    "relay": mark("Relay"),
    "valve": mark("Valve"),
    "money": mark("Money"),
    "water": mark("Water"),
    "volume": mark("Volume"),
    "heat": mark("Heat"),
    "gas": mark("Gas"),
    "history": mark("Earlier months"),
    "state": mark("State"),
    "grid": mark("Grid"),
    "prepaid": mark("Prepaid credit"),
    "status": mark("Status"),
}
"""Names of the groups that profiles commonly use; another group shows the name its profile gives."""

"""A collector's figures in words, for its page, and a meter's for the technical part of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from meterhub.field.causes import in_words
from meterhub.field.collector import Node
from meterhub.texts import Texts, mark
from meterhub.web import values

Facts = list[tuple[str, str]]

PARTS = ("online", "offline", "unknown")
ERROR_WORDS = {
    "no_answer": mark("no answer"),
    "link_down": mark("connection down"),
    "refused": mark("refused by the meter"),
    "bad_frame": mark("spoilt answer"),
    "dropped": mark("too late or cancelled"),
    "misuse": mark("bug of a plugin"),
}
"""Errors by the ``code`` of ``meterhub.errors``; another code is shown as it is."""


def to_the_second(seconds: int) -> str:
    """``2:15:08``: short, and what is shown adds up."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def percent(permille: int | None) -> str:
    """Thousandths as per cent, '' when unknown."""
    return "" if permille is None else f"{permille // 10}.{permille % 10} %"


def trip(ms: int | None) -> str:
    """A round trip, '' when there was none."""
    return "" if ms is None else f"{ms} ms" if ms < 10_000 else f"{ms // 1000} s"


class CollectorView:
    """``figures`` are those of ``collector_parts.figures_of``."""

    def __init__(self, figures: Mapping[str, Any], texts: Texts, zone: tzinfo, now_ms: int) -> None:
        self._figures = figures
        self._texts = texts
        self._zone = zone
        self._now_ms = now_ms

    def content(self) -> dict[str, Any]:
        """What the template shows."""
        figures = self._figures
        return {
            "facts": self._facts(figures["connection"]) if figures["connection"] else [],
            "days": [
                {"day": one["day"]} | {part: to_the_second(one[f"{part}_s"]) for part in PARTS}
                for one in figures["days"]
                if one["online_s"] or one["offline_s"]
            ],
            "lines": [self._line(one) for one in figures["lines"]],
            "nodes": figures["nodes"],
        }

    def _facts(self, one: Mapping[str, Any]) -> Facts:
        texts = self._texts
        signal = one["signal_dbm"]
        facts = [
            (texts(mark("Trouble of the link")), texts.said(one["trouble"] or "")),
            (texts(mark("Address")), one["peer"] or ""),
            (texts(mark("Why")), texts.said(in_words(one["cause"]))),
            (texts(mark("Last sign of life")), self._age(one["alive_ms"])),
            (texts(mark("Last bytes of a meter's line")), self._age(one["heard_ms"])),
            (texts(mark("Last valid answer")), self._age(one["meter_ms"])),
            (texts(mark("Round trip")), trip(one["trip_ms"])),
            (texts(mark("Waiting in the queue")), str(one["queue"])),
            (texts(mark("Signal")), "" if signal is None else f"{signal} dBm"),
            (texts(mark("Connections since the start")), str(one["connections"])),
            (texts(mark("Bytes that wait to be taken in")), str(one["waiting_bytes"] or "")),
            (texts(mark("Bytes dropped for want of room")), str(one["dropped_bytes"] or "")),
            (texts(mark("Datagrams lost on its link")), str(one["lost_datagrams"] or "")),
        ]
        return [(label, value) for label, value in facts if value]

    def _age(self, ms: int | None) -> str:
        return "" if ms is None else values.age_words(ms, self._now_ms, self._texts)

    def _line(self, one: Mapping[str, Any]) -> dict[str, Any]:
        texts = self._texts
        return {
            "id": one["id"],
            "channel": one["channel"],
            "connected": texts(mark("online")) if one["connected"] else texts.said(in_words(one["cause"])),
            "peer": one["peer"] or "",
            "busy": percent(one["utilisation_permille"]),
            "success": percent(one["success_permille"]),
            "tries": one["tries"],
            "trip": trip(one["trip_ms"]),
            "queue": one["queue"],
            "errors": [f"{texts(ERROR_WORDS.get(code, code))}: {count}" for code, count in one["errors"].items()],
            "slowest": [{"id": slow["id"], "trip": trip(slow["trip_ms"])} for slow in one["slowest"]],
        }


def standing_facts(
    standing: Mapping[str, Any] | None, texts: Texts, zone: tzinfo, now_ms: int
) -> Sequence[tuple[str, str]]:
    """How a meter has answered, for the technical part of its page."""
    if standing is None:
        return ()
    good = standing["last_good_ms"]
    facts = [
        (texts(mark("Last valid answer")), values.clock_time(good, zone, now_ms) if good else ""),
        (texts(mark("Failures in a row")), str(standing["failures"])),
        (texts(mark("Last error")), texts.said(standing["last_error"] or "")),
        (texts(mark("Round trip")), trip(standing["trip_ms"])),
    ]
    return [(label, value) for label, value in facts if value]


def node_facts(node: Node | None, texts: Texts) -> Sequence[tuple[str, str]]:
    """What the radio network says of the meter's node."""
    if node is None:
        return ()
    one = node.facts
    state = {True: mark("online"), False: mark("offline"), None: mark("unknown")}[one.online]
    facts = [
        (texts(mark("Node")), texts(state)),
        (texts(mark("Hops")), "" if one.hops is None else str(one.hops)),
        (texts(mark("Quality")), "" if one.quality is None else f"{one.quality} %"),
        (texts(mark("Signal")), "" if one.signal_dbm is None else f"{one.signal_dbm} dBm"),
    ]
    return [(label, value) for label, value in facts if value]

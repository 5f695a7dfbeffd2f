"""How values, states, times and ages are put into words and marks; nothing here knows a page or a meter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any

from meterhub.clock import utc
from meterhub.devices.entity import Entity, EntityDef, Quality
from meterhub.texts import Texts, mark
from meterhub.web.assets import icon

STATUSES: Mapping[str, tuple[str, str, str]] = {
    "online": ("ok", "ok", mark("Online")),
    "no_answer": ("no-answer", "warn", mark("No answer")),
    "link_down": ("link-down", "bad", mark("Link down")),
    "refused": ("refused", "bad", mark("Refused")),
    "config_error": ("config", "bad", mark("Configuration error")),
    "disabled": ("disabled", "off", mark("Disabled")),
    "never_seen": ("never", "off", mark("Never seen")),
    "offline": ("link-down", "bad", mark("Offline")),
    "unknown": ("never", "off", mark("Unknown")),
    "running": ("ok", "ok", mark("Running")),
    "failed": ("bad", "bad", mark("Failed")),
    "found": ("never", "off", mark("Found")),
    "not_listed": ("disabled", "off", mark("Not listed")),
    "queued": ("queued", "info", mark("Queued")),
    "sent": ("sent", "info", mark("Sent")),
    "confirmed": ("ok", "ok", mark("Confirmed")),
    "ok": ("ok", "ok", mark("OK")),
}
"""Icon, tone and word of every status, in the order of pages."""

ORDER = ("online", "no_answer", "link_down", "refused", "config_error", "never_seen", "disabled")
"""The statuses of devices, as tallies and legends list them."""

STALE_PERIODS = 2
DEFAULT_PERIOD_S = 900
"""How often a value is taken to be refreshed when neither its definition nor a schedule says."""

_AGES = ((60, 1, mark("%(n)d s ago")), (3600, 60, mark("%(n)d min ago")), (172800, 3600, mark("%(n)d h ago")))


def status(word: str, texts: Texts, watch: str = "", classes: str = "") -> str:
    """A status as icon, word and colour; with ``watch`` (a device id) it follows the live socket."""
    mark_icon, tone, label = STATUSES.get(word, ("never", "off", word or mark("Unknown")))
    pill = f'<span class="status tone-{tone} {classes}">{icon(mark_icon)}<span>{escape(texts(label))}</span></span>'
    if not watch:
        return pill
    data = f'data-watch="{escape(watch)}" data-status="{escape(word)}" data-classes="{classes}"'
    return f"<status-pill {data}>{pill}</status-pill>"


TONE_ICONS = {"ok": "ok", "info": "queued", "warn": "warn", "bad": "bad", "off": "refused"}


def toned(tone: str, label: str) -> str:
    """A state that is no device's: icon, word and colour after its tone."""
    return f'<span class="status tone-{tone}">{icon(TONE_ICONS[tone])}<span>{escape(label)}</span></span>'


def clock_time(ms: int, zone: tzinfo, now_ms: int | None = None) -> str:
    """``14:03:20`` on the day of ``now_ms``, else ``2026-11-24 14:03``; the site's zone."""
    moment = utc(ms).astimezone(zone)
    if now_ms is not None and utc(now_ms).astimezone(zone).date() == moment.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d %H:%M")


def age_words(ms: int, now_ms: int, texts: Texts) -> str:
    """``12 s ago`` up to two days, then days."""
    seconds = max(0, (now_ms - ms) // 1000)
    for below, unit, msgid in _AGES:
        if seconds < below:
            return texts(msgid) % {"n": seconds // unit}
    return texts(mark("%(n)d d ago")) % {"n": seconds // 86400}


def age(ms: int | None, zone: tzinfo, texts: Texts, now_ms: int | None = None) -> str:
    """A time that the page turns into a running age. Without ``now_ms`` the clock time stands there until then."""
    if not ms:
        return "–"
    moment = utc(ms).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    words = moment if now_ms is None else age_words(ms, now_ms, texts)
    return f'<age-text data-t="{ms}" title="{moment}">{escape(words)}</age-text>'


def grouped(shown: str) -> str:
    """A decimal string with thousands separators: ``12345.60`` to ``12,345.60``."""
    try:
        return f"{Decimal(shown):,f}"
    except InvalidOperation:
        return shown


def fen(amount: int) -> str:
    """An amount of money with two decimals."""
    return f"{Decimal(amount).scaleb(-2):,.2f}"


def period_s(definition: EntityDef, sweep_s: int) -> int:
    """How often a value should come anew: what its definition says, at least as rare as the sweep that reads it."""
    return max(definition.refresh_s, sweep_s) or DEFAULT_PERIOD_S


def words_of(definition: EntityDef, texts: Texts) -> dict[str, str]:
    """What the values of a choice or a switch are called, by value as JSON writes it."""
    named = {key: texts.pick(text) for key, text in definition.options.items()}
    if not named and definition.kind in ("switch", "valve", "boolean"):
        return {"true": texts(mark("On")), "false": texts(mark("Off"))}
    return named


def value_text(definition: EntityDef, shown: bool | str | None, texts: Texts) -> str:
    """A shown value in words: grouped digits, the option's name, ``–`` when unknown, dots when secret."""
    if shown is None or shown == "":
        return "–"
    if definition.secret:
        return "••••••"
    words = words_of(definition, texts)
    if words:
        key = str(shown).lower() if isinstance(shown, bool) else shown
        return words.get(key, str(shown))
    if definition.kind in ("number", "money") and isinstance(shown, str):
        return grouped(shown)
    return str(shown)


def is_stale(entity: Entity, now_ms: int, sweep_s: int) -> bool:
    """Whether a value is older than two of its periods, or was marked so."""
    state = entity.state
    if state is None:
        return False
    if state.quality is Quality.STALE:
        return True
    return now_ms - state.measured_ms > STALE_PERIODS * period_s(entity.definition, sweep_s) * 1000


def live_value(entity: Entity, texts: Texts, now_ms: int, sweep_s: int) -> str:
    """A value with its unit that follows the live socket; grey when stale, a dash when unknown."""
    definition, state = entity.definition, entity.state
    quality = (
        ""
        if state is None or state.value is None
        else "stale"
        if is_stale(entity, now_ms, sweep_s)
        else state.quality.value
    )
    words = words_of(definition, texts)
    data: dict[str, Any] = {
        "watch": entity.id,
        "q": quality,
        "t": state.measured_ms if state is not None else 0,
        "fresh-s": STALE_PERIODS * period_s(definition, sweep_s),
        "kind": definition.kind if not definition.secret else "secret",
    }
    if words:
        data["words"] = json.dumps(words, ensure_ascii=False)
    attributes = " ".join(f'data-{name}="{escape(str(value))}"' for name, value in data.items())
    text = escape(value_text(definition, entity.shown, texts))
    unit = f'<span class="unit">{escape(definition.unit)}</span>' if definition.unit else ""
    wordy = "text word" if words or definition.kind not in ("number", "money") else "text"
    return f'<live-value {attributes}><span class="{wordy}">{text}</span>{unit}</live-value>'

"""A run of an action as pages show it: four states, the read-back values in words, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.actions import Actions
from meterhub.devices.device import Device
from meterhub.errors import NotFound
from meterhub.field.doctor_words import WORDS as DOCTOR_WORDS
from meterhub.runs import FINAL, Run, RunState
from meterhub.texts import Texts, mark
from meterhub.web import values

TONES = {RunState.QUEUED: "info", RunState.SENT: "info", RunState.CONFIRMED: "ok", RunState.FAILED: "bad"}
MAX_VALUES = 12
"""So many values are shown at once; the rest is folded."""
MAX_FOLDED, MAX_ROWS = 300, 200
WORDS = (mark("yuan"), mark("yuan/kWh"), mark("times"), mark("meter"), mark("collector"))
"""Units of items that are words, and kinds of devices as errors name them."""
SHOWN_PARAMS = (str, bool, int)


def run_view(run: Run, device: Device | None, actions: Actions, texts: Texts, *, named: bool = False) -> dict[str, Any]:
    """What the strip of a command shows. ``named``: say which device it went to."""
    title, retry = run.action, ""
    try:
        action = actions.get(run.action)
        title = texts.pick(action.title)
        if run.state is RunState.FAILED and device is not None:
            retry = f"/devices/{device.id}/actions/{action.name}"
    except NotFound:
        pass  # a plugin that left took its action with it; the run stays
    shown = _read_back(run, device, texts)
    return {
        "id": run.id,
        "href": f"/runs/{run.id}",
        "title": title,
        "target": run.target,
        "name": (device.name or device.id) if device is not None and named else "",
        "state": run.state.value,
        "tone": TONES[run.state],
        "final": run.state in FINAL,
        "was_sent": run.state is RunState.CONFIRMED or (run.error or {}).get("code") not in _NEVER_SENT,
        "who": run.actor.partition(":")[2] or run.actor,
        "ms": run.created_ms,
        "read_back": shown[:MAX_VALUES],
        "more": shown[MAX_VALUES:MAX_FOLDED],
        "records": _records(run, texts),
        "findings": [_finding(one, texts) for one in (run.result or {}).get("findings", ())],
        "next": texts.pick((run.result or {}).get("next")),
        "error": _in_words(run.error, texts),
        "retry": retry,
        "again": [("reason", run.reason), *_params(run)],
    }


WHY = {
    "link_down": mark("The way to the meter is interrupted"),
    "no_answer": mark("The meter did not answer"),
    "bad_frame": mark("The answer was damaged"),
    "refused": mark("The meter refused"),
    "dropped": mark("It was not carried out any more"),
    "bad_input": mark("The command was wrong"),
    "not_allowed": mark("You may not do this"),
    "store": mark("It could not be stored"),
}
"""Why a command failed, by the code of its error."""


def _in_words(error: Mapping[str, Any] | None, texts: Texts) -> dict[str, Any] | None:
    """The error in the reader's language, with ``why``, one line; '' where the message alone says it."""
    if error is None:
        return None
    why = "" if texts.short == "en" else texts(WHY.get(error.get("code", ""), ""))
    return {**error, "message": texts.said(error["message"]), "hint": texts.said(error.get("hint", "")), "why": why}


_NEVER_SENT = ("link_down", "dropped", "not_allowed", "bad_input")


def _params(run: Run) -> list[tuple[str, str]]:
    return [(f"p-{name}", str(value)) for name, value in run.params.items() if isinstance(value, SHOWN_PARAMS)]


def _read_back(run: Run, device: Device | None, texts: Texts) -> list[dict[str, str]]:
    """The values that the meter itself gave, by name and with unit: those of entities, then items by name."""
    result = run.result or {}
    items = result.get("values") or {}
    brought = result.get("read_back") or (items if isinstance(items, dict) else {})
    shown = []
    for key, value in brought.items():
        definition = device.definition(key) if device is not None else None
        if definition is None:
            shown.append({"name": str(key), "text": str(value)})
        elif not definition.hidden and value is not None:
            text = f"{values.value_text(definition, value, texts)} {definition.unit}".strip()
            shown.append({"name": texts.pick(definition.name), "text": text})
    failed = result.get("failed") or {}
    if failed:
        shown.append({"name": texts(mark("Not read")), "text": ", ".join(list(failed)[:MAX_VALUES])})
    return shown + [_item(one, texts) for one in items] if isinstance(items, list) else shown


def _item(one: Any, texts: Texts) -> dict[str, str]:
    """An item of a read by name: it has ``name``, ``value`` and ``unit``; a value of None is none."""
    text = f"{one['value']} {texts(one['unit'] or '')}".strip() if one["value"] is not None else texts(mark("no value"))
    return {"name": texts.pick({"en": one["name"], "zh": one.get("name_zh", "")}), "text": text}


def _finding(one: Mapping[str, Any], texts: Texts) -> dict[str, str]:
    """A finding of the line doctor in words."""
    text, hint = DOCTOR_WORDS[one["code"]]
    return {
        "line": one["line"],
        "text": texts(text) % one["values"],
        "hint": texts(hint) % one["values"],
        "proof": one["proof"],
    }


def _records(run: Run, texts: Texts) -> dict[str, list[Any]] | None:
    """Records as a table: ``head``, then ``rows`` of a time and its values; a record may lack values of others."""
    records = (run.result or {}).get("records")
    if not records:
        return None
    head: dict[str, str] = {}
    for record in records[:MAX_ROWS]:
        for one in record["values"]:
            name = texts.pick({"en": one["name"], "zh": one.get("name_zh", "")})
            head.setdefault(one["key"], f"{name} {texts(one['unit'] or '')}".strip())
    rows = []
    for record in records[:MAX_ROWS]:
        found = {one["key"]: one["value"] for one in record["values"]}
        rows.append([record["time"].replace("T", " "), *(found.get(key) or "" for key in head)])
    return {"head": [texts(mark("Time")), *head.values()], "rows": rows}

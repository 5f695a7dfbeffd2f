"""A run of an action as pages show it: four states, the read-back values in words, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.actions import Actions
from meterhub.devices.device import Device
from meterhub.errors import NotFound
from meterhub.runs import FINAL, Run, RunState
from meterhub.texts import Texts, mark
from meterhub.web import values

TONES = {RunState.QUEUED: "info", RunState.SENT: "info", RunState.CONFIRMED: "ok", RunState.FAILED: "bad"}
MAX_VALUES = 12
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
        "read_back": _read_back(run, device, texts),
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
    """The error with ``why``, one line in the reader's language; '' where the message alone says it."""
    if error is None:
        return None
    why = "" if texts.short == "en" else texts(WHY.get(error.get("code", ""), ""))
    return {**error, "why": why}


_NEVER_SENT = ("link_down", "dropped", "not_allowed", "bad_input")


def _params(run: Run) -> list[tuple[str, str]]:
    return [(f"p-{name}", str(value)) for name, value in run.params.items() if isinstance(value, SHOWN_PARAMS)]


def _read_back(run: Run, device: Device | None, texts: Texts) -> list[dict[str, str]]:
    """The values that the meter itself gave, by name and with unit; a read shows the first few."""
    result = run.result or {}
    brought = result.get("read_back") or result.get("values") or {}
    if isinstance(brought, list):
        return _items(brought, texts)
    shown = []
    for key, value in list(brought.items())[:MAX_VALUES]:
        definition = device.definition(key) if device is not None else None
        if definition is None:
            shown.append({"name": str(key), "text": str(value)})
        elif not definition.hidden and value is not None:
            text = f"{values.value_text(definition, value, texts)} {definition.unit}".strip()
            shown.append({"name": texts.pick(definition.name), "text": text})
    failed = result.get("failed") or {}
    if failed:
        shown.append({"name": texts(mark("Not read")), "text": ", ".join(list(failed)[:MAX_VALUES])})
    return shown


def _items(items: list[Any], texts: Texts) -> list[dict[str, str]]:
    """The items of a read by name: each has ``name``, ``value`` and ``unit``, and a value of None is none."""
    shown = []
    for one in items[:MAX_VALUES]:
        text = f"{one['value']} {one['unit'] or ''}".strip() if one["value"] is not None else texts(mark("no value"))
        shown.append({"name": str(one["name"]), "text": text})
    return shown

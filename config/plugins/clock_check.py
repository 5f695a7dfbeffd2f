"""An action of one's own: says how far a meter's clock is off, which no bill by tariff hours can forgive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import voluptuous as vol

from meterhub import hookimpl
from meterhub.actions import Action, Call
from meterhub.errors import BadInput
from meterhub.plugins import Context

requires_api = 1


@hookimpl
def plugin_schema() -> Mapping[Any, Any]:
    """What may stand under ``clock_check:`` in the site file."""
    return {vol.Optional("utc_offset", default="+08:00"): vol.Match(r"^[+-]\d\d:\d\d$", msg="an offset such as +08:00")}


@hookimpl
def register_actions(ctx: Context, config: Mapping[str, Any]) -> Iterable[Action]:
    """``clock_check.compare``, for every meter that has a clock."""

    def compare(call: Call) -> dict[str, Any]:
        state = call.target.entity("clock").state
        if state is None or not isinstance(state.value, str):
            raise BadInput("this meter's clock was not read yet", where=call.target.id, hint="read the meter first")
        shown = datetime.fromisoformat(state.value + config["utc_offset"])
        return {"seconds_ahead": round(shown.timestamp() - state.measured_ms / 1000)}

    title = {"en": "Compare clock", "zh": "核对时钟", "ja": "時計を照合"}
    return [
        Action(
            "clock_check.compare",
            title,
            "device.read",
            compare,
            target="meter",
            durable=False,
            applies=lambda device: device.entity("clock") is not None,
        )
    ]

"""Finding meters that nobody has configured yet: each protocol that can asks politely who is alone on a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call
from meterhub.errors import NoAnswer
from meterhub.field.dialogue import Dialogue
from meterhub.field.line import Job, Line, Priority
from meterhub.field.protocol import Protocol

Findings = Sequence[Mapping[str, Any]]
SPEEDS = (2400, 1200, 9600, 4800)
"""Tried after the line's own, where the link can change it."""
TIMEOUT_S = 300.0


class Probing:
    """The action ``collector.find_meters``. ``lines_of`` gives the lines of a collector, ``protocols`` are all."""

    def __init__(self, protocols: Mapping[str, Protocol], lines_of: Callable[[str], Iterable[Line]]) -> None:
        self._protocols = protocols
        self._lines_of = lines_of

    def action(self) -> Action:
        """The action to register."""
        return Action(
            "collector.find_meters",
            {"en": "Find meters", "zh": "搜索表计", "ja": "メーターを探す"},
            "device.read",
            self.find,
            target="collector",
            schema={vol.Optional("line"): str},
            durable=False,
            timeout_s=TIMEOUT_S,
            everyday=False,
        )

    async def find(self, call: Call) -> dict[str, Any]:
        """Ask on every line of the collector, or on one; only a meter that is alone on its line can be found."""
        wanted = call.params.get("line", "")
        call.sent()
        found: list[dict[str, Any]] = []
        for line in self._lines_of(call.target.id):
            if wanted in ("", line.config.id):
                found += await self._on(line)
        values = [
            {"name": f"{one['line']}: {one['address']}", "value": one["profile"], "unit": f"{one['baud']} baud"}
            for one in found
        ]
        return {"found": found, "values": values}

    async def _on(self, line: Line) -> list[dict[str, Any]]:
        """What is found on a line, at its own speed first."""
        own = line.config.baud
        for baud in (own, *(one for one in SPEEDS if one != own)):
            if baud != own and not line.retune(baud):
                break
            try:
                found = await self._at_this_speed(line)
            finally:
                if baud != own:
                    line.retune(own)
            if found:
                return [{**one, "line": line.config.id, "baud": baud} for one in found]
        return []

    async def _at_this_speed(self, line: Line) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for name, protocol in self._protocols.items():
            dialogue = protocol.probe()
            if dialogue is not None:
                found += await _run(line, name, dialogue)
        return found


async def _run(line: Line, protocol: str, dialogue: Dialogue[Findings]) -> Findings:
    """One probe as a job of the line; silence is no finding, other errors pass."""
    future: asyncio.Future[Findings] = asyncio.get_running_loop().create_future()

    def done(result: Findings | None, error: Exception | None) -> None:
        if not future.done():
            if error is None or isinstance(error, NoAnswer):
                future.set_result(result or ())
            else:
                future.set_exception(error)

    line.submit(Job(f"probe-{protocol}", "", protocol, lambda: dialogue, done, priority=Priority.OPERATOR))
    return await future

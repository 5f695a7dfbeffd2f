"""Finding meters that nobody has configured yet: asking who is alone on a line, then searching it in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call
from meterhub.errors import BadInput, NoAnswer
from meterhub.estate.finding import Finder
from meterhub.field.dialogue import Dialogue
from meterhub.field.line import Job, Line, Priority
from meterhub.field.protocol import Protocol

Findings = Sequence[Mapping[str, Any]]
SPEEDS = (2400, 1200, 9600, 4800)
"""Tried after the line's own, where the link can change it."""
TIMEOUT_S = 300.0


class Probing:
    """The actions ``collector.find_meters`` and ``collector.stop_search``.

    ``lines_of`` gives the lines of a collector, ``protocols`` are all; without a ``finder`` nothing is searched.
    """

    def __init__(
        self,
        protocols: Mapping[str, Protocol],
        lines_of: Callable[[str], Iterable[Line]],
        finder: Finder | None = None,
    ) -> None:
        self._protocols = protocols
        self._lines_of = lines_of
        self._finder = finder

    def actions(self) -> list[Action]:
        """The actions to register."""
        line = {vol.Optional("line"): str}
        return [
            Action(
                "collector.find_meters",
                {"en": "Find meters", "zh": "搜索表计", "ja": "メーターを探す"},
                "device.read",
                self.find,
                target="collector",
                schema=line | {vol.Optional("afresh", default=False): bool, vol.Optional("protocol"): str},
                durable=False,
                timeout_s=TIMEOUT_S,
                everyday=False,
            ),
            Action(
                "collector.stop_search",
                {"en": "Stop searching", "zh": "停止搜索", "ja": "探索を止める"},
                "device.read",
                self.stop,
                target="collector",
                schema=line,
                durable=False,
                everyday=False,
            ),
        ]

    async def find(self, call: Call) -> dict[str, Any]:
        """Ask who is alone on every line of the collector, or on one; then begin the searches, or go on with them.

        ``protocol`` bounds that to one protocol, ``afresh`` begins a search from the start.
        """
        call.sent()
        protocols = self._chosen(call.params.get("protocol", ""))
        found: list[dict[str, Any]] = []
        searching: list[str] = []
        for line in self._lines(call):
            found += await self._on(line, protocols)
            searching += self._search(line, protocols, call.params.get("afresh", False))
        values = [
            {"name": f"{one['line']}: {one['address']}", "value": one["profile"], "unit": f"{one['baud']} baud"}
            for one in found
        ]
        more = {"searching": searching, "next": "see Searches and Found meters"} if searching else {}
        return {"found": found, "values": values} | more

    async def stop(self, call: Call) -> dict[str, Any]:
        """Stop the searches of the collector's lines, or of one; what was found and asked stays."""
        call.sent()
        return {"stopped": self._finder.stop(self._lines(call)) if self._finder is not None else []}

    def _lines(self, call: Call) -> list[Line]:
        wanted = call.params.get("line", "")
        return [line for line in self._lines_of(call.target.id) if wanted in ("", line.config.id)]

    def _chosen(self, name: str) -> Mapping[str, Protocol]:
        if not name:
            return self._protocols
        if name not in self._protocols:
            raise BadInput(f"there is no protocol {name}", hint=", ".join(self._protocols))
        return {name: self._protocols[name]}

    def _search(self, line: Line, protocols: Mapping[str, Protocol], afresh: bool) -> list[str]:
        if self._finder is None:
            return []
        hunts = [self._finder.begin(line, name, protocol.search, afresh) for name, protocol in protocols.items()]
        return [hunt.id for hunt in hunts if hunt is not None]

    async def _on(self, line: Line, protocols: Mapping[str, Protocol]) -> list[dict[str, Any]]:
        """Who is alone on a line, at its own speed first."""
        if all(one.probe() is None for one in protocols.values()):
            return []
        own = line.config.baud
        for baud in (own, *(one for one in SPEEDS if one != own)):
            if baud != own and not line.retune(baud):
                break
            try:
                found = await self._at_this_speed(line, protocols, baud)
            finally:
                if baud != own:
                    line.retune(own)
            if found:
                return found
        return []

    async def _at_this_speed(self, line: Line, protocols: Mapping[str, Protocol], baud: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, protocol in protocols.items():
            dialogue = protocol.probe()
            for one in await _run(line, name, dialogue) if dialogue is not None else ():
                found.append({**one, "line": line.config.id, "baud": baud})
                if self._finder is not None:
                    self._finder.note(line, name, found[-1])
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

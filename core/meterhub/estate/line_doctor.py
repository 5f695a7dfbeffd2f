"""The action ``collector.diagnose``: looks at the recent bytes of a collector's lines, tries some meters, judges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call
from meterhub.devices.device import Device, Status
from meterhub.devices.reader import Reader
from meterhub.devices.states import Estate
from meterhub.errors import BadFrame
from meterhub.estate.probing import SPEEDS
from meterhub.field.doctor import Finding, Sight, diagnose, exchanges_of
from meterhub.field.doctor_words import WORDS
from meterhub.field.line import Line
from meterhub.field.protocol import ProtocolType
from meterhub.field.trace import SENT

RECENT_MS = 120_000
ENOUGH = 8
"""Requests within the recent time that tell enough; with fewer some meters are tried first."""
TRIED_METERS = 6
TRY_S = 30.0
MOST_PROOF = 120


class LineDoctor:
    """``lines_of`` gives the lines of a collector, ``kinds`` the protocols by name."""

    def __init__(
        self,
        reader: Reader,
        estate: Estate,
        lines_of: Callable[[str], Iterable[Line]],
        kinds: Mapping[str, ProtocolType],
    ) -> None:
        self._reader = reader
        self._estate = estate
        self._lines_of = lines_of
        self._kinds = kinds

    def action(self) -> Action:
        """The action to register."""
        return Action(
            "collector.diagnose",
            {"en": "Line doctor", "zh": "线路诊断", "ja": "回線診断"},
            "device.read",
            self.examine,
            target="collector",
            schema={vol.Optional("line"): str},
            description={
                "en": "Looks at the recent bytes of its lines, tries some meters, and says what is wrong.",
                "zh": "查看线路最近的数据，试抄几块表，说明问题所在。",
                "ja": "回線の最近のデータを調べ、数台を試し読みして、問題を示します。",
            },
            durable=False,
            timeout_s=180.0,
        )

    async def examine(self, call: Call) -> dict[str, Any]:
        """``findings``: for each line the ``code``, ``text``, ``hint``, ``values`` and ``proof`` (hex)."""
        wanted = call.params.get("line", "")
        call.sent()
        findings = []
        for line in self._lines_of(call.target.id):
            if wanted in ("", line.config.id):
                meters = [one for one in self._estate.values() if one.parent == line.config.id]
                found = await self._line(line, meters)
                findings += [self._told(line, one, meters) for one in found]
        return {"findings": findings}

    async def _line(self, line: Line, meters: Sequence[Device]) -> list[Finding]:
        entries = line.trace.entries()
        newest = entries[-1].ms if entries else 0
        recent = sum(one.direction == SENT and one.ms > newest - RECENT_MS for one in entries)
        if line.connected and recent < ENOUGH:
            await self._try(meters)
            entries = line.trace.entries()
        names = {one.profile.protocol for one in meters} & set(self._kinds)
        found = diagnose(
            entries,
            lambda data: self._see(names, data, line.enveloped),
            connected=line.connected,
            baud=line.config.baud,
        )
        return (found[0].code == "silence" and await self._other_speed(line, meters)) or found

    async def _other_speed(self, line: Line, meters: Sequence[Device]) -> list[Finding]:
        """Does somebody on a silent line answer at another speed? Only where its link can set that."""
        own = line.config.baud
        for baud in (one for one in SPEEDS if one != own):
            if not line.retune(baud):
                return []
            try:
                answered = await self._try(meters, most=2)
            finally:
                line.retune(own)
            if answered:
                heard = [one for one in exchanges_of(line.trace.entries()) if one.heard][-1]
                return [Finding("other_speed", {"speed": baud, "baud": own}, heard.heard, heard.ms)]
        return []

    async def _try(self, meters: Sequence[Device], most: int = TRIED_METERS) -> bool:
        """Ask a few meters one thing each, the silent ones too; did any of them answer?"""
        chosen = [one for one in meters if one.status is not Status.DISABLED][:most]
        reads = []
        for one in chosen:
            keys = [entity.definition.key for entity in one.entities if entity.definition.key in one.points][:1]
            reads.append(self._reader.read(one, keys, timeout_s=TRY_S))
        return any(poll.error is None for poll in await asyncio.gather(*reads))

    def _see(self, names: Iterable[str], data: bytes, enveloped: bool) -> tuple[list[Sight], bytes]:
        """The valid frames of these protocols; what an envelope adds is no noise."""
        sights: list[Sight] = []
        for name in names:
            codec = self._reader.protocols[name].codec()
            decode = self._kinds[name].decode
            codec.receive(data)
            while decode is not None and (frame := codec.next_frame()) is not None:
                whole = codec.encode(frame)
                place = data.find(whole)
                if place >= 0:
                    data = data[:place] + data[place + len(whole) :]
                    sights.append(_sight(decode, whole))
        return sights, b"" if enveloped else data

    def _told(self, line: Line, finding: Finding, meters: Sequence[Device]) -> dict[str, Any]:
        text, hint = WORDS[finding.code]
        hidden: set[int] = set()
        for name in {one.profile.protocol for one in meters} & set(self._reader.protocols):
            hidden.update(self._reader.protocols[name].secrets(finding.proof))
        proof = ["**" if at in hidden else f"{byte:02X}" for at, byte in enumerate(finding.proof[:MOST_PROOF])]
        return {
            "line": line.config.id,
            "code": finding.code,
            "text": text % finding.values,
            "hint": hint % finding.values,
            "values": dict(finding.values),
            "proof": " ".join(proof),
            "ms": finding.ms,
        }


def _sight(decode: Callable[[bytes], dict[str, Any]], whole: bytes) -> Sight:
    try:
        said = decode(whole)
    except BadFrame:
        return Sight(whole, "response", "")
    return Sight(whole, str(said.get("direction") or "response"), str(said.get("address", "")))

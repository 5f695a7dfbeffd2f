"""A past for the demo: what the twins would have answered during the last week, asked of them without a wire."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from meterhub.devices.device import Device
from meterhub.devices.entity import QUALITIES, Entity, Quality
from meterhub.errors import MeterHubError, NoAnswer
from meterhub.field.dialogue import PollReport
from meterhub.field.protocol import Protocol, SimulatedMeter
from meterhub.hub import Hub
from meterhub.sim.world import World
from meterhub.store.engine import Reading

DAYS = 8
STEP_MS = 3_600_000
MEANINGS = ("energy", "power", "voltage", "volume")
"""The first entity of each meaning gets a past."""


class PastWorld(World):
    """A world whose time is set by hand."""

    at_ms = 0

    def now_ms(self) -> int:
        """The moment that was set."""
        return self.at_ms


async def remember(hub: Hub, seed: int, fresh: Container[str]) -> None:
    """Give the meters that had no readings yet, ``fresh``, a week of hourly ones; lets others run after each meter."""
    world = PastWorld(hub.clock, seed)
    end_ms = hub.clock.now() // STEP_MS * STEP_MS
    for device in list(hub.estate.values()):
        protocol = hub.reader.protocols.get(device.profile.protocol)
        if device.kind != "meter" or protocol is None or device.id not in fresh:
            continue
        world.at_ms = end_ms
        twin = protocol.simulate(device, world)
        if twin is not None:
            await hub.store.record(_past_of(device, protocol, twin, world, end_ms))
        await hub.clock.sleep(0)


def _past_of(device: Device, protocol: Protocol, twin: SimulatedMeter, world: PastWorld, end_ms: int) -> list[Reading]:
    entities = [entity for meaning in MEANINGS if (entity := _first(device, meaning)) is not None]
    points = [device.profile.points[one.definition.key] for one in entities]
    rows: list[Reading] = []
    for at_ms in range(end_ms - DAYS * 86_400_000, end_ms + 1, STEP_MS):
        world.at_ms = at_ms
        report = _ask(device, protocol, twin, points)
        for place, value, quality in report.updated:
            if quality == Quality.GOOD:
                rows.append((entities[place].series, at_ms, value, QUALITIES.index(Quality.GOOD)))
    return rows


def _first(device: Device, meaning: str) -> Entity | None:
    readable = (one for one in device.entities if one.definition.key in device.profile.points)
    return next((one for one in readable if one.definition.meaning == meaning), None)


def _ask(device: Device, protocol: Protocol, twin: SimulatedMeter, points: list[Any]) -> PollReport:
    """Run one reading dialogue against a twin directly."""
    heard, spoken = protocol.codec(), protocol.codec()
    dialogue = protocol.read(device, points)
    try:
        ask = next(dialogue)
        while True:
            heard.receive(spoken.encode(ask.frame))
            answer = twin.answer(heard.next_frame())
            if answer is None:
                ask = dialogue.throw(NoAnswer("the twin is silent", where=device.id))
                continue
            spoken.receive(answer)
            ask = dialogue.send(spoken.next_frame())
    except StopIteration as end:
        report: PollReport = end.value
        return report
    except MeterHubError:
        return PollReport()

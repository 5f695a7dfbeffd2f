"""The twins: the collectors and meters of a site file, simulated, on the far end of its very links."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from meterhub.assembly import build_devices, line_config
from meterhub.clock import Clock
from meterhub.config.entries import LineEntry, Site
from meterhub.devices.device import Device
from meterhub.errors import ConfigError
from meterhub.field.link import wire_key
from meterhub.field.protocol import Protocol, SimulatedMeter
from meterhub.hub import load_plugins
from meterhub.link_plans import LinkPlan
from meterhub.office import message_room
from meterhub.office.money_room import simulated_companies
from meterhub.registry import Registry
from meterhub.sim.weather import CALM, Weather
from meterhub.sim.wire import Wire
from meterhub.sim.world import World


async def run_twins(
    site: Site,
    clock: Clock,
    *,
    seed: int = 1,
    speed: float = 1.0,
    silent: Collection[str] = (),
    weather: Weather = CALM,
) -> None:
    """Let the twins of a whole site file live until cancelled. ``silent`` names meters that do not answer.

    Raises ``ConfigErrors`` as the hub itself would, and ``ConfigError`` when no link of the file can be simulated.
    """
    # What plugins do beside the hub, such as asking a payment company for certificates, is the hub's alone.
    plugins, registry, plans = load_plugins(site, clock, lambda owner, coroutine: coroutine.close())
    world = World(clock, seed, speed, weather=weather)
    devices = [one for one in build_devices(site, registry) if one.id not in silent]
    ends = []
    for plan in plans:
        kind = registry.links[plan.entry.type]
        if kind.simulate is not None and not plan.entry.disabled:
            wires = _wires(plan, devices, registry, world)
            ends.append(kind.simulate(plan.options, plan.collectors, wires, world))
    ends += simulated_companies(site, registry, world)
    ends += message_room.simulated_companies(plugins, site.web.listen, world)
    if not ends:
        raise ConfigError("no link of this file can be simulated", where=str(site.file))
    await asyncio.gather(*ends)


def string_wire(
    line: LineEntry, devices: Iterable[Device], registry: Registry, world: World
) -> tuple[Wire, dict[str, tuple[Protocol, SimulatedMeter]]]:
    """The wire of a line with the twins of those of ``devices`` that stand on it; the twins also by meter id."""
    config = line_config(line)
    char_bits = 1 + config.bits + (config.parity != "none") + config.stop
    wire = Wire(world, config.id, baud=config.baud, char_bits=char_bits, faults=replace(world.weather.wire))
    twins = {}
    for device in devices:
        if device.parent == config.id and device.profile.protocol:
            _, protocol = registry.protocols[device.profile.protocol]
            twin = protocol.simulate(device, world)
            if twin is not None:
                wire.add(protocol, twin)
                twins[device.id] = (protocol, twin)
    return wire, twins


def _wires(plan: LinkPlan, devices: list[Device], registry: Registry, world: World) -> Mapping[str, Wire]:
    """One wire per line, with the twins of its meters."""
    return {
        wire_key(collector_id, number): string_wire(line, devices, registry, world)[0]
        for collector_id, lines in plan.lines.items()
        for number, line in enumerate(lines)
    }

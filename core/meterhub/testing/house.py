"""A whole hub on the movable clock, with simulated wires for links: behind the fixtures ``hub`` and ``sim``.

Everything is the real thing but the link: any type of link that the site file names hands out channels that end on a
simulated wire in this process, so that no socket is needed and a simulated day takes seconds.
"""

from __future__ import annotations

import shutil
from asyncio import TimerHandle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from meterhub.actions import System
from meterhub.clock import Clock
from meterhub.config.entries import Site
from meterhub.config.site import load_site
from meterhub.devices.device import Device
from meterhub.errors import LinkDown
from meterhub.field.envelope import Stack
from meterhub.field.link import Channel, ChannelUser, Link, LinkHost
from meterhub.field.protocol import Protocol, SimulatedMeter
from meterhub.hub import Hub
from meterhub.link_plans import LinkPlan
from meterhub.registry import Registry
from meterhub.runs import Run
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World
from meterhub.twins import string_wire


class SimulatedChannel(Channel):
    """The pipe to one collector, which ends on a simulated wire. Gives signs of life every ``heartbeat_s``."""

    peer = "simulated"

    def __init__(self, wire: Wire, clock: Clock, heartbeat_s: float | None, line: int = 0) -> None:
        self._wire = wire
        self._line = line
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._user: ChannelUser | None = None
        self._timer: TimerHandle | None = None

    def connect(self, host: LinkHost, collector_id: str) -> None:
        """The collector is there."""
        self._wire.receive = self._receive
        self._user = host.attach(collector_id, self, self._line)
        self._beat()

    def send(self, data: bytes) -> None:
        """Put bytes on the wire. Raises ``LinkDown`` when the pipe is closed."""
        if self._user is None:
            raise LinkDown("the simulated collector is away")
        self._wire.send(data)

    def set_speed(self, baud: int) -> bool:
        """The wire follows at once."""
        self._wire.retune(baud)
        return True

    def close(self, cause: str) -> None:
        """Close the pipe and tell so once."""
        user, self._user = self._user, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if user is not None:
            user.lost(cause)

    def _receive(self, data: bytes) -> None:
        if self._user is not None:
            self._user.received(data)

    def _beat(self) -> None:
        if self._user is not None and self._heartbeat_s is not None:
            self._user.alive()
            self._timer = self._clock.call_later(self._heartbeat_s, self._beat)


class SimulatedLink(Link):
    """Stands in for a link of any type; its collectors are there at once."""

    def __init__(self, sim: Sim, options: Mapping[str, Any]) -> None:
        self._sim = sim
        self._heartbeat_s = (options.get("heartbeat") or {}).get("every")
        self._host: LinkHost | None = None
        self._channels: dict[str, list[SimulatedChannel]] = {}

    async def open(self, host: LinkHost) -> None:
        """Connect every collector."""
        self._host = host
        for one in host.collectors:
            self._sim.links[one.id] = self
            self.dial_in(one.id)

    async def close(self) -> None:
        """Every channel is closed and reported lost."""
        for collector_id in self._channels:
            self.hang_up(collector_id, "hub_stopped")
        self._host = None

    def dial_in(self, collector_id: str) -> None:
        """The collector connects; one that is connected already is replaced. One without a line stays away."""
        if self._host is None:
            return
        clock = self._sim.world.clock
        wires = enumerate(self._sim.wires_of(collector_id))
        channels = [SimulatedChannel(wire, clock, self._heartbeat_s, number) for number, wire in wires]
        self._channels[collector_id] = channels
        for channel in channels:
            channel.connect(self._host, collector_id)

    def hang_up(self, collector_id: str, cause: str) -> None:
        """The collector goes away."""
        for channel in self._channels[collector_id]:
            channel.close(cause)


class Sim:
    """The far end of everything: the world, the wires and the meters' twins. It lives on when the hub is restarted.

    ``wires`` maps a line's id to its wire, ``twins`` a meter's id to its twin. One test, one site.
    """

    def __init__(self, clock: Clock, seed: int | str = 1) -> None:
        self.world = World(clock, seed)
        self.wires: dict[str, Wire] = {}
        self.twins: dict[str, SimulatedMeter] = {}
        self.links: dict[str, SimulatedLink] = {}
        self._homes: dict[str, tuple[Wire, Protocol]] = {}
        self._lines: dict[str, list[str]] = {}

    def build(self, plan: LinkPlan, devices: list[Device], registry: Registry) -> None:
        """String the wires of a link that are not there yet, with twins of their meters."""
        for collector_id, lines in plan.lines.items():
            self._lines[collector_id] = [line.id for line in lines]
            for line in lines:
                if line.id not in self.wires:
                    wire, twins = string_wire(line, devices, registry, self.world)
                    self.wires[line.id] = wire
                    self.twins.update({meter_id: twin for meter_id, (_, twin) in twins.items()})
                    self._homes.update({meter_id: (wire, protocol) for meter_id, (protocol, _) in twins.items()})

    def wires_of(self, collector_id: str) -> list[Wire]:
        """The wires behind a collector, in the order of its lines."""
        return [self.wires[line_id] for line_id in self._lines.get(collector_id, ())]

    def silence(self, *meter_ids: str) -> None:
        """These meters die."""
        for meter_id in meter_ids:
            wire, _ = self._homes[meter_id]
            wire.remove(self.twins[meter_id])

    def revive(self, *meter_ids: str) -> None:
        """Meters that were silenced answer again; their registers went on."""
        for meter_id in meter_ids:
            wire, protocol = self._homes[meter_id]
            wire.remove(self.twins[meter_id])
            wire.add(protocol, self.twins[meter_id])

    def move(self, meter_id: str, line_id: str) -> None:
        """Hang a meter on another line, whose wire must be there; its registers go on."""
        wire, protocol = self._homes[meter_id]
        wire.remove(self.twins[meter_id])
        self._homes[meter_id] = (self.wires[line_id], protocol)
        self.wires[line_id].add(protocol, self.twins[meter_id])

    def faults(self, line_id: str, **faults: Any) -> None:
        """From now on this goes wrong on the wire: the fields of ``meterhub.sim.wire.Faults``; none heals it."""
        self.wires[line_id].faults = Faults(**faults)

    def cut(self, line_id: str) -> None:
        """Cut the wire behind its collector, which stays connected."""
        self.wires[line_id].connected = False

    def mend(self, line_id: str) -> None:
        """The wire carries again."""
        self.wires[line_id].connected = True

    def hang_up(self, collector_id: str, cause: str = "reset") -> None:
        """A collector loses its connection to the hub; ``cause`` is a word of ``field.collector.CAUSES``."""
        self.links[collector_id].hang_up(collector_id, cause)

    def dial_in(self, collector_id: str) -> None:
        """A collector connects again."""
        self.links[collector_id].dial_in(collector_id)


class SimulatedHub(Hub):
    """A real hub whose links end on the wires of ``sim``."""

    def __init__(self, site: Site, clock: Clock, sim: Sim) -> None:
        super().__init__(site, clock)
        self._sim = sim
        self.stopped = False

    async def stop(self) -> None:
        """As ``Hub``; once."""
        if not self.stopped:
            self.stopped = True
            await super().stop()

    async def act(self, name: str, target: str = "", params: Mapping[str, Any] | None = None, **more: Any) -> Run:
        """Call an action as the system and return its run in its final state; ``more`` as for ``Actions.call``."""
        run = await self.actions.call(name, target, params, actor=System(), **more)
        if run.done is not None:
            await run.done
        return run

    async def _open_field(self, plans: list[LinkPlan], registry: Registry) -> None:
        for plan in plans:
            self._sim.build(plan, list(self.estate.values()), registry)
        for name, kind in registry.links.items():
            registry.links[name] = replace(kind, open=lambda ctx, options: SimulatedLink(self._sim, options))
        for name, envelope in registry.envelopes.items():
            registry.envelopes[name] = replace(envelope, open=lambda ctx, options: Stack(()))  # none: bare wires
        await super()._open_field(plans, registry)


def make_site(site: str | Path, folder: Path, plugins: Iterable[Path], profiles: Iterable[Path]) -> Site:
    """The site as a test runs it: its data, plugins and profiles stand in ``folder``.

    ``site`` is the text of a site file or the path of one, whose own ``plugins/`` and ``profiles/`` are copied. A
    package ``meterhub_acme`` is the plugin ``acme``, as when it is installed.
    Raises ``ConfigErrors``.
    """
    if isinstance(site, Path):
        file = site
        for name in ("plugins", "profiles"):
            if (file.parent / name).is_dir():
                _copy(file.parent / name, folder / name)
    else:
        file = folder / "site.yaml"
        file.write_text(site, encoding="utf-8")
    for source in plugins:
        _copy(source, folder / "plugins" / source.name.removeprefix("meterhub_"))
    for source in profiles:
        _copy(source, folder / "profiles" / source.name)
    loaded = load_site(file)
    return replace(loaded, folder=folder, hub=replace(loaded.hub, data=folder / "data"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

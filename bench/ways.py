"""The ways to a meter, measured on their simulators in simulated time: three to the collector, three on to the meter.

Ten electricity meters behind each combination; each is read alone, then all in one sweep, at no, at 5 % lost and 2 %
corrupted, and at 20 % lost and 5 % corrupted answers. Prints the table of docs/ways-to-the-meter.md.

    python bench/ways.py
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from meterhub.config.loader import load
from meterhub.config.schema import check
from meterhub.devices.profile import Profile
from meterhub.devices.profile_file import build_profile
from meterhub.field.envelope import Envelope
from meterhub.field.line import Line, LineConfig, Priority
from meterhub.field.link import Channel, LinkFacts
from meterhub.sim.weather import APART_S
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World
from meterhub.testing.clock import MovableClock
from meterhub.testing.conformance_protocol import SampleMeter
from meterhub_dlt645 import register_profiles, register_protocols
from meterhub_lora_wifi.cell_twin import Cell
from meterhub_lora_wifi.fixed_point import SCHEMA as FIXED
from meterhub_lora_wifi.fixed_point import FixedPoint
from meterhub_lora_wifi.gateway import LINK_SCHEMA as LORA
from meterhub_mesh.routed import SCHEMA as ROUTED
from meterhub_mesh.routed import Routed
from meterhub_mesh.twin import Concentrator
from meterhub_mesh.twin import Faults as MeshFaults

METERS = 10
QUANTITIES = ("energy_total", "voltage", "current", "power")
SERVER_WAYS = {
    "serial port or Ethernet": (0.0, 0.01),
    "WiFi converter": (0.01, 0.06),
    "4G/GPRS terminal": (0.15, 0.6),
}
"""One way, seconds: the shortest and the longest delay of a segment, evenly spread."""
Make = Callable[[Wire, World], tuple[Any, Envelope | None, LinkFacts]]


def wired(wire: Wire, world: World) -> tuple[Any, Envelope | None, LinkFacts]:
    """RS-485 from the collector to the meters."""
    return wire, None, LinkFacts(0.0, 0.1)


def mesh(wire: Wire, world: World) -> tuple[Any, Envelope | None, LinkFacts]:
    """A micro-power mesh of one to four hops."""
    far = Concentrator(wire, world, "m", medium="wireless", faults=MeshFaults(), listed=())
    return far, Routed(check({}, ROUTED)), LinkFacts(3.0, 16.0)


def lora(wire: Wire, world: World) -> tuple[Any, Envelope | None, LinkFacts]:
    """Transparent LoRa at 2.4 kbit/s."""
    far = Cell(wire, world, "g", check({"listen": "127.0.0.1:0"}, LORA))
    return far, FixedPoint(check({}, FIXED)), LinkFacts(0.8, 3.0)


METER_WAYS: dict[str, Make] = {"RS-485": wired, "mesh": mesh, "LoRa 2.4 kbit/s": lora}


class Delayed(Channel):
    """The way from hub to collector: each segment takes its time, in order."""

    peer = "simulated"

    def __init__(self, world: World, far: Any, line: Line, way: tuple[float, float]) -> None:
        self._clock, self._far, self._line, self._way = world.clock, far, line, way
        self._chance = world.random("network")
        self._up = self._down = 0.0
        far.receive = self._receive

    def _delay_s(self) -> float:
        return self._way[0] + self._chance.random() * (self._way[1] - self._way[0])

    def send(self, data: bytes) -> None:
        """Down."""
        self._down = max(self._down + APART_S, self._clock.monotonic() + self._delay_s())
        self._clock.call_at(self._down, self._far.send, data)

    def _receive(self, data: bytes) -> None:
        self._up = max(self._up + APART_S, self._clock.monotonic() + self._delay_s())
        self._clock.call_at(self._up, self._line.received, data)

    def close(self, cause: str) -> None:
        """Never called here."""


def profile() -> Profile:
    """The single-phase meter."""
    file = next(path for path in register_profiles() if path.stem == "dlt645-2007-single-phase")
    kinds = {one.name: (one, one.open(SimpleNamespace(clock=MovableClock()), {})) for one in register_protocols()}
    return build_profile(load(file), kinds)


async def measure(clock: MovableClock, make: Make, way: tuple[float, float], faults: Faults) -> dict[str, float]:
    """Seconds of a single read (median), of a sweep, and the share of reads that brought a value."""
    world = World(clock, 7)
    wire = Wire(world, "w", faults=faults)
    protocol = next(iter(register_protocols())).open(SimpleNamespace(clock=clock), {})
    far, envelope, facts = make(wire, world)
    facts = LinkFacts(facts.latency_s + way[0] * 2, facts.latency_max_s + way[1] * 2)
    line = Line(LineConfig("l"), clock, {"p": protocol.codec}, envelope=envelope, facts=facts)
    model = profile()
    meters = [
        SampleMeter(f"m-{number}", f"{number:012d}", dict(model.options), model.points, model.commands)
        for number in range(1, METERS + 1)
    ]
    for one in meters:
        wire.add(protocol, protocol.simulate(one, world))
    line.attached(Delayed(world, far, line, way))
    points = [model.points[key] for key in QUANTITIES]

    async def read(one: SampleMeter, wanted: list[Any]) -> bool:
        try:
            report = await line.run(
                one.id, one.address, "p", lambda: protocol.read(one, wanted), priority=Priority.SCHEDULED
            )
        except Exception:  # noqa: BLE001 - the boundary to what is measured
            return False
        return not report.failed

    singles = []
    for one in meters:
        began = clock.monotonic()
        if await read(one, points[:1]):
            singles.append(clock.monotonic() - began)
        await clock.advance(30)
    began = clock.monotonic()
    done = await asyncio.gather(*(read(one, points) for one in meters))
    sweep_s = clock.monotonic() - began
    share = (len(singles) + sum(done)) / (2 * METERS)
    return {"single_s": statistics.median(singles) if singles else float("nan"), "sweep_s": sweep_s, "share": share}


async def table() -> None:
    """Print the table."""
    clock = MovableClock()
    clock.install(asyncio.get_running_loop())
    print(
        "| collector to meter | hub to collector | one read | 10 meters × 4 | with 5 % lost, 2 % spoilt | got"
        " | with 20 % lost, 5 % spoilt | got |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for meter_way, make in METER_WAYS.items():
        for server_way, delays in SERVER_WAYS.items():
            good = await measure(clock, make, delays, Faults())
            bad = await measure(clock, make, delays, Faults(drop=0.05, corrupt=0.02))
            worse = await measure(clock, make, delays, Faults(drop=0.2, corrupt=0.05))
            print(
                f"| {meter_way} | {server_way} | {good['single_s']:.2f} s | {good['sweep_s']:.0f} s"
                f" | {bad['sweep_s']:.0f} s | {100 * bad['share']:.0f} %"
                f" | {worse['sweep_s']:.0f} s | {100 * worse['share']:.0f} % |"
            )
    clock.uninstall()


def main() -> None:
    """Measure."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args()
    asyncio.run(table())


if __name__ == "__main__":
    main()

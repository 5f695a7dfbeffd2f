"""G3: how long a sweep of 64 meters x 8 quantities takes on one wire of 2400 baud, against the best plan there is.

The real line, dialogues and twins on a simulated wire; time is simulated as well, so that the figures are exact and the
same in every run. The best plan reads total and tariffs as one block and the rest singly, and loses no time between
reads. Meters that refuse blocks are asked for one once.

    python bench/sweep.py [--meters 64] [--turnaround 60]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from meterhub.field.dialogue import PollReport
from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import LinkFacts
from meterhub.sim.wire import Wire
from meterhub.sim.world import World
from meterhub.testing.clock import MovableClock
from meterhub.testing.wire import ScriptedWire
from meterhub_dlt645.protocol import Dlt645

GOAL = 1.02
BAUD, CHARACTER_BITS = 2400, 11
REQUEST_BYTES = 16
ANSWER_BYTES = 4 + 12 + 4
"""Four FE, the frame around its data, the identifier."""
BLOCK = ("00010000", "00010100", "00010200", "00010300", "00010400")
SINGLES = {"02010100": 2, "02020100": 3, "02030000": 3}
"""Voltage, current, power, with their bytes."""


class BenchMeter(NamedTuple):
    """A meter as a protocol sees it."""

    id: str
    address: str
    options: Mapping[str, Any]
    points: Mapping[str, Any]
    commands: Mapping[str, Any]


class Row:
    """All meters of one wire, ready to be read."""

    def __init__(self, clock: MovableClock, options: argparse.Namespace, preamble: int, refuse: int) -> None:
        self.clock = clock
        self.speaker = Dlt645("2007", clock)
        self.line = Line(LineConfig("l"), clock, {"d": self.speaker.codec}, facts=LinkFacts())
        points = {key: self.speaker.point(key, {"id": key}, "number", 4) for key in (*BLOCK, *SINGLES)}
        world = World(clock)
        far = Wire(world, baud=BAUD, char_bits=CHARACTER_BITS)
        self.meters = []
        for number in range(options.meters):
            one = BenchMeter(f"m{number}", f"{number:012d}", {"preamble": preamble}, points, {})
            twin: Any = self.speaker.simulate(one, world)
            twin.turnaround_s, twin.preamble, twin.no_blocks = options.turnaround / 1000, 4, number < refuse
            far.add(self.speaker, twin)
            self.meters.append(one)
        ScriptedWire(clock).bridge(far).connect(self.line)

    async def sweep(self) -> float:
        """Seconds from the first request to the last answer."""
        began, ended, answered = self.clock.monotonic(), asyncio.Event(), 0

        def done(report: PollReport, error: Exception | None) -> None:
            nonlocal answered
            assert error is None and not report.failed
            answered += 1
            if answered == len(self.meters):
                ended.set()

        for one in self.meters:
            start = partial(self.speaker.read, one, list(one.points.values()))
            self.line.submit(Job(one.id, one.address, "d", start, done, priority=Priority.SCHEDULED))
        await ended.wait()
        return self.clock.monotonic() - began


def best_s(options: argparse.Namespace, preamble: int, *data_bytes: int) -> float:
    """The shortest that answers of so many bytes can take: request, turnaround and answer of each."""
    size = sum(preamble + REQUEST_BYTES + ANSWER_BYTES + one for one in data_bytes)
    return float(options.meters * (size * CHARACTER_BITS / BAUD + len(data_bytes) * options.turnaround / 1000))


async def bench(options: argparse.Namespace) -> None:
    """Run the sweeps and print them."""
    clock = MovableClock()
    clock.install(asyncio.get_running_loop())
    print(f"G3 sweep: {options.meters} meters x {len(BLOCK) + len(SINGLES)} quantities at {BAUD} baud")
    for preamble in (0, 4):
        plan_s = best_s(options, preamble, 4 * len(BLOCK), *SINGLES.values())
        single_s = best_s(options, preamble, *[4] * len(BLOCK), *SINGLES.values())
        taken_s = await Row(clock, options, preamble, 0).sweep()
        refusing = Row(clock, options, preamble, options.meters)
        first_s, second_s = await refusing.sweep(), await refusing.sweep()
        print(f" {preamble} FE before a request")
        print(f"  ours              {taken_s:6.1f} s, best plan {plan_s:6.1f} s: {taken_s / plan_s:.3f} (goal {GOAL})")
        print(f"  one by one        {single_s:6.1f} s: ours takes 1/{single_s / taken_s:.2f} of it")
        print(f"  all refuse blocks {first_s:6.1f} s, then {second_s:6.1f} s: {second_s / single_s:.3f} of one by one")
    print(f"  python {platform.python_version()}")
    clock.uninstall()


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=int, default=64)
    parser.add_argument("--turnaround", type=float, default=60, help="what a meter takes to answer, in ms")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()

"""A seeded world of recharges with every fault on: how many a second the real rooms of money carry out.

    python bench/recharges.py [RECHARGES] [SEED] [MINUTES] [FOLDER]

A million is the goal of a night; the rate and what a million would take at it are printed. After so many MINUTES no
more recharges begin: those that did come to their end, and everything is checked. What goes wrong, and what is checked,
stands in ``docs/money.md``.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "core" / "money"))

import recharge_world

MILLION = 1_000_000
MEMORY = Path("/dev/shm")
"""Where the files of a run are kept, if the machine has it: what is thrown away needs no disk."""
TOLD_EVERY = 10_000
OBJECTS = 100_000
"""Made between two collections of garbage: a world holds millions that live to its end."""


class Progress:
    """Prints a line every so many recharges; False when the time is over."""

    def __init__(self, minutes: float) -> None:
        self.began = time.perf_counter()
        self.ends = self.began + minutes * 60

    def __call__(self, world: recharge_world.World) -> bool:
        """After each recharge."""
        if world.ended % TOLD_EVERY == 0:
            print(
                f"{told(world, self.began)}, {world.cuts.count} power cuts, {world.inspector.looks} looks", flush=True
            )
        return time.perf_counter() < self.ends


def told(world: recharge_world.World, began: float) -> str:
    """How far it is, and what it took."""
    used, took = time.process_time(), time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    each = f"{used / world.ended * 1000:5.2f} ms each"
    return f"{world.ended:>9,}  {took:7.0f} s  {used:7.0f} s of CPU  {each}  {memory:,} MB"


def main(recharges: int, seed: int, minutes: float, folder: Path | None) -> None:
    """Play and print; a failure prints the seed that repeats it."""
    gc.set_threshold(OBJECTS)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        follow = Progress(minutes)
        world = recharge_world.play(Path(name) / "data", seed, recharges, follow)
        took, used = time.perf_counter() - follow.began, time.process_time()
    seen = ", ".join(f"{name} {times}" for name, times in world.weather.seen.items())
    print(f"{world.ended:,} recharges of {recharges:,}, seed {seed}, load {os.getloadavg()[0]:.1f}")
    print(f"{world.cuts.count} power cuts, {world.inspector.looks} looks; spells: {seen}")
    print(f"{world.late:,} late payments, {world.signed:,} signed notices, {world.dialogues:,} dialogues")
    print(f"{took:9.1f} s   {world.ended / took:7.0f} /s   {used / world.ended * 1000:5.2f} ms of CPU each")
    print(f"{took / world.ended * MILLION / 3600:9.1f} h for a million   fingerprint {world.fingerprint}")


if __name__ == "__main__":
    words = [*sys.argv[1:], *["10000", "1", "100000", ""][len(sys.argv) - 1 :]]
    place = Path(words[3]) if words[3] else MEMORY if MEMORY.is_dir() else None
    main(int(words[0]), int(words[1]), float(words[2]), place)

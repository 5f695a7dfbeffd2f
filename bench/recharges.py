"""A seeded world of recharges with every fault on: how many a second the real rooms of money carry out.

    python bench/recharges.py [RECHARGES] [SEED]

A million is the goal of a night; the rate and what a million would take at it are printed. What goes wrong, and what is
checked, stands in ``docs/money.md``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "core" / "money"))

import recharge_world

MILLION = 1_000_000
MEMORY = Path("/dev/shm")
"""Where the files of a run are kept, if the machine has it: what is thrown away needs no disk."""


def main(recharges: int, seed: int) -> None:
    """Play and print; a failure prints the seed that repeats it."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        began, busy = time.perf_counter(), time.process_time()
        world = recharge_world.play(Path(name) / "data", seed, recharges)
        took, used = time.perf_counter() - began, time.process_time() - busy
    seen = ", ".join(f"{name} {times}" for name, times in world.weather.seen.items())
    print(f"{recharges:,} recharges, seed {seed}, {world.cuts.count} power cuts, load {os.getloadavg()[0]:.1f}")
    print(
        f"{world.late:,} late payments, {world.signed:,} signed notices, {world.dialogues:,} dialogues; spells: {seen}"
    )
    print(f"{took:9.1f} s   {recharges / took:7.0f} /s   {used / recharges * 1000:5.2f} ms of CPU each")
    print(f"{took / recharges * MILLION / 3600:9.1f} h for a million   fingerprint {world.fingerprint}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)

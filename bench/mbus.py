"""M-Bus telegrams to typed decimals and to the dicts of ``meterhub decode``, against peers where they are installed.

Peers: ``pyMeterBus`` 0.8.5 (import name ``meterbus``) and ``pymbusparser`` 0.5.3, installed beside the bench only
(``pip install pyMeterBus pymbusparser`` into the bench's own environment). CPU time; ours and the peers' alternate
within a round; median of the rounds' ratios. Goals: a telegram of nine records at least 25 times as fast as pyMeterBus
with values and five times as pymbusparser; the whole set of real telegrams at 30,000 per second and more.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from meterhub_mbus import decode_telegram, records

ROUNDS, CALLS = 9, 4000
VECTORS = Path(__file__).parents[1] / "tests/plugins/mbus/mbus_vectors.jsonl"
NINE_RECORDS = "wmbusmeters_simulation_mbus_155ee2"


def read_set() -> tuple[bytes, list[bytes]]:
    """The telegram of nine records, and all real telegrams."""
    vectors = [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]
    good = {one["name"]: bytes.fromhex(one["hex"]) for one in vectors if "reject" not in one}
    return good[NINE_RECORDS], list(good.values())


def typed(raw: bytes) -> list[Any]:
    """Every value of a telegram: exact decimals, times, text."""
    return [one.value for one in decode_telegram(raw).records]


def cpu_us(work: Callable[[], object], calls: int) -> float:
    """Microseconds of CPU per call."""
    began = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - began) / calls * 1e6


def peers() -> dict[str, Callable[[bytes], object]]:
    """What decodes a telegram with its values in each peer that is installed."""
    found: dict[str, Callable[[bytes], object]] = {}
    with suppress(ImportError):
        load = importlib.import_module("meterbus").load
        found["pyMeterBus"] = lambda raw: [one.value for one in load(raw).records]
    with suppress(ImportError):
        found["pymbusparser"] = importlib.import_module("pymbusparser").parse
    return found


def over(every: list[bytes], decode: Callable[[bytes], object]) -> Callable[[], None]:
    """One pass over all telegrams; those that a peer cannot decode cost it what they cost."""

    def work() -> None:
        for raw in every:
            with suppress(Exception):  # peers raise whatever they like
                decode(raw)

    return work


def main() -> int:
    """Run everything and print one line per figure."""
    nine, every = read_set()
    decoders: dict[str, Callable[[bytes], object]] = {"ours, typed": typed, "ours, dicts": records, **peers()}
    alone: dict[str, list[float]] = {name: [] for name in decoders}
    whole: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(ROUNDS):
        for name, decode in decoders.items():
            calls = CALLS if name.startswith("ours") else CALLS // 20
            alone[name].append(cpu_us(lambda decode=decode: decode(nine), calls))  # type: ignore[misc]
            whole[name].append(cpu_us(over(every, decode), max(calls // 200, 1)) / len(every))
    print(f"load average {os.getloadavg()[0]:.1f}, {ROUNDS} rounds")
    for name in decoders:
        one, many = statistics.median(alone[name]), statistics.median(whole[name])
        print(f"{name:14} nine records {one:8.2f} us   {len(every)} telegrams {1e6 / many:9,.0f} /s")
    for name in list(decoders)[2:]:
        for ours in ("ours, typed", "ours, dicts"):
            one, many = ratio(alone[name], alone[ours]), ratio(whole[name], whole[ours])
            print(f"{name} / {ours:12} nine records {one:6.1f}   all {many:6.1f}")
    return 0


def ratio(theirs: list[float], ours: list[float]) -> float:
    """The median of the ratios of each round."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


if __name__ == "__main__":
    sys.exit(main())

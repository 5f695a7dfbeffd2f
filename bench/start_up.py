"""G14: ready with 10,000 meters of eight entities, from YAML and from the store, and what a meter takes of memory.

Each figure is taken in a fresh process. The floor reads the same YAML with PyYAML's C parser, and loads the same 80,000
latest readings with plain sqlite3 into slotted objects.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

METERS = 10_000
LINES = 100
ROUNDS = 3

PROFILE = """\
id: bench
protocol: dlt645-2007
name: Bench
entities:
  energy_total: {name: E, unit: kWh, scale: 2, accumulate: true, point: {id: "00010000"}}
  energy_1: {name: E1, unit: kWh, scale: 2, point: {id: "00010100"}}
  energy_2: {name: E2, unit: kWh, scale: 2, point: {id: "00010200"}}
  energy_3: {name: E3, unit: kWh, scale: 2, point: {id: "00010300"}}
  energy_4: {name: E4, unit: kWh, scale: 2, point: {id: "00010400"}}
  voltage: {name: V, unit: V, scale: 1, point: {id: "02010100"}}
  current: {name: I, unit: A, scale: 3, point: {id: "02020100"}}
  power: {name: P, unit: kW, scale: 4, point: {id: "02030000"}}
"""

PREPARE = """
import asyncio, sys
from pathlib import Path
from meterhub.config.site import load_site
from meterhub.hub import Hub

async def main():
    hub = Hub(load_site(Path(sys.argv[1])))
    await hub.start()
    numbers = [entity.series for device in hub.estate.values() for entity in device.entities]
    now = hub.clock.now()
    await hub.store.record([(number, now - 3_600_000, number * 7, 0) for number in numbers])
    await hub.store.roll_up()
    await hub.stop()

asyncio.run(main())
"""

OURS = """
import asyncio, gc, json, sys, time
from pathlib import Path
began = time.process_time()
from meterhub.config.site import load_site
from meterhub.hub import Hub
imported = time.process_time()
sites = [load_site(Path(sys.argv[1]))]
loaded = time.process_time()

async def main():
    hub = Hub(sites.pop())
    await hub.start()
    ready = time.process_time()
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    known = sum(e.state is not None for d in hub.estate.values() for e in d.entities)
    print(json.dumps({"imports": imported - began, "yaml": loaded - imported, "start": ready - loaded,
                      "known": known, "rss": pages * 4096}))
    await hub.stop()

asyncio.run(main())
"""

FLOOR = """
import json, sqlite3, sys, time, yaml
began = time.process_time()
with open(sys.argv[1]) as file:
    yaml.load(file, Loader=yaml.CSafeLoader)
loaded = time.process_time()

class Latest:
    __slots__ = ("series", "ms", "value", "quality")

    def __init__(self, series, ms, value, quality):
        self.series, self.ms, self.value, self.quality = series, ms, value, quality

rows = sqlite3.connect(sys.argv[2]).execute("select * from latest").fetchall()
kept = {row[0]: Latest(*row[:4]) for row in rows}
print(json.dumps({"yaml": loaded - began, "start": time.process_time() - loaded, "known": len(kept)}))
"""


def site_text(meters: int) -> str:
    """A site of so many meters on a hundred lines."""
    text = ["hub: {name: Bench, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}\n"]
    text.append(
        'plugins:\n  dlt645:\n  gprs:\nlinks:\n  - {id: field, type: gprs, listen: "127.0.0.1:0"}\ncollectors:\n'
    )
    text += [f"  - {{id: c{n}, link: field, lines: [{{id: c{n}-a}}]}}\n" for n in range(LINES)]
    text.append("meters:\n")
    text += [
        f'  - {{id: m-{n}, line: c{n % LINES}-a, profile: bench, address: "{n:012d}", place: Block {n % 9} / {n}}}\n'
        for n in range(meters)
    ]
    return "".join(text)


def once(code: str, *arguments: Path) -> dict[str, float]:
    """Run a piece of code in a process of its own; its last line is its result."""
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise SystemExit(found.stderr)
    lines = found.stdout.splitlines()
    result: dict[str, float] = json.loads(lines[-1]) if lines else {}
    return result


def main() -> None:
    """Print CPU seconds, ours beside the floor, and bytes per meter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "profiles").mkdir()
        (folder / "profiles" / "bench.yaml").write_text(PROFILE)
        site, few = folder / "site.yaml", folder / "few.yaml"
        site.write_text(site_text(METERS))
        few.write_text(site_text(1).replace("./data", "./few"))
        once(PREPARE, site)
        once(PREPARE, few)
        pairs = [(once(OURS, site), once(FLOOR, site, folder / "data" / "readings.db")) for _ in range(ROUNDS)]
        empty = once(OURS, few)
    middle = {key: statistics.median(ours[key] for ours, _ in pairs) for key in ("imports", "yaml", "start", "rss")}
    least = {key: statistics.median(floor[key] for _, floor in pairs) for key in ("yaml", "start")}
    total = middle["imports"] + middle["yaml"] + middle["start"]
    print(f"load average {os.getloadavg()[0]:.2f}, {ROUNDS} rounds, CPU seconds, {METERS:,} meters x 8 entities")
    print(f"imports {middle['imports']:.2f}   YAML {middle['yaml']:.2f} (C parser alone {least['yaml']:.2f})")
    print(f"estate, states, rooms {middle['start']:.2f} (latest readings alone {least['start']:.2f})")
    print(f"ready from YAML {total:.2f} s (goal 2.0); without the YAML {total - middle['yaml']:.2f} s (goal 0.7)")
    print(f"entities with their last value: {pairs[0][0]['known']:.0f}")
    print(f"{(middle['rss'] - empty['rss']) / METERS:.0f} bytes of memory per meter (goal 3,000)")


if __name__ == "__main__":
    main()

"""G13, the JSON part: an authenticated, permission-checked entity against bare aiohttp answering JSON of the same size.

Both servers live in this process, each on its own port; a generator in a process of its own keeps eight connections
busy, first with one, then with the other, over several rounds. What is compared is the CPU time of this process per
request. Nothing may hold the loop for 20 ms: shown are the CPU time that the loop's thread spends at most between two
turns of a 1 ms timer, and that timer's largest lateness, in which other programs have their part.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import uvloop
from aiohttp import web

from meterhub.action_journal import StoredRuns
from meterhub.actions import Actions, System
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.devices.device import Device
from meterhub.devices.entity import EntityDef, Quality
from meterhub.devices.profile import Profile
from meterhub.devices.states import Estate
from meterhub.hub import settle
from meterhub.people.people import People
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks
from meterhub.web.app import build_app, start
from meterhub.web.rooms import Rooms

ROUNDS = 5
REQUESTS = 8_000
CONNECTIONS = 8
METERS = 10_000
QUANTITIES = 8
GOAL = 0.6

GENERATOR = """
import asyncio, sys
port, requests, connections = (int(one) for one in (sys.argv[1], sys.argv[4], sys.argv[5]))
path, token = sys.argv[2:4]
ask = f"GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n".encode()
async def one():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests // connections):
        writer.write(ask)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
        await reader.readexactly(length)
    writer.close()
async def main():
    await asyncio.gather(*[one() for _ in range(connections)])
asyncio.run(main())
"""


def fill(estate: Estate, now_ms: int) -> None:
    """Ten thousand meters, each room its own place in the tree."""
    names = [f"quantity_{place}" for place in range(QUANTITIES)]
    entities = tuple(EntityDef(name, {"en": name}, unit="kWh", scale=2) for name in names)
    profile = Profile("bench", "bench", {"en": "Bench"}, entities)
    for number in range(METERS):
        device = Device(f"m-{number:05d}", "meter", profile, place=("Block A", str(number // 100), str(number)))
        estate.add(device)
        estate.apply(device, [(one, number, Quality.GOOD) for one in device.entities], now_ms)


async def load(port: int, path: str, token: str, requests: int) -> float:
    """CPU microseconds of this process per request."""
    script = [sys.executable, "-c", GENERATOR, str(port), path, token, str(requests), str(CONNECTIONS)]
    began = time.process_time()
    child = await asyncio.to_thread(subprocess.run, script, stdout=subprocess.DEVNULL, check=False)
    if child.returncode:
        raise SystemExit("the load generator failed")
    return (time.process_time() - began) / requests * 1e6


class Worst:
    """The longest that the loop was held."""

    def __init__(self) -> None:
        self.late_s = 0.0
        self.cpu_s = 0.0

    async def watch(self) -> None:
        """Wait for a 1 ms timer over and over."""
        while True:
            began, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            self.late_s = max(self.late_s, time.perf_counter() - began - 0.001)
            self.cpu_s = max(self.cpu_s, time.thread_time() - cpu)


async def measure(folder: Path) -> None:
    """Start both servers, alternate, print."""
    clock, bus = Clock(), Bus()
    store, tasks = await SqliteStore.open(folder, clock), Tasks(clock)
    people, estate = await People.open(store, clock), Estate(bus, clock)
    await people.users.add("viewer", None, "viewer", by=System())
    token = await people.tokens.create(people.users.get("viewer"), "bench", by=System())
    fill(estate, clock.now())
    actions = Actions(bus, clock, StoredRuns(store, clock), estate.get, tasks.spawn)
    rooms = Rooms(clock, bus, estate, actions, {}, people, tasks.spawn, ZoneInfo("Asia/Shanghai"), store=store)
    ours = await start(build_app(rooms), "127.0.0.1:0")
    bare_app = web.Application()
    content = json.loads(await fetch(ours.port, "/api/v1/entities/m-00001.quantity_0", token))

    async def plain(request: web.Request) -> web.Response:
        return web.json_response(content)

    bare_app.router.add_get("/json", plain)
    bare = await start(bare_app, "127.0.0.1:0")
    paths = {
        "bare": (bare.port, "/json", REQUESTS),
        "entity": (ours.port, "/api/v1/entities/m-00001.quantity_0", REQUESTS),
        "device": (ours.port, "/api/v1/devices/m-00001", REQUESTS),
        "100 devices": (ours.port, "/api/v1/devices?limit=100", REQUESTS // 10),
    }
    settle()
    worst = Worst()
    watcher = asyncio.create_task(worst.watch())
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, (port, path, requests) in paths.items():
            taken[name].append(await load(port, path, token, requests))
    watcher.cancel()
    report(taken, worst)
    await ours.stop()
    await bare.stop()
    await tasks.stop()
    people.close()
    await store.close()


async def fetch(port: int, path: str, token: str) -> bytes:
    """The body of one answer."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return await answer.read()


def report(taken: dict[str, list[float]], worst: Worst) -> None:
    """Absolutes, then the median of the ratios within each round."""
    print(f"G13 JSON: {METERS:,} meters x {QUANTITIES}, {CONNECTIONS} connections, {ROUNDS} rounds, median")
    for name, microseconds in taken.items():
        middle = statistics.median(microseconds)
        print(f"  {name:12} {middle:8.1f} us CPU per request = {1e6 / middle:8,.0f} per core and second")
    pairs = zip(taken["bare"], taken["entity"], strict=True)
    print(f"  ours / bare aiohttp: {statistics.median(a / b for a, b in pairs):.2f} (goal {GOAL})")
    print(f"  loop held for {worst.cpu_s * 1000:.1f} ms of CPU time at most (goal 20)")
    print(f"  latest timer {worst.late_s * 1000:.1f} ms, load {os.getloadavg()[0]:.2f}")


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(measure(Path(name) / "data"))


if __name__ == "__main__":
    main()

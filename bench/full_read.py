"""G1: what a read of one meter costs from the schedule to the disk, against a bare program that only asks and decodes.

Ours is a whole hub made from a site file: a schedule fires, the sweep queues a job per meter, the line sends it, the
gprs link and the DL/T 645 codec take the answer, the estate keeps the value and tells ten listeners, the recorder has
it committed. The floor is a uvloop Protocol that builds the request, sets a timer, checks the answer's frame, address,
identifier and checksum, and puts the decoded value into a dict; it has no schedule, queue, event or store.

Both call the same far end, a process of its own that answers at once. Each side runs in a fresh process, in turn; what
is compared is the CPU time of that process, all its threads, per read.

    python bench/full_read.py [--lines 1000] [--meters 10] [--values 1] [--seconds 8] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from meterhub.config.site import load_site
from meterhub.devices.states import StatesChanged
from meterhub.hub import Hub
from meterhub.schedules import DueFinished
from meterhub_dlt645.frame import FROM_METER, PLUS_33, build

LISTENERS = 10
GOAL_US, GOAL_RATIO = 20, 2.4
HOST = "127.0.0.1"
TOTAL, BLOCK = "00010000", "0001FF00"
READ = 0x11
TIMEOUT_S = 1.0
WAKE_UP = b"\xfe" * 4
REGISTER_BYTES = 8


def site_text(port: int, lines: int, meters: int, values: int) -> str:
    """A site whose only schedule reads every meter each second."""
    text = [
        "hub: {name: Bench, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}\n",
        "plugins:\n  dlt645:\n  gprs:\n",
        f'links:\n  - {{id: field, type: gprs, listen: "{HOST}:{port}", unregistered_per_address: {lines + 1}}}\n',
        "schedules:\n  - {id: sweep, every: 1s, action: meter.read, target: {all: meters}}\ncollectors:\n",
    ]
    text += [f"  - {{id: c{n}, link: field, registration: DTU{n:05d}, lines: [{{id: l{n}}}]}}\n" for n in range(lines)]
    text.append("meters:\n")
    text += [
        f'  - {{id: m-{n}-{place}, line: l{n}, profile: bench, address: "{address(n, place)}"}}\n'
        for n in range(lines)
        for place in range(meters)
    ]
    return "".join(text)


def profile_text(values: int) -> str:
    """A meter model of the total energy, or of the total and its tariffs, which are read in one block."""
    items = [f'  energy_{n}: {{name: E, unit: kWh, scale: 2, point: {{id: "0001{n:02d}00"}}}}\n' for n in range(values)]
    return "id: bench\nprotocol: dlt645-2007\nname: Bench\nentities:\n" + "".join(items)


def address(line: int, place: int) -> str:
    """The address of a meter."""
    return f"{line:08d}{place:04d}"


async def ours(port: int, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """A whole hub; CPU microseconds per read over the sweeps of some seconds."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "bench.yaml").write_text(profile_text(options.values))
    (folder / "site.yaml").write_text(site_text(port, options.lines, options.meters, options.values))
    hub = Hub(load_site(folder / "site.yaml"))
    await hub.start()
    listeners = [Listener() for _ in range(LISTENERS)]
    for listener in listeners:
        hub.bus.on(StatesChanged, listener.hear)
    sweeps: asyncio.Queue[int] = asyncio.Queue()
    hub.bus.on(DueFinished, lambda message: sweeps.put_nowait(message.outcome.get("answered", 0)))
    while await sweeps.get() < options.lines * options.meters:
        pass
    await hub.recorder.flush()
    stored, heard = hub.recorder.written, listeners[-1].heard
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < options.seconds:
        await sweeps.get()
    await hub.recorder.flush()
    cpu, stored = time.process_time() - cpu, hub.recorder.written - stored
    assert 0 < stored <= (listeners[-1].heard - heard) + options.lines * options.values
    await hub.stop()
    return {"us": cpu / (stored / options.values) * 1e6, "stored": stored}


class Listener:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.heard = 0

    def hear(self, message: StatesChanged) -> None:
        """One poll came in."""
        self.heard += len(message.changes)


class Caller(asyncio.Protocol):
    """The floor's end of one connection."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.buffer = b""
        self.named = False
        self.timer: asyncio.TimerHandle | None = None
        self.left: list[bytes] = []
        self.head = b""

    def connection_made(self, transport: Any) -> None:
        """Somebody calls."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """The registration, then answers."""
        self.buffer += data
        if not self.named:
            if len(self.buffer) >= REGISTER_BYTES:
                self.named = True
                self.number = int(self.buffer[3:REGISTER_BYTES])
                self.buffer = b""
                self.floor.join(self)
            return
        raw = self.buffer
        at = raw.find(0x68)
        if at < 0 or len(raw) < at + 12 or len(raw) < at + 12 + raw[at + 9]:
            return
        end = at + 12 + raw[at + 9]
        good = raw[end - 1] == 0x16 and not (sum(raw[at:end]) - 2 * raw[end - 2] - 0x16) & 0xFF
        mine = raw[at : at + 8] == self.head and raw[at + 8] == READ | FROM_METER
        if good and mine and raw[at + 10 : at + 14] == self.floor.identifier:
            self.take(raw[at + 14 : end - 2])

    def take(self, wire: bytes) -> None:
        """A good answer: decode it and go on."""
        assert self.timer is not None
        self.timer.cancel()
        self.buffer = b""
        digits = wire[::-1].translate(MINUS_33).hex()
        self.floor.values[self.head] = [int(digits[at : at + 8]) for at in range(0, len(digits), 8)]
        self.floor.reads += 1
        self.ask()

    def ask(self) -> None:
        """The next request, if one is left."""
        if not self.left:
            self.floor.finished()
            return
        self.head = b"\x68" + self.left.pop() + b"\x68"
        body = self.head + bytes((READ, 4)) + self.floor.identifier
        self.timer = asyncio.get_running_loop().call_later(TIMEOUT_S, self.ask)
        self.transport.write(WAKE_UP + body + bytes((sum(body) & 0xFF, 0x16)))


MINUS_33 = bytes((value - 0x33) & 0xFF for value in range(256))


class Floor:
    """All callers of the floor and what they have read."""

    def __init__(self, identifier: str, lines: int) -> None:
        self.lines = lines
        self.identifier = bytes.fromhex(identifier)[::-1].translate(PLUS_33)
        self.callers: list[Caller] = []
        self.values: dict[bytes, list[int]] = {}
        self.reads = 0
        self.waiting = 0
        self.over = asyncio.Event()

    def join(self, caller: Caller) -> None:
        """One more caller has said its name."""
        self.callers.append(caller)
        if len(self.callers) == self.lines:
            self.over.set()

    def finished(self) -> None:
        """One caller has read its meters."""
        self.waiting -= 1
        if not self.waiting:
            self.over.set()

    async def sweep(self, meters: int) -> None:
        """Read every meter once."""
        self.waiting = len(self.callers)
        self.over.clear()
        for caller in self.callers:
            caller.left = [bytes.fromhex(address(caller.number, place))[::-1] for place in range(meters)]
            caller.ask()
        await self.over.wait()


async def floor(port: int, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The floor; one sweep per second, as ours."""
    side = Floor(TOTAL if options.values == 1 else BLOCK, options.lines)
    server = await asyncio.get_running_loop().create_server(lambda: Caller(side), HOST, port, backlog=4096)
    await side.over.wait()
    await side.sweep(options.meters)
    side.reads, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < options.seconds:
        await side.sweep(options.meters)
        await asyncio.sleep(1 - (time.perf_counter() - began) % 1)
    cpu = time.process_time() - cpu
    server.close()
    return {"us": cpu / side.reads * 1e6, "stored": 0}


class Collector(asyncio.Protocol):
    """The far end of one connection: says its name and answers every request at once."""

    def __init__(self, number: int, meters: int) -> None:
        self.number = number
        self.answers: dict[bytes, bytes] = {}
        for place in range(meters):
            for identifier, values in ((TOTAL, 1), (BLOCK, 5)):
                self.learn(address(number, place), identifier, values)

    def learn(self, meter: str, identifier: str, values: int) -> None:
        """Make the answer to one request."""
        wire = bytes.fromhex(identifier)[::-1]
        said = b"".join(bytes.fromhex(f"{self.number * 10 + n:08d}")[::-1] for n in range(values))
        request = WAKE_UP + build(meter, READ, wire).raw
        self.answers[request] = WAKE_UP + build(meter, READ | FROM_METER, wire + said).raw

    def connection_made(self, transport: Any) -> None:
        """Say who we are."""
        self.transport = transport
        transport.write(f"DTU{self.number:05d}".encode())

    def data_received(self, data: bytes) -> None:
        """A line asks one thing at a time, so that a segment is a request."""
        self.transport.write(self.answers[data])


async def far_end(port: int, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """All collectors; runs until it is ended."""
    loop = asyncio.get_running_loop()
    for number in range(options.lines):
        collector = Collector(number, options.meters)
        while True:
            with contextlib.suppress(OSError):
                await loop.create_connection(lambda one=collector: one, HOST, port)
                break
            await asyncio.sleep(0.1)
    await asyncio.Event().wait()
    return {}


SIDES = {"ours": ours, "floor": floor, "far_end": far_end}


def command(side: str, port: int, options: argparse.Namespace) -> list[str]:
    """How a side is started in a process of its own."""
    given = [f"--{name}={getattr(options, name)}" for name in ("lines", "meters", "values", "seconds")]
    return [sys.executable, __file__, "--side", side, "--port", str(port), *given]


@contextlib.contextmanager
def running_far_end(port: int, options: argparse.Namespace) -> Iterator[None]:
    """The far end, as long as this is held."""
    process = subprocess.Popen(command("far_end", port, options), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def once(side: str, options: argparse.Namespace) -> dict[str, float]:
    """One measurement of one side."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with running_far_end(port, options):
        found = subprocess.run(command(side, port, options), capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.stderr)
    result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return result


def fdatasync_ms() -> float:
    """Median of appending 4 KiB and waiting for the disk."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(100):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def bench(options: argparse.Namespace) -> None:
    """Alternate both sides and print."""
    pairs = [(once("ours", options), once("floor", options)) for _ in range(options.rounds)]
    mine, least = (statistics.median(one["us"] for one in side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(one["us"] / other["us"] for one, other in pairs)
    print(
        f"G1 full read: {options.lines:,} lines x {options.meters} meters x {options.values} values each second,"
        f" {LISTENERS} listeners, {options.rounds} rounds, median"
    )
    print(f"  ours   {mine:6.1f} us CPU per read, {pairs[0][0]['stored']:,.0f} readings stored (goal {GOAL_US})")
    print(f"  floor  {least:6.1f} us CPU per read, none stored")
    print(f"  ratio  {ratio:6.2f} (goal {GOAL_RATIO})")
    load = os.getloadavg()[0]
    print(f"  load average {load:.2f}, fdatasync {fdatasync_ms():.2f} ms, python {platform.python_version()}")


def main() -> None:
    """Run the bench, or one of its sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--meters", type=int, default=10)
    parser.add_argument("--values", type=int, choices=(1, 5), default=1)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is None:
        bench(options)
        return
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(uvloop.run(SIDES[options.side](options.port, options, Path(name)))))


if __name__ == "__main__":
    main()

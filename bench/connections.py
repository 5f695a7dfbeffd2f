"""G4, G5 and floods: what collectors cost while they call, breathe, are read, redial all at once, and strangers come.

The hub's field side (gprs link, desk, collector and line per collector) in this process, plain sockets in another.

    python bench/connections.py [COLLECTORS] [--read 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import uvloop

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.field.codec import StreamCodec
from meterhub.field.collector import Collector, CollectorOffline, CollectorOnline
from meterhub.field.dialogue import Ask
from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import CollectorConfig
from meterhub.field.link_desk import LinkDesk
from meterhub.hub import settle
from meterhub_gprs import open_link
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA

HOST, PORT = "127.0.0.1", 18655
SILENT, GARBAGE = 10_000, 2_000
PAGE = 4096
REQUEST_BYTES, ANSWER_BYTES = 16, 24


class Frame(NamedTuple):
    """Is it an answer?"""

    answer: bool


class BenchCodec(StreamCodec):
    """Frames of the sizes above; as little work as possible, since connections are measured and not a codec."""

    def find(self, buffer: bytearray) -> tuple[Frame | None, int]:
        """Look for A5 or 5A."""
        for mark, size in ((b"\xa5", REQUEST_BYTES), (b"\x5a", ANSWER_BYTES)):
            at = buffer.find(mark)
            if at >= 0:
                return (None, at) if len(buffer) < at + size else (Frame(mark == b"\x5a"), at + size)
        return None, len(buffer)

    def encode(self, frame: Frame) -> bytes:
        """Mark and filling."""
        return (b"\x5a" if frame.answer else b"\xa5").ljust(ANSWER_BYTES if frame.answer else REQUEST_BYTES, b"\x00")


def resident_kib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1024


class Field:
    """The hub's side of one gprs link."""

    def __init__(self, count: int) -> None:
        self.clock, bus = Clock(), Bus()
        self.online = self.offline = 0
        bus.on(CollectorOnline, self._came)
        bus.on(CollectorOffline, self._gone)
        before = resident_kib()
        owners = []
        for number in range(count):
            config = CollectorConfig(f"c{number}", check({"registration": f"DTU{number:05d}"}, COLLECTOR_SCHEMA))
            line = Line(LineConfig(f"l{number}", trace_size=20), self.clock, {"b": BenchCodec})
            owners.append(Collector(config, [line], self.clock, bus, 60.0))
        self.configured_kib = (resident_kib() - before) / count
        self.desk = LinkDesk("bench", owners, self.clock, bus)
        config = {"listen": f"{HOST}:{PORT}", "heartbeat": {"every": "60s", "packet": "BEAT"}}
        self.link = open_link(SimpleNamespace(clock=self.clock), check(config, LINK_SCHEMA))
        self.answers = 0
        self.reading = False

    def _came(self, message: CollectorOnline) -> None:
        self.online += 1

    def _gone(self, message: CollectorOffline) -> None:
        self.online -= 1
        self.offline += 1

    async def until_online(self, count: int, limit_s: float = 60.0) -> float:
        """Seconds until so many are registered."""
        began = time.perf_counter()
        while self.online < count:
            await asyncio.sleep(0.005)
            if time.perf_counter() - began > limit_s:
                raise TimeoutError(f"only {self.online} of {count} came")
        return time.perf_counter() - began

    def read_for_ever(self, collector: Collector) -> None:
        """Keep a line busy."""

        def start() -> Any:
            yield Ask(Frame(False), lambda frame: frame.answer, answer_bytes=24)

        def done(result: Any, error: Exception | None) -> None:
            self.answers += error is None
            if self.reading:
                self.clock.call_later(0, self.read_for_ever, collector)

        collector.lines[0].submit(Job("m", "0", "b", start, done, priority=Priority.OPERATOR))


class FarEnd:
    """The other process."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("_storm.py")), HOST, str(PORT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, command: str) -> None:
        """Give a command; its answer is waited for by ``done``."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    async def done(self) -> None:
        """The last command was carried out."""
        assert self.process.stdout is not None
        await asyncio.get_running_loop().run_in_executor(None, self.process.stdout.readline)


async def worst_lag_ms(seconds: float) -> float:
    """How long the loop stood still at most."""
    worst, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        worst = max(worst, time.perf_counter() - began - 0.005)
    return worst * 1000


async def measure(count: int, read: int) -> None:
    """Everything, one after the other."""
    field, far = Field(count), FarEnd()
    field.desk.start()
    await field.link.open(field.desk)
    gc.collect()
    settle()
    before, cpu = resident_kib(), time.process_time()
    far.tell(f"call 0 {count - read}")
    wall_s = await field.until_online(count - read)
    cpu = time.process_time() - cpu
    await far.done()
    gc.collect()
    kib = (resident_kib() - before) / (count - read)
    per_us = cpu / (count - read) * 1e6
    print(
        f"{count - read} collectors called within {wall_s:.1f} s: {per_us:.1f} us CPU each, {kib:.2f} KiB resident each"
    )
    print(f"  besides {field.configured_kib:.2f} KiB for each configured collector with its line")
    times = 4
    cpu = time.process_time()
    far.tell(f"beat {times}")
    await far.done()
    await asyncio.sleep(0.5)
    print(f"heartbeats: {(time.process_time() - cpu) / (times * (count - read)) * 1e6:.1f} us CPU each")
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(3)
    print(f"watching over silence: {(time.process_time() - cpu) / (time.perf_counter() - wall):.2%} of a core")
    await accepts_while_reading(field, far, count, read)
    await everybody_again(field, far, count)
    crowd = FarEnd()
    await strangers(field, crowd, count)
    crowd.tell("quit")
    crowd.process.wait(10)
    field.desk.stop()
    await field.link.close()
    far.tell("quit")
    far.process.wait(10)


async def accepts_while_reading(field: Field, far: FarEnd, count: int, read: int) -> None:
    """New callers while the loop is saturated by reads of those that are there."""
    field.reading = True
    for collector in list(field.desk.sessions.values())[:1000]:
        field.read_for_ever(collector)
    await asyncio.sleep(1)
    answers, began = field.answers, time.perf_counter()
    far.tell(f"call {count - read} {read}")
    wall_s = await field.until_online(count)
    rate = (field.answers - answers) / (time.perf_counter() - began)
    field.reading = False
    await far.done()
    print(f"while reading {rate:,.0f} answers/s: {read / wall_s:,.0f} accepts and registrations/s")


async def everybody_again(field: Field, far: FarEnd, count: int) -> None:
    """A power cut: all are gone and call again."""
    far.tell("drop")
    await far.done()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if not field.online:
            break
    field.offline = 0
    far.tell(f"call 0 {count}")
    wall_s = await field.until_online(count)
    await far.done()
    lag_ms = await worst_lag_ms(5)
    print(f"{count} called again at once: all back in {wall_s:.1f} s, {field.offline} false offline in 5 s after,"
          f" loop held {lag_ms:.0f} ms at most")  # fmt: skip


async def strangers(field: Field, far: FarEnd, count: int) -> None:
    """Callers that say nothing and callers that say nonsense, beside those that are there."""
    silent = min(SILENT, 19_400 - count)
    before = resident_kib()
    far.tell(f"silent {silent}")
    lag_ms = await worst_lag_ms(3)
    await far.done()
    far.tell(f"garbage {GARBAGE}")
    lag_ms = max(lag_ms, await worst_lag_ms(3))
    await far.done()
    print(
        f"{silent} silent and {GARBAGE} garbage callers: {field.desk.online()} of {count} stay online,"
        f" loop held {lag_ms:.0f} ms at most, {(resident_kib() - before) / 1024:.1f} MiB more"
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collectors", nargs="?", type=int, default=5000)
    parser.add_argument("--read", type=int, default=2000, help="of them, those that call while others are read")
    arguments = parser.parse_args()
    uvloop.run(measure(arguments.collectors, arguments.read))
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

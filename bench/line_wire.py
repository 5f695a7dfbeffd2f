"""G2: how well lines use their wires. Simulated collectors and meters on 2400-baud wires in a process of their own.

Each collector dials in over TCP and has one line with twenty meters. Ours (gprs link, collector, line, codec, dialogue)
and a floor (a bare asyncio Protocol that sends the next request on each answer) alternate over the same far end; both
are compared with the ideal: the wire time of request and answer and the meter's turnaround. Also prints CPU time per
exchange.

    python bench/line_wire.py [LINES ...] [--seconds 10] [--rounds 3] [--loss 0.05] [--storm FILE]

With ``--storm``, or COLLECTOR_STORM in the environment, ``collector_storm.py`` is the far end: it costs less time than
our own twins, whose lateness counts against the line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import uvloop

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.field.collector import Collector
from meterhub.field.dialogue import Dialogue
from meterhub.field.flow import Flow
from meterhub.field.line import Line, LineConfig, Priority
from meterhub.field.link import CollectorConfig
from meterhub.field.link_desk import LinkDesk
from meterhub.field.protocol import Protocol, SimulatedMeter
from meterhub.field.queue import Turn
from meterhub.hub import settle
from meterhub.sim.caller import simulate
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World
from meterhub.testing.conformance_link import until
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.frame import FROM_METER, Frame, build
from meterhub_gprs import open_link
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA

READ = 0x11
IDENTIFIER = "00010000"
REGISTER = bytes.fromhex(IDENTIFIER)[::-1]
REGISTER_BYTES = 4
OPERATOR = Priority.OPERATOR
WAKE_UP = b"\xfe" * 4
REGISTRATION_BYTES = len("DTU00000")
REQUEST_BYTES, ANSWER_BYTES = 16, 24
"""A DL/T 645-2007 read of one register, its answer with four FE."""
TURNAROUND_S = 0.06
METERS = 20
IDEAL_S = (REQUEST_BYTES + ANSWER_BYTES) * 11 / 2400 + TURNAROUND_S
TIMEOUT_S = 1.0
HOST = "127.0.0.1"
PORT = 18645


class BenchMeter(SimulatedMeter):
    """Answers one register, always the same."""

    turnaround_s = TURNAROUND_S

    def __init__(self, address: str) -> None:
        self.address = address
        self.said = WAKE_UP + build(address, READ | FROM_METER, REGISTER + bytes(4)).raw

    def answer(self, frame: Frame) -> bytes | None:
        """The answer to a request for this meter."""
        return self.said if not frame.from_meter and frame.address == self.address else None


class BenchProtocol(Protocol):
    """Only a codec."""

    def codec(self) -> Dlt645Codec:
        """A codec."""
        return Dlt645Codec()

    def point(self, key: str, spec: Any, kind: str, scale: int) -> Any:
        """Not used."""

    def read(self, meter: Any, points: Any) -> Dialogue[Any]:
        """Not used."""
        raise NotImplementedError


def address(line: int, meter: int) -> str:
    """The address of a meter; those of a line are counted from 1."""
    return f"{line:08d}{meter + 1:04d}"


def collectors(lines: int) -> list[CollectorConfig]:
    """The collectors of the estate."""
    return [
        CollectorConfig(f"c{number}", check({"registration": f"DTU{number:05d}"}, COLLECTOR_SCHEMA))
        for number in range(lines)
    ]


def link_config(port: int, lines: int) -> dict[str, Any]:
    """The link's configuration."""
    raw = {"listen": f"{HOST}:{port}", "latency": "10ms", "latency_max": "200ms"}
    return check(raw | {"unregistered_per_address": str(lines + 1)}, LINK_SCHEMA)


async def far_end(port: int, lines: int, loss: float) -> None:
    """The other process: twins of the collectors and of their meters."""
    world = World(Clock(1), 1)
    protocol = BenchProtocol()
    wires = {}
    for collector in collectors(lines):
        wire = wires[collector.id] = Wire(world, collector.id, faults=Faults(drop=loss))
        for number in range(METERS):
            wire.add(protocol, BenchMeter(address(len(wires) - 1, number)))
    await simulate(link_config(port, lines), collectors(lines), wires, world)


class Ours:
    """The hub's field side: keeps every line busy with one job per meter, over and over."""

    def __init__(self, port: int, lines: int) -> None:
        self.clock = Clock()
        self.answers = 0
        bus, flow = Bus(), Flow(self.clock)  # one for all, as in a hub
        self.link = open_link(self, link_config(port, lines))
        codecs = {"b": Dlt645Codec}
        self.lines = [
            Line(LineConfig(f"l{n}", timeout_s=TIMEOUT_S), self.clock, codecs, facts=self.link.facts, flow=flow)
            for n in range(lines)
        ]
        owners = [
            Collector(one, [line], self.clock, bus, flow=flow)
            for one, line in zip(collectors(lines), self.lines, strict=True)
        ]
        self.desk = LinkDesk("bench", owners, self.clock, bus, flow)

    async def start(self, lines: int) -> None:
        """Wait for all collectors, then begin to read."""
        self.desk.start()
        await self.link.open(self.desk)
        await until(lambda: self.desk.online() == lines, 60)
        for place in range(lines):
            self.clock.call_later(IDEAL_S * place / lines, self.begin, place)  # not all in step

    def begin(self, place: int) -> None:
        """Queue a read of each meter."""
        line = self.lines[place]
        for number in range(METERS):
            line.submit(Read(self, line, Meter(f"m{number}", address(place, number))))

    async def stop(self) -> None:
        """Close everything."""
        for line in self.lines:
            line.lost("hub_stopped")
        self.desk.stop()
        await self.link.close()


class Meter:
    """What the dialogue knows of a meter."""

    __slots__ = ("address", "id")

    options: Mapping[str, Any] = {"preamble": 0}
    points: Mapping[str, Any] = {}
    commands: Mapping[str, Any] = {}

    def __init__(self, meter_id: str, meter_address: str) -> None:
        self.id = meter_id
        self.address = meter_address


class Read(Turn):
    """One read of a register in the plugin's own dialogue; when the meter has answered, the next one is queued."""

    __slots__ = ("line", "meter", "side")

    def __init__(self, side: Ours, line: Line, meter: Meter) -> None:
        super().__init__(meter.id, meter.address, "b", OPERATOR)
        self.side = side
        self.line = line
        self.meter = meter

    def start(self) -> Dialogue[bytes]:
        """The dialogue."""
        return read_data(Talk(self.meter, "2007"), IDENTIFIER, REGISTER_BYTES)

    def done(self, result: bytes | None, error: Exception | None, /) -> None:
        """Count it, and read again."""
        if result is not None:
            self.side.answers += 1
        if self.line.connected:
            self.line.submit(Read(self.side, self.line, self.meter))


class FloorCaller(asyncio.Protocol):
    """The floor: the next request on each answer, a timer per request, nothing else."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.number = 0
        self.buffer = b""
        self.requests: list[bytes] = []
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A collector calls."""
        self.transport = transport
        self.floor.callers.append(self)

    def data_received(self, data: bytes) -> None:
        """Registration, then answers."""
        self.buffer += data
        if not self.requests:
            if len(self.buffer) == REGISTRATION_BYTES:
                place = int(self.buffer[3:])
                self.requests = [build(address(place, one), READ, REGISTER).raw for one in range(METERS)]
                self.floor.named += 1
                self.buffer = b""
        elif self.buffer[-1:] == b"\x16" and self.buffer.count(self.requests[self.number][:8]):
            self.floor.answers += 1
            self.ask()

    def ask(self) -> None:
        """The next request."""
        self.number = (self.number + 1) % METERS
        self.buffer = b""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(TIMEOUT_S + 0.4, self.ask)
        self.transport.write(self.requests[self.number])


class Floor:
    """All callers of the floor."""

    def __init__(self, port: int, lines: int) -> None:
        self.port = port
        self.answers = 0
        self.named = 0
        self.callers: list[FloorCaller] = []

    async def start(self, lines: int) -> None:
        """Wait for all, then begin to read."""
        self.server = await asyncio.get_running_loop().create_server(
            lambda: FloorCaller(self), HOST, self.port, backlog=4096
        )
        await until(lambda: self.named == lines, 60)
        for place, one in enumerate(self.callers):
            asyncio.get_running_loop().call_later(IDEAL_S * place / lines, one.ask)

    async def stop(self) -> None:
        """Close everything."""
        self.server.close()
        for one in self.callers:
            if one.timer is not None:
                one.timer.cancel()
            one.transport.abort()


async def measure(kind: type[Ours] | type[Floor], port: int, lines: int, seconds: float) -> tuple[float, float]:
    """(answers per line and second, CPU microseconds per answer) once everything runs."""
    side = kind(port, lines)
    await side.start(lines)
    await asyncio.sleep(2)
    gc.collect()
    settle()
    answers, wall_s, cpu_s = side.answers, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    answers = side.answers - answers
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    await side.stop()
    return answers / lines / wall_s, cpu_s / max(answers, 1) * 1e6


def storm_command(port: int, lines: int, arguments: argparse.Namespace) -> list[str]:
    """How the load generator ``--storm`` is started as the same far end."""
    turnaround_ms = TURNAROUND_S * 1000
    given = f"--target {HOST}:{port} -n {lines} -m {METERS} --first 0 --baud 2400 --report 0 --src-hosts 1"
    given += f" --turnaround {turnaround_ms},{turnaround_ms} --p-drop {arguments.loss} --register DTU{{cid:05d}}"
    return [sys.executable, arguments.storm, *given.split()]


@contextlib.contextmanager
def other_process(port: int, lines: int, arguments: argparse.Namespace) -> Iterator[None]:
    """The far end, as long as this is held."""
    command = [sys.executable, __file__, str(lines), "--far-end", str(port), "--loss", str(arguments.loss)]
    if arguments.storm:
        command = storm_command(port, lines, arguments)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def bench(lines: int, arguments: argparse.Namespace) -> None:
    """Measure one number of lines and print it."""
    results: dict[str, list[tuple[float, float]]] = {"ours": [], "floor": []}
    for number in range(arguments.rounds):
        for name, kind in (("ours", Ours), ("floor", Floor)):
            port = PORT + 2 * number + (name == "floor")
            with other_process(port, lines, arguments):
                results[name].append(uvloop.run(measure(kind, port, lines, arguments.seconds)))
    lost_s = (REQUEST_BYTES + ANSWER_BYTES) * 11 / 2400 + TIMEOUT_S + 0.2
    bound = 1 / (IDEAL_S + arguments.loss / (1 - arguments.loss) * lost_s)
    print(f"{lines} lines, {METERS} meters each, loss {arguments.loss:.0%}: ideal {1 / IDEAL_S:.3f} answers/s per line")
    for name, rounds in results.items():
        rate, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        share = rate * lines * cpu / 1e6
        print(
            f"  {name:5}  {rate:.3f} answers/s per line = {rate / bound:.4f} of the limit,"
            f" {cpu:.1f} us CPU per answer, {share:.1%} of a core"
        )
    ratio = statistics.median(a[1] / b[1] for a, b in zip(results["ours"], results["floor"], strict=True))
    print(f"  ours / floor: CPU {ratio:.2f}; load average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Run the bench, or its far end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", type=int, default=[50])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--storm", default=os.environ.get("COLLECTOR_STORM", ""), help="a load generator as far end")
    parser.add_argument("--far-end", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.far_end:
        uvloop.run(far_end(arguments.far_end, arguments.lines[0], arguments.loss))
        return
    for lines in arguments.lines:
        bench(lines, arguments)


if __name__ == "__main__":
    main()

"""A power cut and a mob: whole processes, and a person who looks at pages all the while.

``meterhub run`` with a generated site file, its collectors as plain sockets in a process of their own. All lose their
connections at once and call again; each has a meter, which a schedule reads. Then thousands of strangers come, beside
fewer collectors and beside as many as there are descriptors for. Printed are the seconds until all are registered, and
until each meter has a new good reading committed on the disk; how many went offline without a reason afterwards; and
how long pages took meanwhile, fetched over HTTP by somebody logged in.

    python bench/power_cut.py [COLLECTORS] [--storm FILE]

With ``--storm``, or COLLECTOR_STORM in the environment, ``collector_storm.py`` plays the collectors: killed at the cut,
and started again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

HOST, PORT, WEB = "127.0.0.1", 18655, 18656
STRANGERS, GARBAGE = 10_000, 2_000
SWEEP_S = 5
CUT_S = 1
PASSWORD = "a long pass phrase"
PROFILE = """\
id: energy
protocol: dlt645-2007
name: {en: Energy only, zh: 仅电能, ja: 電力量のみ}
entities:
  energy_total: {name: {en: Energy, zh: 电能, ja: 電力量}, unit: kWh, scale: 2, point: {id: "00010000"}}
"""
ONLINE = "select count(*) from spells where state = 'online' and until_ms is null"
FALSE = "select count(*) from spells where state = 'offline' and since_ms >= ?"
FRESH = """select count(distinct series) from slots join readings using (slot)
where start_ms > ?1 - 900000 and start_ms + offset_ms >= ?1 and quality = 0"""


def site(folder: Path, count: int) -> Path:
    """Its site file: so many collectors with a line and a meter each."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "energy.yaml").write_text(PROFILE, encoding="utf-8")
    lines = [
        "hub: {data: ./data, time_zone: UTC}",
        f'web: {{listen: "{HOST}:{WEB}"}}',
        "plugins: {dlt645: , gprs: }",
        f'links: [{{id: field, type: gprs, listen: "{HOST}:{PORT}", heartbeat: {{every: 60s, packet: BEAT}}}}]',
        f"schedules: [{{id: sweep, every: {SWEEP_S}s, action: meter.read, target: {{all: meters}}}}]",
        "collectors:",
    ]
    lines += [
        f'  - {{id: c{n}, link: field, registration: "DTU{n:05d}", lines: [{{id: c{n}-a, baud: 9600}}]}}'
        for n in range(count)
    ]
    lines += ["meters:"]
    lines += [f'  - {{id: m{n}, line: c{n}-a, profile: energy, address: "{n:08d}0001"}}' for n in range(count)]
    file = folder / "site.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


class FarEnd:
    """A process of plain sockets: collectors, or strangers."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("_storm.py")), HOST, str(PORT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    def tell(self, command: str) -> None:
        """Give a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """All its connections break."""
        self.process.kill()
        self.process.wait()


class StormEnd:
    """``collector_storm.py`` as the collectors. A power cut kills it, and all its connections with it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, command: str) -> None:
        """``call FIRST COUNT`` or ``drop``."""
        word, *counts = command.split()
        self.end()
        if word == "call":
            given = f"--target {HOST}:{PORT} --first {counts[0]} -n {counts[1]} -m 1 --report 0"
            given += " --register DTU{cid:05d} --heartbeat BEAT --heartbeat-every 50"
            self._process = subprocess.Popen([sys.executable, self._file, *given.split()], stdout=subprocess.DEVNULL)

    def end(self) -> None:
        """All its connections break."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Visitor:
    """Looks at three pages in turn, without a pause."""

    def __init__(self, session: aiohttp.ClientSession, count: int) -> None:
        self._session = session
        self._paths = ("/", "/collectors", f"/devices/m{count // 2}", f"/devices/c{count // 3}")
        self.seconds: list[float] = []

    async def log_in(self) -> None:
        """As the owner."""
        async with self._session.post("/login", data={"name": "owner", "password": PASSWORD}) as answer:
            assert answer.status == 200, answer.status

    async def look(self) -> None:
        """For ever."""
        while True:
            for path in self._paths:
                began = time.perf_counter()
                async with self._session.get(path) as answer:
                    await answer.read()
                    assert answer.status == 200, f"{path}: {answer.status}"
                self.seconds.append(time.perf_counter() - began)
                await asyncio.sleep(0.05)

    def told(self) -> str:
        """What the pages took since the last time, in words."""
        times, self.seconds = sorted(self.seconds) or [0.0], []
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        return f"{len(times)} pages: p50 {p50 * 1000:.0f}, p99 {p99 * 1000:.0f}, max {times[-1] * 1000:.0f} ms"


class Watch:
    """Looks into the hub's files beside it."""

    def __init__(self, data: Path) -> None:
        self._hub = sqlite3.connect(f"file:{data}/hub.db?mode=ro", uri=True, check_same_thread=False)
        self._readings = sqlite3.connect(f"file:{data}/readings.db?mode=ro", uri=True, check_same_thread=False)

    def online(self) -> int:
        """Collectors with an open spell online."""
        return int(self._hub.execute(ONLINE).fetchone()[0])

    def went(self, since_ms: int) -> int:
        """Spells offline that began since then."""
        return int(self._hub.execute(FALSE, (since_ms,)).fetchone()[0])

    def polled(self, since_ms: int) -> int:
        """Meters with a good reading from after then."""
        return int(self._readings.execute(FRESH, (since_ms,)).fetchone()[0])

    async def until(self, count: int, since_ms: int, limit_s: float = 120.0) -> tuple[float, float]:
        """Seconds until so many are online, and until as many have a reading from after ``since_ms``."""
        online_s = polled_s = 0.0
        while not polled_s:
            await asyncio.sleep(0.2)
            now_s = time.time() - since_ms / 1000
            if not online_s and await asyncio.to_thread(self.online) >= count:
                online_s = now_s
            if online_s and await asyncio.to_thread(self.polled, since_ms) >= count:
                polled_s = now_s
            if now_s > limit_s:
                raise TimeoutError(f"{self.online()} of {count} online, {self.polled(since_ms)} polled")
        return online_s, polled_s


class HubProcess:
    """``meterhub run`` in a folder of its own, with an owner who may log in."""

    def __init__(self, file: Path) -> None:
        self._log = file.parent / "log"
        cli = [sys.executable, "-m", "meterhub.cli"]
        add = [*cli, "user", "add", "owner", "--role", "owner", "--data", "data"]
        subprocess.run(add, input=PASSWORD + "\n", text=True, cwd=file.parent, check=True, stdout=subprocess.DEVNULL)
        run = [*cli, "run", "-c", str(file)]
        self._process = subprocess.Popen(run, cwd=file.parent, stdout=subprocess.DEVNULL, stderr=self._log.open("wb"))

    def most_mib(self) -> float:
        """The most memory that it had so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024

    def end(self) -> list[str]:
        """Stop it; the errors that it logged."""
        self._process.terminate()
        self._process.wait(60)
        return [line for line in self._log.read_text().splitlines() if " ERROR " in line]


@contextlib.asynccontextmanager
async def looking(data: Path, count: int) -> AsyncIterator[tuple[Watch, Visitor]]:
    """Somebody who looks at pages, as soon as there are any, and somebody who looks into the files."""
    cookies = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://{HOST}:{WEB}", cookie_jar=cookies) as session:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                await (await session.get("/healthz")).read()
                break
            await asyncio.sleep(0.1)
        visitor = Visitor(session, count)
        await visitor.log_in()
        task = asyncio.create_task(visitor.look())
        yield Watch(data), visitor
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def cut(far: FarEnd | StormEnd, watch: Watch, visitor: Visitor, count: int, what: str) -> None:
    """All lose their connection at once, and call again."""
    far.tell("drop")
    began_ms = int(time.time() * 1000)
    await asyncio.sleep(CUT_S)
    far.tell(f"call 0 {count}")
    online_s, polled_s = await watch.until(count, began_ms)
    back_ms = int(time.time() * 1000)
    print(f"{what}: {count} back in {online_s - CUT_S:.1f} s, each with a new reading in {polled_s - CUT_S:.1f} s;"
          f" {visitor.told()}")  # fmt: skip
    await asyncio.sleep(8)
    print(f"  in 8 s after: {watch.went(back_ms)} false offline, {watch.online()} online; {visitor.told()}")


async def mob(watch: Watch, visitor: Visitor, count: int) -> None:
    """Strangers, for as long as it takes the patience with them to end."""
    began_ms = int(time.time() * 1000)
    crowd = FarEnd()
    crowd.tell(f"silent {STRANGERS}")
    crowd.tell(f"garbage {GARBAGE}")
    await asyncio.sleep(14)
    print(f"  {STRANGERS} silent and {GARBAGE} garbage callers for 14 s: {watch.went(began_ms)} false offline,"
          f" {watch.online()} of {count} online, {watch.polled(began_ms)} read; {visitor.told()}")  # fmt: skip
    crowd.end()


async def measure(data: Path, count: int, storm: str) -> None:
    """Everything, one after the other."""
    far, crowd = StormEnd(storm) if storm else FarEnd(), FarEnd()
    few = min(count, 19_900 - STRANGERS - GARBAGE)
    try:
        async with looking(data, count) as (watch, visitor):
            far.tell(f"call 0 {few}")
            await watch.until(few, int(time.time() * 1000))
            print(f"{few} of {count} collectors; {visitor.told()}")
            await mob(watch, visitor, few)
            crowd.tell(f"silent {STRANGERS}")
            crowd.tell(f"garbage {GARBAGE}")
            await cut(far, watch, visitor, few, "power cut among strangers")
            crowd.end()
            await cut(far, watch, visitor, count, "power cut")
            await mob(watch, visitor, count)
    finally:
        far.end()
        crowd.end()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collectors", nargs="?", type=int, default=19_900)
    parser.add_argument("--storm", default=os.environ.get("COLLECTOR_STORM", ""), help="a load generator as collectors")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        hub = HubProcess(site(Path(folder), arguments.collectors))
        try:
            asyncio.run(measure(Path(folder, "data"), arguments.collectors, arguments.storm))
            print(f"the hub had {hub.most_mib():.0f} MiB at most")
        finally:
            print(*hub.end(), sep="\n")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

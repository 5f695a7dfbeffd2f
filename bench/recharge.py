"""From a payment company's notice to the credit that the meter has confirmed, on an idle line of 2400 baud.

    python bench/recharge.py [RECHARGES]

Whole processes, as a deployer starts them: a hub, the twins of collector and meter, the sandbox of Alipay. Recharges
come one after the other; nothing else is on the line. The time runs from the moment at which the hub takes the notice
to the commit of the meter's confirmation, as the hub's own rows say.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from meterhub.testing.ports import free_port

SITE = """\
hub: {{name: Bench, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{0}", public_url: "http://127.0.0.1:{0}"}}
plugins: {{dlt645: , gprs: , alipay: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{1}", heartbeat: {{every: 30s, packet: HB}}}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, lines: [{{id: c1-a, baud: 2400, parity: even}}]}}
meters:
  - {{id: a-101, line: c1-a, profile: kede-2007-prepaid, address: "101"}}
payments:
  - {{id: by-alipay, type: alipay, sandbox: "127.0.0.1:{2}"}}
"""
GOAL_S = 5.0
TIMES = """
select d.confirmed_ms - p.recorded_ms from deliveries d join payments p on p.order_no = d.order_no
where d.confirmed_ms is not null
"""


class Bench:
    """The processes, in a folder of their own; ``site`` names its ports by number, the hub's first."""

    def __init__(self, folder: Path, site: str = SITE, ports: int = 3) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in range(ports)]
        self.base = f"http://127.0.0.1:{self.ports[0]}"
        (folder / "site.yaml").write_text(site.format(*self.ports), encoding="utf-8")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> None:
        """Start a process that goes on."""
        quiet = subprocess.DEVNULL
        command = [sys.executable, "-m", "meterhub.cli", *arguments, "-c", "site.yaml"]
        self.running.append(subprocess.Popen(command, cwd=self.folder, stdout=quiet, stderr=quiet))

    def token(self) -> str:
        """Somebody who may open accounts."""

        def run(*arguments: str, words: str = "") -> str:
            command = [sys.executable, "-m", "meterhub.cli", *arguments, "--data", "data"]
            done = subprocess.run(command, cwd=self.folder, input=words.encode(), capture_output=True, check=True)
            return done.stdout.decode().strip()

        run("user", "add", "olga", "--role", "owner", words="a long pass phrase\n")
        return run("token", "create", "olga", "--name", "bench")

    def stop(self) -> None:
        """End them."""
        for one in self.running:
            one.terminate()
        for one in self.running:
            one.wait()

    def seconds(self) -> list[float]:
        """From notice to confirmation, of all recharges so far."""
        with sqlite3.connect(f"file:{self.folder}/data/hub.db?mode=ro", uri=True, timeout=10) as conn:
            return [ms / 1000 for (ms,) in conn.execute(TIMES)]

    async def tried(self, session: aiohttp.ClientSession, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON of an answer, asked for again until it is right."""
        for _ in range(300):
            try:
                kind = "GET" if body is None else "POST"
                async with session.request(kind, self.base + path, json=body) as answer:
                    found: dict[str, Any] = await answer.json()
                    if answer.status == 200 and found.get("state") in (None, "confirmed"):
                        return found
            except (aiohttp.ClientError, OSError, ValueError):
                pass
            await asyncio.sleep(0.2)
        raise RuntimeError(f"{path} never answered")

    async def recharge(self, session: aiohttp.ClientSession, link: str, number: int) -> None:
        """Order, pay, and wait until the meter has it."""
        form = {"amount": "10.00", "way": "by-alipay.qr", "key": f"k{number}"}
        async with session.post(self.base + link, data=form, allow_redirects=False) as answer:
            no = answer.headers["Location"].removeprefix("/pay/order/").partition("?")[0]
        cashier = f"http://127.0.0.1:{self.ports[2]}/sandbox/pay"
        async with session.post(cashier, json={"out_trade_no": f"{no}00"}) as answer:
            answer.raise_for_status()
        for _ in range(200):
            await asyncio.sleep(0.1)
            if len(self.seconds()) > number:
                break
        await asyncio.sleep(0.3)


async def main(recharges: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        bench = Bench(Path(name))
        try:
            token = bench.token()
            bench.start("run")
            bench.start("simulate")
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
                opening = {"target": "a-101", "params": {"mode": "meter"}}
                opened = await bench.tried(session, "/api/v1/actions/money.open_account?wait=10", opening)
            async with aiohttp.ClientSession() as session, asyncio.timeout(20 * recharges):
                for number in range(recharges):
                    await bench.recharge(session, opened["result"]["link"], number)
            found = sorted(bench.seconds())
        finally:
            bench.stop()
    p95 = found[min(len(found) - 1, int(0.95 * len(found)))]
    print(f"{recharges} recharges on 2400 baud     p50 {statistics.median(found):.2f} s   p95 {p95:.2f} s   "
          f"longest {found[-1]:.2f} s   (goal p95 <= {GOAL_S:.0f} s)   load {os.getloadavg()[0]:.1f}")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))

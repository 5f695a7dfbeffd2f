"""A whole hub under 1,000 forged notices a second: whether good ones are settled in time and pages answer.

    python bench/notice_flood.py [SECONDS] [PER_SECOND]

Three processes as a deployer starts them (a hub, the twins of a meter, the sandbox of Alipay) and this one, which sends
forgeries of both companies at an even rate over 64 connections, signed with a wrong key and right in everything else,
while a tenant pays once a second and looks at his page. Shown: how many forgeries were answered and how long each
took, from payment to the row in the books, and the page.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from recharge import SITE, Bench

from meterhub_alipay import crypto as alipay
from meterhub_wechat import crypto as wechat
from meterhub_wechat.schema import SANDBOX_APIV3_KEY, SANDBOX_APP, SANDBOX_MERCHANT, SANDBOX_PUBLIC_KEY_ID, sandbox_key

WECHAT = '  - {{id: by-wechat, type: wechat, sandbox: "127.0.0.1:{3}"}}\n'
BOTH = SITE.replace("alipay: }}", "alipay: , wechat: }}") + WECHAT
CONNECTIONS = 64
SETTLED_S = 1.0
FORGED_P99_MS = 5.0
PAGE_S = 1.0


def forged(company: str) -> bytes:
    """A whole HTTP request: a notice that lacks nothing but the right key."""
    key = sandbox_key("merchant")
    if company == "alipay":
        fields = {
            "notify_type": "trade_status_sync", "app_id": "2021000000000000", "seller_id": "2088000000000000",
            "out_trade_no": "E20991231000000000001", "trade_no": "1", "trade_status": "TRADE_SUCCESS",
            "total_amount": "50.00",
        } | {f"field_{number}": "a value of some length" for number in range(20)}  # fmt: skip
        signed = {**fields, "sign_type": "RSA2", "sign": alipay.sign_notice(fields, key)}
        return request("alipay", urlencode(signed).encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    paid = {"mchid": SANDBOX_MERCHANT, "appid": SANDBOX_APP, "out_trade_no": "E1", "trade_state": "SUCCESS"}
    sealed = wechat.encrypt(json.dumps(paid).encode(), SANDBOX_APIV3_KEY, nonce="n" * 12, associated_data="transaction")
    body = json.dumps({"id": "1", "resource_type": "encrypt-resource", "resource": sealed}).encode()
    when = {"timestamp": str(int(time.time())), "nonce": "n" * 32}
    return request("wechat", body, wechat.sign_answer(body, key=key, serial=SANDBOX_PUBLIC_KEY_ID, **when))


def request(company: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST to the notice address of a company."""
    lines = [f"POST /pay/notify/{company}/by-{company} HTTP/1.1", "Host: hub", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + body


class Forger(asyncio.Protocol):
    """One connection. ``spent_ms`` collects how long each answer took, over all connections."""

    def __init__(self, spent_ms: list[float]) -> None:
        self.spent_ms = spent_ms
        self.asked: deque[float] = deque()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, content: bytes) -> None:
        """Send one more."""
        assert self.transport is not None
        self.asked.append(time.perf_counter())
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        """Answers: ``fail`` of Alipay's, ``FAIL`` of WeChat Pay's, nothing else."""
        assert b"success" not in data and b" 204 " not in data
        for _ in range(data.count(b"HTTP/1.1 ")):
            self.spent_ms.append((time.perf_counter() - self.asked.popleft()) * 1000)


async def flood(port: int, seconds: float, per_second: int, spent_ms: list[float]) -> int:
    """Send at an even rate whatever comes back, at most 20 waiting on a connection; returns how many were sent."""
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Forger(spent_ms), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    forgers = [protocol for _, protocol in made]
    begun, sent = time.perf_counter(), 0
    contents = [forged("alipay"), forged("wechat")]
    while (passed := time.perf_counter() - begun) < seconds:
        while sent < passed * per_second:
            one = forgers[sent % CONNECTIONS]
            if len(one.asked) >= 20:
                break
            one.send(contents[sent % 2])
            sent += 1
        await asyncio.sleep(0.002)
    await asyncio.sleep(1)  # for the last answers
    for one in forgers:
        if one.transport is not None:
            one.transport.abort()
    return sent


class Tenant:
    """Pays once a second and looks at his page."""

    def __init__(self, bench: Bench, link: str, keys: str) -> None:
        self.bench, self.link, self.keys = bench, link, keys
        self.settled_s: list[float] = []
        self.page_s: list[float] = []

    async def live(self, seconds: float) -> None:
        """Until the time is over."""
        begun = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            number = 0
            while time.perf_counter() - begun < seconds:
                next_s = begun + number + 1
                await self.pay(session, number)
                looked = time.perf_counter()
                async with session.get(self.bench.base + self.link) as answer:
                    assert answer.status == 200
                    await answer.read()
                self.page_s.append(time.perf_counter() - looked)
                number += 1
                await asyncio.sleep(max(0, next_s - time.perf_counter()))

    async def pay(self, session: aiohttp.ClientSession, number: int) -> None:
        """One order, paid at the company; the time runs from there to the row in the books."""
        form = {"amount": "1.00", "way": "by-alipay.qr", "key": f"{self.keys}{number}"}
        async with session.post(self.bench.base + self.link, data=form, allow_redirects=False) as answer:
            no = answer.headers["Location"].removeprefix("/pay/order/").partition("?")[0]
        begun_ms = time.time() * 1000
        cashier = f"http://127.0.0.1:{self.bench.ports[2]}/sandbox/pay"
        async with session.post(cashier, json={"out_trade_no": f"{no}00"}) as answer:
            answer.raise_for_status()
        self.settled_s.append((await self.recorded_ms(no) - begun_ms) / 1000)

    async def recorded_ms(self, no: str) -> int:
        """When the payment of an order was booked."""
        for _ in range(1000):
            with sqlite3.connect(f"file:{self.bench.folder}/data/hub.db?mode=ro", uri=True, timeout=10) as conn:
                found = conn.execute("select recorded_ms from payments where order_no = ?", [no]).fetchone()
            if found:
                return int(found[0])
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{no} was never booked")


async def ready(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise RuntimeError(f"nobody listens on {port}")


def show(name: str, values: list[float], unit: str, goal: float) -> None:
    """One row."""
    found = sorted(values)
    p99 = found[min(len(found) - 1, int(0.99 * len(found)))]
    met = "" if p99 <= goal else "  NOT MET"
    print(f"  {name:38s} p50 {statistics.median(found):8.3f}   p99 {p99:8.3f}   longest {found[-1]:8.3f} {unit}   "
          f"(goal p99 <= {goal:g}){met}")  # fmt: skip


async def main(seconds: float, per_second: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        bench = Bench(Path(name), BOTH, ports=4)
        spent_ms: list[float] = []
        try:
            token = bench.token()
            bench.start("run")
            bench.start("simulate")
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
                opening = {"target": "a-101", "params": {"mode": "server"}}
                opened = await bench.tried(session, "/api/v1/actions/money.open_account?wait=10", opening)
            await ready(bench.ports[2])
            await Tenant(bench, opened["result"]["link"], "first").live(1)  # templates, which every hub makes once
            tenant = Tenant(bench, opened["result"]["link"], "then")
            begun = time.perf_counter()
            sent, _ = await asyncio.gather(
                flood(bench.ports[0], seconds, per_second, spent_ms), tenant.live(seconds - 1)
            )
            took = time.perf_counter() - begun
        finally:
            bench.stop()
    print(f"{sent} forged notices in {seconds:.0f} s ({sent / seconds:.0f}/s sent, {len(spent_ms) / took:.0f}/s "
          f"answered), {len(tenant.settled_s)} good ones beside them   load {os.getloadavg()[0]:.1f}")  # fmt: skip
    show("a forgery, until it was turned away", spent_ms, "ms", FORGED_P99_MS)
    show("a payment, until it is in the books", tenant.settled_s, "s", SETTLED_S)
    show("the tenant's page", tenant.page_s, "s", PAGE_S)


if __name__ == "__main__":
    numbers = [float(one) for one in sys.argv[1:3]]
    asyncio.run(main(numbers[0] if numbers else 20, int(numbers[1]) if len(numbers) > 1 else 1000))

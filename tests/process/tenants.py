"""Tenants who pay, a hub that is killed, and what the meters themselves say in the end, over real sockets.

Three processes: the hub, the twins of the meters, the twins of the payment companies. Only the hub is ever killed, so
what a company has been paid and what a meter has been credited is known for sure, whatever the hub believes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3

import aiohttp
from process_house import House

from meterhub.testing.ports import free_port
from meterhub_dlt645 import encode_read
from meterhub_dlt645.codec import Dlt645Codec

METERS = """\
plugins: {{dlt645: , gprs: , alipay: , wechat: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{field}", heartbeat: {{every: 5s, packet: HB}}}}
collectors:
{collectors}
meters:
{meters}
"""
COMPANIES = """\
payments:
  - {{id: by-alipay, type: alipay, sandbox: "127.0.0.1:{alipay}"}}
  - {{id: by-wechat, type: wechat, sandbox: "127.0.0.1:{wechat}"}}
"""
HUB = """\
hub: {{name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{web}", public_url: "http://127.0.0.1:{web}"}}
"""
FAULTS = {
    "alipay": ["alipay.trade.precreate", "alipay.trade.query"],
    "wechat": ["create", "query"],
}
NOTICES = ("twice", "dropped", "late", "forged")


class Court(House):
    """``meters`` prepaid meters, each behind a collector of its own, so that their credits are under way together."""

    def __init__(self, folder, meters, seed):
        super().__init__(folder)
        self.chance = random.Random(seed)
        self.meters = [f"a-{number}" for number in range(101, 101 + meters)]
        self.ports = {"web": self.web, "field": self.field, "alipay": free_port(), "wechat": free_port()}
        self.links, self.paid, self.kills = {}, {}, 0
        lines = {
            "collectors": "\n".join(
                f"  - {{id: c-{one}, link: field, registration: {one}, lines: [{{id: l-{one}, baud: 9600}}]}}"
                for one in self.meters
            ),
            "meters": "\n".join(
                f'  - {{id: {one}, line: l-{one}, profile: kede-2007-prepaid, address: "{one[2:]}"}}'
                for one in self.meters
            ),
        }
        field = METERS.format(**self.ports, **lines)
        companies, head = COMPANIES.format(**self.ports), HUB.format(**self.ports)
        self.file.write_text(head + field + companies, encoding="utf-8")
        (folder / "field.yaml").write_text(head + field, encoding="utf-8")
        (folder / "companies.yaml").write_text(f"{head}plugins: {{alipay: , wechat: }}\n{companies}", encoding="utf-8")

    async def open(self):
        """Start everything and open an account on each meter."""
        await self.log_in()
        await self.start("simulate", "-c", "field.yaml")
        await self.start("simulate", "-c", "companies.yaml")
        await self.up()
        for meter in self.meters:
            await self.until(f"/api/v1/devices/c-{meter}", lambda one: one["status"] == "online")
            self.links[meter] = await self._account(meter)

    async def _account(self, meter):
        """Open an account, again while the meter's purse cannot be read; returns the tenant's link."""
        body = {"target": meter, "params": {"mode": "meter"}}
        for _ in range(20):
            run = await self.ask("/api/v1/actions/money.open_account?wait=30", body)
            if run["state"] == "confirmed":
                return run["result"]["link"]
            await asyncio.sleep(0.5)
        raise AssertionError(run)

    async def up(self):
        """Start the hub and wait until it answers."""
        self.hub = await self.start("run", "-c", "site.yaml")
        await self.until("/healthz", lambda answer: answer["status"] == "ok")

    async def kill(self):
        """End the hub as a power cut would, and start it again."""
        self.hub.send_signal(signal.SIGKILL)
        await self.hub.wait()
        self.kills += 1
        await self.up()

    async def trouble(self, session, count):
        """Plan lost answers at the companies, and notices that are lost, late, forged or come twice."""
        for _ in range(count):
            company = self.chance.choice(list(FAULTS))
            lost = {"kind": "lost", "operation": self.chance.choice(FAULTS[company])}
            notice = {"kind": self.chance.choice(NOTICES), "operation": "payment", "seconds": 2}
            for plan in (lost, notice):
                await session.post(f"http://127.0.0.1:{self.ports[company]}/sandbox/faults", json=plan)

    async def pay(self, session, meter, number, company=None):
        """One recharge as a tenant does it: again with the same key until the page answers, then pay the company."""
        company = company or self.chance.choice(["alipay", "wechat"])
        fen = 1000 + self.meters.index(meter) * 100 + number
        form = {"amount": f"{fen // 100}.{fen % 100:02d}", "way": f"by-{company}.qr", "key": f"{meter}-{number}"}
        page = await self._answer(session, "POST", self.links[meter], form)
        no = page.removeprefix("/pay/order/").partition("?")[0]
        cashier = f"http://127.0.0.1:{self.ports[company]}/sandbox/pay"
        attempts = (f"{no}{attempt:02d}" for attempt in [0] * 400)
        for attempt in attempts:
            async with session.post(cashier, json={"out_trade_no": attempt, "approve": True}) as answer:
                if answer.status == 200:
                    self.paid[attempt] = (meter, fen)
                    return
            await asyncio.sleep(0.1)
            await self._answer(session, "GET", page)
        raise AssertionError(f"{no} could not be paid")

    async def _answer(self, session, method, path, form=None):
        """Where a page leads, or "" for one that is shown; again and again while the hub is away."""
        for _ in range(600):
            try:
                async with session.request(
                    method, f"http://127.0.0.1:{self.web}{path}", data=form, allow_redirects=False
                ) as answer:
                    await answer.read()
                    if answer.status < 400:
                        return answer.headers.get("Location", "")
                    assert answer.status >= 500, await answer.text()
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path} never answered")

    def rows(self, sql):
        """Rows of the hub's own file; closed at once, or the hub's end would not be the last."""
        seen = f"file:{self.folder}/data/hub.db?mode=ro"
        with contextlib.closing(sqlite3.connect(seen, uri=True, timeout=10)) as conn:
            return conn.execute(sql).fetchall()

    async def quiet(self, within_s):
        """Wait until every payment is on its meter or has a name that a person can look up."""
        sql = "select o.no, o.state, d.state, d.error from orders o left join deliveries d on d.order_no = o.no"
        sql += " where o.state <> 'fulfilled' and o.no not in (select order_no from anomalies)"
        for _ in range(int(within_s * 4)):
            left = self.rows(sql)
            if not left and len(self.rows("select 1 from payments")) >= len(self.paid):
                return
            await asyncio.sleep(0.25)
        raise AssertionError(f"nothing moves any more: {left[:5]}")

    async def down(self):
        """Stop the hub in order."""
        self.hub.send_signal(signal.SIGTERM)
        assert await self.hub.wait() == 0

    async def purchases(self):
        """What each meter says of itself, asked on its own wire without any hub: number and fen of every purchase."""
        told, done = {}, asyncio.Event()

        async def called(reader, writer):
            meter = (await reader.read(64)).decode()[:5]
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):  # it hung up, and calls again
                told[meter] = sorted([one async for one in _records(reader, writer, meter[2:])])
            writer.close()
            if set(told) == set(self.meters):
                done.set()

        server = await asyncio.start_server(called, "127.0.0.1", self.field)
        async with server, asyncio.timeout(90):
            await done.wait()
        return told


async def _records(reader, writer, address):
    """Number and fen of each purchase that a meter remembers, the latest first (identifiers 03330Fnn)."""
    codec = Dlt645Codec()
    for back in range(1, 255):
        frame = await _record(reader, writer, codec, address.zfill(12), f"03330F{back:02X}")
        if frame.refused:
            return
        record = frame.payload  # when (5 bytes), count (2), amount (4), before, after, total; BCD, low byte first
        yield int(record[6:4:-1].hex()), int(record[10:6:-1].hex())


async def _record(reader, writer, codec, address, identifier):
    """The answer to one question, asked again when none comes; that to another question is none."""
    while True:
        writer.write(encode_read(address, identifier))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(8):
                while True:
                    while (frame := codec.next_frame()) is None:
                        data = await reader.read(512)
                        if not data:
                            raise asyncio.IncompleteReadError(data, None)
                        codec.receive(data)
                    if frame.refused or frame.identifier == identifier:
                        return frame

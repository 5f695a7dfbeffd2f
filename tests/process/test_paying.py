"""The whole path over real sockets: order, QR code, the sandbox's cashier, notice, meter on its wire, SMS, receipt."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from meterhub.actions import System
from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import Hub
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.testing.conformance_payment import until
from meterhub.twins import run_twins
from meterhub.web.app import build_app, start
from meterhub.web.pages import setup_pages

SITE = """\
hub: {{name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{0}", public_url: "http://127.0.0.1:{0}"}}
plugins:
  dlt645:
  gprs:
  alipay:
  wechat:
  sms: {{provider: aliyun, sandbox: "127.0.0.1:{4}", receipts_secret: s3cret}}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{1}", heartbeat: {{every: 5s, packet: HB}}}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, lines: [{{id: c1-a, baud: 9600}}]}}
meters:
  - {{id: a-101, line: c1-a, profile: kede-2007-prepaid, address: "101"}}
payments:
  - {{id: by-alipay, type: alipay, sandbox: "127.0.0.1:{2}"}}
  - {{id: by-wechat, type: wechat, sandbox: "127.0.0.1:{3}"}}
"""
SYSTEM = System()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Court:
    """A hub, its web server and its twins in one process."""

    def __init__(self, folder):
        self.ports = [free_port() for _ in range(5)]
        (folder / "site.yaml").write_text(SITE.format(*self.ports), encoding="utf-8")
        self.file = folder / "site.yaml"

    async def __aenter__(self):
        self.hub = Hub(load_site(self.file), Clock(1))
        await self.hub.start()
        rooms = self.hub.rooms()
        self.web = await start(build_app(rooms, lambda app: setup_pages(app, rooms)), f"127.0.0.1:{self.ports[0]}")
        self.twins = asyncio.ensure_future(run_twins(load_site(self.file), Clock(1)))
        self.session = aiohttp.ClientSession()
        await until(lambda: self.hub.estate["c1"].status == "online")
        return self

    async def __aexit__(self, *_):
        self.twins.cancel()
        await asyncio.gather(self.twins, return_exceptions=True)
        await self.session.close()
        await self.web.stop()
        await self.hub.stop()

    async def act(self, name, target="", **params):
        run = await self.hub.actions.call(name, target, params, actor=SYSTEM)
        if run.done is not None:
            await run.done
        assert run.error is None, run.error
        return run.result

    async def order_is(self, no, state):
        async with Clock().timeout(20):
            while (await self.hub.money.one("money.order", no=no))["state"] != state:
                await Clock().sleep(0.05)


@pytest.mark.parametrize("company", ["by-alipay", "by-wechat"])
async def test_a_tenant_pays_and_is_told(tmp_path, company):
    async with Court(tmp_path) as court:
        opened = await court.act("money.open_account", "a-101", mode="meter")
        await court.act("message.set_number", account=opened["account"], number="13800000000")
        money = court.hub.money
        order = await money.order(Wish(opened["account"], 5000, "k1", "tenant"))
        merchant = money.merchants.get(company)
        assert await court.act("money.test_merchant", account=company)
        shown = await money.paying.open(order["no"], merchant, "qr", "Electricity a-101", Browser())
        async with court.session.get(shown.qr) as page:
            assert "¥50.00" in await page.text()
        async with court.session.post(shown.qr, data={"approve": "1"}) as page:
            assert "Paid" in await page.text()
        await court.order_is(order["no"], "fulfilled")
        async with Clock().timeout(10):
            while [one["state"] for one in await court.hub.store.query("select state from messages")] != ["delivered"]:
                await Clock().sleep(0.05)
        delivery = await money.one("money.delivery_of_order", order_no=order["no"])
        assert (delivery["state"], delivery["number"]) == ("confirmed", 1)


AGENTS = {
    "jsapi": ("by-wechat", "Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0", "<wechat-cashier"),
    "h5": ("by-alipay", "Mozilla/5.0 (Linux; Android 14) Mobile", "gateway.do?"),
    "qr": ("by-wechat", "Mozilla/5.0 (X11; Linux)", "<svg"),
}


async def test_each_browser_is_shown_its_way_to_pay(tmp_path):
    async with Court(tmp_path) as court:
        opened = await court.act("money.open_account", "a-101", mode="meter")
        for number, (way, (company, agent, shown)) in enumerate(AGENTS.items()):
            order = await court.hub.money.order(Wish(opened["account"], 5000, f"k{number}", "tenant"))
            url = f"http://127.0.0.1:{court.ports[0]}/pay/order/{order['no']}?way={company}.{way}"
            async with court.session.get(url, headers={"User-Agent": agent, "Accept": "text/html"}) as page:
                text = await page.text()
            assert page.status == 200 and shown in text, (way, text)
            assert ("/pay/part/wechat.js" in text) == (company == "by-wechat")
        async with court.session.get(f"http://127.0.0.1:{court.ports[0]}/pay/part/wechat.js") as script:
            assert "customElements.define" in await script.text()

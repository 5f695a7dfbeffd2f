"""A site with one prepaid meter, its twins, both payment companies and one for messages, over real sockets."""

from __future__ import annotations

import asyncio

import aiohttp

from meterhub.actions import System
from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import Hub
from meterhub.testing.conformance_payment import until
from meterhub.testing.ports import free_port
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
        for _ in range(400):  # tries, not time: this process may be the one that is held up
            if (last := (await self.hub.money.one("money.order", no=no))["state"]) == state:
                return
            await Clock().sleep(0.05)
        raise AssertionError(f"{no} is {last}, not {state}")

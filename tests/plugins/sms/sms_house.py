"""Accounts for messages at their companies' sandboxes, and a desk that takes receipts."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from aiohttp import web

from meterhub.config.schema import check
from meterhub.config.types import HostPort
from meterhub.errors import NoticeRejected
from meterhub.money.provider import Notice
from meterhub.sim.world import World
from meterhub.tasks import Tasks
from meterhub.testing.company import Sessions, ShiftedClock
from meterhub_sms import _open
from meterhub_sms.sandbox_aliyun import AliyunSandbox
from meterhub_sms.sandbox_tencent import TencentSandbox
from meterhub_sms.schema import SCHEMA, read_account

LOOPBACK = HostPort("127.0.0.1", 0)
SANDBOXES = {"aliyun": AliyunSandbox, "tencent": TencentSandbox}


class House:
    """One company, one account."""

    def __init__(self, provider, speed=1.0, **options):
        self.provider, self.speed, self.given = provider, speed, options
        self.clock = ShiftedClock()
        self.tasks = Tasks(self.clock)
        self.receipts, self.bodies, self.deaf, self.sessions = [], [], 0, Sessions()

    async def start(self):
        app = web.Application()
        app.add_routes([web.post("/receipts", self._take)])
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/receipts"
        options = check({"provider": self.provider, "sandbox": "127.0.0.1:0", **self.given}, SCHEMA)
        world = World(self.clock, speed=self.speed)
        self.sandbox = SANDBOXES[self.provider](world, read_account(options), url)
        host, port = (await self.sandbox.start(LOOPBACK)).removeprefix("http://").split(":")
        options["sandbox"] = HostPort(host, int(port))
        self.context = SimpleNamespace(log=logging.getLogger("sms"), clock=self.clock, http=self.http)
        self.notifier = _open(self.context, options, 1)
        return self

    async def stop(self):
        await self.tasks.stop()
        await self.sandbox.stop()
        await self.runner.cleanup()
        await self.sessions.close()

    def http(self):
        return self.sessions.one(self.sandbox.faults)

    async def _take(self, request):
        body = await request.read()
        self.bodies.append(body)
        taken = self.deaf <= 0
        self.deaf -= 1
        if taken:
            try:
                self.receipts += self.notifier.parse_receipts(Notice({}, body, 0))
            except NoticeRejected:
                taken = False
        answer = self.notifier.receipt_answer(taken)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

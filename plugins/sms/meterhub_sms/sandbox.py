"""Local companies for messages: what Aliyun's and Tencent's sandboxes share. They send nothing to anybody.

``GET /sandbox/messages`` shows what was sent. The end of a number says what becomes of a message: ``…0001`` cannot be
delivered, ``…0002`` is on a black list. See ``meterhub.sim.gateway`` for faults on demand.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from meterhub.sim.courier import Letter
from meterhub.sim.gateway import SandboxGateway
from meterhub.sim.world import World
from meterhub_sms.schema import Account

MOST = 10_000
RECEIPT_S = 0.05
UNDELIVERABLE, BLACK_LISTED = "0001", "0002"
DAY_MS = 24 * 3_600_000


@dataclass(slots=True)
class Sent:
    """One message as the company keeps it. ``delivered`` is None while it is on its way."""

    number: str
    to: str
    template: str
    params: Any
    ours: str
    sent_ms: int
    delivered: bool | None = None
    received_ms: int = 0


class SmsSandbox(SandboxGateway):
    """Base of both. ``receipts_url`` is where receipts are pushed to, "" for nowhere."""

    def __init__(self, world: World, account: Account, receipts_url: str, schedule_s: Sequence[float]) -> None:
        super().__init__(world, schedule_s, self.taken)
        self.account = account
        self.receipts_url = receipts_url
        self.sent: deque[Sent] = deque(maxlen=MOST)
        self.random = world.random(f"{account.provider} sandbox")

    @abstractmethod
    def taken(self, status: int, body: bytes) -> bool:
        """Whether an answer to a receipt means that it was taken."""

    @abstractmethod
    def receipt(self, sent: Sent) -> dict[str, Any]:
        """A receipt as it is pushed."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """The API, and what was sent."""
        return [web.route("*", "/", self._api), web.get("/sandbox/messages", self._messages)]

    @abstractmethod
    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """Carry out one call."""

    @abstractmethod
    def operation(self, request: web.Request) -> str:
        """The name of a call for faults: ``send`` or ``query``."""

    def number(self) -> str:
        """A new number of the company's."""
        return f"{self.world.clock.now()}{self.random.getrandbits(32):010d}"

    def accept(self, to: str, template: str, params: Any, ours: str, number: str = "") -> Sent:
        """Take a message in and say later what became of it."""
        number = number or self.number()
        one = Sent(number, to, template, params, ours, self.world.clock.now())
        self.sent.append(one)
        self.tasks.spawn(f"message {number}", self._deliver(one))
        return one

    def sent_to(self, to: str, template: str) -> int:
        """How many messages of a template went to a number within a day."""
        since_ms = self.world.clock.now() - DAY_MS
        return sum(one.to == to and one.template == template and one.sent_ms > since_ms for one in self.sent)

    async def _deliver(self, one: Sent) -> None:
        await self.world.clock.sleep(RECEIPT_S)
        one.delivered, one.received_ms = not one.to.endswith(UNDELIVERABLE), self.world.clock.now()
        if self.receipts_url:
            body = json.dumps([self.receipt(one)], ensure_ascii=False).encode()
            letter = Letter(self.receipts_url, {"Content-Type": "application/json"}, body)
            self.courier.send("receipt", one.number, lambda: letter)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()

        async def work() -> web.Response:
            return await self.answer(request, body)

        return await self.carried_out(request, self.operation(request), work)

    async def _messages(self, _: web.Request) -> web.Response:
        shown = [{"to": one.to, "template": one.template, "params": one.params} for one in self.sent]
        return web.json_response(shown)

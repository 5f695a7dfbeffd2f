"""A payment company to test an account against: its sandbox, a desk that takes notices, a clock that can be set on."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web

from meterhub.clock import Clock
from meterhub.errors import NoticeRejected
from meterhub.money.provider import Notice, PaymentAccount, PaymentRequest
from meterhub.money.statements import Statement
from meterhub.sim.faults import Fault, Faults
from meterhub.sim.gateway import SandboxGateway
from meterhub.tasks import Tasks

HOUR_MS = 3_600_000
PATIENCE_S = 0.4
"""How long a test waits for an answer that never comes."""
PLENTY_S = 60.0
"""How long for one that does, on a machine that has much else to do."""
SILENT = (Fault.HANG, Fault.STUCK)


class ShiftedClock(Clock):
    """Real time, shifted: ``shift_ms`` sets it on, so that tomorrow's bill can be asked for today."""

    def __init__(self) -> None:
        super().__init__(1)
        self.shift_ms = 0

    def now(self) -> int:
        """UTC epoch milliseconds, shifted."""
        return super().now() + self.shift_ms


class NoticeDesk:
    """Takes notices as the hub does: keeps them raw, lets the account prove them, answers."""

    def __init__(self) -> None:
        self.account: PaymentAccount | None = None
        self.clock = Clock()
        self.notices: list[Notice] = []
        self.statements: list[Statement | None] = []
        self.rejected: list[NoticeRejected] = []
        self.deaf = 0
        """How many of the next notices get no good answer."""
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port and return the address for notices."""
        app = web.Application()
        app.add_routes([web.post("/pay/notify/company/main", self._take)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/pay/notify/company/main"
        return self.url

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        notice = Notice(headers, await request.read(), self.clock.now())
        assert self.account is not None
        try:
            statement = self.account.parse_notice(notice)
        except NoticeRejected as error:
            self.rejected.append(error)
            answer = self.account.notice_answer(False)
        else:
            answer = self.account.notice_answer(self.deaf <= 0)
            if self.deaf <= 0:
                self.notices.append(notice)
                self.statements.append(statement)
            self.deaf -= 1
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


class Sessions:
    """HTTP sessions for calls at a sandbox."""

    def __init__(self) -> None:
        self._by_patience: dict[float, aiohttp.ClientSession] = {}

    def one(self, faults: Faults) -> aiohttp.ClientSession:
        """One that gives up soon while the sandbox is to keep silent, else one that waits for a slow machine."""
        patience_s = PATIENCE_S if faults.any_of(*SILENT) else PLENTY_S
        if patience_s not in self._by_patience:
            timeout = aiohttp.ClientTimeout(total=patience_s)
            self._by_patience[patience_s] = aiohttp.ClientSession(timeout=timeout)
        return self._by_patience[patience_s]

    async def close(self) -> None:
        """Close them."""
        for session in self._by_patience.values():
            await session.close()


class Company(ABC):
    """One account at the sandbox of its company. Subclasses make both in ``open``."""

    speed = 1.0
    """How much faster than usual notices are repeated."""
    operations: Mapping[str, str]
    """What the sandbox calls ``create``, ``query``, ``close``, ``refund`` and ``query_refund`` in its faults."""
    secrets: Sequence[str] = ()
    """Texts that must never be logged or told: keys, or long parts of them."""
    payment_operation = "payment"
    """What it calls notices of payments."""

    def __init__(self) -> None:
        self.clock = ShiftedClock()
        self.desk = NoticeDesk()
        self.desk.clock = self.clock
        self.tasks = Tasks(self.clock)
        self._sessions = Sessions()
        self._numbers = 0
        self.account: PaymentAccount
        self.sandbox: SandboxGateway

    @abstractmethod
    async def open(self) -> None:
        """Start the sandbox; set ``sandbox`` and ``account``."""

    @abstractmethod
    async def pay(self, no: str) -> bool:
        """The payer pays; False when the company does not let him."""

    @abstractmethod
    def strangers_account(self) -> PaymentAccount:
        """The account of another merchant of the same company, who may hold the same keys of the company."""

    async def start(self) -> None:
        """Everything that is needed."""
        await self.desk.start()
        await self.open()
        self.desk.account = self.account

    async def stop(self) -> None:
        """Everything ends."""
        await self.tasks.stop()
        await self.sandbox.stop()
        await self.desk.stop()
        await self._sessions.close()

    def context(self, data_dir: Path = Path()) -> Any:
        """A plugin's context whose HTTP gives up soon when no answer is to come."""
        return SimpleNamespace(
            name="company", log=logging.getLogger("meterhub.plugin.company"), clock=self.clock, data_dir=data_dir,
            spawn=lambda coroutine: self.tasks.spawn("company", coroutine), http=self.http,
        )  # fmt: skip

    def http(self) -> aiohttp.ClientSession:
        """The shared session."""
        return self._sessions.one(self.sandbox.faults)

    def request(self, way: str, amount_fen: int = 5000, no: str = "") -> PaymentRequest:
        """A payment to open, with a fresh number unless one is given."""
        self._numbers += 1
        now_ms = self.clock.now()
        number = no or f"T{self.clock.random.getrandbits(60):016X}{self._numbers:04d}"
        return PaymentRequest(
            number, way, amount_fen, "Electricity A 101", now_ms, now_ms + HOUR_MS, self.desk.url,
            "http://127.0.0.1:1/pay/return", "203.0.113.9", "Mozilla/5.0 (Linux; Android 14) Mobile", "openid-1",
        )  # fmt: skip

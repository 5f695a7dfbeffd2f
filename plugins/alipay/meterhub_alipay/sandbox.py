"""A local Alipay: the gateway with its signatures, states, notices and bills, and a cashier page to approve or refuse.

``GET /cashier/CODE`` is the payer's phone; ``POST /sandbox/pay`` with ``{"out_trade_no": …, "approve": true}`` pays
without one, with ``"late": true`` also after the end, with ``"coupon": "5.00"`` that much less at the merchant's cost.
See ``meterhub.sim.gateway`` for faults on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from Crypto.PublicKey.RSA import RsaKey

from meterhub import beijing
from meterhub.certificates import Certificate
from meterhub.money.amount import yuan
from meterhub.sim.courier import Letter
from meterhub.sim.faults import Fault
from meterhub.sim.gateway import SandboxGateway, coupon_of, page
from meterhub.sim.world import World
from meterhub_alipay import crypto
from meterhub_alipay.sandbox_methods import Methods
from meterhub_alipay.sandbox_notices import fields_of, letter_of
from meterhub_alipay.sandbox_trades import MOST, QR_LIFE_MS, WAIT, Refusal, Trade
from meterhub_alipay.sandbox_wire import content_of, failure, params_of, signed, unsigned

MINUTE_S, HOUR_S = 60, 3600
SCHEDULE_S = (4 * MINUTE_S, 10 * MINUTE_S, 10 * MINUTE_S, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, 15 * HOUR_S)
CLOCK_TOLERANCE_MS = 24 * HOUR_S * 1000
BILL_LIFE_MS, MOST_BILLS = 30_000, 20
TICK_S = 20.0
EARLY_S = 0.3
PAGES = {"alipay.trade.wap.pay", "alipay.trade.page.pay"}


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whom the gateway serves. ``alipay`` is Alipay's private key, ``certificate`` its certificate in that mode.

    Requests must name ``app_number``, and ``root_number`` unless that is ""; with ``bare_keys`` they may name neither,
    and are then answered as in key mode. ``aes_key`` is for encrypted content.
    """

    app_id: str
    seller_id: str
    application: RsaKey
    alipay: RsaKey
    certificate: Certificate | None = None
    app_number: str = ""
    root_number: str = ""
    aes_key: bytes = field(default=b"", repr=False)
    bare_keys: bool = False

    def in_key_mode(self, params: Mapping[str, str]) -> bool:
        """Whether a request may leave certificates out, and does."""
        return self.bare_keys and not params.get("app_cert_sn")


class AlipaySandbox(SandboxGateway):
    """The gateway for some merchants."""

    def __init__(self, world: World, merchants: Mapping[str, Merchant]) -> None:
        super().__init__(world, SCHEDULE_S, lambda status, body: status == 200 and body == b"success")
        self.merchants = dict(merchants)
        self.methods = Methods(self)
        self.codes: dict[str, tuple[Trade, int]] = {}
        self.bills: dict[str, tuple[int, bytes]] = {}
        self._random = world.random("alipay sandbox")

    @property
    def trades(self) -> Any:
        """All trades."""
        return self.methods.trades

    def routes(self) -> list[web.AbstractRouteDef]:
        """The gateway, the payer's page, the bills."""
        return [
            web.route("*", "/gateway.do", self._gateway),
            web.get("/cashier/{code}", self._cashier),
            web.post("/cashier/{code}", self._decide),
            web.get("/bill/{token}", self._bill),
            web.post("/sandbox/pay", self._pay),
        ]

    async def start(self, listen: Any) -> str:
        """Listen, and let time close and finish trades."""
        base_url = await super().start(listen)
        self.tasks.spawn("alipay sandbox clock", self._tick())
        return base_url

    def code_of(self, trade: Trade) -> str:
        """The code under which the payer's page shows a trade for two hours; a new one each time, as at the gateway."""
        code = f"bax{self._random.getrandbits(64):016x}"
        self.codes[code] = (trade, self.world.clock.now() + QR_LIFE_MS)
        if len(self.codes) > MOST:
            del self.codes[next(iter(self.codes))]
        return code

    def token_for(self, archive: bytes) -> str:
        """A name under which a bill can be fetched for 30 seconds."""
        token, now_ms = f"{self._random.getrandbits(64):016x}", self.world.clock.now()
        alive = [(name, one) for name, one in self.bills.items() if one[0] >= now_ms]
        self.bills = {**dict(alive[-MOST_BILLS + 1 :]), token: (now_ms + BILL_LIFE_MS, archive)}
        return token

    def approve(self, trade: Trade, late: bool = False, coupon_fen: int = 0) -> bool:
        """The payer pays; False when that is not possible any more, unless the money comes ``late``."""
        paid = self.methods.trades.pay(trade, self.world.clock.now(), late, coupon_fen)
        if paid:
            self.notify(trade)
        return paid

    def notify(self, trade: Trade, refund_no: str = "") -> None:
        """Tell the merchant the state of a trade, until he takes it."""
        if not trade.notify_url:
            return
        merchant = self.merchants[trade.app_id]
        operation = "refund" if refund_no else "payment"
        fields = fields_of(trade, merchant, refund_no, self.world.clock.now())
        fields["notify_id"] = f"{beijing.day(self.world.clock.now())}{self._random.getrandbits(80):024x}"

        def letter() -> Letter:
            return letter_of(fields, trade.notify_url, merchant, self._now_ms(operation))

        self.courier.send(operation, trade.no, letter)

    def _now_ms(self, operation: str) -> int:
        """The gateway's own time."""
        skewed = self.faults.take(operation, Fault.SKEWED)
        return self.world.clock.now() + (int(skewed.seconds * 1000) if skewed else 0)

    def changed_notice(self, no: str, change: Mapping[str, object]) -> Letter | None:
        """See ``SandboxGateway``; a field that is changed to null is left out."""
        trade = next((one for one in self.trades if one.no == no and one.status), None)
        if trade is None or not trade.notify_url:
            return None
        now_ms = self.world.clock.now()
        merchant = self.merchants[trade.app_id]
        fields = {**fields_of(trade, merchant, "", now_ms), "notify_id": f"{self._random.getrandbits(80):032x}"}
        changed = {name: str(value) for name, value in {**fields, **change}.items() if value is not None}
        return letter_of(changed, trade.notify_url, merchant, now_ms)

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        params = await params_of(request)
        method = params.get("method", "")
        merchant = self.merchants.get(params.get("app_id", ""))
        reason = self._refusal(merchant, params)
        if merchant is None or reason:
            return unsigned(method, reason)
        try:
            content = content_of(params, merchant)
        except Refusal as refusal:
            return unsigned(method, str(refusal))
        if method in PAGES:
            return self._to_cashier(merchant, content, params)

        async def work() -> web.Response:
            return signed(merchant, params, await self._answer(merchant, method, content, params), self.faults)

        return await self.carried_out(request, method, work)

    def _refusal(self, merchant: Merchant | None, params: Mapping[str, str]) -> str:
        """Why the caller is not served, "" when he is."""
        if merchant is None:
            return "isv.invalid-app-id"
        if params.get("sign_type") != "RSA2" or not crypto.request_verified(params, merchant.application):
            return "isv.invalid-signature"
        certified = not merchant.in_key_mode(params)
        if certified and params.get("app_cert_sn", "") != merchant.app_number:
            return "isv.app-cert-not-exist"
        if certified and merchant.root_number and params.get("alipay_root_cert_sn") != merchant.root_number:
            return "isv.invalid-alipay-root-cert-sn"
        sent_ms = beijing.ms(params.get("timestamp", ""))
        if sent_ms is None or abs(sent_ms - self._now_ms(params.get("method", ""))) > CLOCK_TOLERANCE_MS:
            return "isv.invalid-timestamp"
        return ""

    async def _answer(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], params: Mapping[str, str]
    ) -> dict[str, Any]:
        if self.faults.take(method, Fault.BUSY):
            return failure("20000", "isp.unknow-error")
        if self.faults.take(method, Fault.LIMIT):
            return failure("40005", "isv.app-call-limited")
        try:
            found = self.methods.call(merchant, method, content, params)
        except Refusal as refusal:
            code = "40002" if str(refusal).startswith("isv.") else "40004"
            return {**failure(code, str(refusal)), **_zeros(method, content)}
        if self.faults.take(method, Fault.EARLY):
            trade = self.methods.trades.named(merchant.app_id, content)
            if trade is not None and self.approve(trade):
                await self.world.clock.sleep(EARLY_S)
        return {"code": "10000", "msg": "Success", **found}

    def _to_cashier(self, merchant: Merchant, content: Mapping[str, Any], params: Mapping[str, str]) -> web.Response:
        try:
            trade = self.methods.open(merchant, content, params)
        except Refusal as refusal:
            return page("支付宝沙箱", f"<p>{escape(str(refusal))}</p>")
        raise web.HTTPFound(f"/cashier/{self.code_of(trade)}?page=1")

    async def _cashier(self, request: web.Request) -> web.Response:
        trade, now_ms = self._scanned(request), self.world.clock.now()
        if "page" not in request.query:  # scanned: now the trade exists; a page asks for the password first
            self.methods.trades.scan(trade, now_ms)
        self.methods.trades.settle_time(trade, now_ms)
        can_pay = trade.status in ("", WAIT) and now_ms < trade.expires_ms
        buttons = (
            '<form method="post"><button name="approve" value="1">确认付款 Pay</button>'
            '<button name="approve" value="">取消 Refuse</button></form>'
            if can_pay
            else f"<p>{escape(trade.status or 'expired')}</p>"
        )
        return page("支付宝沙箱", f"<p>{escape(trade.subject)}</p><strong>¥{yuan(trade.amount_fen)}</strong>{buttons}")

    async def _decide(self, request: web.Request) -> web.Response:
        trade = self._scanned(request)
        wanted = bool((await request.post()).get("approve"))
        approved = wanted and self.approve(trade)
        if not wanted:
            self.methods.trades.refuse(trade, self.world.clock.now())
        if trade.return_url:
            between = "&" if "?" in trade.return_url else "?"
            raise web.HTTPFound(f"{trade.return_url}{between}{self._return_query(trade)}")
        return page("支付宝沙箱", "<p>✔ 已付款 Paid</p>" if approved else "<p>✘ 未付款 Not paid</p>")

    def _scanned(self, request: web.Request) -> Trade:
        trade, until_ms = self.codes.get(request.match_info["code"], (None, 0))
        if trade is None or self.world.clock.now() >= until_ms:
            raise web.HTTPNotFound(text="no such code, or it is too old")
        return trade

    def _return_query(self, trade: Trade) -> str:
        merchant = self.merchants[trade.app_id]
        fields = {
            "app_id": trade.app_id, "out_trade_no": trade.no, "trade_no": trade.trade_no, "charset": "utf-8",
            "total_amount": yuan(trade.amount_fen), "method": f"{trade.method}.return", "version": "1.0",
            "seller_id": merchant.seller_id, "timestamp": beijing.text(self.world.clock.now()),
        }  # fmt: skip
        return urlencode({**fields, "sign": crypto.sign_notice(fields, merchant.alipay), "sign_type": "RSA2"})

    async def _pay(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        trade = next((one for one in self.methods.trades if one.no == wanted.get("out_trade_no")), None)
        if trade is None:
            raise web.HTTPNotFound(text="no such payment")
        paid = wanted.get("approve", True) and self.approve(trade, bool(wanted.get("late")), coupon_of(wanted))
        return web.json_response({"paid": paid, "trade_no": trade.trade_no, "status": trade.status})

    async def _bill(self, request: web.Request) -> web.Response:
        until_ms, archive = self.bills.get(request.match_info["token"], (0, b""))
        if self.world.clock.now() > until_ms:
            raise web.HTTPForbidden(text="the address is too old")
        return web.Response(body=archive, content_type="application/zip")

    async def _tick(self) -> None:
        while True:
            await self.world.clock.sleep(self.world.wait_s(TICK_S))
            for trade in self.methods.trades:
                if self.methods.trades.settle_time(trade, self.world.clock.now()):
                    self.notify(trade)


def _zeros(method: str, content: Mapping[str, Any]) -> dict[str, str]:
    """A query that failed carries amounts all the same."""
    if method != "alipay.trade.query":
        return {}
    zero = "0.00"
    no = str(content.get("out_trade_no", ""))
    return {"out_trade_no": no, "buyer_pay_amount": zero, "invoice_amount": zero, "receipt_amount": zero}

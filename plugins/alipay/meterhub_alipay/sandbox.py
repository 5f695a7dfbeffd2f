"""A local Alipay: the gateway with its signatures, states, notices and bills, and a cashier page to approve or refuse.

``GET /cashier/CODE`` is the payer's phone; ``POST /sandbox/pay`` with ``{"out_trade_no": …, "approve": true}`` pays
without one. See ``meterhub.sim.gateway`` for faults on demand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from Crypto.PublicKey.RSA import RsaKey

from meterhub import beijing, rsa_keys
from meterhub.certificates import Certificate
from meterhub.money.amount import yuan
from meterhub.sim.courier import Letter
from meterhub.sim.faults import Fault
from meterhub.sim.gateway import SandboxGateway, page
from meterhub.sim.world import World
from meterhub_alipay import crypto
from meterhub_alipay.sandbox_methods import Methods
from meterhub_alipay.sandbox_trades import MOST, SUCCESS, WAIT, Refusal, Trade

MINUTE_S, HOUR_S = 60, 3600
SCHEDULE_S = (4 * MINUTE_S, 10 * MINUTE_S, 10 * MINUTE_S, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, 15 * HOUR_S)
CLOCK_TOLERANCE_MS = 24 * HOUR_S * 1000
TICK_S = 20.0
EARLY_S = 0.3
PAGES = {"alipay.trade.wap.pay", "alipay.trade.page.pay"}
MESSAGES = {"10000": "Success", "20000": "Service Currently Unavailable", "40002": "Invalid Arguments"}


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whom the gateway serves. ``alipay`` is Alipay's private key, ``certificate`` its certificate in that mode."""

    app_id: str
    seller_id: str
    application: RsaKey
    alipay: RsaKey
    certificate: Certificate | None = None
    app_number: str = ""


class AlipaySandbox(SandboxGateway):
    """The gateway for some merchants."""

    def __init__(self, world: World, merchants: Mapping[str, Merchant]) -> None:
        super().__init__(world, SCHEDULE_S, lambda status, body: status == 200 and body == b"success")
        self.merchants = dict(merchants)
        self.methods = Methods(self)
        self.codes: dict[str, Trade] = {}
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
        """The code under which the payer's page shows a trade; new ones each time, as the gateway does it."""
        code = f"bax{self._random.getrandbits(64):016x}"
        self.codes[code] = trade
        if len(self.codes) > MOST:
            del self.codes[next(iter(self.codes))]
        return code

    def token_for(self, archive: bytes) -> str:
        """A name under which a bill can be fetched for 30 seconds."""
        token = f"{self._random.getrandbits(64):016x}"
        self.bills = {token: (self.world.clock.now() + 30_000, archive)}
        return token

    def approve(self, trade: Trade) -> bool:
        """The payer pays; False when that is not possible any more."""
        paid = self.methods.trades.pay(trade, self.world.clock.now())
        if paid:
            self.notify(trade)
        return paid

    def notify(self, trade: Trade, refund_no: str = "") -> None:
        """Tell the merchant the state of a trade, until he takes it."""
        if not trade.notify_url:
            return
        merchant = self.merchants[trade.app_id]
        fields = _notice_fields(trade, merchant, refund_no, self.world.clock.now())
        fields["notify_id"] = f"{beijing.day(self.world.clock.now())}{self._random.getrandbits(80):024x}"
        self.courier.send("refund" if refund_no else "payment", trade.no, lambda: self._letter(trade, merchant, fields))

    def _letter(self, trade: Trade, merchant: Merchant, fields: Mapping[str, str]) -> Letter:
        fresh = {**fields, "notify_time": beijing.text(self.world.clock.now())}
        signature = {"sign_type": "RSA2", "sign": crypto.sign_notice(fresh, merchant.alipay)}
        if merchant.certificate is not None:
            signature["alipay_cert_sn"] = crypto.certificate_number(merchant.certificate)
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        forged = urlencode({**fresh, "total_amount": "0.01", "trade_no": "0", **signature}).encode()
        body = urlencode({**fresh, **signature}).encode()
        return Letter(trade.notify_url, headers, body, forged=Letter(trade.notify_url, headers, forged))

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        params = {**request.query, **{name: str(value) for name, value in form.items()}}
        method = params.get("method", "")
        merchant = self.merchants.get(params.get("app_id", ""))
        reason = self._refusal(merchant, params)
        if merchant is None or reason:
            return _unsigned(crypto.node_of(method), reason)
        content = json.loads(params.get("biz_content") or "{}")
        if method in PAGES:
            return self._to_cashier(merchant, content, params)

        async def work() -> web.Response:
            return await self._answer(merchant, method, content, params)

        return await self.carried_out(request, method, work)

    def _refusal(self, merchant: Merchant | None, params: Mapping[str, str]) -> str:
        """Why the caller is not served, "" when he is."""
        if merchant is None:
            return "isv.invalid-app-id"
        if params.get("sign_type") != "RSA2" or not crypto.request_verified(params, merchant.application):
            return "isv.invalid-signature"
        if params.get("app_cert_sn", "") != merchant.app_number:
            return "isv.app-cert-not-exist"
        sent_ms = beijing.ms(params.get("timestamp", ""))
        if sent_ms is None or abs(sent_ms - self.world.clock.now()) > CLOCK_TOLERANCE_MS:
            return "isv.invalid-timestamp"
        try:
            return "" if isinstance(json.loads(params.get("biz_content") or "{}"), dict) else "isv.invalid-parameter"
        except ValueError:
            return "isv.invalid-parameter"

    async def _answer(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], params: Mapping[str, str]
    ) -> web.Response:
        if self.faults.take(method, Fault.BUSY):
            return self._signed(merchant, method, _failure("20000", "isp.unknow-error"))
        if self.faults.take(method, Fault.LIMIT):
            return self._signed(merchant, method, _failure("40005", "isv.app-call-limited"))
        try:
            found = self.methods.call(merchant, method, content, params)
        except Refusal as refusal:
            code = "40002" if str(refusal).startswith("isv.") else "40004"
            return self._signed(merchant, method, {**_failure(code, str(refusal)), **_zeros(method, content)})
        if self.faults.take(method, Fault.EARLY):
            trade = self.methods.trades.asked(merchant.app_id, str(content.get("out_trade_no")))
            if trade is not None and self.approve(trade):
                await self.world.clock.sleep(EARLY_S)
        return self._signed(merchant, method, {"code": "10000", "msg": "Success", **found})

    def _signed(self, merchant: Merchant, method: str, content: Mapping[str, Any]) -> web.Response:
        node, text = crypto.node_of(method), _written(content)
        if self.faults.take(method, Fault.UNSIGNED):
            return _text(f'{{"{node}":{text}}}')
        sign = rsa_keys.sign(merchant.alipay, text.encode())
        if self.faults.take(method, Fault.FORGED):
            text = _written({**content, "code": "10000", "total_amount": "0.01"})
        number = ""
        if merchant.certificate is not None:
            number = f'"alipay_cert_sn":"{crypto.certificate_number(merchant.certificate)}",'
        return _text(f'{{"{node}":{text},{number}"sign":"{sign}"}}')

    def _to_cashier(self, merchant: Merchant, content: Mapping[str, Any], params: Mapping[str, str]) -> web.Response:
        try:
            trade = self.methods.open(merchant, content, params)
        except Refusal as refusal:
            return page("支付宝沙箱", f"<p>{escape(str(refusal))}</p>")
        raise web.HTTPFound(f"/cashier/{self.code_of(trade)}?page=1")

    async def _cashier(self, request: web.Request) -> web.Response:
        trade = self.codes.get(request.match_info["code"])
        if trade is None:
            raise web.HTTPNotFound(text="no such code")
        now_ms = self.world.clock.now()
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
        trade = self.codes.get(request.match_info["code"])
        if trade is None:
            raise web.HTTPNotFound(text="no such code")
        approved = bool((await request.post()).get("approve")) and self.approve(trade)
        if trade.return_url:
            raise web.HTTPFound(f"{trade.return_url}?{self._return_query(trade)}")
        return page("支付宝沙箱", "<p>✔ 已付款 Paid</p>" if approved else "<p>✘ 未付款 Not paid</p>")

    def _return_query(self, trade: Trade) -> str:
        merchant = self.merchants[trade.app_id]
        fields = {
            "app_id": trade.app_id, "out_trade_no": trade.no, "trade_no": trade.trade_no, "charset": "utf-8",
            "total_amount": yuan(trade.amount_fen), "method": "alipay.trade.wap.pay.return", "version": "1.0",
            "seller_id": merchant.seller_id, "timestamp": beijing.text(self.world.clock.now()),
        }  # fmt: skip
        return urlencode({**fields, "sign": crypto.sign_notice(fields, merchant.alipay), "sign_type": "RSA2"})

    async def _pay(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        trade = next((one for one in self.methods.trades if one.no == wanted.get("out_trade_no")), None)
        if trade is None:
            raise web.HTTPNotFound(text="no such payment")
        paid = self.approve(trade) if wanted.get("approve", True) else False
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


def _notice_fields(trade: Trade, merchant: Merchant, refund_no: str, now_ms: int) -> dict[str, str]:
    amount = yuan(trade.amount_fen)
    fields = {
        "notify_type": "trade_status_sync", "app_id": trade.app_id, "auth_app_id": trade.app_id, "charset": "utf-8",
        "version": "1.0", "trade_no": trade.trade_no, "out_trade_no": trade.no, "buyer_id": "2088000000000001",
        "buyer_logon_id": "san***@sandbox.example", "seller_id": merchant.seller_id, "trade_status": trade.status,
        "total_amount": amount, "receipt_amount": amount, "invoice_amount": amount, "buyer_pay_amount": amount,
        "point_amount": "0.00", "subject": trade.subject, "body": trade.body,
        "gmt_create": beijing.text(trade.created_ms),
        "gmt_payment": beijing.text(trade.paid_ms) if trade.paid_ms else "",
        "fund_bill_list": json.dumps([{"amount": amount, "fundChannel": "PCREDIT"}]),
        "passback_params": trade.passback,
    }  # fmt: skip
    if trade.refunds:
        fields |= {"refund_fee": yuan(trade.refunded_fen), "gmt_refund": f"{beijing.text(now_ms)}.123"}
    if refund_no:
        fields["out_biz_no"] = refund_no
    if trade.status not in (WAIT, SUCCESS):
        fields["gmt_close"] = beijing.text(now_ms)
    return fields


def _failure(code: str, reason: str) -> dict[str, Any]:
    return {"code": code, "msg": MESSAGES.get(code, "Business Failed"), "sub_code": reason, "sub_msg": reason}


def _zeros(method: str, content: Mapping[str, Any]) -> dict[str, str]:
    """A query that failed carries amounts all the same."""
    if method != "alipay.trade.query":
        return {}
    zero = "0.00"
    no = str(content.get("out_trade_no", ""))
    return {"out_trade_no": no, "buyer_pay_amount": zero, "invoice_amount": zero, "receipt_amount": zero}


def _written(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def _text(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", charset="utf-8")


def _unsigned(node: str, reason: str) -> web.Response:
    return _text(f'{{"{node}":{_written(_failure("40002", reason))}}}')

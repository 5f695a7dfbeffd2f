"""A local WeChat Pay: API v3 with signatures both ways, order states, notices, refunds, bills, and a cashier page.

``GET /cashier/CODE`` is the payer's phone; ``POST /sandbox/pay`` with ``{"out_trade_no": …, "approve": true}`` pays
without one, with ``"late": true`` also after the end, with ``"coupon": "5.00"`` that much less at the merchant's cost.
See ``meterhub.sim.gateway`` for faults on demand.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from aiohttp import web
from Crypto.PublicKey.RSA import RsaKey

from meterhub.certificates import Certificate
from meterhub.money.amount import yuan
from meterhub.sim.courier import Letter
from meterhub.sim.faults import Fault
from meterhub.sim.gateway import SandboxGateway, coupon_of, page
from meterhub.sim.world import World
from meterhub_wechat import crypto
from meterhub_wechat.sandbox_callers import Callers
from meterhub_wechat.sandbox_downloads import Downloads, as_response
from meterhub_wechat.sandbox_notices import Tidings, changed, letter_of, refund_notice, signature, written
from meterhub_wechat.sandbox_orders import MOST, Order, Orders, Refund, Refusal, refund_content, transaction
from meterhub_wechat.sandbox_visitors import Visitors

SCHEDULE_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600)
REFUND_S = 0.05
EARLY_S = 0.3
CODE_LIFE_MS = 2 * 3_600_000
CODE_LIVES_MS = {"h5": 5 * 60_000}
TRADES, REFUNDS = "/v3/pay/transactions", "/v3/refund/domestic/refunds"


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """One key pair of WeChat Pay, with its certificate or, in public-key mode, without one."""

    serial: str
    private: RsaKey
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whom the gateway serves. ``platform``: the keys that may sign for him; the first one signs when he names none.

    Notices are signed with the key by which the order was answered.
    """

    mchid: str
    serial: str
    public: RsaKey
    apiv3_key: str
    platform: tuple[PlatformKey, ...]


class WechatSandbox(SandboxGateway):
    """The gateway for some merchants. ``mixed``: notices are signed with all keys in turn, as during a switch.

    What stands in ``merchants`` may be changed while it plays.
    """

    def __init__(self, world: World, merchants: Mapping[str, Merchant], *, mixed: bool = False) -> None:
        super().__init__(world, SCHEDULE_S, lambda status, _: status in (200, 204))
        self.merchants = dict(merchants)
        self.orders = Orders()
        self.codes: dict[str, tuple[Order, int]] = {}
        self.clock_offset_s = 0
        self._callers = Callers()
        self._random = world.random("wechat sandbox")
        self._downloads = Downloads(self.orders, self._random)
        self._mixed = mixed
        self._turns: Counter[str] = Counter()

    def routes(self) -> list[web.AbstractRouteDef]:
        """API v3, the payer's page, the bills."""
        number = "/out-trade-no/{number}"
        return [
            web.post(TRADES + "/{kind:native|h5|jsapi|app}", self._api("create", self._create)),
            web.get(TRADES + number, self._api("query", self._query)),
            web.get(TRADES + "/id/{number}", self._api("query", self._query)),
            web.post(TRADES + number + "/close", self._api("close", self._close)),
            web.post(REFUNDS, self._api("refund", self._refund)),
            web.get(REFUNDS + "/{number}", self._api("query_refund", self._query_refund)),
            web.get("/v3/certificates", self._api("certificates", self._certificates)),
            web.post(REFUNDS + "/{number}/apply-abnormal-refund", self._api("redirect", self._redirect)),
            web.get("/v3/bill/tradebill", self._api("bill", self._bill)),
            web.get("/v3/bill/fundflowbill", self._api("fund_flow", self._fund_flow)),
            web.get("/v3/billdownload/file", self._download),
            web.get("/cashier/{code}", self._cashier),
            web.post("/cashier/{code}", self._decide),
            web.post("/sandbox/pay", self._pay),
            *Visitors(self.world).routes(),
        ]

    def approve(self, order: Order, late: bool = False, coupon_fen: int = 0) -> bool:
        """The payer pays; False when that is not possible any more, unless the money comes ``late``."""
        paid = self.orders.pay(order, self.world.clock.now(), late, coupon_fen)
        if paid:
            self._notify("payment", order, "TRANSACTION.SUCCESS", lambda: transaction(order))
        return paid

    def code_of(self, order: Order) -> str:
        """The code under which the payer's page shows an order for a while; a new one each time, as at WeChat Pay."""
        code = f"wx{self._random.getrandbits(64):016x}"
        self.codes[code] = (order, self.world.clock.now() + CODE_LIVES_MS.get(order.kind, CODE_LIFE_MS))
        if len(self.codes) > MOST:
            del self.codes[next(iter(self.codes))]
        return code

    def now_s(self, operation: str = "") -> int:
        """Seconds of the gateway's own clock, which a fault may set wrong for one ``operation``."""
        skewed = self.faults.take(operation, Fault.SKEWED) if operation else None
        return self.world.clock.now() // 1000 + self.clock_offset_s + (int(skewed.seconds) if skewed else 0)

    def _api(self, operation: str, handler: Callable[..., Any]) -> Callable[[web.Request], Any]:
        async def serve(request: web.Request) -> web.StreamResponse:
            async def work() -> web.Response:
                return await self._answer(request, operation, handler)

            return await self.carried_out(request, operation, work)

        return serve

    async def _answer(self, request: web.Request, operation: str, handler: Callable[..., Any]) -> web.Response:
        body, now_s = await request.read(), self.now_s(operation)
        merchant = self._callers.merchant_of(request, body, self.merchants, now_s)
        if merchant is None:
            return _error(Refusal(401, "SIGN_ERROR", "签名错误"))
        for kind, refusal in (
            (Fault.BUSY, Refusal(500, "SYSTEM_ERROR", "系统异常")),
            (Fault.LIMIT, Refusal(429, "FREQUENCY_LIMITED", "频率超限")),
            (Fault.ACCEPTED, Refusal(202, "PROCESSING", "已受理")),
        ):
            if self.faults.take(operation, kind):
                return _error(refusal)
        try:
            content = json.loads(body) if body else {}
            if not isinstance(content, dict):
                raise Refusal(400, "PARAM_ERROR")
            found = await handler(merchant, request, content)
        except ValueError:
            return _error(Refusal(400, "PARAM_ERROR", "body"))
        except Refusal as refusal:
            if refusal.status != 404 or not self._spoils(operation):
                return _error(refusal)
            found = {"code": refusal.code}
        return self._signed(merchant, request, operation, found, now_s)

    def _spoils(self, operation: str) -> bool:
        """Whether an answer's signature is to be spoilt: an error answer, which has none, then becomes a 200."""
        return self.faults.planned(operation, Fault.FORGED, Fault.UNSIGNED, Fault.PROBE)

    def _signed(
        self, merchant: Merchant, request: web.Request, operation: str, content: Mapping[str, Any] | None, now_s: int
    ) -> web.Response:
        body = b"" if content is None else written(content)
        key = self._named_key(merchant, request) or merchant.platform[0]
        headers = signature(key, body, now_s, self._random)
        if self.faults.take(operation, Fault.UNSIGNED):
            headers = {}
        if self.faults.take(operation, Fault.PROBE):
            headers["Wechatpay-Signature"] = crypto.PROBE + headers["Wechatpay-Signature"]
        if self.faults.take(operation, Fault.FORGED):
            body = body.replace(b"{", b"{ ", 1) or b"{}"
        if content is None and not body:
            return web.Response(status=204, headers=headers)
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def _create(self, merchant: Merchant, request: web.Request, content: Mapping[str, Any]) -> dict[str, Any]:
        if content.get("mchid") != merchant.mchid:
            raise Refusal(400, "PARAM_ERROR", "mchid")
        kind = request.match_info["kind"]
        order = self.orders.open(kind, content, self.world.clock.now())
        order.serial = (self._named_key(merchant, request) or merchant.platform[0]).serial
        if self.faults.take("create", Fault.EARLY) and self.approve(order):
            await self.world.clock.sleep(EARLY_S)
        code = self.code_of(order)
        url = f"{self.base_url}/cashier/{code}"
        return {"native": {"code_url": url}, "h5": {"h5_url": f"{url}?mweb=1"}}.get(kind, {"prepay_id": code})

    async def _query(self, merchant: Merchant, request: web.Request, _: Mapping[str, Any]) -> dict[str, Any]:
        self._own(merchant, request.query.get("mchid"))
        return transaction(self._find(merchant, request))

    async def _close(self, merchant: Merchant, request: web.Request, content: Mapping[str, Any]) -> None:
        self._own(merchant, content.get("mchid"))
        self.orders.close(self._find(merchant, request))

    async def _refund(self, merchant: Merchant, _: web.Request, content: Mapping[str, Any]) -> dict[str, Any]:
        number = str(content.get("transaction_id") or content.get("out_trade_no", ""))
        order = self.orders.find(merchant.mchid, number, self.world.clock.now())
        refund, new = self.orders.refund(order, content, self.world.clock.now())
        if new:
            self.tasks.spawn(f"refund {refund.number}", self._give_back(order, refund))
        return refund_content(order, refund)

    async def _give_back(self, order: Order, refund: Refund) -> None:
        await self.world.clock.sleep(REFUND_S)
        refund.status = "ABNORMAL" if self.faults.take("refund", Fault.ABNORMAL) else "SUCCESS"
        refund.done_ms = self.world.clock.now() if refund.status == "SUCCESS" else 0
        self._notify(
            "refund", order, f"REFUND.{refund.status}", lambda: refund_notice(order, refund), refund.notify_url
        )

    async def _redirect(self, merchant: Merchant, request: web.Request, content: Mapping[str, Any]) -> dict[str, Any]:
        """A refund that could not reach the payer goes to a bank card: of the payer, or of the merchant."""
        number, refund_id = str(content.get("out_refund_no", "")), request.match_info["number"]
        order, refund = self.orders.find_refund(merchant.mchid, number)
        if refund.refund_id != refund_id:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        key = self._named_key(merchant, request)
        if self.orders.redirect(refund, content, key.private if key else None):
            self.tasks.spawn(f"refund {refund.number}", self._give_back(order, refund))
        return refund_content(order, refund)

    async def _query_refund(self, merchant: Merchant, request: web.Request, _: Mapping[str, Any]) -> dict[str, Any]:
        return refund_content(*self.orders.find_refund(merchant.mchid, request.match_info["number"]))

    async def _certificates(self, merchant: Merchant, _: web.Request, __: Mapping[str, Any]) -> dict[str, Any]:
        found = []
        for one in merchant.platform:
            if one.certificate is not None:
                nonce = f"{self._random.getrandbits(48):012x}"
                pem = one.certificate.pem().encode()
                sealed = crypto.encrypt(pem, merchant.apiv3_key, nonce=nonce, associated_data="certificate")
                life = {"effective_time": one.certificate.not_before, "expire_time": one.certificate.not_after}
                times = {name: when.isoformat() for name, when in life.items()}
                found.append({"serial_no": one.serial, **times, "encrypt_certificate": sealed})
        if not found:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书")
        return {"data": found}

    async def _bill(self, merchant: Merchant, request: web.Request, _: Mapping[str, Any]) -> dict[str, Any]:
        return self._downloads.trade_bill(merchant, request.query, self.base_url, self.world.clock.now())

    async def _fund_flow(self, merchant: Merchant, request: web.Request, _: Mapping[str, Any]) -> dict[str, Any]:
        return self._downloads.fund_flow(merchant, request.query, self.base_url, self.world.clock.now())

    async def _download(self, request: web.Request) -> web.Response:
        if self._callers.merchant_of(request, await request.read(), self.merchants, self.now_s()) is None:
            return _error(Refusal(401, "SIGN_ERROR"))
        try:
            return as_response(self._downloads.file(request.query.get("token", ""), self.world.clock.now()))
        except Refusal as refusal:
            return _error(refusal)

    def _find(self, merchant: Merchant, request: web.Request) -> Order:
        return self.orders.find(merchant.mchid, request.match_info["number"], self.world.clock.now())

    @staticmethod
    def _named_key(merchant: Merchant, request: web.Request) -> PlatformKey | None:
        """The key that the caller wants to be answered with, or has encrypted for."""
        named = request.headers.get("Wechatpay-Serial", "")
        return next((one for one in merchant.platform if named and crypto.same_serial(one.serial, named)), None)

    @staticmethod
    def _own(merchant: Merchant, named: Any) -> None:
        if named != merchant.mchid:
            raise Refusal(400, "PARAM_ERROR", "mchid")

    def _notify(
        self, operation: str, order: Order, event: str, resource: Callable[[], dict[str, Any]], url: str = ""
    ) -> None:
        number = self._number()
        address = url or str(order.content["notify_url"])

        def letter() -> Letter:
            return self._letter(operation, order, Tidings(number, event, resource(), address))

        self.courier.send(operation, order.no, letter)

    def _letter(self, operation: str, order: Order, tidings: Tidings) -> Letter:
        merchant = self.merchants[order.mchid]
        now_ms = self.now_s(operation) * 1000
        return letter_of(tidings, merchant, self._key_for(merchant, order), now_ms, self._random)

    def _key_for(self, merchant: Merchant, order: Order) -> PlatformKey:
        if self._mixed:
            self._turns[merchant.mchid] += 1
            return merchant.platform[(self._turns[merchant.mchid] - 1) % len(merchant.platform)]
        return next((one for one in merchant.platform if one.serial == order.serial), merchant.platform[0])

    def _number(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def changed_notice(self, no: str, change: Mapping[str, object]) -> Letter | None:
        """See ``SandboxGateway``; ``event_type`` among the changes is that of the notice itself."""
        order = next((one for one in self.orders if one.no == no and one.paid_ms), None)
        if order is None:
            return None
        event = str(change.get("event_type", "TRANSACTION.SUCCESS"))
        inner = {name: value for name, value in change.items() if name != "event_type"}
        resource = changed(transaction(order), inner)
        return self._letter("told", order, Tidings(self._number(), event, resource, str(order.content["notify_url"])))

    async def _cashier(self, request: web.Request) -> web.Response:
        order = self._shown(request)
        self.orders.let_time_pass(order, self.world.clock.now())
        can_pay = order.state == "NOTPAY" and self.world.clock.now() <= order.expires_ms
        buttons = (
            '<form method="post"><button name="approve" value="1">确认付款 Pay</button>'
            '<button name="approve" value="">取消 Refuse</button></form>'
            if can_pay
            else f"<p>{escape(order.state)}</p>"
        )
        text = escape(str(order.content["description"]))
        return page("微信支付沙箱", f"<p>{text}</p><strong>¥{yuan(order.total_fen)}</strong>{buttons}")

    async def _decide(self, request: web.Request) -> web.Response:
        order = self._shown(request)
        wanted = bool((await request.post()).get("approve"))
        approved = wanted and self.approve(order)
        if not wanted:
            self.orders.refuse(order, self.world.clock.now())
        if "redirect_url" in request.query:
            raise web.HTTPFound(request.query["redirect_url"])
        return page("微信支付沙箱", "<p>✔ 已付款 Paid</p>" if approved else "<p>✘ 未付款 Not paid</p>")

    def _shown(self, request: web.Request) -> Order:
        order, until_ms = self.codes.get(request.match_info["code"], (None, 0))
        if order is None or self.world.clock.now() >= until_ms:
            raise web.HTTPNotFound(text="no such code, or it is too old")
        return order

    async def _pay(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        order = next((one for one in self.orders if one.no == wanted.get("out_trade_no")), None)
        if order is None:
            raise web.HTTPNotFound(text="no such payment")
        paid = wanted.get("approve", True) and self.approve(order, bool(wanted.get("late")), coupon_of(wanted))
        return web.json_response({"paid": paid, "transaction_id": order.transaction_id, "state": order.state})


def _error(refusal: Refusal) -> web.Response:
    """Errors need not be signed, and are not."""
    return web.json_response({"code": refusal.code, "message": refusal.message}, status=refusal.status)

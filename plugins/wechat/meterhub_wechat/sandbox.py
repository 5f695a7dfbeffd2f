"""A local WeChat Pay: API v3 with signatures both ways, order states, notices, refunds, bills, and a cashier page.

``GET /cashier/CODE`` is the payer's phone; ``POST /sandbox/pay`` with ``{"out_trade_no": …, "approve": true}`` pays
without one. See ``meterhub.sim.gateway`` for faults on demand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any

from aiohttp import web
from Crypto.PublicKey.RSA import RsaKey

from meterhub import beijing
from meterhub.certificates import Certificate
from meterhub.money.amount import yuan
from meterhub.sim.courier import Letter
from meterhub.sim.faults import Fault
from meterhub.sim.gateway import SandboxGateway, page
from meterhub.sim.world import World
from meterhub_wechat import crypto, sandbox_bill
from meterhub_wechat.bill import packed
from meterhub_wechat.sandbox_callers import Callers
from meterhub_wechat.sandbox_orders import MOST, Order, Orders, Refund, Refusal, refund_content, transaction
from meterhub_wechat.sandbox_visitors import Visitors

SCHEDULE_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600)
REFUND_S = 0.05
EARLY_S = 0.3
READY_MS = (24 + 10) * 3_600_000
BILL_LIFE_MS = 5 * 60_000
TRADES, REFUNDS = "/v3/pay/transactions", "/v3/refund/domestic/refunds"


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """One key pair of WeChat Pay, with its certificate or, in public-key mode, without one."""

    serial: str
    private: RsaKey
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whom the gateway serves. ``platform``: the keys that may sign for him; the first one signs when he names none."""

    mchid: str
    serial: str
    public: RsaKey
    apiv3_key: str
    platform: tuple[PlatformKey, ...]


class WechatSandbox(SandboxGateway):
    """The gateway for some merchants. ``mixed``: notices are signed with all keys in turn, as during a switch."""

    def __init__(self, world: World, merchants: Mapping[str, Merchant], *, mixed: bool = False) -> None:
        super().__init__(world, SCHEDULE_S, lambda status, _: status in (200, 204))
        self.merchants = dict(merchants)
        self.orders = Orders()
        self.codes: dict[str, Order] = {}
        self.clock_offset_s = 0
        self._callers = Callers()
        self._bills: dict[str, tuple[int, bytes]] = {}
        self._random = world.random("wechat sandbox")
        self._turns = {one.mchid: cycle(one.platform if mixed else one.platform[:1]) for one in merchants.values()}

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
            web.get("/v3/bill/tradebill", self._api("bill", self._bill)),
            web.get("/v3/billdownload/file", self._download),
            web.get("/cashier/{code}", self._cashier),
            web.post("/cashier/{code}", self._decide),
            web.post("/sandbox/pay", self._pay),
            *Visitors(self.world).routes(),
        ]

    def approve(self, order: Order) -> bool:
        """The payer pays; False when that is not possible any more."""
        paid = self.orders.pay(order, self.world.clock.now())
        if paid:
            self._notify("payment", order, "TRANSACTION.SUCCESS", lambda: transaction(order))
        return paid

    def code_of(self, order: Order) -> str:
        """The code under which the payer's page shows an order; a new one each time."""
        code = f"wx{self._random.getrandbits(64):016x}"
        self.codes[code] = order
        if len(self.codes) > MOST:
            del self.codes[next(iter(self.codes))]
        return code

    def now_s(self) -> int:
        """Seconds of the gateway's own clock."""
        return self.world.clock.now() // 1000 + self.clock_offset_s

    def _api(self, operation: str, handler: Callable[..., Any]) -> Callable[[web.Request], Any]:
        async def serve(request: web.Request) -> web.StreamResponse:
            async def work() -> web.Response:
                return await self._answer(request, operation, handler)

            return await self.carried_out(request, operation, work)

        return serve

    async def _answer(self, request: web.Request, operation: str, handler: Callable[..., Any]) -> web.Response:
        body = await request.read()
        merchant = self._callers.merchant_of(request, body, self.merchants, self.now_s())
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
        return self._signed(merchant, request, operation, found)

    def _spoils(self, operation: str) -> bool:
        """Whether an answer's signature is to be spoilt: an error answer, which has none, then becomes a 200."""
        return self.faults.planned(operation, Fault.FORGED, Fault.UNSIGNED, Fault.PROBE)

    def _signed(
        self, merchant: Merchant, request: web.Request, operation: str, content: Mapping[str, Any] | None
    ) -> web.Response:
        body = b"" if content is None else _written(content)
        named = request.headers.get("Wechatpay-Serial", "")
        key = next((one for one in merchant.platform if one.serial == named), merchant.platform[0])
        headers = self._signature(key, body)
        if self.faults.take(operation, Fault.UNSIGNED):
            headers = {}
        if self.faults.take(operation, Fault.PROBE):
            headers["Wechatpay-Signature"] = crypto.PROBE + headers["Wechatpay-Signature"]
        if self.faults.take(operation, Fault.FORGED):
            body = body.replace(b"{", b"{ ", 1) or b"{}"
        if content is None and not body:
            return web.Response(status=204, headers=headers)
        return web.Response(body=body, headers=headers, content_type="application/json")

    def _signature(self, key: PlatformKey, body: bytes) -> dict[str, str]:
        nonce = f"{self._random.getrandbits(128):032x}"
        signed = crypto.sign_answer(body, key=key.private, serial=key.serial, timestamp=str(self.now_s()), nonce=nonce)
        return {**signed, "Request-ID": f"08{self._random.getrandbits(80):020X}"}

    async def _create(self, merchant: Merchant, request: web.Request, content: Mapping[str, Any]) -> dict[str, Any]:
        if content.get("mchid") != merchant.mchid:
            raise Refusal(400, "PARAM_ERROR", "mchid")
        kind = request.match_info["kind"]
        order = self.orders.open(kind, content, self.world.clock.now())
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
            "refund", order, f"REFUND.{refund.status}", lambda: _refund_notice(order, refund), refund.notify_url
        )

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
        day = request.query.get("bill_date", "")
        begin_ms = beijing.ms(f"{day} 00:00:00")
        if begin_ms is None:
            raise Refusal(400, "PARAM_ERROR", "bill_date")
        mine = [one for one in self.orders if one.content["mchid"] == merchant.mchid]
        text, rows = sandbox_bill.write(mine, day.replace("-", ""))
        if not rows or self.world.clock.now() < begin_ms + READY_MS:
            raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在")
        token = f"{self._random.getrandbits(64):016x}"
        file = packed(text) if request.query.get("tar_type") == "GZIP" else text
        self._bills = {token: (self.world.clock.now() + BILL_LIFE_MS, file)}
        url = f"{self.base_url}/v3/billdownload/file?token={token}"
        return {"hash_type": "SHA1", "hash_value": hashlib.sha1(text).hexdigest(), "download_url": url}

    async def _download(self, request: web.Request) -> web.Response:
        until_ms, file = self._bills.get(request.query.get("token", ""), (0, b""))
        if self._callers.merchant_of(request, b"", self.merchants, self.now_s()) is None:
            return _error(Refusal(401, "SIGN_ERROR"))
        if self.world.clock.now() > until_ms:
            return _error(Refusal(404, "RESOURCE_NOT_EXISTS"))
        return web.Response(body=file, content_type="application/octet-stream")

    def _find(self, merchant: Merchant, request: web.Request) -> Order:
        return self.orders.find(merchant.mchid, request.match_info["number"], self.world.clock.now())

    @staticmethod
    def _own(merchant: Merchant, named: Any) -> None:
        if named != merchant.mchid:
            raise Refusal(400, "PARAM_ERROR", "mchid")

    def _notify(
        self, operation: str, order: Order, event: str, resource: Callable[[], dict[str, Any]], url: str = ""
    ) -> None:
        merchant = self.merchants[str(order.content["mchid"])]
        number = f"{self._random.getrandbits(128):032x}"
        address = url or str(order.content["notify_url"])

        def letter() -> Letter:
            return self._letter(merchant, number, event, resource(), address)

        self.courier.send(operation, order.no, letter)

    def _letter(self, merchant: Merchant, number: str, event: str, resource: dict[str, Any], url: str) -> Letter:
        """A notice under one id, sealed and signed anew."""
        plain = _written(resource)
        nonce = f"{self._random.getrandbits(48):012x}"
        kind = event.partition(".")[0].lower()
        sealed = crypto.encrypt(plain, merchant.apiv3_key, nonce=nonce, associated_data=kind)
        head = {"id": number, "create_time": beijing.rfc3339(self.world.clock.now()), "event_type": event}
        seal = {"resource_type": "encrypt-resource", "summary": event, "resource": {"original_type": kind, **sealed}}
        body = _written({**head, **seal})
        headers = {**self._signature(next(self._turns[merchant.mchid]), body), "Content-Type": "application/json"}
        probe = {**headers, "Wechatpay-Signature": crypto.PROBE + headers["Wechatpay-Signature"]}
        forged = Letter(url, headers, body.replace(b"encrypt-resource", b"encrypt_resource"))
        return Letter(url, headers, body, forged=forged, probe=Letter(url, probe, body))

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
        approved = bool((await request.post()).get("approve")) and self.approve(order)
        if "redirect_url" in request.query:
            raise web.HTTPFound(request.query["redirect_url"])
        return page("微信支付沙箱", "<p>✔ 已付款 Paid</p>" if approved else "<p>✘ 未付款 Not paid</p>")

    def _shown(self, request: web.Request) -> Order:
        order = self.codes.get(request.match_info["code"])
        if order is None:
            raise web.HTTPNotFound(text="no such code")
        return order

    async def _pay(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        order = next((one for one in self.orders if one.no == wanted.get("out_trade_no")), None)
        if order is None:
            raise web.HTTPNotFound(text="no such payment")
        paid = self.approve(order) if wanted.get("approve", True) else False
        return web.json_response({"paid": paid, "transaction_id": order.transaction_id, "state": order.state})


def _refund_notice(order: Order, refund: Refund) -> dict[str, Any]:
    """A refund as notices show it: its state under another name, and no currency."""
    found = refund_content(order, refund)
    amounts = {name: found["amount"][name] for name in ("total", "refund", "payer_total", "payer_refund")}
    kept = ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "success_time", "user_received_account")
    shown = {name: found[name] for name in kept if name in found}
    return {"mchid": order.content["mchid"], **shown, "refund_status": refund.status, "amount": amounts}


def _written(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _error(refusal: Refusal) -> web.Response:
    """Errors need not be signed, and are not."""
    return web.json_response({"code": refusal.code, "message": refusal.message}, status=refusal.status)

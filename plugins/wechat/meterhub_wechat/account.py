"""A WeChat Pay account: QR code, cashier from a browser and inside WeChat; query, close, refund, notices, bill."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from meterhub import beijing, rsa_keys
from meterhub.errors import NotGenuine, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.provider import (
    Attempt,
    BankCard,
    Checkout,
    Notice,
    NoticeAnswer,
    PaymentAccount,
    PaymentRequest,
    RefundRequest,
    Way,
)
from meterhub.money.statements import (
    Bill,
    Funds,
    PaymentState,
    PaymentStatement,
    RefundState,
    RefundStatement,
    Statement,
)
from meterhub.outgoing import body_of
from meterhub.texts import mark
from meterhub_wechat import bill, crypto, funds, statements
from meterhub_wechat.client import Client
from meterhub_wechat.outcomes import ORDER_PAID
from meterhub_wechat.schema import read_account

T = TypeVar("T")
QR = Way("qr", {"en": "Scan a QR code", "zh": "扫二维码", "ja": "QRコードを読み取る"})
H5 = Way("h5", {"en": "On this phone", "zh": "在本手机上支付", "ja": "このスマートフォンで"})
JSAPI = Way("jsapi", {"en": "Here in WeChat", "zh": "在微信内支付", "ja": "WeChatの中で"})
TRANSACTIONS, REFUNDS = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
PATHS = {"qr": f"{TRANSACTIONS}/native", "h5": f"{TRANSACTIONS}/h5", "jsapi": f"{TRANSACTIONS}/jsapi"}
ANSWERS = {"qr": "code_url", "h5": "h5_url", "jsapi": "prepay_id"}
LIVES_MS = {"qr": 2 * 3_600_000, "h5": 5 * 60_000, "jsapi": 2 * 3_600_000}
PHONES = re.compile(r"Mobile|Android|iPhone", re.IGNORECASE)
LARGEST_BILL = 64 << 20
LARGEST_TOKEN = 16 << 10
READY_MS = (24 + 10) * 3_600_000
"""From the begin of a day until its bill is there: ten o'clock the next morning."""
SAYS_NO_BILL = "NO_STATEMENT_EXIST"
TESTED = mark("WeChat Pay answered and accepted our signature.")


class WechatAccount(PaymentAccount):
    """One merchant with one app. ``ctx`` is the plugin's context."""

    zone = beijing.ZONE
    close_after_s = 300.0
    refund_gap_s = 60.0

    def __init__(self, ctx: Any, options: Mapping[str, Any]) -> None:
        self._ctx = ctx
        self._account = read_account(options)
        self._client = Client(ctx, self._account)
        self.merchant = self._account.mchid
        ctx.spawn(self._client.keep_certificates())
        ctx.log.info("merchant %s signs with the key %s", self.merchant, rsa_keys.fingerprint(self._account.private))

    def ways(self, agent: str) -> Sequence[Way]:
        """Inside WeChat its own cashier, if it can tell who pays; on phones the app, elsewhere the QR code."""
        if "MicroMessenger" in agent:
            return (JSAPI, QR) if self._account.app_secret else (QR,)
        return (H5, QR) if PHONES.search(agent) else (QR,)

    def identify_url(self, way: str, back: str) -> str:
        """Inside WeChat the app must learn the payer's openid first, which the payer does not notice."""
        if way != "jsapi" or not self._account.app_secret:
            return ""
        asked = {"appid": self._account.appid, "redirect_uri": back, "response_type": "code", "scope": "snsapi_base"}
        return f"{self._account.authorize}?{urlencode({**asked, 'state': 'pay'})}#wechat_redirect"

    async def identify(self, query: Mapping[str, str]) -> str:
        """The openid for the code that WeChat put into the query; a code serves once."""
        key = {"appid": self._account.appid, "secret": self._account.app_secret[:]}
        asked = urlencode({**key, "code": query.get("code", "")[:200], "grant_type": "authorization_code"})
        address = URL(f"{self._account.tokens}?{asked}", encoded=True)
        try:
            async with self._ctx.http().get(address, allow_redirects=False) as response:
                content = crypto.read_object(await body_of(response, LARGEST_TOKEN))
        except (aiohttp.ClientError, TimeoutError, OSError, NotGenuine) as error:
            raise ProviderUnknown(f"WeChat does not tell who pays: {type(error).__name__}") from None
        if not isinstance(content.get("openid"), str):
            raise ProviderRefused("WeChat does not tell who pays", reply=str(content.get("errcode", ""))[:20])
        return str(content["openid"])

    async def create(self, request: PaymentRequest) -> Checkout:
        """Open an order; asked again with equal content it gives a fresh code, because codes live shorter."""
        if request.way == "jsapi" and not request.payer:
            raise ProviderRefused("paying inside WeChat needs the payer's openid", reply="NO_OPENID", where=request.no)
        try:
            answer = await self._client.call("POST", PATHS[request.way], self._order(request), request.no)
        except ProviderRefused as error:
            if error.reply == ORDER_PAID:
                raise ProviderUnknown("it is paid already", where=request.no) from None
            raise
        shown = str(answer.get(ANSWERS[request.way]) or "")
        if not shown:
            raise ProviderUnknown("WeChat Pay's answer has nothing to show", where=request.no)
        expires_ms = min(self._ctx.clock.now() + LIVES_MS[request.way], request.expires_ms)
        return self._checkout(request, shown, expires_ms)

    def _order(self, request: PaymentRequest) -> dict[str, Any]:
        content: dict[str, Any] = {
            "appid": self._account.appid,
            "mchid": self._account.mchid,
            "description": request.subject.encode()[:127].decode(errors="ignore"),
            "out_trade_no": request.no,
            "time_expire": beijing.rfc3339(request.expires_ms),
            "notify_url": request.notify_url,
            "amount": {"total": request.amount_fen, "currency": request.currency},
        }
        if request.way == "jsapi":
            content["payer"] = {"openid": request.payer}
        if request.way == "h5":
            content["scene_info"] = {"payer_client_ip": request.client_ip, "h5_info": {"type": _device(request.agent)}}
        return content

    def _checkout(self, request: PaymentRequest, shown: str, expires_ms: int) -> Checkout:
        if request.way == "qr":
            return Checkout(qr=shown, expires_ms=expires_ms)
        if request.way == "h5":
            back = quote(request.return_url, safe="")
            return Checkout(url=f"{shown}{'&' if '?' in shown else '?'}redirect_url={back}", expires_ms=expires_ms)
        timestamp = str(self._ctx.clock.now() // 1000)
        params = crypto.pay_sign(self._account.appid, timestamp, self._client.nonce(), shown, self._account.private)
        return Checkout(params=params, expires_ms=expires_ms)

    async def query(self, attempt: Attempt) -> PaymentStatement:
        """Ask by our number."""
        path = f"{TRANSACTIONS}/out-trade-no/{quote(attempt.no, safe='')}?mchid={quote(self.merchant, safe='')}"
        try:
            answer = await self._client.call("GET", path, where=attempt.no)
        except ProviderRefused as error:
            if error.reply.startswith("ORDER_NOT_EXIST"):
                return PaymentStatement(attempt.no, PaymentState.MISSING)
            raise
        return statements.payment_of_query(answer, attempt.no, self.merchant)

    async def close(self, attempt: Attempt) -> None:
        """Close an unpaid order: its time being over does not close it at WeChat Pay."""
        path = f"{TRANSACTIONS}/out-trade-no/{quote(attempt.no, safe='')}/close"
        try:
            await self._client.call("POST", path, {"mchid": self.merchant}, attempt.no)
        except ProviderRefused as error:
            if not error.reply.startswith(("ORDER_NOT_EXIST", "ORDER_CLOSED")):
                raise

    async def refund(self, request: RefundRequest) -> RefundStatement:
        """Ask for a refund. The answer means that it was accepted; the result comes by notice or query."""
        attempt = request.attempt
        content = {
            "out_trade_no": attempt.no,
            "out_refund_no": request.refund_no,
            "reason": request.reason.encode()[:80].decode(errors="ignore"),
            "notify_url": request.notify_url,
            "amount": {"refund": request.amount_fen, "total": attempt.amount_fen, "currency": request.currency},
        }
        answer = await self._client.call("POST", REFUNDS, content, request.refund_no)
        return statements.refund_of_answer(answer, request.refund_no)

    async def redirect_refund(self, request: RefundRequest, refund_id: str, card: BankCard | None) -> RefundStatement:
        """``apply-abnormal-refund``: to the payer's card, which goes encrypted, or to the merchant's own account."""
        content: dict[str, Any] = {"out_refund_no": request.refund_no, "type": "MERCHANT_BANK_CARD"}
        serial = ""
        if card is not None:
            serial, key = self._client.key_to_encrypt()
            sealed = {"bank_account": crypto.encrypt_field(card.number, key)}
            sealed["real_name"] = crypto.encrypt_field(card.holder, key)
            content |= {"type": "USER_BANK_CARD", "bank_type": card.bank, **sealed}
        path = f"{REFUNDS}/{quote(refund_id, safe='')}/apply-abnormal-refund"
        answer = await self._client.call("POST", path, content, request.refund_no, serial)
        return statements.refund_of_answer(answer, request.refund_no)

    async def query_refund(self, request: RefundRequest) -> RefundStatement:
        """Ask by our number of the refund."""
        try:
            answer = await self._client.call(
                "GET", f"{REFUNDS}/{quote(request.refund_no, safe='')}", where=request.refund_no
            )
        except ProviderRefused as error:
            if error.reply.startswith("RESOURCE_NOT_EXIST"):
                return RefundStatement(request.attempt.no, request.refund_no, RefundState.MISSING)
            raise
        return statements.refund_of_answer(answer, request.refund_no)

    def parse_notice(self, notice: Notice) -> Statement | None:
        """Prove and decrypt a notice. Repeated ones are signed anew, so that five minutes are enough for all."""
        try:
            found = crypto.read_notice(
                notice.headers, notice.body, self._client.keys, self._account.apiv3_key, notice.received_ms // 1000
            )
        except NotGenuine as error:
            raise NoticeRejected(error.message, error.why, hint=error.hint) from None
        return statements.statement_of_notice(found.event, found.resource, self.merchant, self._account.appid)

    def notice_answer(self, accepted: bool) -> NoticeAnswer:
        """204, or 400 with WeChat Pay's word for a failure."""
        if accepted:
            return NoticeAnswer(204)
        return NoticeAnswer(400, json.dumps({"code": "FAIL", "message": "not taken"}).encode(), "application/json")

    async def bill(self, day: date) -> Bill:
        """The bill of a day, there from about ten o'clock the next morning."""
        path = f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP"
        found = await self._day(path, day, bill.read)
        return Bill(day, ()) if found is None else found

    async def funds(self, day: date) -> Funds | None:
        """The fund-flow bill of the account that payments go to, there at the same time; None when told to leave it."""
        if not self._account.fund_flow:
            return None
        path = f"/v3/bill/fundflowbill?bill_date={day.isoformat()}&account_type=BASIC&tar_type=GZIP"
        found = await self._day(path, day, funds.read)
        return Funds(day, ()) if found is None else found

    async def _day(self, path: str, day: date, read: Callable[[bytes, date], T]) -> T | None:
        """What ``read`` makes of the file behind ``path``; None when there was nothing on that day."""
        try:
            answer = await self._client.call("GET", path, where=f"bill {day}")
        except ProviderRefused as error:
            begin_ms = beijing.ms(f"{day} 00:00:00") or 0
            if error.reply == SAYS_NO_BILL and self._ctx.clock.now() >= begin_ms + READY_MS:
                return None
            raise ProviderUnknown(f"no bill of {day} yet: {error.message}", hint=error.hint) from None
        packed = await self._download(str(answer.get("download_url", "")))
        with self._ctx.clock.outside():
            text = await asyncio.to_thread(bill.unpacked, packed, str(answer.get("hash_value", "")))
            return await asyncio.to_thread(read, text, day)

    async def _download(self, address: str) -> bytes:
        """The file behind the address, which lives for five minutes; only from the two sites of the gateway."""
        wanted = urlsplit(address)
        if f"{wanted.scheme}://{wanted.netloc}" not in {self._account.gateway, self._account.backup} - {""}:
            raise ProviderUnknown("the bill's address is not one of WeChat Pay's")
        path = address.removeprefix(f"{wanted.scheme}://{wanted.netloc}")
        headers = {"Authorization": self._client.authorization_for(path), "User-Agent": "MeterHub"}
        try:
            async with self._ctx.http().get(
                URL(address, encoded=True),
                headers=headers,
                allow_redirects=False,
                auto_decompress=False,
            ) as response:
                if response.status != 200:
                    raise ProviderUnknown(f"the bill's address answered HTTP {response.status}")
                return await body_of(response, LARGEST_BILL)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnknown(f"the bill was not delivered: {type(error).__name__}") from None

    async def test(self) -> str:
        """Ask after a payment that cannot be: whoever is told so was known."""
        attempt = Attempt(f"TEST{self._ctx.clock.random.getrandbits(64):016X}", "qr", 1, 0, 0)
        await self.query(attempt)
        return TESTED


def _device(agent: str) -> str:
    if "iPhone" in agent or "iPad" in agent:
        return "iOS"
    return "Android" if "Android" in agent else "Wap"

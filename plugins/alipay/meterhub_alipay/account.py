"""An Alipay account: QR code, page of the phone and page of the computer; query, close, refund, notices, bill."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from meterhub import beijing, rsa_keys
from meterhub.errors import NotGenuine, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.amount import yuan
from meterhub.money.provider import (
    Attempt,
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
    PaymentState,
    PaymentStatement,
    RefundState,
    RefundStatement,
    Statement,
)
from meterhub.outgoing import body_of
from meterhub.texts import mark
from meterhub_alipay import bill, crypto, statements
from meterhub_alipay.client import Client
from meterhub_alipay.schema import read_account

QR = Way("qr", {"en": "Scan a QR code", "zh": "扫二维码", "ja": "QRコードを読み取る"})
H5 = Way("h5", {"en": "On this phone", "zh": "在本手机上支付", "ja": "このスマートフォンで"})
PAGE = Way("page", {"en": "On its web page", "zh": "在网页上支付", "ja": "ウェブページで"})
PRODUCTS = {
    "h5": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
}
QR_LIFE_MS, PAGE_LIFE_MS = 2 * 3_600_000, 10 * 60_000
"""How long a code can be scanned, and how long an address is given out, as its signature has a time."""
CANCEL_TRIES = 3
LARGEST_BILL = 64 << 20
NO_DATA = ("NO_BILL_DATA", "EMPTY_DATA_WITH_BILL_FILE")
PHONES = re.compile(r"Mobile|Android|iPhone|AlipayClient", re.IGNORECASE)
REFUSED_IN_SUBJECT = re.compile(r'[/=&,<>"\\\x00-\x1f\x85\u2028\u2029]')
TESTED = mark("Alipay answered, and both signatures are right.")


class AlipayAccount(PaymentAccount):
    """One application of the open platform. ``ctx`` is the plugin's context."""

    zone = beijing.ZONE
    refund_known_after_s = 10.0

    def __init__(self, ctx: Any, options: Mapping[str, Any]) -> None:
        self._ctx = ctx
        self._account = read_account(options)
        self._client = Client(ctx, self._account)
        self.merchant = self._account.seller_id
        ctx.log.info(
            "app %s signs with the key %s", self._account.app_id, rsa_keys.fingerprint(self._account.keys.private)
        )

    def ways(self, agent: str) -> Sequence[Way]:
        """On phones the app, elsewhere the QR code; WeChat's own browser opens no page of Alipay."""
        if "MicroMessenger" in agent:
            return (QR,)
        return (H5, QR) if PHONES.search(agent) else (QR, PAGE)

    async def create(self, request: PaymentRequest) -> Checkout:
        """A QR code, or the signed address of the cashier page. No trade exists before somebody scans or logs in."""
        content = {
            "out_trade_no": request.no,
            "total_amount": yuan(request.amount_fen),
            "subject": REFUSED_IN_SUBJECT.sub(" ", request.subject)[:256],
            "time_expire": beijing.text(request.expires_ms),
        }
        if request.way in PRODUCTS:
            method, product = PRODUCTS[request.way]
            content |= {"product_code": product}
            if request.way == "h5":
                content |= {"quit_url": request.return_url}
            urls = {"notify_url": request.notify_url, "return_url": request.return_url}
            return Checkout(
                url=self._client.page_url(method, content, **urls), expires_ms=self._until(request, PAGE_LIFE_MS)
            )
        answer = await self._client.call("alipay.trade.precreate", content, notify_url=request.notify_url)
        if answer.get("out_trade_no") != request.no or not answer.get("qr_code"):
            raise ProviderUnknown("Alipay's answer has no QR code for this payment", where=request.no)
        return Checkout(qr=str(answer["qr_code"]), expires_ms=self._until(request, QR_LIFE_MS))

    def _until(self, request: PaymentRequest, life_ms: int) -> int:
        return min(int(self._ctx.clock.now()) + life_ms, request.expires_ms)

    async def query(self, attempt: Attempt) -> PaymentStatement:
        """``alipay.trade.query``; a trade that does not exist may still come to be while its QR code lives."""
        try:
            answer = await self._client.call("alipay.trade.query", {"out_trade_no": attempt.no})
        except ProviderRefused as error:
            if error.reply == "TRADE_NOT_EXIST":
                return PaymentStatement(attempt.no, PaymentState.MISSING)
            raise
        return statements.payment_of_query(answer, attempt)

    async def close(self, attempt: Attempt) -> None:
        """Close an unpaid trade; a QR code that nobody scanned has no trade to close and is cancelled."""
        try:
            await self._client.call("alipay.trade.close", {"out_trade_no": attempt.no})
        except ProviderRefused as error:
            if error.reply != "TRADE_NOT_EXIST":
                raise
            if attempt.way == "qr":
                await self._cancel(attempt)

    async def _cancel(self, attempt: Attempt) -> None:
        """Cancelling gives a payment back that came in between; ``query`` will then say that it is closed."""
        for _ in range(CANCEL_TRIES):
            answer = await self._client.call("alipay.trade.cancel", {"out_trade_no": attempt.no})
            if answer.get("action") == "refund":
                self._ctx.log.warning("payment %s came while it was cancelled; Alipay gave the money back", attempt.no)
            if answer.get("retry_flag") != "Y":
                return
        raise ProviderUnknown("Alipay wants to be asked again to cancel", where=attempt.no)

    async def refund(self, request: RefundRequest) -> RefundStatement:
        """``alipay.trade.refund``; when the answer tells of no move of money, the refund is to be asked after."""
        content = {
            "out_trade_no": request.attempt.no,
            "refund_amount": yuan(request.amount_fen),
            "out_request_no": request.refund_no,
            "refund_reason": request.reason[:256],
        }
        answer = await self._client.call("alipay.trade.refund", content)
        return statements.refund_of_answer(answer, request)

    async def query_refund(self, request: RefundRequest) -> RefundStatement:
        """``alipay.trade.fastpay.refund.query``."""
        content = {
            "out_trade_no": request.attempt.no,
            "out_request_no": request.refund_no,
            "query_options": ["gmt_refund_pay"],
        }
        try:
            answer = await self._client.call("alipay.trade.fastpay.refund.query", content)
        except ProviderRefused as error:
            if error.reply == "TRADE_NOT_EXIST":
                return RefundStatement(request.attempt.no, request.refund_no, RefundState.MISSING)
            raise
        return statements.refund_of_query(answer, request)

    def parse_notice(self, notice: Notice) -> Statement | None:
        """Prove a notice; Alipay's have no time limit, so that a day-old one is as good as a new one."""
        try:
            fields = crypto.read_notice(notice.body, self._client.keys.alipay)
        except NotGenuine as error:
            raise NoticeRejected(error.message, error.why) from None
        return statements.statement_of_notice(fields, self._account.app_id, self._account.seller_id)

    def notice_answer(self, accepted: bool) -> NoticeAnswer:
        """The bare word ``success``, or another one."""
        return NoticeAnswer(200, b"success" if accepted else b"fail")

    async def bill(self, day: date) -> Bill:
        """The bill of a day, there from about nine o'clock the next morning."""
        content = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            answer = await self._client.call("alipay.data.dataservice.bill.downloadurl.query", content)
        except ProviderRefused as error:
            if error.reply in NO_DATA:
                return Bill(day, ())
            raise ProviderUnknown(f"no bill of {day} yet: {error.message}", hint=error.hint) from None
        if answer.get("bill_file_code") in NO_DATA:
            return Bill(day, ())
        archive = await self._download(str(answer.get("bill_download_url", "")))
        with self._ctx.clock.outside():
            return await asyncio.to_thread(bill.read, archive, day)

    async def _download(self, address: str) -> bytes:
        """The file behind the address, which lives for 30 seconds; only from Alipay's own hosts."""
        wanted, gateway = urlsplit(address), urlsplit(self._account.gateway)
        same = (wanted.scheme, wanted.netloc) == (gateway.scheme, gateway.netloc)
        host = wanted.hostname or ""
        if not same and not (wanted.scheme == "https" and host.endswith((".alipay.com", ".alipaydev.com"))):
            raise ProviderUnknown("the bill's address is not one of Alipay's")
        try:
            async with self._ctx.http().get(URL(address, encoded=True), allow_redirects=False) as response:
                if response.status != 200:
                    raise ProviderUnknown(f"the bill's address answered HTTP {response.status}")
                return await body_of(response, LARGEST_BILL)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnknown(f"the bill was not delivered: {type(error).__name__}") from None

    async def test(self) -> str:
        """Ask after a payment that cannot be: an answer that is signed proves keys, clock and way."""
        no = f"TEST{self._ctx.clock.random.getrandbits(64):016X}"
        try:
            await self._client.call("alipay.trade.query", {"out_trade_no": no})
        except ProviderRefused as error:
            if error.reply != "TRADE_NOT_EXIST":
                raise
        return TESTED

"""Payment companies that hang, lose, repeat and come late; the notices of two are proved by the plugins' own code."""

from __future__ import annotations

import contextlib
import logging
import zlib
from types import SimpleNamespace

from bank import Company, CompanyAccount

from meterhub import beijing
from meterhub.clock import utc
from meterhub.errors import ProviderRefused, ProviderUnknown
from meterhub.money.amount import yuan
from meterhub.money.provider import Notice
from meterhub.money.statements import Bill, BillRow, PaymentState, RefundState, RefundStatement
from meterhub_alipay import sandbox_notices as alipay_notices
from meterhub_alipay.account import AlipayAccount
from meterhub_alipay.schema import SANDBOX_APP as ALIPAY_APP
from meterhub_alipay.schema import SANDBOX_SELLER
from meterhub_alipay.schema import sandbox_key as alipay_key
from meterhub_wechat import sandbox_notices as wechat_notices
from meterhub_wechat.account import WechatAccount
from meterhub_wechat.schema import SANDBOX_APIV3_KEY, SANDBOX_APP, SANDBOX_MERCHANT, SANDBOX_PUBLIC_KEY_ID
from meterhub_wechat.schema import sandbox_key as wechat_key

GIVE_UP_S = 15
"""When the hub's side gives a call up, as the plugins do."""
DAY_MS = 86_400_000
KEPT_NOTICES = 2_000
"""More than are repeated at the same time."""
SANDBOX = {"sandbox": "127.0.0.1:1"}


class SimCompany(Company):
    """One company. It has the right time whatever the hub's clock says."""

    def __init__(self, world, name):
        super().__init__(world.trip)
        self.world, self.name = world, name
        self.hangs_until_s = 0.0

    def pay(self, no, late):
        """The customer pays; ``late``: even though the trade was closed, as when both happen at once."""
        trade = self.trades[no]
        if trade.state is PaymentState.PENDING or (late and trade.state is PaymentState.CLOSED):
            self.world.late += trade.state is PaymentState.CLOSED
            trade.state, trade.paid_ms, trade.transaction_id = PaymentState.PAID, self.world.true_ms(), f"T{no}"
        return trade.state is PaymentState.PAID

    async def call(self, name, fn):
        """Carry a call out, or lose it, or its answer, or let the hub wait for nothing."""
        self.trip(f"before {name}")
        fault = self.world.company_fault(self)
        if fault == "before":
            raise ProviderUnknown("no answer")
        if fault in ("hangs", "late"):
            if fault == "late":  # it is done all the same, after the hub has given up
                self.world.clock.call_later(GIVE_UP_S + self.world.random.random() * 60, self._later, fn)
            await self.world.clock.sleep(GIVE_UP_S)
            raise ProviderUnknown("no answer in time")
        result = fn()
        self.trip(f"after {name}")
        if fault == "after":
            raise ProviderUnknown("the answer was lost")
        return result

    def _later(self, fn):
        with contextlib.suppress(ProviderRefused):
            fn()

    def rows(self, day):
        """The rows of a day's bill; the company keeps six in a thousand, and some customers paid less at our cost."""
        began_ms = round((day - utc(0).date()).total_seconds() * 1000)
        paid = [one for one in self.trades.values() if one.state is PaymentState.PAID]
        for trade in paid:
            if began_ms <= trade.paid_ms < began_ms + DAY_MS:
                yield BillRow(self.statement(trade.no), fee_fen(trade), trade.amount_fen - less_fen(trade))
            for no, one in trade.refunds.items():
                if began_ms <= one["at_ms"] < began_ms + DAY_MS:
                    booked = one["fen"] - less_fen(trade, one["fen"])
                    yield BillRow(RefundStatement(trade.no, no, one["state"], one["fen"]), 0, booked)

    def notice(self, trade, random):
        """What it sends of a payment: ``(headers, body)``, and a forgery of it or None."""
        return ({}, f"paid {trade.no}".encode()), None


class AlipayCompany(SimCompany):
    """Signs as Alipay does (RSA2); a notice that is sent again is the same one, while anybody may send it again."""

    def __init__(self, world, name):
        super().__init__(world, name)
        self._sent = {}

    def notice(self, trade, random):
        """A form and its signature."""
        if trade.no not in self._sent:
            fields = {
                "notify_type": "trade_status_sync", "app_id": ALIPAY_APP, "seller_id": SANDBOX_SELLER,
                "out_trade_no": trade.no, "trade_no": trade.transaction_id, "trade_status": "TRADE_SUCCESS",
                "total_amount": yuan(trade.amount_fen), "gmt_payment": beijing.text(trade.paid_ms), "charset": "utf-8",
            }  # fmt: skip
            key = SimpleNamespace(alipay=alipay_key("alipay"))
            if len(self._sent) >= KEPT_NOTICES:
                del self._sent[next(iter(self._sent))]
            self._sent[trade.no] = alipay_notices.letter_of(fields, "", key, self.world.true_ms())
        letter = self._sent[trade.no]
        return ({}, letter.body), ({}, letter.forged.body)


class WechatCompany(SimCompany):
    """Seals and signs as WeChat Pay does (AES-256-GCM, RSA), anew for every notice."""

    def notice(self, trade, random):
        """Headers with the signature, and JSON with the sealed content."""
        resource = {
            "mchid": SANDBOX_MERCHANT, "appid": SANDBOX_APP, "out_trade_no": trade.no, "trade_state": "SUCCESS",
            "transaction_id": trade.transaction_id, "amount": {"total": trade.amount_fen, "currency": "CNY"},
            "success_time": beijing.rfc3339(trade.paid_ms),
        }  # fmt: skip
        tidings = wechat_notices.Tidings(trade.no, "TRANSACTION.SUCCESS", resource, "")
        key = SimpleNamespace(private=wechat_key("wechat"), serial=SANDBOX_PUBLIC_KEY_ID)
        merchant = SimpleNamespace(apiv3_key=SANDBOX_APIV3_KEY)
        letter = wechat_notices.letter_of(tidings, merchant, key, self.world.true_ms(), random)
        return _lower(letter), _lower(letter.forged)


def _lower(letter):
    return {name.lower(): value for name, value in letter.headers.items()}, letter.body


class SimAccount(CompanyAccount):
    """The plugin's side of a company: calls are those of the tests, notices are proved by ``genuine``."""

    def __init__(self, company, genuine=None):
        super().__init__(company, "M1" if genuine is None else genuine.merchant)
        if genuine is not None:
            self.parse_notice, self.notice_answer = genuine.parse_notice, genuine.notice_answer

    async def refund(self, request):
        """As the tests' company, which never gives back more than was paid; with the time."""

        def refund():
            trade = self.company.trades[request.attempt.no]
            if request.refund_no not in trade.refunds:
                trade.refunds[request.refund_no] = {
                    "fen": request.amount_fen,
                    "state": RefundState.DONE,
                    "at_ms": self.company.world.true_ms(),
                }
            if sum(one["fen"] for one in trade.refunds.values()) > trade.amount_fen:
                self.company.world.broken.append(f"{trade.no}: more was given back than was paid")
            return self._refund_statement(request)

        return await self.company.call("refund", refund)

    async def bill(self, day):
        """The payments and refunds of that day alone."""
        return await self.company.call("bill", lambda: Bill(day, tuple(self.company.rows(day))))


def companies(world):
    """``{payment account: (company, its account)}``."""
    ctx = SimpleNamespace(
        clock=world.clock, log=logging.getLogger("sim"), spawn=lambda coroutine: coroutine.close(), http=None
    )
    made = {}
    for name, kind, genuine in (
        ("court", SimCompany, None),
        ("ali", AlipayCompany, AlipayAccount(ctx, SANDBOX)),
        ("we", WechatCompany, WechatAccount(ctx, SANDBOX)),
    ):
        company = kind(world, name)
        made[name] = (company, SimAccount(company, genuine))
    return made


def fee_fen(trade):
    """What the company keeps of a payment."""
    return trade.amount_fen * 6 // 1000


def less_fen(trade, fen=None):
    """What one customer in ten paid less at our own cost, or (of ``fen`` that went back) got back less."""
    coupon = zlib.crc32(trade.no.encode()) % 10 == 0
    return (trade.amount_fen if fen is None else fen) // 20 if coupon else 0


def as_notice(content, received_ms):
    """A notice as the hub's web server hands it on."""
    headers, body = content
    return Notice(headers, body, received_ms)

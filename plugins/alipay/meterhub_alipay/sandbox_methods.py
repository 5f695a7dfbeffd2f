"""The methods of the Alipay sandbox's gateway: what each one answers to ``biz_content``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from meterhub import beijing
from meterhub.money.amount import yuan
from meterhub.sim.faults import Fault
from meterhub_alipay import crypto, sandbox_bill
from meterhub_alipay.sandbox_trades import Refusal, Trade, Trades, query_content

if TYPE_CHECKING:
    from meterhub_alipay.sandbox import AlipaySandbox, Merchant

READY_MS = 9 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000
OLDEST_MS = 6 * 366 * DAY_MS
MONTH_LENGTH = len("2026-11")


class Methods:
    """All methods over the trades of one sandbox."""

    def __init__(self, sandbox: AlipaySandbox) -> None:
        self.trades = Trades()
        self._sandbox = sandbox
        self._methods = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.cancel": self._cancel,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._refund_query,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
            "alipay.open.app.alipaycert.download": self._certificate,
        }

    def call(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], params: Mapping[str, str]
    ) -> dict[str, Any]:
        """The content of a successful answer. Raises ``Refusal``."""
        handler = self._methods.get(method)
        if handler is None:
            raise Refusal("isv.invalid-method")
        return handler(merchant, content, params)

    def open(self, merchant: Merchant, content: Mapping[str, Any], params: Mapping[str, str]) -> Trade:
        """What a payer can now pay. Raises ``Refusal``."""
        urls = (params.get("notify_url", ""), params.get("return_url", ""))
        trade = self.trades.open(merchant.app_id, content, urls, self._sandbox.world.clock.now())
        trade.charset, trade.method = params.get("charset", "utf-8"), params.get("method", "")
        return trade

    def _find(self, merchant: Merchant, content: Mapping[str, Any]) -> Trade:
        return self.trades.find(merchant.app_id, content, self._sandbox.world.clock.now())

    def _precreate(self, merchant: Merchant, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        trade = self.open(merchant, content, params)
        code = self._sandbox.code_of(trade)
        return {"out_trade_no": trade.no, "qr_code": f"{self._sandbox.base_url}/cashier/{code}"}

    def _query(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        return query_content(self._find(merchant, content))

    def _close(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        trade = self._find(merchant, content)
        self.trades.close(trade)
        return {"trade_no": trade.trade_no, "out_trade_no": trade.no}

    def _cancel(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        no = str(content.get("out_trade_no", ""))
        if self._sandbox.faults.take("alipay.trade.cancel", Fault.AGAIN):
            return {"out_trade_no": no, "retry_flag": "Y"}
        trade, action = self.trades.cancel(merchant.app_id, content, self._sandbox.world.clock.now())
        if trade is not None and action == "refund":
            self._sandbox.notify(trade, f"cancel{trade.no}")
        found = {"out_trade_no": trade.no if trade else no, "retry_flag": "N"}
        if trade is not None and trade.trade_no:
            found["trade_no"] = trade.trade_no
        return {**found, "action": action} if action else found

    def _refund(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        trade = self._find(merchant, content)
        now_ms = self._sandbox.world.clock.now()
        moved = self.trades.refund(trade, content, now_ms)
        number = str(content.get("out_request_no") or trade.no)
        if moved:
            self._sandbox.notify(trade, number)
        return {
            "trade_no": trade.trade_no,
            "out_trade_no": trade.no,
            "buyer_logon_id": "san***@sandbox.example",
            "fund_change": "Y" if moved else "N",
            "refund_fee": yuan(trade.refunded_fen),
            "gmt_refund_pay": beijing.text(trade.refunds[number][1]),
            "send_back_fee": "0.00",
        }

    def _refund_query(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        trade = self._find(merchant, content)
        found = trade.refunds.get(str(content.get("out_request_no", "")))
        if found is None:
            return {}
        return {
            "trade_no": trade.trade_no,
            "out_trade_no": trade.no,
            "out_request_no": str(content["out_request_no"]),
            "total_amount": yuan(trade.amount_fen),
            "refund_amount": yuan(found[0]),
            "refund_status": "REFUND_SUCCESS",
            "gmt_refund_pay": beijing.text(found[1]),
        }

    def _bill(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        """The bill of a day (``2026-11-24``) or of a month (``2026-11``), which is there on its third day after."""
        span, now_ms = str(content.get("bill_date", "")), self._sandbox.world.clock.now()
        month = len(span) == MONTH_LENGTH
        begin_ms = beijing.ms(f"{span}-01 00:00:00" if month else f"{span} 00:00:00")
        if begin_ms is None:
            raise Refusal("isp.INVAILID_ARGUMENTS")
        if content.get("bill_type") != "trade":
            raise Refusal("isp.TYPE_NOT_SUPPORTED")
        if month:
            begin_ms = _next_month_ms(begin_ms) + DAY_MS
        if now_ms < begin_ms + DAY_MS + READY_MS:
            raise Refusal("isp.BILL_NOT_EXIST")
        if now_ms > begin_ms + OLDEST_MS:
            raise Refusal("isp.INVAILID_ARGUMENTS")
        mine = [one for one in self.trades if one.app_id == merchant.app_id]
        archive, rows = sandbox_bill.write(mine, span.replace("-", ""), merchant.seller_id)
        if not rows:
            return {"bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"}
        return {"bill_download_url": f"{self._sandbox.base_url}/bill/{self._sandbox.token_for(archive)}"}

    def _certificate(self, merchant: Merchant, content: Mapping[str, Any], _: Mapping[str, str]) -> dict[str, Any]:
        known = merchant.certificate
        if known is None or content.get("alipay_cert_sn") != crypto.certificate_number(known):
            raise Refusal("isv.alipay-cert-not-exist")
        return {"alipay_cert_content": base64.b64encode(known.pem().encode()).decode()}


def _next_month_ms(begin_ms: int) -> int:
    """The begin of the month after the one that begins at ``begin_ms``, in Beijing."""
    year, month = divmod(int(beijing.day(begin_ms)[:4]) * 12 + int(beijing.day(begin_ms)[4:6]), 12)
    return beijing.ms(f"{year:04d}-{month + 1:02d}-01 00:00:00") or begin_ms

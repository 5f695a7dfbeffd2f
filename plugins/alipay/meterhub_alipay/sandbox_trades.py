"""The trades of the Alipay sandbox: what the gateway knows of payments and refunds, and the rules it keeps. No I/O.

::

    (QR code, no trade) -> WAIT_BUYER_PAY -> TRADE_SUCCESS -> TRADE_FINISHED
                                 |                 | refund of everything
                                 +--> TRADE_CLOSED <+
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meterhub import beijing
from meterhub.errors import BadInput
from meterhub.money.amount import parse_yuan, yuan

MOST = 100_000
QR_LIFE_MS = 2 * 3600 * 1000
DEFAULT_LIFE_MS = 15 * 24 * 3600 * 1000
REFUNDABLE_MS = 90 * 24 * 3600 * 1000
WAIT, SUCCESS, FINISHED, CLOSED = "WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"


class Refusal(Exception):
    """A business failure (``40004``) with its reason."""


@dataclass(slots=True)
class Trade:
    """One payment that was asked for. ``status`` is "" as long as nobody scanned the code or logged in."""

    no: str
    app_id: str
    amount_fen: int
    subject: str
    notify_url: str
    return_url: str
    created_ms: int
    expires_ms: int
    trade_no: str = ""
    status: str = ""
    paid_ms: int = 0
    body: str = ""
    passback: str = ""
    charset: str = "utf-8"
    """As the order named it; notices come in it."""
    method: str = ""
    """By which it was ordered last."""
    coupon_fen: int = 0
    """What the payer paid less, at the merchant's cost."""
    refunds: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Amount in fen and time, by the number of the refund."""

    @property
    def received_fen(self) -> int:
        """What the merchant gets."""
        return self.amount_fen - self.coupon_fen

    @property
    def refunded_fen(self) -> int:
        """All that was given back."""
        return sum(amount for amount, _ in self.refunds.values())


class Trades:
    """All trades of one gateway by application and merchant's number. Times are epoch milliseconds."""

    def __init__(self) -> None:
        self._trades: dict[tuple[str, str], Trade] = {}
        self._by_trade_no: dict[str, Trade] = {}
        self._count = 0

    def __iter__(self) -> Any:
        return iter(list(self._trades.values()))

    def open(self, app_id: str, content: Mapping[str, Any], urls: tuple[str, str], now_ms: int) -> Trade:
        """The trade of an order; asked again with equal content it is the same. Raises ``Refusal``."""
        no, subject = str(content.get("out_trade_no", "")), str(content.get("subject", ""))
        try:
            amount_fen = parse_yuan(str(content.get("total_amount", "")))
        except BadInput:
            raise Refusal("ACQ.INVALID_PARAMETER") from None
        if not no or len(no) > 64 or not subject or len(subject) > 256 or not amount_fen or len(self._trades) >= MOST:
            raise Refusal("ACQ.INVALID_PARAMETER")
        expires_ms = beijing.ms(str(content.get("time_expire", ""))) or now_ms + _span_ms(content)
        known = self._trades.get((app_id, no))
        if known is None:
            if expires_ms <= now_ms:
                raise Refusal("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR")
            known = Trade(no, app_id, amount_fen, subject, *urls, now_ms, expires_ms)
            known.body, known.passback = str(content.get("body", "")), str(content.get("passback_params", ""))
            self._trades[app_id, no] = known
            return known
        return self._same(known, amount_fen, subject, now_ms)

    def _same(self, known: Trade, amount_fen: int, subject: str, now_ms: int) -> Trade:
        self.settle_time(known, now_ms)
        if known.status in (SUCCESS, FINISHED):
            raise Refusal("ACQ.TRADE_HAS_SUCCESS")
        if known.status == CLOSED:
            raise Refusal("ACQ.TRADE_HAS_CLOSE")
        if (known.amount_fen, known.subject) != (amount_fen, subject):
            raise Refusal("ACQ.CONTEXT_INCONSISTENT")
        return known

    def named(self, app_id: str, content: Mapping[str, Any]) -> Trade | None:
        """What a request names, also when there is no trade of it yet; ``trade_no`` wins."""
        trade_no, no = content.get("trade_no"), str(content.get("out_trade_no", ""))
        found = self._by_trade_no.get(str(trade_no)) if trade_no else self._trades.get((app_id, no))
        return found if found is not None and found.app_id == app_id else None

    def find(self, app_id: str, content: Mapping[str, Any], now_ms: int) -> Trade:
        """The trade that a request names. Raises ``Refusal`` when there is none."""
        found = self.named(app_id, content)
        if found is not None:
            self.settle_time(found, now_ms)
        if found is None or not found.status:
            raise Refusal("ACQ.TRADE_NOT_EXIST")
        return found

    def scan(self, trade: Trade, now_ms: int) -> bool:
        """The payer scans or logs in: now the trade exists. False when it cannot be paid any more."""
        self.settle_time(trade, now_ms)
        if not trade.status and now_ms < trade.expires_ms:
            self._count += 1
            trade.trade_no = f"{beijing.day(now_ms)}22001{self._count:015d}"
            trade.status = WAIT
            self._by_trade_no[trade.trade_no] = trade
        return trade.status == WAIT

    def pay(self, trade: Trade, now_ms: int, late: bool = False, coupon_fen: int = 0) -> bool:
        """The payer pays, ``coupon_fen`` less than the amount by a coupon of the merchant.

        False when that is not possible; ``late`` money comes although the trade was closed.
        """
        if coupon_fen >= trade.amount_fen:
            return False
        if late and not trade.paid_ms:
            trade.status, trade.expires_ms = WAIT if trade.status else "", now_ms + QR_LIFE_MS
        if not self.scan(trade, now_ms):
            return False
        trade.status, trade.paid_ms, trade.coupon_fen = SUCCESS, now_ms, coupon_fen
        return True

    def refuse(self, trade: Trade, now_ms: int) -> None:
        """The payer does not want to: an unpaid trade is closed."""
        if self.scan(trade, now_ms):
            trade.status = CLOSED

    def close(self, trade: Trade) -> None:
        """Close an unpaid trade. Raises ``Refusal`` for any other."""
        if trade.status != WAIT:
            raise Refusal("ACQ.REASON_TRADE_STATUS_INVALID")
        trade.status = CLOSED

    def cancel(self, app_id: str, content: Mapping[str, Any], now_ms: int) -> tuple[Trade | None, str]:
        """Close an unpaid trade, give a paid one back; the trade and what was done, "" when there is no trade."""
        asked = self.named(app_id, content)
        if asked is None:
            return None, ""
        self.settle_time(asked, now_ms)
        if asked.status in (SUCCESS, FINISHED):
            asked.refunds[f"cancel{asked.no}"] = (asked.amount_fen - asked.refunded_fen, now_ms)
            asked.status = CLOSED
            return asked, "refund"
        done = "close" if asked.status == WAIT else ""
        asked.status, asked.expires_ms = CLOSED if asked.status else "", now_ms
        return asked, done

    def refund(self, trade: Trade, content: Mapping[str, Any], now_ms: int) -> bool:
        """Give money back; whether any moved now: a refund that is asked for again is the same. Raises ``Refusal``."""
        try:
            amount_fen = parse_yuan(str(content.get("refund_amount", "")))
        except BadInput:
            raise Refusal("ACQ.INVALID_PARAMETER") from None
        number = str(content.get("out_request_no") or "")
        if not number and amount_fen != trade.amount_fen:
            raise Refusal("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        number = number or trade.no
        if number in trade.refunds:
            if trade.refunds[number][0] != amount_fen:
                raise Refusal("ACQ.DISCORDANT_REPEAT_REQUEST")
            return False
        if trade.status == FINISHED:
            raise Refusal("ACQ.TRADE_HAS_FINISHED")
        if trade.status != SUCCESS:
            raise Refusal("ACQ.TRADE_STATUS_ERROR")
        if not amount_fen or trade.refunded_fen + amount_fen > trade.amount_fen:
            raise Refusal("ACQ.REASON_TRADE_REFUND_FEE_ERR")
        trade.refunds[number] = (amount_fen, now_ms)
        if trade.refunded_fen == trade.amount_fen:
            trade.status = CLOSED
        return True

    def settle_time(self, trade: Trade, now_ms: int) -> str:
        """Let time do its part: unpaid trades close, old paid ones finish. The new status, "" when nothing changed."""
        if trade.status == WAIT and now_ms >= trade.expires_ms:
            trade.status = CLOSED
        elif trade.status == SUCCESS and now_ms >= trade.paid_ms + REFUNDABLE_MS:
            trade.status = FINISHED
        else:
            return ""
        return trade.status


def query_content(trade: Trade) -> dict[str, Any]:
    """What a query says of a trade."""
    paid = trade.paid_ms > 0
    amount, received, nothing = yuan(trade.amount_fen), yuan(trade.received_fen), "0.00"
    found: dict[str, Any] = {
        "trade_no": trade.trade_no,
        "out_trade_no": trade.no,
        "buyer_logon_id": "san***@sandbox.example",
        "trade_status": trade.status,
        "total_amount": amount,
        "receipt_amount": received if paid else nothing,
        "buyer_pay_amount": received if paid else nothing,
        "invoice_amount": received if paid else nothing,
        "point_amount": nothing,
    }
    if paid:
        found |= {
            "send_pay_date": beijing.text(trade.paid_ms),
            "fund_bill_list": funds(trade, "fund_channel"),
        }
    return found


def funds(trade: Trade, name: str) -> list[dict[str, str]]:
    """Where the money of a trade came from; the channel stands under ``name``, other in answers than in notices."""
    paid = [{"amount": yuan(trade.received_fen), name: "PCREDIT"}]
    return paid + ([{"amount": yuan(trade.coupon_fen), name: "MCOUPON"}] if trade.coupon_fen else [])


def _span_ms(content: Mapping[str, Any]) -> int:
    """``timeout_express`` such as ``15m``, ``2h``, ``1d``."""
    words = str(content.get("timeout_express", ""))
    unit_ms = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}.get(words[-1:])
    if unit_ms is None or not words[:-1].isdigit() or len(words) > 7:
        return DEFAULT_LIFE_MS
    return int(words[:-1]) * unit_ms

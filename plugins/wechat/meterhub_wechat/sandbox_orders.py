"""The orders of the WeChat Pay sandbox: what the gateway knows of payments and refunds, and its rules. No I/O.

::

    NOTPAY -> SUCCESS -> REFUND (something was given back)
       +----> CLOSED (by the merchant, or after seven days)
       +----> PAYERROR (the payer refused)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from Crypto.PublicKey.RSA import RsaKey

from meterhub import beijing
from meterhub.errors import NotGenuine
from meterhub.sim.coupon import shares
from meterhub_wechat import crypto

MOST = 100_000
MOST_REFUNDS = 50
MINUTE_MS = 60_000
LONGEST_MS = 90 * 24 * 3_600_000
CLOSED_AFTER_MS = 7 * 24 * 3_600_000
REFUNDABLE_MS = 365 * 24 * 3_600_000
NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}", re.ASCII)
REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)
TRADE_TYPES = {"native": "NATIVE", "h5": "MWEB", "jsapi": "JSAPI", "app": "APP"}


class Refusal(Exception):
    """An error answer: HTTP status and code."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code


@dataclass(slots=True)
class Refund:
    """One refund. ``status`` as in answers."""

    number: str
    refund_id: str
    amount_fen: int
    notify_url: str
    created_ms: int
    status: str = "PROCESSING"
    done_ms: int = 0
    coupon_fen: int = 0
    """How much of the coupon it takes back."""
    received_account: str = ""
    """Where it goes instead, once it was sent to a bank card."""

    @property
    def settled_fen(self) -> int:
        """What the merchant gives."""
        return self.amount_fen - self.coupon_fen


@dataclass(slots=True)
class Order:
    """One order. ``content`` is what the merchant sent; the same number must come with the same content."""

    content: Mapping[str, Any]
    kind: str
    created_ms: int
    expires_ms: int
    state: str = "NOTPAY"
    transaction_id: str = ""
    paid_ms: int = 0
    coupon_fen: int = 0
    """What the payer paid less, at the merchant's cost."""
    refunds: dict[str, Refund] = field(default_factory=dict)
    serial: str = ""
    """Of the key with which the merchant's order was answered."""

    @property
    def no(self) -> str:
        """The merchant's number."""
        return str(self.content["out_trade_no"])

    @property
    def mchid(self) -> str:
        """The merchant's."""
        return str(self.content["mchid"])

    @property
    def total_fen(self) -> int:
        """What is to be paid."""
        return int(self.content["amount"]["total"])

    @property
    def settled_fen(self) -> int:
        """What the merchant gets."""
        return self.total_fen - self.coupon_fen

    @property
    def refunded_fen(self) -> int:
        """All that was or will be given back."""
        return sum(one.amount_fen for one in self.refunds.values() if one.status != "CLOSED")


class Orders:
    """All orders of one gateway by merchant and number. Times are epoch milliseconds."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], Order] = {}
        self._by_transaction: dict[tuple[str, str], Order] = {}
        self._by_refund: dict[tuple[str, str], Order] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(list(self._orders.values()))

    def open(self, kind: str, content: Mapping[str, Any], now_ms: int) -> Order:
        """The order of a request; asked for again with equal content it is the same. Raises ``Refusal``."""
        _check(kind, content)
        key = (str(content["mchid"]), str(content["out_trade_no"]))
        known = self._orders.get(key)
        if known is None:
            if len(self._orders) >= MOST:
                raise Refusal(429, "FREQUENCY_LIMITED")
            expires_ms = beijing.ms(str(content.get("time_expire", ""))) or now_ms + CLOSED_AFTER_MS
            known = Order(dict(content), kind, now_ms, min(max(expires_ms, now_ms + MINUTE_MS), now_ms + LONGEST_MS))
            self._orders[key] = known
            return known
        self.let_time_pass(known, now_ms)
        if known.state in ("SUCCESS", "REFUND"):
            raise Refusal(400, "ORDERPAID", "该订单已支付")
        if known.state != "NOTPAY":
            raise Refusal(400, "ORDER_CLOSED", "订单已关闭")
        if known.content != content or known.kind != kind:
            raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
        return known

    def find(self, mchid: str, number: str, now_ms: int) -> Order:
        """The order under the merchant's number or the transaction's. Raises ``Refusal``."""
        found = self._orders.get((mchid, number)) or self._by_transaction.get((mchid, number))
        if found is None:
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
        self.let_time_pass(found, now_ms)
        return found

    def pay(self, order: Order, now_ms: int, late: bool = False, coupon_fen: int = 0) -> bool:
        """The payer pays, ``coupon_fen`` less than the total by a coupon of the merchant.

        False when the order is closed, paid, or its time is over.
        ``late`` money comes although the order was closed: the payer was faster, his bank slower.
        """
        self.let_time_pass(order, now_ms)
        over = order.state != "NOTPAY" or now_ms > order.expires_ms
        if coupon_fen >= order.total_fen or order.paid_ms or (over and not late):
            return False
        self._count += 1
        order.state, order.paid_ms, order.coupon_fen = "SUCCESS", now_ms, coupon_fen
        order.transaction_id = f"42000{beijing.day(now_ms)}{self._count:015d}"
        self._by_transaction[order.mchid, order.transaction_id] = order
        return True

    def refuse(self, order: Order, now_ms: int) -> None:
        """The payer does not want to: an unpaid order has failed."""
        self.let_time_pass(order, now_ms)
        if order.state == "NOTPAY":
            order.state = "PAYERROR"

    def close(self, order: Order) -> None:
        """Close an unpaid order. Raises ``Refusal`` for a paid one."""
        if order.state in ("SUCCESS", "REFUND"):
            raise Refusal(400, "ORDERPAID", "订单已支付")
        order.state = "CLOSED"

    def refund(self, order: Order, content: Mapping[str, Any], now_ms: int) -> tuple[Refund, bool]:
        """The refund of a request and whether it is new; the same number is the same refund. Raises ``Refusal``."""
        amount, number = content.get("amount"), str(content.get("out_refund_no", ""))
        wanted_fen = amount.get("refund") if isinstance(amount, Mapping) else None
        if amount is None or type(wanted_fen) is not int or wanted_fen <= 0 or not REFUND_NUMBER.fullmatch(number):
            raise Refusal(400, "PARAM_ERROR")
        known = order.refunds.get(number)
        if known is not None:
            if known.amount_fen != wanted_fen:
                raise Refusal(400, "INVALID_REQUEST", "退款金额与首次请求不一致")
            return known, False
        if order.state not in ("SUCCESS", "REFUND") or now_ms > order.paid_ms + REFUNDABLE_MS:
            raise Refusal(400, "INVALID_REQUEST", "订单状态不允许退款")
        if amount.get("total") != order.total_fen or order.refunded_fen + wanted_fen > order.total_fen:
            raise Refusal(400, "INVALID_REQUEST", "退款金额大于支付金额")
        if len(order.refunds) >= MOST_REFUNDS:
            raise Refusal(403, "RULE_LIMIT")
        self._count += 1
        refund_id = f"50300{beijing.day(now_ms)}{self._count:015d}"
        parts = [one.amount_fen for one in order.refunds.values() if one.status != "CLOSED"]
        *_, coupon_fen = shares(order.coupon_fen, order.total_fen, [*parts, wanted_fen])
        url = str(content.get("notify_url", ""))
        order.refunds[number] = Refund(number, refund_id, wanted_fen, url, now_ms, coupon_fen=coupon_fen)
        order.state = "REFUND"
        self._by_refund[order.mchid, number] = order
        return order.refunds[number], True

    def find_refund(self, mchid: str, number: str) -> tuple[Order, Refund]:
        """The refund under a number. Raises ``Refusal``."""
        order = self._by_refund.get((mchid, number))
        if order is not None:
            return order, order.refunds[number]
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")

    def redirect(self, refund: Refund, content: Mapping[str, Any], key: RsaKey | None) -> bool:
        """Send an abnormal refund to a bank card; whether that is new. Raises ``Refusal``.

        ``key`` opens the payer's card number and name, which come encrypted; it is of the serial that was named.
        """
        if refund.received_account and refund.status != "ABNORMAL":
            return False
        if refund.status != "ABNORMAL":
            raise Refusal(400, "INVALID_REQUEST", "退款单状态非异常")
        kind = content.get("type")
        if kind not in ("USER_BANK_CARD", "MERCHANT_BANK_CARD"):
            raise Refusal(400, "PARAM_ERROR", "type")
        if kind == "USER_BANK_CARD":
            refund.received_account = f"{content.get('bank_type')}{_opened(content, key)[-4:]}"
        else:
            refund.received_account = "商户银行账户"
        refund.status = "PROCESSING"
        return True

    def let_time_pass(self, order: Order, now_ms: int) -> None:
        """An order that is never paid closes after seven days, or later; the end of its own time does not close it."""
        if order.state == "NOTPAY" and now_ms >= max(order.created_ms + CLOSED_AFTER_MS, order.expires_ms):
            order.state = "CLOSED"


def _opened(content: Mapping[str, Any], key: RsaKey | None) -> str:
    """The card number of a request; the name of its owner must be there and readable, too."""
    if key is None or not content.get("bank_type"):
        raise Refusal(400, "PARAM_ERROR", "bank_type")
    try:
        name, card = (crypto.decrypt_field(str(content.get(one, "")), key) for one in ("real_name", "bank_account"))
    except NotGenuine:
        raise Refusal(400, "PARAM_ERROR", "敏感字段解密失败") from None
    if not name or not card.isdigit():
        raise Refusal(400, "PARAM_ERROR", "bank_account")
    return card


def transaction(order: Order) -> dict[str, Any]:
    """An order as queries and notices show it; unpaid ones lack most of it."""
    found: dict[str, Any] = {
        "appid": order.content["appid"],
        "mchid": order.content["mchid"],
        "out_trade_no": order.no,
        "trade_state": order.state,
        "trade_state_desc": order.state,
        "amount": {"total": order.total_fen, "currency": "CNY"},
    }
    if not order.paid_ms:
        return found
    found["amount"] = {
        "total": order.total_fen, "payer_total": order.settled_fen, "currency": "CNY", "payer_currency": "CNY",
    }  # fmt: skip
    if order.coupon_fen:
        found["promotion_detail"] = [_promotion(order)]
    return found | {
        "transaction_id": order.transaction_id,
        "trade_type": TRADE_TYPES[order.kind],
        "bank_type": "OTHERS",
        "attach": order.content.get("attach", ""),
        "success_time": beijing.rfc3339(order.paid_ms),
        "payer": {"openid": "sandbox-openid"},
    }


def _promotion(order: Order) -> dict[str, Any]:
    """The coupon of an order: one that the merchant was not paid for."""
    return {
        "coupon_id": "1000001", "name": "sandbox", "scope": "GLOBAL", "type": "NOCASH", "amount": order.coupon_fen,
        "merchant_contribute": order.coupon_fen, "wechatpay_contribute": 0, "other_contribute": 0, "currency": "CNY",
    }  # fmt: skip


def refund_content(order: Order, refund: Refund) -> dict[str, Any]:
    """A refund as answers show it."""
    found: dict[str, Any] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.number,
        "transaction_id": order.transaction_id,
        "out_trade_no": order.no,
        "channel": "ORIGINAL",
        "user_received_account": refund.received_account or "支付用户零钱",
        "create_time": beijing.rfc3339(refund.created_ms),
        "status": refund.status,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": order.total_fen, "refund": refund.amount_fen, "payer_total": order.settled_fen,
            "payer_refund": refund.settled_fen, "settlement_refund": refund.settled_fen,
            "settlement_total": order.settled_fen, "discount_refund": refund.coupon_fen, "currency": "CNY",
        },
    }  # fmt: skip
    return found | ({"success_time": beijing.rfc3339(refund.done_ms)} if refund.done_ms else {})


def _check(kind: str, content: Mapping[str, Any]) -> None:
    amount = content.get("amount")
    total = amount.get("total") if isinstance(amount, Mapping) else None
    complete = all(content.get(name) for name in ("appid", "mchid", "description", "out_trade_no", "notify_url"))
    if not complete or type(total) is not int or total <= 0 or not NUMBER.fullmatch(str(content["out_trade_no"])):
        raise Refusal(400, "PARAM_ERROR", "参数错误")
    if amount is not None and amount.get("currency", "CNY") != "CNY":
        raise Refusal(400, "PARAM_ERROR", "currency")
    if "?" in str(content["notify_url"]):
        raise Refusal(400, "PARAM_ERROR", "notify_url")
    scene = content.get("scene_info")
    if kind == "h5" and not (isinstance(scene, Mapping) and scene.get("payer_client_ip") and scene.get("h5_info")):
        raise Refusal(400, "PARAM_ERROR", "scene_info")
    payer = content.get("payer")
    if kind == "jsapi" and not (isinstance(payer, Mapping) and payer.get("openid")):
        raise Refusal(400, "PARAM_ERROR", "payer.openid")

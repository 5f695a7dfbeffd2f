"""The bill of a day as the WeChat Pay sandbox writes it: back-quotes in front of every field, yuan, a summary. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from meterhub import beijing
from meterhub.money.amount import yuan
from meterhub_wechat.sandbox_orders import TRADE_TYPES, Order, Refund

COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FEE_PER_MILLE = 6


def write(orders: Iterable[Order], day: str) -> tuple[bytes, int]:
    """The text of a day (``20261124``) in Beijing, and how many rows it has."""
    rows: list[tuple[int, Order, Refund | None]] = []
    for order in orders:
        if order.paid_ms and beijing.day(order.paid_ms) == day:
            rows.append((order.paid_ms, order, None))
        rows += [
            (one.done_ms, order, one)
            for one in order.refunds.values()
            if one.done_ms and beijing.day(one.done_ms) == day
        ]
    rows.sort(key=lambda row: row[0])
    lines = [COLUMNS, *(_line(_cells(*row)) for row in rows)]
    paid = sum(order.total_fen for _, order, refund in rows if refund is None)
    back = sum(refund.amount_fen for _, _, refund in rows if refund is not None)
    fees = sum(_fee(order.total_fen) if refund is None else -_fee(refund.amount_fen) for _, order, refund in rows)
    lines += [
        SUMMARY,
        _line([str(len(rows)), yuan(paid), yuan(back), "0.00", f"{yuan(fees)}000", yuan(paid), yuan(back)]),
    ]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode(), len(rows)


def _cells(when_ms: int, order: Order, refund: Refund | None) -> list[str]:
    back = refund.amount_fen if refund else 0
    fee = -_fee(back) if refund else _fee(order.total_fen)
    total = yuan(0 if refund else order.total_fen)
    return [
        beijing.text(when_ms), str(order.content["appid"]), str(order.content["mchid"]), "0", "", order.transaction_id,
        order.no, "sandbox-openid", TRADE_TYPES[order.kind], "REFUND" if refund else "SUCCESS", "OTHERS", "CNY", total,
        "0.00", refund.refund_id if refund else "0", refund.number if refund else "0", yuan(back), "0.00",
        "ORIGINAL" if refund else "", "SUCCESS" if refund else "", str(order.content["description"]),
        str(order.content.get("attach", "")), f"{yuan(fee)}000", "0.60%", total, yuan(back), "",
    ]  # fmt: skip


def _fee(amount_fen: int) -> int:
    return amount_fen * FEE_PER_MILLE // 1000


def _line(cells: list[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)

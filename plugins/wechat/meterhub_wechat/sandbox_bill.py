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
FLOW_COLUMNS = ",".join(
    ("记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)", "账户结余(元)",
     "资金变更提交申请人", "备注", "业务凭证号")
)  # fmt: skip
FLOW_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
FEE_PER_MILLE = 6


Moved = tuple[int, Order, Refund | None]
"""When money moved, of which order, and by which refund (None: it was paid)."""


def write(orders: Iterable[Order], day: str, kind: str = "ALL") -> tuple[bytes, int]:
    """The trade bill of a day (``20261124``) in Beijing, and how many rows it has; ``kind``: ALL, SUCCESS or REFUND."""
    rows = [row for row in _moved(orders, day) if kind == "ALL" or (kind == "REFUND") == (row[2] is not None)]
    lines = [COLUMNS, *(_line(_cells(*row)) for row in rows)]
    paid = [order for _, order, refund in rows if refund is None]
    back = [refund for _, _, refund in rows if refund is not None]
    fees = sum(_fee(order.settled_fen) for order in paid) - sum(_fee(refund.settled_fen) for refund in back)
    settled, given = sum(order.settled_fen for order in paid), sum(refund.settled_fen for refund in back)
    wanted = [sum(order.total_fen for order in paid), sum(refund.amount_fen for refund in back)]
    summary = [yuan(settled), yuan(given), "0.00", f"{yuan(fees)}000", *map(yuan, wanted)]
    lines += [SUMMARY, _line([str(len(rows)), *summary])]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode(), len(rows)


def write_flow(orders: Iterable[Order], day: str) -> tuple[bytes, int]:
    """The fund-flow bill of a day, and how many rows it has: each fee is a row of its own."""
    cells: list[list[str]] = []
    came: list[int] = []
    left: list[int] = []
    for when_ms, order, refund in _moved(orders, day):
        fen = refund.settled_fen if refund else order.settled_fen
        for what, amount, income in (
            ("退款" if refund else "交易", fen, refund is None),
            ("扣除交易手续费", _fee(fen), refund is not None),
        ):
            (came if income else left).append(amount)
            numbers = (refund.refund_id if refund else order.transaction_id, order.transaction_id)
            cells.append([
                beijing.text(when_ms), *numbers, what, what, "收入" if income else "支出", yuan(amount),
                yuan(sum(came) - sum(left)), "system", "", order.no,
            ])  # fmt: skip
    summary = [str(len(cells)), str(len(came)), yuan(sum(came)), str(len(left)), yuan(sum(left))]
    lines = [FLOW_COLUMNS, *map(_line, cells), FLOW_SUMMARY, _line(summary)]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode(), len(cells)


def _moved(orders: Iterable[Order], day: str) -> list[Moved]:
    rows: list[Moved] = []
    for order in orders:
        if order.paid_ms and beijing.day(order.paid_ms) == day:
            rows.append((order.paid_ms, order, None))
        rows += [
            (one.done_ms, order, one)
            for one in order.refunds.values()
            if one.done_ms and beijing.day(one.done_ms) == day
        ]
    return sorted(rows, key=lambda row: row[0])


def _cells(when_ms: int, order: Order, refund: Refund | None) -> list[str]:
    back, settled_back = (refund.amount_fen, refund.settled_fen) if refund else (0, 0)
    fee = -_fee(settled_back) if refund else _fee(order.settled_fen)
    total, settled, coupon = (
        yuan(0 if refund else fen) for fen in (order.total_fen, order.settled_fen, order.coupon_fen)
    )
    return [
        beijing.text(when_ms), str(order.content["appid"]), str(order.content["mchid"]), "0", "", order.transaction_id,
        order.no, "sandbox-openid", TRADE_TYPES[order.kind], "REFUND" if refund else "SUCCESS", "OTHERS", "CNY",
        settled, coupon, refund.refund_id if refund else "0", refund.number if refund else "0", yuan(settled_back),
        "0.00", "ORIGINAL" if refund else "", "SUCCESS" if refund else "", str(order.content["description"]),
        str(order.content.get("attach", "")), f"{yuan(fee)}000", "0.60%", total, yuan(back), "",
    ]  # fmt: skip


def _fee(amount_fen: int) -> int:
    return amount_fen * FEE_PER_MILLE // 1000


def _line(cells: list[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)

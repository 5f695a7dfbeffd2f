"""The bill of a day as the Alipay sandbox writes it: two GBK files in a ZIP whose names are GBK, too. Pure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

from meterhub import beijing
from meterhub.money.amount import yuan
from meterhub.sim.coupon import shares
from meterhub_alipay.sandbox_trades import Trade

COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
FEE_PER_MILLE = 6


@dataclass(frozen=True, slots=True)
class Moved:
    """A row: a payment, or (amounts below zero) a refund."""

    trade: Trade
    refund_no: str
    amount_fen: int
    coupon_fen: int
    when_ms: int

    @property
    def received_fen(self) -> int:
        """What the merchant gets or gives."""
        return self.amount_fen - self.coupon_fen


def write(trades: Iterable[Trade], day: str, seller_id: str) -> tuple[bytes, int]:
    """The ZIP of a day (``20261124``) or a month (``202611``) in Beijing, and how many rows it has."""
    paid: list[Moved] = []
    refunds: list[Moved] = []
    for trade in trades:
        if trade.paid_ms and beijing.day(trade.paid_ms).startswith(day):
            paid.append(Moved(trade, "", trade.amount_fen, trade.coupon_fen, trade.paid_ms))
        parts = shares(trade.coupon_fen, trade.amount_fen, (amount for amount, _ in trade.refunds.values()))
        refunds += [
            Moved(trade, number, -amount, -part, when_ms)
            for (number, (amount, when_ms)), part in zip(trade.refunds.items(), parts, strict=True)
            if beijing.day(when_ms).startswith(day)
        ]
    rows = [_row(one) for one in sorted(paid + refunds, key=lambda one: one.when_ms)]
    date = f"{day[:4]}年{day[4:6]}月{day[6:] or '01'}日"
    lines = [
        "#支付宝业务明细查询",
        f"#账号：[{seller_id}0156]",
        f"#起始日期：[{date} 00:00:00]   终止日期：[{date} 24:00:00]",
        "#-----------------------------------------业务明细列表----------------------------------------",
        COLUMNS,
        *rows,
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{_sum(paid)}元，商家优惠共{_coupons(paid)}元",
        f"#退款合计：{len(refunds)}笔，商家实收退款共{_sum(refunds)}元，商家优惠退款共{_coupons(refunds)}元",
    ]
    summary = f"#支付宝业务汇总查询\n#交易合计：{len(paid)}笔"
    name = f"{seller_id}0156_{day}_业务明细"
    return _zip({f"{name}.csv": "\r\n".join(lines), f"{name}(汇总).csv": summary}), len(rows)


def _row(moved: Moved) -> str:
    trade, refund_no, received = moved.trade, moved.refund_no, moved.received_fen
    fee_fen = -(received * FEE_PER_MILLE // 1000) if received > 0 else -received * FEE_PER_MILLE // 1000
    cells = [
        f"{trade.trade_no}\t", f"{trade.no}\t", "退款" if refund_no else "交易", trade.subject,
        beijing.text(trade.created_ms), beijing.text(moved.when_ms), "", "", "", "\t", "san***@sandbox.example\t",
        yuan(moved.amount_fen), yuan(received), "0.00", "0.00", "0.00", yuan(moved.coupon_fen), "0.00", "", "0.00",
        "0.00", f"{refund_no}\t" if refund_no else "\t", yuan(fee_fen), "0.00", "",
    ]  # fmt: skip
    return ",".join(cells)


def _sum(rows: list[Moved]) -> str:
    return yuan(sum(one.received_fen for one in rows))


def _coupons(rows: list[Moved]) -> str:
    return yuan(sum(one.coupon_fen for one in rows))


def _zip(files: dict[str, str]) -> bytes:
    """A ZIP with GBK names. zipfile would flag such names as UTF-8, so they go in as ASCII of equal length first.

    None of those may be a part of another one.
    """
    packed = io.BytesIO()
    names = {}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, text) in enumerate(files.items()):
            wanted = name.encode("gbk")
            standing_in = str(number).ljust(len(wanted), "~")
            names[standing_in.encode()] = wanted
            archive.writestr(standing_in, text.encode("gbk", errors="replace"))
    data = packed.getvalue()
    for standing_in_bytes, wanted in names.items():
        data = data.replace(standing_in_bytes, wanted)
    return data

"""WeChat Pay's fund-flow bill: what a day moved in the merchant's account, fees in rows of their own. Pure.

::

    记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元), ... by name
    `2026-11-24 10:00:00,`42000...,`42000...,`交易,`交易,`收入,`50.00, ...
    `2026-11-24 10:00:00,`42000...,`42000...,`扣除交易手续费,`扣除交易手续费,`支出,`0.30, ...
    资金流水总笔数,收入笔数, ...
"""

from __future__ import annotations

from datetime import date

from meterhub.errors import ProviderUnknown
from meterhub.money.statements import Funds, Movement
from meterhub_wechat import bill

SUMMARY = "资金流水总笔数"
NUMBER, KIND, WAY, AMOUNT = "微信支付业务单号", "业务类型", "收支类型", "收支金额(元)"
MOVED = ("交易", "退款")
FEE = "手续费"
SIGNS = {"收入": 1, "支出": -1}


def read(text: bytes, day: date) -> Funds:
    """The payments and refunds in an unpacked file; what else moves the account (withdrawals) is left out.

    Raises ``ProviderUnknown`` when it is not what is expected.
    """
    moved: dict[str, int] = {}
    fees: dict[str, int] = {}
    try:
        for cells in bill.table(text, WAY, SUMMARY):
            into = fees if FEE in cells[KIND] else moved if cells[KIND] in MOVED else None
            if into is not None:
                fen = SIGNS[cells[WAY]] * bill.fen(cells, AMOUNT)
                into[cells[NUMBER]] = into.get(cells[NUMBER], 0) + fen
    except (UnicodeDecodeError, KeyError) as error:
        raise ProviderUnknown(f"WeChat Pay's bill of funds cannot be read: {error}", where=f"bill {day}") from None
    numbers = dict.fromkeys([*moved, *fees])
    return Funds(day, tuple(Movement(one, moved.get(one, 0), -fees.get(one, 0)) for one in numbers))

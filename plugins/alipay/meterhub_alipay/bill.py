"""Alipay's bill of a day: a ZIP with two CSV files in GBK; the one with the single trades is read. Pure.

::

    #支付宝业务明细查询 ...
    支付宝交易号,商户订单号,业务类型,商品名称, ... 25 columns, by name
    2026...<TAB>,E2026...<TAB>,交易,电费, ...
    #-----------------业务明细列表结束----------------- ...
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date

from meterhub import beijing
from meterhub.errors import BadInput, ProviderUnknown
from meterhub.money.amount import parse_yuan
from meterhub.money.statements import Bill, BillRow, PaymentState, PaymentStatement, RefundState, RefundStatement

LARGEST_FILE = 256 << 20
SUBJECT = "商品名称"
TRADE, REFUND = "交易", "退款"
FEE, RECEIVED = "服务费（元）", "商家实收（元）"
DAMAGED = (zipfile.BadZipFile, zlib.error, RuntimeError, UnicodeDecodeError, KeyError, csv.Error, EOFError)
"""What reading raises: zipfile has RuntimeError for what is encrypted or packed in a way that it does not know."""
NEW_LINE = re.compile(r"\r?\n")
"""Names may hold what splitlines() takes for an end."""


def read(archive: bytes, day: date) -> Bill:
    """The bill in a downloaded file. Raises ``ProviderUnknown`` when it is damaged or not what is documented."""
    try:
        text = _details(archive)
        return Bill(day, tuple(_row(cells) for cells in _table(text) if cells["业务类型"] in (TRADE, REFUND)))
    except DAMAGED as error:
        raise ProviderUnknown(f"Alipay's bill cannot be read: {type(error).__name__}", where=f"bill {day}") from None


def _details(archive: bytes) -> str:
    """The text of the file of single trades; names are GBK without saying so, which zipfile takes for cp437."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        for info in files.infolist():
            name = info.filename if info.flag_bits & 0x800 else info.filename.encode("cp437").decode("gbk")
            if "汇总" not in name and name.endswith(".csv"):
                if info.file_size > LARGEST_FILE:
                    raise ProviderUnknown("Alipay's bill is too large")
                return files.read(info).decode("gb18030")
    raise ProviderUnknown("Alipay's bill has no file of single trades")


def _table(text: str) -> Iterator[dict[str, str]]:
    lines = (line for line in NEW_LINE.split(text) if line.strip() and not line.lstrip("\ufeff").startswith("#"))
    rows = csv.reader(lines)
    header = [name.strip() for name in next(rows, [])]
    places = {name: at for at, name in enumerate(header)}
    for cells in rows:
        surplus = len(cells) - len(header)
        if surplus > 0:  # a subject with commas, which Alipay does not quote; its end is kept
            del cells[places[SUBJECT] : places[SUBJECT] + surplus]
        yield {name: cell.strip() for name, cell in zip(header, cells, strict=False)}


def _row(cells: Mapping[str, str]) -> BillRow:
    no, trade_no, when_ms = cells["商户订单号"], cells["支付宝交易号"], beijing.ms(cells["完成时间"])
    amount_fen, fee_fen = _fen(cells["订单金额（元）"]), -_fen(cells[FEE])
    received_fen = abs(_fen(cells[RECEIVED])) if cells.get(RECEIVED) else None
    if cells["业务类型"] == TRADE:
        paid = PaymentStatement(no, PaymentState.PAID, amount_fen, trade_no, paid_ms=when_ms)
        return BillRow(paid, fee_fen, received_fen)
    refund_no = cells["退款批次号/请求号"]
    refund = RefundStatement(
        no, refund_no, RefundState.DONE, abs(amount_fen), transaction_id=trade_no, refunded_ms=when_ms
    )
    return BillRow(refund, fee_fen, received_fen)


def _fen(words: str) -> int:
    sign = -1 if words.startswith("-") else 1
    try:
        return sign * parse_yuan(words.removeprefix("-"))
    except BadInput:
        raise ProviderUnknown("Alipay's bill has an amount that cannot be read") from None

"""WeChat Pay's bill of a day: UTF-8, every field with a back-quote in front, then a summary. Pure.

::

    交易时间,公众账号ID,商户号, ... 27 columns, by name
    `2026-11-24 10:00:00,`wx...,`19..., ...
    总交易单数,应结订单总金额, ...
    `2,`50.00, ...
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from meterhub import beijing
from meterhub.errors import ProviderUnknown
from meterhub.money.statements import Bill, BillRow, PaymentState, PaymentStatement, RefundState, RefundStatement

LARGEST = 256 << 20
AMOUNT = re.compile(r"-?\d{1,9}(\.\d{1,6})?", re.ASCII)
NEW_LINE = re.compile(r"\r?\n")
SUMMARY, SUBJECT = "总交易单数", "商品名称"
PAID_COLUMNS = ("订单金额", "应结订单金额", "总金额")
REFUND_COLUMNS = ("申请退款金额", "退款金额")
"""Amounts with coupons first; read backwards, what the merchant's account gets or gives."""
REFUND_STATES = {"SUCCESS": RefundState.DONE, "PROCESSING": RefundState.PROCESSING, "CHANGE": RefundState.ABNORMAL}


def unpacked(packed: bytes, sha1: str) -> bytes:
    """The text behind a downloaded file, proved by the hash that the signed answer told. Raises ``ProviderUnknown``."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        text = unpacker.decompress(packed, LARGEST) if packed[:2] == b"\x1f\x8b" else packed
    except zlib.error:
        raise ProviderUnknown("WeChat Pay's bill cannot be unpacked") from None
    if hashlib.sha1(text).hexdigest() != sha1.lower():
        raise ProviderUnknown("WeChat Pay's bill has another hash than its signed answer says")
    return text


def packed(text: bytes) -> bytes:
    """A bill as it is sent."""
    return gzip.compress(text, mtime=0)


def read(text: bytes, day: date) -> Bill:
    """The bill in an unpacked file. Raises ``ProviderUnknown`` when it is not what is documented."""
    try:
        rows = [_row(cells) for cells in table(text, "交易状态", SUMMARY)]
        return Bill(day, tuple(row for row in rows if row is not None))
    except (UnicodeDecodeError, KeyError) as error:
        raise ProviderUnknown(f"WeChat Pay's bill cannot be read: {error}", where=f"bill {day}") from None


def table(text: bytes, column: str, summary: str) -> Iterator[dict[str, str]]:
    """The rows above the ``summary`` by the names of their columns, of which ``column`` is one.

    Raises ``KeyError`` for another file, ``UnicodeDecodeError``, and ``ProviderUnknown`` for half a file.
    """
    lines = iter(NEW_LINE.split(text.decode("utf-8-sig")))  # names may hold what splitlines() takes for an end
    header = next(lines, "").split(",")
    if column not in header:
        raise KeyError(column)
    for line in lines:
        if line.startswith(summary):
            return
        if line.startswith("`"):
            cells = line[1:].split(",`")
            surplus = len(cells) - len(header)
            if surplus > 0 and SUBJECT in header:  # a name that holds what divides the fields; its end is kept
                at = header.index(SUBJECT)
                del cells[at : at + surplus]
            yield dict(zip(header, cells, strict=False))
    raise ProviderUnknown("WeChat Pay's bill breaks off before its summary")


def _row(cells: Mapping[str, str]) -> BillRow | None:
    state, no, number = cells["交易状态"], cells["商户订单号"], cells["微信订单号"]
    when_ms, fee_fen = beijing.ms(cells["交易时间"]), fen(cells, "手续费")
    if state == "SUCCESS":
        paid = PaymentStatement(no, PaymentState.PAID, fen(cells, *PAID_COLUMNS), number, paid_ms=when_ms)
        return BillRow(paid, fee_fen, fen(cells, *reversed(PAID_COLUMNS)))
    if state != "REFUND":
        return None
    refund = RefundStatement(
        no,
        cells["商户退款单号"],
        REFUND_STATES.get(cells["退款状态"], RefundState.CLOSED),
        abs(fen(cells, *REFUND_COLUMNS)),
        transaction_id=number,
        refund_id=cells["微信退款单号"],
        refunded_ms=when_ms,
    )
    return BillRow(refund, fee_fen, abs(fen(cells, *reversed(REFUND_COLUMNS))))


def fen(cells: Mapping[str, str], *names: str) -> int:
    """The first of the columns that the layout has, in fen; bills are in yuan while everything else is in fen."""
    words = next((cells[name] for name in names if name in cells), "")
    if not AMOUNT.fullmatch(words):
        raise ProviderUnknown(f"WeChat Pay's bill has no amount under {names[0]}")
    return int((Decimal(words) * 100).quantize(Decimal(1), ROUND_HALF_UP))

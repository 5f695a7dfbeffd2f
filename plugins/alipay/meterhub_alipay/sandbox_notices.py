"""The notices of the Alipay sandbox: what one says of a trade, and how it is written and signed. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from meterhub import beijing
from meterhub.money.amount import yuan
from meterhub.sim.courier import Letter
from meterhub_alipay import crypto
from meterhub_alipay.sandbox_trades import SUCCESS, WAIT, Trade, funds

if TYPE_CHECKING:
    from meterhub_alipay.sandbox import Merchant


def fields_of(trade: Trade, merchant: Merchant, refund_no: str, now_ms: int) -> dict[str, str]:
    """What a notice says of a trade; of its refund ``refund_no`` unless that is ""."""
    amount, received = yuan(trade.amount_fen), yuan(trade.received_fen)
    fields = {
        "notify_type": "trade_status_sync", "app_id": trade.app_id, "auth_app_id": trade.app_id,
        "charset": trade.charset, "version": "1.0", "trade_no": trade.trade_no, "out_trade_no": trade.no,
        "buyer_id": "2088000000000001", "buyer_logon_id": "san***@sandbox.example", "seller_id": merchant.seller_id,
        "trade_status": trade.status, "total_amount": amount, "receipt_amount": received, "invoice_amount": received,
        "buyer_pay_amount": received, "point_amount": "0.00", "subject": trade.subject, "body": trade.body,
        "gmt_create": beijing.text(trade.created_ms),
        "gmt_payment": beijing.text(trade.paid_ms) if trade.paid_ms else "",
        "fund_bill_list": json.dumps(funds(trade, "fundChannel")),
        "passback_params": trade.passback,
    }  # fmt: skip
    if trade.refunds:
        fields |= {"refund_fee": yuan(trade.refunded_fen), "gmt_refund": f"{beijing.text(now_ms)}.123"}
    if refund_no:
        fields["out_biz_no"] = refund_no
    if trade.status not in (WAIT, SUCCESS):
        fields["gmt_close"] = beijing.text(now_ms)
    return fields


def letter_of(fields: Mapping[str, str], url: str, merchant: Merchant, now_ms: int) -> Letter:
    """A notice with these fields, with a fresh time and signature, in the charset of its order.

    It names no certificate, as programs differ on whether that would be covered by the signature.
    """
    charset = crypto.charset_of(fields)
    fresh = {**fields, "notify_time": beijing.text(now_ms)}
    signature = {"sign_type": "RSA2", "sign": crypto.sign_notice(fresh, merchant.alipay)}
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={fields['charset']}"}
    forged = urlencode({**fresh, "total_amount": "0.01", "trade_no": "0", **signature}, encoding=charset).encode()
    body = urlencode({**fresh, **signature}, encoding=charset, errors="replace").encode()
    return Letter(url, headers, body, forged=Letter(url, headers, forged))

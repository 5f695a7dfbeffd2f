"""Alipay's words as statements: answers to queries and notices. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub import beijing
from meterhub.errors import BadInput, NoticeRejected, ProviderUnknown
from meterhub.money.amount import parse_yuan
from meterhub.money.provider import Attempt, RefundRequest
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement, Statement

STATES = {
    "WAIT_BUYER_PAY": PaymentState.PENDING,
    "TRADE_SUCCESS": PaymentState.PAID,
    "TRADE_FINISHED": PaymentState.PAID,
    "TRADE_CLOSED": PaymentState.CLOSED,
}


def payment_of_query(content: Mapping[str, Any], attempt: Attempt) -> PaymentStatement:
    """What a proved answer of ``alipay.trade.query`` says. Raises ``ProviderUnknown`` when it is about another trade.

    ``TRADE_CLOSED`` also follows the refund of everything. A payment that we took keeps being paid; one that we do
    not know and that was given back already must not be credited, so it counts as closed.
    """
    if content.get("out_trade_no") != attempt.no:
        raise ProviderUnknown("Alipay's answer is about another payment", where=attempt.no)
    state = STATES.get(str(content.get("trade_status")))
    if state is None:
        raise ProviderUnknown("Alipay's answer has an unknown state of the payment", where=attempt.no)
    if state is PaymentState.CLOSED and attempt.transaction_id and content.get("send_pay_date"):
        state = PaymentState.PAID
    try:
        amount_fen = parse_yuan(str(content.get("total_amount", "")))
    except BadInput:
        raise ProviderUnknown("Alipay's answer has no readable amount", where=attempt.no) from None
    paid_ms = beijing.ms(str(content.get("send_pay_date", "")))
    return PaymentStatement(attempt.no, state, amount_fen, str(content.get("trade_no", "")), paid_ms=paid_ms)


def refund_of_answer(content: Mapping[str, Any], request: RefundRequest) -> RefundStatement:
    """What a proved answer of ``alipay.trade.refund`` says; without a move of money just now it is at work still."""
    done = content.get("fund_change") == "Y"
    return RefundStatement(
        request.attempt.no,
        request.refund_no,
        RefundState.DONE if done else RefundState.PROCESSING,
        request.amount_fen,
        _fen(content.get("refund_fee")),
        str(content.get("trade_no", "")),
        refunded_ms=beijing.ms(str(content.get("gmt_refund_pay", ""))),
    )


def refund_of_query(content: Mapping[str, Any], request: RefundRequest) -> RefundStatement:
    """What a proved answer of ``alipay.trade.fastpay.refund.query`` says.

    Its ``10000`` means only that asking worked: the refund is done when it says ``REFUND_SUCCESS``, and an answer
    without a word of it means that there is no such refund.
    """
    status = content.get("refund_status")
    amount_fen = _fen(content.get("refund_amount"))
    if status == "REFUND_SUCCESS" or (not status and amount_fen):
        state = RefundState.DONE
    else:
        state = RefundState.PROCESSING if status else RefundState.MISSING
    when_ms = beijing.ms(str(content.get("gmt_refund_pay", "")))
    return RefundStatement(request.attempt.no, request.refund_no, state, amount_fen, refunded_ms=when_ms)


def statement_of_notice(fields: Mapping[str, str], app_id: str, seller_id: str) -> Statement | None:
    """What a proved notice says. Raises ``NoticeRejected`` for another merchant or an unreadable amount."""
    no = fields.get("out_trade_no", "")
    if fields.get("app_id") != app_id or fields.get("seller_id") != seller_id:
        raise NoticeRejected("the notice is for another merchant", "merchant", where=no)
    if fields.get("notify_type") != "trade_status_sync":
        return None
    state = STATES.get(fields.get("trade_status", ""))
    if not no or state is None:
        return None
    refunded_fen = _notice_fen(fields, "refund_fee", "0")
    if refunded_fen:
        return _refund(fields, refunded_fen)
    if state is PaymentState.PAID and not fields.get("trade_no"):
        raise NoticeRejected("the notice has no trade_no", "form", where=no)
    amount_fen = _notice_fen(fields, "total_amount", "")
    paid_ms = beijing.ms(fields.get("gmt_payment", ""))
    return PaymentStatement(no, state, amount_fen, fields.get("trade_no", ""), paid_ms=paid_ms)


def _refund(fields: Mapping[str, str], total_fen: int) -> RefundStatement:
    """A refund comes as a notice of its trade with ``refund_fee``, the total so far; the state is that of the trade."""
    return RefundStatement(
        fields["out_trade_no"],
        fields.get("out_biz_no", ""),
        RefundState.DONE,
        total_fen=total_fen,
        transaction_id=fields.get("trade_no", ""),
        refunded_ms=beijing.ms(fields.get("gmt_refund", "")),
    )


def _notice_fen(fields: Mapping[str, str], name: str, default: str) -> int:
    try:
        return parse_yuan(fields.get(name) or default)
    except BadInput:
        raise NoticeRejected(f"{name} of the notice is no amount", "amount", where=fields["out_trade_no"]) from None


def _fen(words: Any) -> int | None:
    try:
        return parse_yuan(str(words))
    except BadInput:
        return None

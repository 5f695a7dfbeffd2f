"""WeChat Pay's words as statements: answers to queries and notices. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub import beijing
from meterhub.errors import NoticeRejected, ProviderUnknown
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement, Statement

STATES = {
    "SUCCESS": PaymentState.PAID,
    "REFUND": PaymentState.PAID,
    "NOTPAY": PaymentState.PENDING,
    "USERPAYING": PaymentState.PENDING,
    "ACCEPT": PaymentState.PENDING,
    "CLOSED": PaymentState.CLOSED,
    "REVOKED": PaymentState.CLOSED,
    "PAYERROR": PaymentState.CLOSED,
}
REFUNDS = {
    "SUCCESS": RefundState.DONE,
    "CLOSED": RefundState.CLOSED,
    "PROCESSING": RefundState.PROCESSING,
    "ABNORMAL": RefundState.ABNORMAL,
}
LARGEST_FEN = 10_000_000_000


def payment_of_query(content: Mapping[str, Any], no: str, mchid: str) -> PaymentStatement:
    """What a proved answer to a query says. Raises ``ProviderUnknown`` when it is about something else."""
    state = STATES.get(str(content.get("trade_state")))
    if content.get("out_trade_no") != no or content.get("mchid") != mchid or state is None:
        raise ProviderUnknown("WeChat Pay's answer is about something else", where=no)
    amount_fen = _fen(content, "total")
    if state is PaymentState.PAID and (amount_fen is None or not content.get("transaction_id")):
        raise ProviderUnknown("WeChat Pay's answer has no readable amount or number", where=no)
    return _payment(content, state, amount_fen)


def refund_of_answer(content: Mapping[str, Any], refund_no: str) -> RefundStatement:
    """What a proved answer about a refund says. Raises ``ProviderUnknown`` when it is about something else."""
    state = REFUNDS.get(str(content.get("status")))
    if content.get("out_refund_no") != refund_no or state is None:
        raise ProviderUnknown("WeChat Pay's answer is about something else", where=refund_no)
    return _refund(content, state)


def statement_of_notice(event: str, resource: Mapping[str, Any], mchid: str, appid: str) -> Statement | None:
    """What a proved notice says. Raises ``NoticeRejected`` for another merchant or an unreadable amount."""
    if not event.startswith(("TRANSACTION.", "REFUND.")):
        return None
    no = str(resource.get("out_trade_no", ""))
    if resource.get("mchid") != mchid or resource.get("appid", appid) != appid:
        raise NoticeRejected("the notice is for another merchant or app", "merchant", where=no)
    if event.startswith("REFUND."):
        return _noticed_refund(resource, no)
    if STATES.get(str(resource.get("trade_state"))) is not PaymentState.PAID:
        return None
    amount_fen = _fen(resource, "total")
    if amount_fen is None:
        raise NoticeRejected("the amount of the notice is no whole number of fen", "amount", where=no)
    if not no or not resource.get("transaction_id"):
        raise NoticeRejected("the notice does not name its payment", "form", where=no)
    return _payment(resource, PaymentState.PAID, amount_fen)


def _noticed_refund(resource: Mapping[str, Any], no: str) -> RefundStatement:
    """In notices the state of a refund is called ``refund_status``."""
    state = REFUNDS.get(str(resource.get("refund_status")))
    if state is None or not resource.get("out_refund_no"):
        raise NoticeRejected("the notice does not name its refund or state", "form", where=no)
    return _refund(resource, state)


def _payment(content: Mapping[str, Any], state: PaymentState, amount_fen: int | None) -> PaymentStatement:
    amount = content.get("amount")
    currency = amount.get("currency", "CNY") if isinstance(amount, Mapping) else "CNY"
    return PaymentStatement(
        str(content.get("out_trade_no", "")),
        state,
        amount_fen,
        str(content.get("transaction_id") or ""),
        str(currency),
        beijing.ms(str(content.get("success_time", ""))),
    )


def _refund(content: Mapping[str, Any], state: RefundState) -> RefundStatement:
    return RefundStatement(
        str(content.get("out_trade_no", "")),
        str(content["out_refund_no"]),
        state,
        _fen(content, "refund"),
        transaction_id=str(content.get("transaction_id") or ""),
        refund_id=str(content.get("refund_id") or ""),
        refunded_ms=beijing.ms(str(content.get("success_time", ""))),
        reason="" if state is RefundState.DONE else str(content.get("user_received_account", ""))[:100],
    )


def _fen(content: Mapping[str, Any], name: str) -> int | None:
    """An amount: a whole number and nothing that looks like one."""
    amount = content.get("amount")
    found = amount.get(name) if isinstance(amount, Mapping) else None
    return found if type(found) is int and 0 < found <= LARGEST_FEN else None

"""What an answer of the gateway means for us: done, definitely not, or unknown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.errors import ProviderError, ProviderRefused, ProviderUnknown
from meterhub.texts import mark

OK = "10000"
IN_PROGRESS = "10003"
BUSY_CODES = {"20000", "40005"}
"""The service is down, or we ask too often: asking again with the same numbers is right."""
BUSY_REASONS = ("SYSTEM_ERROR", "UNKNOW-ERROR", "UNKNOWN_ERROR", "TRADE_CANCEL_TIME_OUT", "CALL-LIMITED")
DONE_ALREADY = "TRADE_HAS_SUCCESS"


def reason_of(content: Mapping[str, Any]) -> str:
    """The reason without its family: ``ACQ.TRADE_NOT_EXIST`` and its misspelt sister ``AQC.…`` -> the last part."""
    return str(content.get("sub_code") or content.get("code") or "").rpartition(".")[2].upper()


def error_of(content: Mapping[str, Any], where: str) -> ProviderError | None:
    """The error that a verified answer stands for; None for success, which is ``10000`` and nothing else."""
    code, reason = str(content.get("code", "")), reason_of(content)
    if code == OK and not content.get("sub_code"):
        return None
    answer = content.get("sub_code") or code
    words = mark(f"Alipay answered {answer}")
    told = content.get("sub_msg") or content.get("msg") or ""
    hint = str(told)[:200]
    if code == IN_PROGRESS or code in BUSY_CODES or reason.endswith(BUSY_REASONS) or reason == DONE_ALREADY:
        return ProviderUnknown(words, where=where, hint=hint)
    if code.startswith("4") or code == "20001":
        return ProviderRefused(words, reply=reason, where=where, hint=hint)
    return ProviderUnknown(words, where=where, hint=hint)

"""What an answer of the gateway means for us: done, definitely not, or unknown. Pure."""

from __future__ import annotations

from meterhub.errors import NotGenuine, ProviderError, ProviderRefused, ProviderUnknown
from meterhub.texts import mark
from meterhub_wechat.crypto import read_object

BUSY = {
    "SYSTEM_ERROR",
    "BANKERROR",
    "FREQUENCY_LIMITED",
    "RATELIMIT_EXCEEDED",
    "SERVICE_UNAVAILABLE",
    "BIZERR_NEED_RETRY",
}
ORDER_PAID = "ORDERPAID"


def error_of(status: int, body: bytes, where: str) -> ProviderError | None:
    """The error that an answer stands for, None for a success. Errors come unsigned, with a ``code``.

    Only a 4xx with a word of WeChat Pay's own is a definite no: a page of some proxy on the way decides nothing.
    """
    if status in (200, 204):
        return None
    if status == 202:
        return ProviderUnknown("WeChat Pay took the request and has not carried it out yet", where=where)
    code, message = _told(body)
    words = mark(f"WeChat Pay answered {status} {code}") if code else mark(f"WeChat Pay answered {status}")
    if 400 <= status < 500 and status != 429 and code and code not in BUSY:
        return ProviderRefused(words, reply=code, where=where, hint=message)
    return ProviderUnknown(words, where=where, hint=message)


def _told(body: bytes) -> tuple[str, str]:
    try:
        content = read_object(body)
    except NotGenuine:
        return "", ""
    return str(content.get("code", ""))[:64], str(content.get("message", ""))[:200]

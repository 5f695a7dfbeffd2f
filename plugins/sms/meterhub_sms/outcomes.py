"""What the companies' codes mean: definitely not sent, not now, or unknown. Pure."""

from __future__ import annotations

from meterhub.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderUnknown
from meterhub.texts import mark

WAYS_OF_DOUBT = ("isp.", "Internal", "ServiceUnavailable", "RequestTimeout", "ServiceTimeout")
"""Codes that begin so tell of the company's own trouble, in the middle of which a message may have gone."""

TOO_MUCH = ("isv.BUSINESS_LIMIT_CONTROL", "Throttling", "LimitExceeded.", "RequestLimitExceeded")
"""Codes that begin so tell that too much is sent just now: to this number, or by us."""
TOO_MANY_NUMBERS = "LimitExceeded.PhoneNumberCountLimit"
"""Not of that kind: the call itself is wrong."""


def error_of(code: str, message: str, where: str) -> ProviderError:
    """The error that a code other than success stands for."""
    code = code[:80]
    words = mark(f"the SMS company answered {code}")
    hint = message[:200]
    if not code or code.startswith(WAYS_OF_DOUBT):
        return ProviderUnknown(words, where=where, hint=hint)
    later = code.startswith(TOO_MUCH) and code != TOO_MANY_NUMBERS
    return (ProviderBusy if later else ProviderRefused)(words, reply=code, where=where, hint=hint)

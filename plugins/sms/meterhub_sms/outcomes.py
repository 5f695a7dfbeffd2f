"""What the companies' codes mean: definitely not sent, or unknown. Pure."""

from __future__ import annotations

from meterhub.errors import ProviderError, ProviderRefused, ProviderUnknown
from meterhub.texts import mark

WAYS_OF_DOUBT = ("isp.", "Internal", "ServiceUnavailable", "RequestTimeout", "ServiceTimeout")
"""Codes that begin so tell of the company's own trouble, in the middle of which a message may have gone."""


def error_of(code: str, message: str, where: str) -> ProviderError:
    """The error that a code other than success stands for."""
    code = code[:80]
    words = mark(f"the SMS company answered {code}")
    hint = message[:200]
    if not code or code.startswith(WAYS_OF_DOUBT):
        return ProviderUnknown(words, where=where, hint=hint)
    return ProviderRefused(words, reply=code, where=where, hint=hint)

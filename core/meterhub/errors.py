"""The one tree of errors, split by who must act.

Every error can say what happened (``message``), where (``where``: a file and
line, a meter, a collector, an order) and what to do next (``hint``).

===============  =======================================  ====================
error            meaning                                  who acts
===============  =======================================  ====================
ConfigError      the configuration is wrong               the deployer
LinkDown         the way to the meter is interrupted      wait, reconnect
NoAnswer         the meter did not answer in time         retry later
BadFrame         bytes arrived that are no valid frame    retry
Refused          the meter answered no, with a code       whoever asked
ProviderRefused  a company for payments said no           whoever asked
ProviderUnknown  a company did not answer for certain     ask it again later
BadInput         the caller's request is wrong            the caller
Misuse           our own code broke a rule                us
===============  =======================================  ====================
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class MeterHubError(Exception):
    """Root of all errors that MeterHub raises on purpose.

    ``code`` is the stable word used in API answers and as translation key.
    """

    code = "error"
    status = 500

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(MeterHubError):
    """Something in the configuration is wrong; ``where`` is ``file:line``."""

    code = "configuration"


class ConfigErrors(ConfigError):
    """All mistakes of one configuration at once, in the order of the file."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class FieldError(MeterHubError):
    """Root of what can go wrong on the way to a meter and back."""

    code = "field"
    status = 502


class LinkDown(FieldError):
    """The link or the collector is not connected; asking again now is useless."""

    code = "link_down"
    status = 503


class NoAnswer(FieldError):
    """The meter did not answer in time; the link may well be alive.

    ``heard``: bytes that came after the last request and were no answer, its echo not counted; 0 is true silence.
    """

    code = "no_answer"
    status = 504

    def __init__(self, message: str, *, where: str = "", hint: str = "", heard: int = 0) -> None:
        super().__init__(message, where=where, hint=hint)
        self.heard = heard


class BadFrame(FieldError):
    """Bytes that are not a valid frame, or an answer that does not parse.

    ``known``: what could be told all the same, as keys for the answer of ``meterhub decode``.
    """

    code = "bad_frame"
    known: Mapping[str, object] = MappingProxyType({})


class Refused(FieldError):
    """The meter answered no. ``reply`` keeps its error code, ``reasons`` says it in words.

    ``seen`` are the values read back all the same, by entity key: where a valve stands that did not move.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        reply: str = "",
        reasons: tuple[str, ...] = (),
        where: str = "",
        hint: str = "",
        seen: Mapping[str, int | bool | str | None] = MappingProxyType({}),
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.reply = reply
        self.reasons = reasons
        self.seen = seen


class Dropped(FieldError):
    """The job was taken out of the queue before it ran: stale, cancelled, or the queue is full."""

    code = "dropped"
    status = 503


class ProviderError(MeterHubError):
    """Root of what can go wrong with a company that moves money or messages for us."""

    code = "provider"
    status = 502


class ProviderRefused(ProviderError):
    """The company said no, and nothing happened. ``reply`` keeps its code."""

    code = "provider_refused"

    def __init__(self, message: str, *, reply: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.reply = reply


class ProviderBusy(ProviderRefused):
    """The company said: not now. Nothing happened, and the same may be asked for again in a while."""

    code = "provider_busy"
    status = 503


class ProviderUnknown(ProviderError):
    """Nobody knows whether it happened: no answer, a fault at the company, an answer that cannot be verified."""

    code = "provider_unknown"
    status = 504


class BadInput(MeterHubError):
    """The caller's request is wrong."""

    code = "bad_input"
    status = 400


class NotLoggedIn(BadInput):
    """Nobody is logged in, or the token or session is unknown or over."""

    code = "not_logged_in"
    status = 401


class NotAllowed(BadInput):
    """The caller is known but lacks the permission at this place."""

    code = "not_allowed"
    status = 403


class NotFound(BadInput):
    """The thing named does not exist, or the caller may not know that it does."""

    code = "not_found"
    status = 404


class Conflict(BadInput):
    """The request contradicts what is there, such as an idempotency key with other content."""

    code = "conflict"
    status = 409


class NoticeRejected(BadInput):
    """A notice that proves nothing. ``why``: signature, probe, stale, merchant, amount, form."""

    code = "notice_rejected"

    def __init__(self, message: str, why: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.why = why


class NotGenuine(BadInput):
    """A message from outside that does not prove who sent it; nothing in it may be used.

    ``why``: signature, probe (wrong on purpose), stale, form.
    """

    code = "not_genuine"
    status = 401

    def __init__(self, message: str, why: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why


class TooLarge(BadInput):
    """The request body exceeds the limit."""

    code = "too_large"
    status = 413


class TooMany(BadInput):
    """Too many requests or attempts; ``hint`` says how long to wait, ``wait_s`` too where that is known."""

    code = "too_many"
    status = 429

    def __init__(self, message: str, *, where: str = "", hint: str = "", wait_s: int = 0) -> None:
        super().__init__(message, where=where, hint=hint)
        self.wait_s = wait_s


class StoreError(MeterHubError):
    """The store cannot keep what it was given (disk full, file damaged)."""

    code = "store"
    status = 503


class Misuse(MeterHubError):
    """Our own code, or a plugin, broke a rule of the house."""

    code = "misuse"

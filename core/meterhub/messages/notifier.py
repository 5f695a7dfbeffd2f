"""What a plugin for messages gives: a ``Notifier`` that sends one message to one person over some company.

A call ends in one of four ways: the company's number of the message, ``ProviderRefused`` (it was not sent and will not
be), ``ProviderBusy`` (it was not sent, for too much is sent just now), or ``ProviderUnknown`` (it may have been sent).
After the last one nothing is sent again: the hub asks what became of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from meterhub.money.provider import Notice, NoticeAnswer


class MessageState(StrEnum):
    """How far a message is. ``unknown``: the company may or may not have it."""

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


FINAL = (MessageState.DELIVERED, MessageState.FAILED)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``no`` is the hub's number, 8 to 32 letters and digits, stored before it is sent.

    ``to`` is a number with country code, such as ``+8613800000000``. ``template`` is the hub's name of the text
    (``credited``, ``refunded``); the texts themselves are approved by and kept at the company. ``params`` fill it.
    """

    no: str
    to: str
    template: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the company says became of a message. One of ``no`` and ``provider_id`` may be "" when it is not told."""

    no: str
    provider_id: str
    to: str
    state: MessageState
    reason: str = ""
    at_ms: int | None = None


Simulation = Callable[[Any, str], Awaitable[None]]


class Notifier(ABC):
    """One account at a company that carries messages. It keeps no state of messages itself."""

    name: str = ""
    """Its name in the list of messages and in the address for receipts; unique in a hub."""

    receipts_secret: str = ""
    """The unguessable end of the address for receipts, "" when none are taken: such receipts carry no signature."""

    simulate: Simulation | None = None
    """Plays the company on this machine, for ``simulate(world, receipts_url)``, until cancelled; None: it cannot."""

    @abstractmethod
    async def send(self, message: Message) -> str:
        """Send it and return the company's number.

        Raises ``ProviderRefused``, ``ProviderBusy`` or ``ProviderUnknown``.
        """

    @abstractmethod
    async def query(self, message: Message, provider_id: str, sent_ms: int) -> Receipt | None:
        """Ask what became of it, None when the company has no such message (yet). Raises ``ProviderError``."""

    @abstractmethod
    def parse_receipts(self, notice: Notice) -> Sequence[Receipt]:
        """The receipts that the company pushed. Pure. Raises ``NoticeRejected`` and nothing else."""

    @abstractmethod
    def receipt_answer(self, accepted: bool) -> NoticeAnswer:
        """The answer to pushed receipts: taken, or to be sent again."""

    @abstractmethod
    async def test(self) -> str:
        """Try keys and connection without sending: one sentence on what works; raises ``ProviderError``."""


def masked(number: str) -> str:
    """A telephone number as lists and logs show it: ``+86 138****0000``."""
    bare = number.removeprefix("+86")
    prefix = "+86 " if bare != number else ""
    return f"{prefix}{bare[:3]}****{bare[-4:]}" if len(bare) >= 9 else "****"

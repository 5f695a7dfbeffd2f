"""What a payment plugin gives: a ``PaymentType`` that opens merchant accounts.

Every call to the company ends in one of three ways: a statement, ``ProviderRefused`` (a definite no), or
``ProviderUnknown`` (nobody knows: time-out, 5xx, an answer that cannot be verified). The last one never changes money;
the core asks again later. Numbers given to the company are made by the core and stored before the call; they have 6 to
32 characters of ``[0-9A-Za-z]``. A call that is repeated with the same numbers must be the same payment or refund.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from pathlib import Path
from typing import Any

from meterhub.errors import ProviderRefused
from meterhub.money.statements import Bill, Funds, PaymentStatement, RefundStatement, Statement


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay with an account: ``qr``, ``h5``, ``jsapi``, ``page`` … as the plugin calls it."""

    name: str
    title: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to open. ``subject`` is what the payer sees, free of commas and of what companies refuse.

    ``notify_url`` and ``return_url`` are absolute, without a query. ``agent`` and ``client_ip`` are those of the
    payer's browser, ``payer`` the payer's id at the company where a way needs it (openid), else "".
    """

    no: str
    way: str
    amount_fen: int
    subject: str
    created_ms: int
    expires_ms: int
    notify_url: str
    return_url: str
    client_ip: str = ""
    agent: str = ""
    payer: str = ""
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class Checkout:
    """What the payer's page shows: a text to draw as a QR code, an address to go to, or parameters for a script.

    ``expires_ms`` is when it has to be asked for again, None for as long as the payment may be paid.
    """

    qr: str = ""
    url: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payment that was opened, as the core keeps it. ``transaction_id`` is "" until it is known."""

    no: str
    way: str
    amount_fen: int
    created_ms: int
    expires_ms: int
    transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to send back the way it came; ``refund_no`` stays the same however often it is asked for."""

    attempt: Attempt
    refund_no: str
    amount_fen: int
    reason: str
    notify_url: str
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class BankCard:
    """A bank card of the payer, for a refund that cannot go back the way it came. Stored nowhere; a second person sees
    the end of its number.

    ``bank`` is the bank's name at the company, such as ``ICBC_DEBIT``.
    """

    bank: str
    number: str = field(repr=False)
    holder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it arrived, body raw; header names in lower case. ``received_ms`` is for checks of freshness."""

    headers: Mapping[str, str]
    body: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class NoticeAnswer:
    """What the company wants to hear."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


class PaymentAccount(ABC):
    """One merchant account, opened from its section of ``payments:``. It keeps no money state of its own."""

    merchant: str = ""
    """The merchant's id at the company; with the company's transaction id it names a payment for ever."""
    zone: tzinfo | None = None
    """The zone in which the company counts the days of its bills; None: that of the site."""
    close_after_s: float = 0
    """The least time that the company wants between opening a payment and closing it."""
    refund_gap_s: float = 0
    """The least time that it wants between two refunds of one payment."""
    refund_known_after_s: float = 0
    """How long after a refund was asked for the company can say how it is."""

    @abstractmethod
    def ways(self, agent: str) -> Sequence[Way]:
        """The ways that suit a browser (its ``User-Agent``), the best one first."""

    def identify_url(self, way: str, back: str) -> str:
        """Where the payer's browser must go before ``way`` can be used, "" when it need not.

        The company sends it on to ``back`` with something for ``identify`` in the query.
        """
        return ""

    async def identify(self, query: Mapping[str, str]) -> str:
        """The payer's id at the company, from the query of the page that ``identify_url`` led back to.

        Raises ``ProviderRefused`` or ``ProviderUnknown``.
        """
        raise ProviderRefused("this company needs no id of the payer")

    @abstractmethod
    async def create(self, request: PaymentRequest) -> Checkout:
        """Open a payment, or open the same one again; raises ``ProviderRefused`` or ``ProviderUnknown``."""

    @abstractmethod
    async def query(self, attempt: Attempt) -> PaymentStatement:
        """What the company says of a payment now."""

    @abstractmethod
    async def close(self, attempt: Attempt) -> None:
        """Let it not be paid any more. Asked only after ``query`` said it is unpaid; ``query`` is asked again after.

        Raises ``ProviderRefused`` when it is paid already.
        """

    @abstractmethod
    async def refund(self, request: RefundRequest) -> RefundStatement:
        """Ask for a refund; repeated with the same number it is the same refund."""

    @abstractmethod
    async def query_refund(self, request: RefundRequest) -> RefundStatement:
        """What the company says of a refund now."""

    async def redirect_refund(self, request: RefundRequest, refund_id: str, card: BankCard | None) -> RefundStatement:
        """Send a refund that is ``ABNORMAL`` to a bank card of the payer, or (None) to the merchant's own account.

        ``refund_id`` is the company's number of it. Raises ``ProviderRefused`` or ``ProviderUnknown``.
        """
        raise ProviderRefused("this company sends a refund nowhere else", hint="handle it on the company's own pages")

    @abstractmethod
    def parse_notice(self, notice: Notice) -> Statement | None:
        """Verify a notice (signature, freshness, merchant, form) and say what it states; None: nothing of money.

        Pure: no I/O, nothing is changed. Raises ``NoticeRejected`` and nothing else.
        """

    @abstractmethod
    def notice_answer(self, accepted: bool) -> NoticeAnswer:
        """The answer to a notice: taken, or to be sent again."""

    @abstractmethod
    async def bill(self, day: date) -> Bill:
        """The bill of a day; raises ``ProviderUnknown`` while it is not ready."""

    async def funds(self, day: date) -> Funds | None:
        """The day in the merchant's account, which is to equal the bill; None where the company tells no such thing.

        Raises ``ProviderUnknown`` while it is not ready.
        """
        return None

    @abstractmethod
    async def test(self) -> str:
        """Try keys and connection without moving money: one sentence on what works; raises ``ProviderError``."""


Simulation = Callable[[Mapping[str, Mapping[str, Any]], Any], Awaitable[None]]
"""``simulate(accounts, world)``: options by account id, and the ``meterhub.sim.world.World``."""


@dataclass(frozen=True, slots=True)
class PaymentType:
    """A payment company that a plugin registers.

    ``schema``: voluptuous mapping of the keys that an entry of ``payments:`` of this type may have.
    ``open(ctx, options)`` makes an account of such an entry; it does no I/O and raises ``ConfigError`` for keys that
    do not fit each other. The tenant's page draws ``checkout.qr`` and a button to ``checkout.url``; ``template`` is a
    Jinja2 file for what else a way needs, given ``checkout``, ``order`` and ``_``, and ``script`` a script that the
    page loads with it. ``tint`` is the company's colour (``#1677ff``) beside its ways.
    ``simulate`` runs the company's sandbox for all accounts of the type until cancelled.
    """

    name: str
    title: Mapping[str, str]
    schema: Mapping[Any, Any]
    open: Callable[[Any, Mapping[str, Any]], PaymentAccount]
    template: Path | None = None
    script: Path | None = None
    tint: str = ""
    simulate: Simulation | None = None
    description: str = ""

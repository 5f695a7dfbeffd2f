"""The purses of prepaid meters: how each variant is asked for its state and told of a purchase.

========  =====================================================================  ==========================
variant   recharge, after the operator code of a security command (03)           the guard against twice
========  =====================================================================  ==========================
national  amount 4 binary, count 4, MAC 4, customer 6, MAC 4                      count = last count + 1
kede      amount 4 BCD, count 4 BCD, direction 1, zeros 13                        count = last count + 1
order     amount 4 binary, order number 8, zeros 4, meter address 6, zeros 4      the order number
========  =====================================================================  ==========================

Sources: the supplements of 2009 on for the first, one maker's code and captured traffic of 2025 for the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterhub.errors import BadInput, Refused
from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.formats import Format, Value, parse
from meterhub_dlt645.frame import PLUS_33, SECURITY, Frame
from meterhub_dlt645.signer import Signer

OPEN, RECHARGE, REFUND, STATUS = "070101FF", "070102FF", "070108FF", "078102FF"
MONEY, COUNT = parse("XXXXXX.XX"), parse("XXXX")


@dataclass(slots=True)
class Standing:
    """What a purse says. Money in fen; ``count`` is the number of the last purchase, None where the meter has none yet,
    does not tell it, or keeps no count. ``last`` is the amount of that purchase, None where the meter tells none."""

    count: int | None
    remaining: int | None
    overdrawn: int = 0
    last: int | None = None

    @property
    def balance(self) -> int | None:
        """What is left, negative in debt."""
        return None if self.remaining is None else self.remaining - self.overdrawn


@dataclass(frozen=True, slots=True)
class Purchase:
    """What should happen to a purse. ``number`` is the purchase count, or the order number."""

    identifier: str
    amount: int
    number: int
    customer: str = ""


class Purse(ABC):
    """One variant."""

    operator = "00000000"
    counts = True
    """Whether the meter keeps a purchase count that can be read."""
    most_number = (1 << 32) - 1
    refunds = False
    opens = True

    @abstractmethod
    def standing(self, talk: Talk) -> Dialogue[Standing]:
        """Ask for count and money."""

    @abstractmethod
    def content(self, talk: Talk, purchase: Purchase, signer: Signer, params: Mapping[str, Any]) -> bytes:
        """What follows the operator code; raises ``BadInput``."""


class National(Purse):
    """The supplements' own form; MACs by whoever signs."""

    def standing(self, talk: Talk) -> Dialogue[Standing]:
        """Count and amount of the last purchase record, remaining and overdrawn credit."""
        count = yield from _number(talk, "03330201", COUNT)
        last = (yield from _number(talk, "03330301")) if count else None
        remaining = yield from _number(talk, "00900200")
        overdrawn = yield from _number(talk, "00900201")
        return Standing(count, remaining, overdrawn or 0, last)

    def content(self, talk: Talk, purchase: Purchase, signer: Signer, params: Mapping[str, Any]) -> bytes:
        """Amount and count in binary, customer number in BCD."""
        what = purchase.amount.to_bytes(4, "little") + purchase.number.to_bytes(4, "little")
        customer = parse("DIGITS6").encode(purchase.customer or "0")
        one, two = signer.sign(purchase.identifier, what + customer, params)
        return what + one + customer + two


class Kede(Purse):
    """One maker's form without a security module; it can subtract as well."""

    operator = "00000001"
    most_number = 10**8 - 1
    refunds = True
    opens = False

    def standing(self, talk: Talk) -> Dialogue[Standing]:
        """Sign, remaining, total and count by the status query."""
        data = yield from secure(talk, STATUS, self.operator, b"")
        if len(data) != 11:
            raise Refused(f"the meter's purse status has {len(data)} bytes in place of 11", where=talk.where)
        count, money = COUNT.decode(data[9:11]), _whole(MONEY.decode(data[1:5]))
        negative = data[0] != 0 and money is not None
        return Standing(_whole(count), 0 if negative else money, money if negative and money else 0)

    def content(self, talk: Talk, purchase: Purchase, signer: Signer, params: Mapping[str, Any]) -> bytes:
        """Amount and count in BCD, 0 adds and 1 subtracts."""
        direction = purchase.identifier == REFUND
        count = parse("XXXXXXXX").encode(purchase.number)
        return MONEY.encode(purchase.amount) + count + bytes((direction,)) + bytes(13)


class Order(Purse):
    """Dial-in meters whose purchases carry an order number of up to 16 digits, and which keep no count."""

    operator = "11223344"
    counts = False
    most_number = 10**16 - 1
    refunds = True
    opens = False

    def standing(self, talk: Talk) -> Dialogue[Standing]:
        """Remaining and overdrawn credit of the status block."""
        data = yield from read_data(talk, "028011FF", 65)
        remaining, overdrawn = _whole(MONEY.decode(data[:4])), _whole(MONEY.decode(data[4:8]))
        return Standing(None, remaining, overdrawn or 0)

    def content(self, talk: Talk, purchase: Purchase, signer: Signer, params: Mapping[str, Any]) -> bytes:
        """Amount in binary, order number and meter address in BCD."""
        order = parse("DIGITS8").encode(f"{purchase.number}")
        one, two = signer.sign(purchase.identifier, order, params)
        return purchase.amount.to_bytes(4, "little") + order + one + talk.head[1:7] + two


PURSES: Mapping[str, Purse] = {"national": National(), "kede": Kede(), "order": Order()}


def operator_of(meter: Meter) -> str:
    """The operator code of a meter's security commands: that of its purse, unless the profile says another."""
    spec = meter.commands.get("meter.credit", {})
    known: str = spec.get("operator") or PURSES[spec.get("variant", "national")].operator
    return known


def secure(talk: Talk, identifier: str, operator: str, content: bytes, tries: int | None = None) -> Dialogue[bytes]:
    """A security command; the data behind the identifier of its answer. Raises ``Refused`` with the meter's reasons."""
    wire = bytes.fromhex(identifier)[::-1].translate(PLUS_33)
    data = wire + (bytes.fromhex(operator)[::-1] + content).translate(PLUS_33)
    ask = Ask(talk.frame(SECURITY, data), talk.answers(SECURITY, wire), tries=tries, answer_bytes=40, hold=True)
    reply: Frame = yield ask
    return talk.check(reply, mark("the purse command")).payload


def fen(text: str) -> int:
    """``100.00`` is 10000; raises ``BadInput`` for what is no positive amount of money."""
    whole, _, part = text.strip().partition(".")
    if not (whole + part).isdecimal() or not text.isascii() or len(part) > 2 or len(whole) > 6:
        raise BadInput(f"{text!r} is no amount", hint="such as 100.00, up to 999999.99")
    amount = int(whole or "0") * 100 + int(part.ljust(2, "0"))
    if amount == 0:
        raise BadInput("an amount of nothing cannot be credited")
    return amount


def _number(talk: Talk, identifier: str, form: Format = MONEY) -> Dialogue[int | None]:
    try:
        data = yield from read_data(talk, identifier, form.size)
    except Refused:
        return None
    return _whole(form.decode(data)) if len(data) == form.size else None


def _whole(value: Value) -> int | None:
    return value if isinstance(value, int) else None

"""The head of a record (its DIF, DIFEs, VIF and VIFEs) made ready for reading data with it.

A meter sends the same few heads for ever, so each is worked out once and kept by its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from typing import Any

from meterhub_mbus import dif, lvar
from meterhub_mbus.dif import DataInformation, data_information
from meterhub_mbus.meaning import OPAQUE, SIGNED, TIME, UNSIGNED, Meaning
from meterhub_mbus.number_types import bcd, real, signed, unsigned
from meterhub_mbus.times import BY_SIZE, Moment
from meterhub_mbus.vif import ValueInformation, value_information

Value = Decimal | str | Moment | None
Reader = Callable[[bytes], Value]
"""Data of a record to its typed value; None where there is none. Never raises for data of the right size."""

Integer = tuple[str, Callable[[int], Decimal]]
"""What ``struct`` calls an integer, and what makes the value of it."""

RawReader = Callable[[bytes], Decimal | int | None]

EXACT = Context(prec=400)
"""Wide enough for the largest number there is: 64 bytes have 155 digits."""

STRUCT_CODES = {1: "b", 2: "h", 4: "i", 7: "q"}
"""By the data field of the DIF."""


@dataclass(slots=True)
class Head:
    """What is the same for every record with this head. Never changed once made.

    ``size``: bytes of data, -1 where the first of them says it. ``code``: VIF and VIFEs in hex. ``error``: why records
    with this head have no value. ``holds_value``: False where the data are bytes for other purposes, or there are none.
    ``profile``: the kind of compact profile that the data are, 0 for none.
    """

    size: int
    read: Reader
    function: str
    storage: int | None = None
    tariff: int | None = None
    device: int | None = None
    quantity: str | None = None
    unit: str | None = None
    modifiers: tuple[str, ...] = ()
    code: str = ""
    error: str = ""
    holds_value: bool = True
    profile: int = 0
    meaning: Meaning | None = None
    integer: Integer | None = None
    """Where the data are an integer that ``struct`` can read: the quick way to the value."""
    template: dict[str, Any] = field(init=False)
    """A record with this head as a JSON object, but for its value; copied for each record, all in it unchangeable."""

    def __post_init__(self) -> None:
        self.template = {
            "quantity": self.quantity,
            "value": None,
            "unit": self.unit,
            "storage": self.storage,
            "tariff": self.tariff,
            "device": self.device,
            "function": self.function,
            "modifiers": self.modifiers,
            "valid": True,
            "code": self.code,
            "raw": "",
        }


def make_head(dib: bytes, vib: bytes, text: str | None, extensions: bytes, from_master: bool) -> Head:
    """Work out the head whose two blocks these are; ``text`` and ``extensions`` are parts of ``vib``."""
    data = data_information(dib)
    value = value_information(vib[0], text, extensions, from_master)
    meaning = value.meaning
    return Head(
        size=data.size,
        read=make_reader(data, value),
        function=data.function,
        storage=data.storage,
        tariff=data.tariff,
        device=data.device,
        quantity=meaning.quantity,
        unit=meaning.unit,
        modifiers=value.modifiers,
        code=vib.hex().upper(),
        error=value.error,
        holds_value=data.size != 0 and meaning.coding != OPAQUE and not value.profile,
        profile=value.profile,
        meaning=meaning,
        integer=quick_integer(data, value),
    )


def nothing(raw: bytes) -> None:
    """The reader of data without a value."""


def make_reader(data: DataInformation, value: ValueInformation) -> Reader:
    """What turns the data of a record into its value."""
    meaning = value.meaning
    if value.error or value.profile or not data.size or meaning.coding == OPAQUE:
        return nothing
    if meaning.coding == TIME:
        return BY_SIZE.get(data.size, nothing) if data.coding in dif.INTEGERS else nothing
    if data.coding == dif.VARIABLE:
        return _variable(scaled(lvar.number, value))
    return scaled(raw_reader(data.coding, meaning.coding == UNSIGNED), value)


def raw_reader(coding: int, is_unsigned: bool) -> RawReader:
    """What turns data into the number that the meter sent, before any scale."""
    if coding == dif.REAL:
        return real
    if coding in dif.INTEGERS:
        return unsigned if is_unsigned else signed
    return bcd


def scaled(read: RawReader, value: ValueInformation) -> Callable[[bytes], Decimal | None]:
    """``read``, then times multiplier and power of ten, plus the addend; exact.

    Negative powers of ten move the point and keep the zeros: 250 times 0.01 is 2.50.
    """
    factor, addend, multiply = factor_of(value.meaning), value.addend, EXACT.multiply

    def number(raw: bytes) -> Decimal | None:
        result = read(raw)
        return None if result is None else multiply(result, factor)

    def number_plus(raw: bytes) -> Decimal | None:
        result = number(raw)
        return None if result is None else EXACT.add(result, addend)

    return number_plus if addend else number


def factor_of(meaning: Meaning) -> Decimal:
    """What a number is multiplied with."""
    return Decimal(meaning.multiplier * 10 ** max(meaning.exponent, 0)).scaleb(min(meaning.exponent, 0))


def quick_integer(data: DataInformation, value: ValueInformation) -> Integer | None:
    """The way past the reader for integers of 1, 2, 4 and 8 bytes with nothing but a factor.

    They have at most 20 digits: with a factor of up to eight they fit into the ordinary context of decimals.
    """
    factor, meaning = factor_of(value.meaning), value.meaning
    has_number = meaning.coding in (SIGNED, UNSIGNED) and not (value.error or value.profile or value.addend)
    if data.coding not in STRUCT_CODES or not has_number or factor.adjusted() > 7:
        return None
    code = STRUCT_CODES[data.coding]
    return code.upper() if meaning.coding == UNSIGNED else code, factor.__mul__


def _variable(read_number: Reader) -> Reader:
    """Text, or a number, as the first byte says."""

    def read(raw: bytes) -> Value:
        return lvar.text(raw) if raw[0] <= lvar.MOST_TEXT else read_number(raw)

    return read


def reversed_head(head: Head) -> Head:
    """``head`` for data whose numbers have their high byte first."""
    read = head.read
    if head.size < 0:
        return replace(head, read=lambda raw: read(raw[:1] + raw[:0:-1]), integer=None)
    return replace(head, read=lambda raw: read(raw[::-1]), integer=None)

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
from meterhub_mbus.meaning import OPAQUE, TIME, UNSIGNED, Meaning
from meterhub_mbus.number_types import bcd, real, signed, unsigned
from meterhub_mbus.times import BY_SIZE, Moment
from meterhub_mbus.vif import ValueInformation, value_information

Value = Decimal | str | Moment | None
Reader = Callable[[bytes], Value]
"""Data of a record to its typed value; None where there is none. Never raises for data of the right size."""

RawReader = Callable[[bytes], Decimal | int | None]

EXACT = Context(prec=400)
"""Wide enough for the largest number there is: 64 bytes have 155 digits."""

SHORT_READERS = frozenset({signed, unsigned, bcd, real})
"""They give at most 20 digits, which with a factor below 10 ** 8 fit into the 28 of the ordinary context."""


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
    template: dict[str, Any] = field(init=False)
    """A record with this head as a JSON object, but for its value."""

    def __post_init__(self) -> None:
        self.template = {
            "quantity": self.quantity,
            "value": None,
            "unit": self.unit,
            "storage": self.storage,
            "tariff": self.tariff,
            "device": self.device,
            "function": self.function,
            "modifiers": list(self.modifiers),
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
    meaning, addend = value.meaning, value.addend
    factor = Decimal(meaning.multiplier * 10 ** max(meaning.exponent, 0)).scaleb(min(meaning.exponent, 0))
    if not addend and factor.adjusted() < 8 and read in SHORT_READERS:
        return _short_signed(factor) if read is signed else _short(read, factor)

    def number(raw: bytes) -> Decimal | None:
        result = read(raw)
        return None if result is None else EXACT.add(EXACT.multiply(result, factor), addend)

    return number


def _short(read: RawReader, factor: Decimal) -> Callable[[bytes], Decimal | None]:
    """For numbers that with ``factor`` have no more digits than the ordinary context of decimals, which is faster."""

    def number(raw: bytes) -> Decimal | None:
        result = read(raw)
        return None if result is None else result * factor

    return number


def _short_signed(factor: Decimal) -> Callable[[bytes], Decimal | None]:
    """The same for ``signed``, which most records are: one call less for each of them."""

    def number(raw: bytes) -> Decimal | None:
        return int.from_bytes(raw, "little", signed=True) * factor

    return number


def _variable(read_number: Reader) -> Reader:
    """Text, or a number, as the first byte says."""

    def read(raw: bytes) -> Value:
        return lvar.text(raw) if raw[0] <= lvar.MOST_TEXT else read_number(raw)

    return read


def reversed_head(head: Head) -> Head:
    """``head`` for data whose numbers have their high byte first."""
    read = head.read
    if head.size < 0:
        return replace(head, read=lambda raw: read(raw[:1] + raw[:0:-1]))
    return replace(head, read=lambda raw: read(raw[::-1]))

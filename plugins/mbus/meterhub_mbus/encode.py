"""Values to the data of records: what a master writes, and what a simulated meter sends.

The other way round than ``head.py``: the head of the record (DIF to last VIFE) is given, its data are made.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from meterhub.errors import BadInput
from meterhub.texts import mark
from meterhub_mbus import dif
from meterhub_mbus.dif import EXTENSION
from meterhub_mbus.head import Head, make_head
from meterhub_mbus.meaning import TIME

BCD = {0x09, 0x0A, 0x0B, 0x0C, 0x0E}
MOMENT_SIZES = {2: "a date", 4: "a date and time", 6: "a date and time"}


def head_of(block: bytes) -> Head:
    """The head that the bytes from DIF to last VIFE mean when a meter sends them. Raises ``BadInput``."""
    at = chain_end(block, 0)
    if at >= len(block) or chain_end(block, at) != len(block):
        raise BadInput(f"{block.hex().upper()} is no DIF and VIF")
    vib = block[at:]
    head = make_head(block[:at], vib, None, vib[1:], False)
    if head.size <= 0 or vib[0] & ~EXTENSION == 0x7C:
        raise BadInput(f"{block.hex().upper()}: records of variable length are not written")
    return head


def encode(block: bytes, text: str) -> bytes:
    """The whole record for a value as people write it, in the unit of the record. Raises ``BadInput``."""
    head = head_of(block)
    meaning = head.meaning
    if meaning is not None and meaning.coding == TIME:
        return block + moment_data(_moment(text), head.size)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"a number is expected, not {text!r}") from None
    if meaning is not None:
        value = value / meaning.multiplier
        value = value.scaleb(-meaning.exponent)
    if value != value.to_integral_value():
        raise BadInput(f"{text} has more digits than the meter can take")
    return block + number_data(int(value), block[0] & 0x0F, head.size)


def number_data(number: int, coding: int, size: int) -> bytes:
    """A number in the coding of a DIF. Raises ``BadInput`` for one that does not fit or a coding for other things."""
    if coding in BCD:
        digits = f"{abs(number):0{2 * size}d}"
        if number < 0:
            digits = "F" + digits[1:] if digits[0] == "0" else digits + "0"
        if len(digits) > 2 * size:
            raise BadInput(f"{number} needs more than {2 * size} digits")
        return bytes.fromhex(digits)[::-1]
    if coding not in dif.INTEGERS:
        raise BadInput("only numbers and times are written")
    try:
        return number.to_bytes(size, "little", signed=number < 0)
    except OverflowError:
        raise BadInput(f"{number} does not fit into {size} bytes") from None


def moment_data(moment: date, size: int) -> bytes:
    """A date (type G), or a date and time (F, I), by its size in bytes. EN 13757-3, annex A."""
    year = moment.year % 100
    day = bytes((moment.day | (year & 7) << 5, moment.month | (year & 0x78) << 1))
    if size == 2:
        return day
    if not isinstance(moment, datetime) or size not in MOMENT_SIZES:
        raise BadInput("a date and time is expected, such as 2026-03-28T23:59")
    if size == 4:
        return bytes((moment.minute, moment.hour)) + day
    return bytes((moment.second, moment.minute, moment.hour | moment.isoweekday() << 5)) + day + b"\x00"


def _moment(text: str) -> date:
    try:
        return datetime.fromisoformat(text) if len(text) > 10 else date.fromisoformat(text)
    except ValueError:
        hint = mark("such as 2026-03-28 or 2026-03-28T23:59")
        raise BadInput(f"a date or a time is expected, not {text!r}", hint=hint) from None


def chain_end(block: bytes, at: int) -> int:
    """Behind the chain of bytes that begins at ``at``: each but the last has its extension bit set.

    The code behind FB or FD belongs to the chain by its very bit.
    """
    while at < len(block) and block[at] & EXTENSION:
        at += 1
    return at + 1

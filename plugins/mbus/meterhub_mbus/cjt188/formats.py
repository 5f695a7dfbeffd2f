"""Value formats of CJ/T 188: wire bytes, low byte first, to typed values and back.

============  ==============================================  ========================
format        wire                                            value
============  ==============================================  ========================
``XXXX.XX``   BCD digits                                      scaled int
``UINT8``     a binary number                                 int
``UINT32BE``  the same, high byte first, as some makers do    int
``DAY``       a day of a month in BCD                         int, 1 to 31
``TIME``      ss mm hh DD MM YY CC in BCD                     ISO text
``DIGITS7``   an address: digits, in hex where a maker does   text, high first
``VALVE``     55 open, 99 close, others are makers' own       text
``STATUS``    ST0 ST1                                         hex, as on the wire
``SECRET8``   a key                                           never shown
``HEX4``      bytes as they are                               hex, as on the wire
============  ==============================================  ========================

FF and 99 in all bytes of a register, digits that are no BCD, and impossible times (a clock of all zeros is one) decode
to None: no value, never a number.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from meterhub.errors import BadInput

Value = int | str | None
"""A decoded value: scaled integer, text, or None when the bytes hold no value."""
REGISTER_BYTES = 4
"""Of a register as long as this, nines only are a filler and no reading."""


class Format(ABC):
    """One encoding of ``size`` bytes. ``decimals`` is the scale of its integers."""

    __slots__ = ("size", "text")
    decimals = 0

    def __init__(self, text: str, size: int) -> None:
        self.text = text
        self.size = size

    @abstractmethod
    def decode(self, data: bytes) -> Value:
        """The value of exactly ``size`` bytes, or None when they hold none. Never raises."""

    @abstractmethod
    def encode(self, value: int | str) -> bytes:
        """The bytes of a value; raises ``BadInput`` when it does not fit."""

    def show(self, value: int | str) -> str:
        """The value as decimal string or text."""
        return with_point(value, self.decimals) if isinstance(value, int) else value

    def _unfit(self, value: object) -> BadInput:
        return BadInput(f"{value!r} does not fit the format {self.text}")


class Bcd(Format):
    """BCD digits with an implied decimal point."""

    __slots__ = ("decimals",)

    def __init__(self, text: str) -> None:
        self.decimals = len(text.partition(".")[2])
        super().__init__(text, text.count("X") // 2)

    def decode(self, data: bytes) -> int | None:
        """The scaled integer."""
        digits = data[::-1].hex()
        if not digits.isdigit() or (self.size >= REGISTER_BYTES and not digits.strip("9")):
            return None
        return int(digits)

    def encode(self, value: int | str) -> bytes:
        """Takes the scaled integer."""
        digits = f"{value:0{2 * self.size}d}" if isinstance(value, int) else ""
        if len(digits) != 2 * self.size or not digits.isdecimal():
            raise self._unfit(value)
        return bytes.fromhex(digits)[::-1]


class Day(Format):
    """The day of a month."""

    __slots__ = ()

    def decode(self, data: bytes) -> int | None:
        """1 to 31."""
        digits = data.hex()
        return int(digits) if digits.isdigit() and 1 <= int(digits) <= 31 else None

    def encode(self, value: int | str) -> bytes:
        """Takes 1 to 31."""
        if not isinstance(value, int) or not 1 <= value <= 31:
            raise self._unfit(value)
        return bytes.fromhex(f"{value:02d}")


class Binary(Format):
    """A binary number."""

    __slots__ = ("order",)

    def __init__(self, text: str, bits: int, big: bool) -> None:
        self.order = "big" if big else "little"
        super().__init__(text, bits // 8)

    def decode(self, data: bytes) -> int:
        """Every pattern is a number."""
        return int.from_bytes(data, "big" if self.order == "big" else "little")

    def encode(self, value: int | str) -> bytes:
        """Takes what is not negative and fits."""
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * self.size:
            raise self._unfit(value)
        return value.to_bytes(self.size, "big" if self.order == "big" else "little")


class Time(Format):
    """Date and time of the meter's own zone."""

    __slots__ = ()

    def decode(self, data: bytes) -> str | None:
        """ISO text."""
        digits = data[::-1].hex()
        if not digits.isdigit():
            return None
        try:
            return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}").isoformat()
        except ValueError:
            return None

    def encode(self, value: int | str) -> bytes:
        """Takes ISO text, with a blank or a T between date and time."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise self._unfit(value) from None
        return bytes.fromhex(f"{moment.year:04d}{moment:%m%d%H%M%S}")[::-1]


class Hex(Format):
    """Bytes as they are; ``reverse`` puts the last one first, as addresses are written."""

    __slots__ = ("reverse",)

    def __init__(self, text: str, size: int, reverse: bool = False) -> None:
        self.reverse = reverse
        super().__init__(text, size)

    def decode(self, data: bytes) -> str:
        """Upper-case hex."""
        return (data[::-1] if self.reverse else data).hex().upper()

    def encode(self, value: int | str) -> bytes:
        """Takes hex of the full length."""
        try:
            data = bytes.fromhex(str(value))
        except ValueError:
            data = b""
        if len(data) != self.size:
            raise self._unfit(value)
        return data[::-1] if self.reverse else data


class Secret(Hex):
    """A key."""

    __slots__ = ()

    def show(self, value: int | str) -> str:
        """Stars."""
        return "********"


VALVE_WORDS = {0x55: "open", 0x99: "close"}


class Valve(Format):
    """What a valve is told."""

    __slots__ = ()

    def decode(self, data: bytes) -> str:
        """``open``, ``close``, or ``vendor`` with the byte."""
        return VALVE_WORDS.get(data[0], f"vendor {data[0]:02X}")

    def encode(self, value: int | str) -> bytes:
        """The inverse."""
        for code, word in VALVE_WORDS.items():
            if value == word:
                return bytes((code,))
        if match := re.fullmatch(r"vendor ([0-9A-F]{2})", str(value)):
            return bytes.fromhex(match[1])
        raise self._unfit(value)


def with_point(value: int, decimals: int) -> str:
    """A scaled integer as decimal string, with exactly ``decimals`` decimals; negative ``decimals`` are tens."""
    if decimals <= 0:
        return str(value * 10**-decimals)
    digits = f"{abs(value):0{decimals + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def scaled(shown: str, decimals: int) -> int:
    """``12.5`` with two decimals is 1250; raises ``BadInput`` for more decimals, a sign or no number."""
    whole, _, part = shown.strip().partition(".")
    if not (whole + part).isdecimal() or not shown.isascii() or not whole or len(part) > decimals or len(whole) > 12:
        raise BadInput(f"a number with at most {decimals} decimals is expected, not {shown[:40]!r}")
    return int(whole + part.ljust(decimals, "0"))


NAMED: dict[str, Callable[[str], Format]] = {
    "DAY": lambda text: Day(text, 1),
    "TIME": lambda text: Time(text, 7),
    "DIGITS7": lambda text: Hex(text, 7, True),
    "VALVE": lambda text: Valve(text, 1),
    "STATUS": lambda text: Hex(text, 2),
    "SECRET8": lambda text: Secret(text, 8),
}


@lru_cache(maxsize=256)
def parse(text: str) -> Format:
    """The format that ``text`` names; raises ``ValueError`` for an unknown one."""
    if text in NAMED:
        return NAMED[text](text)
    if re.fullmatch(r"X+(\.X+)?", text) and text.count("X") % 2 == 0 and len(text) <= 24:
        return Bcd(text)
    if match := re.fullmatch(r"UINT(8|16|24|32)(BE)?", text):
        return Binary(text, int(match[1]), bool(match[2]))
    if match := re.fullmatch(r"HEX(\d{1,2})", text):
        return Hex(text, int(match[1]))
    raise ValueError(f"unknown format {text}")

"""Value formats of DL/T 645: wire bytes (after -33H, low byte first) to typed values and back.

==============  ======================================================  =====================
format          wire                                                    value
==============  ======================================================  =====================
``XXXXXX.XX``   BCD digits                                              scaled int
``-XX.XXXX``    the same, top bit of the highest byte is the sign       scaled int
``UINT32.2``    binary number, with decimals after the point            scaled int
``BIN16``       bits                                                    int
``YYMMDDhhmm``  BCD parts of a date and time                            ISO text
``DIGITS6``     BCD digits of a number that is a name                   digits, high first
``HEX4``        bytes as they are                                       hex, high first
``ASCII32``     text, last character first, padded with 00 or 20        text
==============  ======================================================  =====================

Filler FF, digits that are no BCD and impossible dates decode to None: no value, never a number (facts: the standard,
clause on data fields; fillers seen in captured traffic).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from meterhub.errors import BadInput

Value = int | str | None
"""A decoded value: scaled integer, text, or None when the bytes hold no value."""


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
        return str(value)

    def _unfit(self, value: object) -> BadInput:
        return BadInput(f"{value!r} does not fit the format {self.text}")


class Number(Format):
    """BCD with an implied decimal point; ``signed`` takes the top bit of the highest byte as minus sign."""

    __slots__ = ("decimals", "digits", "of_digits", "signed")

    def __init__(self, text: str) -> None:
        digits = text.lstrip("-")
        self.signed = text.startswith("-")
        self.digits = digits.count("X")
        self.decimals = len(digits.partition(".")[2])
        self.of_digits: Callable[[str], int | None] = signed_number if self.signed else unsigned_number
        """The scaled integer of hex digits, high first."""
        super().__init__(text, self.digits // 2)

    def decode(self, data: bytes) -> int | None:
        """The scaled integer."""
        return self.of_digits(data[::-1].hex())

    def encode(self, value: int | str) -> bytes:
        """BCD, low byte first."""
        if not isinstance(value, int) or (value < 0 and not self.signed):
            raise self._unfit(value)
        text = f"{abs(value):0{self.digits}d}"
        if len(text) > self.digits or (self.signed and text[0] > "7"):
            raise self._unfit(value)
        data = bytearray.fromhex(text)
        if value < 0:
            data[0] |= 0x80
        return bytes(data[::-1])

    def show(self, value: int | str) -> str:
        """``123456`` of two decimals is ``1234.56``."""
        return with_point(int(value), self.decimals)


def unsigned_number(digits: str) -> int | None:
    """The number of decimal digits; None when one is none."""
    return int(digits) if digits.isdigit() else None


def signed_number(digits: str) -> int | None:
    """The same with the top bit as sign; it is no digit, so that the first one goes up to 7 only."""
    first = int(digits[0], 16)
    if first < 8:
        return unsigned_number(digits)
    number = unsigned_number(f"{first - 8}{digits[1:]}")
    return None if number is None else -number


class Binary(Format):
    """A binary number, low byte first; used where the supplements count in cents or seconds."""

    __slots__ = ("decimals",)

    def __init__(self, text: str, bits: int, decimals: int) -> None:
        self.decimals = decimals
        super().__init__(text, bits // 8)

    def decode(self, data: bytes) -> int | None:
        """The scaled integer; all FF is no value."""
        return None if data.count(0xFF) == len(data) else int.from_bytes(data, "little")

    def encode(self, value: int | str) -> bytes:
        """The bytes, low first."""
        if not isinstance(value, int) or not 0 <= value < (1 << 8 * self.size) - 1:
            raise self._unfit(value)
        return value.to_bytes(self.size, "little")

    def show(self, value: int | str) -> str:
        """With its decimal point."""
        return with_point(int(value), self.decimals)


class Bits(Format):
    """A word of bits, shown in hex (``0x0050``). All FF is a word like any other."""

    __slots__ = ()

    def decode(self, data: bytes) -> int:
        """The word as integer."""
        return int.from_bytes(data, "little")

    def encode(self, value: int | str) -> bytes:
        """Takes the integer or its hex text."""
        try:
            return (
                int(value, 16).to_bytes(self.size, "little")
                if isinstance(value, str)
                else value.to_bytes(self.size, "little")
            )
        except (ValueError, OverflowError):
            raise self._unfit(value) from None

    def show(self, value: int | str) -> str:
        """Hex with leading zeros."""
        return f"0x{int(value):0{2 * self.size}X}"


class Digits(Format):
    """BCD digits that are a name: addresses, numbers of customers. Text with its leading zeros."""

    __slots__ = ()

    def decode(self, data: bytes) -> str | None:
        """The digits, high first."""
        text = data[::-1].hex()
        return text if text.isdigit() else None

    def encode(self, value: int | str) -> bytes:
        """Pads with zeros on the left."""
        text = str(value).zfill(2 * self.size)
        if len(text) != 2 * self.size or not (text.isdecimal() and text.isascii()):
            raise self._unfit(value)
        return bytes.fromhex(text)[::-1]


class Raw(Format):
    """Bytes as they are, such as identifiers and operator codes: hex text, high byte first."""

    __slots__ = ()

    def decode(self, data: bytes) -> str | None:
        """Upper-case hex; all FF is no value."""
        return None if data.count(0xFF) == len(data) else data[::-1].hex().upper()

    def encode(self, value: int | str) -> bytes:
        """Takes hex text of the full length."""
        try:
            data = bytes.fromhex(str(value))
        except ValueError:
            raise self._unfit(value) from None
        if len(data) != self.size:
            raise self._unfit(value)
        return data[::-1]


class Ascii(Format):
    """Text that travels with its last character first, padded with 00 or blanks."""

    __slots__ = ()

    def decode(self, data: bytes) -> str | None:
        """The text without padding; None when a byte is no printable ASCII."""
        text = data[::-1].strip(b"\x00 ")
        return text.decode("ascii") if all(0x20 <= byte < 0x7F for byte in text) else None

    def encode(self, value: int | str) -> bytes:
        """Pads with 00 behind the text."""
        text = str(value)
        if len(text) > self.size or not text.isascii() or not text.isprintable():
            raise self._unfit(value)
        return text.encode().ljust(self.size, b"\x00")[::-1]


class Moment(Format):
    """BCD parts of a date and time, such as ``YYMMDDhhmm``; NN is a table or tariff number, WW the weekday."""

    __slots__ = ("parts",)

    def __init__(self, text: str) -> None:
        self.parts = re.findall("..", text)
        super().__init__(text, len(self.parts))

    def decode(self, data: bytes) -> str | None:
        """ISO text where there is a year or a time of day, else ``MM-DD``, ``DD hh:00`` … None for impossible ones.

        The weekday follows from the date and is left out.
        """
        digits = data[::-1].hex()
        if not digits.isdigit():
            return None
        part = {name: digits[2 * place : 2 * place + 2] for place, name in enumerate(self.parts)}
        if not possible(part):
            return None
        day = "-".join(part[name] for name in ("YY", "MM", "DD") if name in part)
        time = ":".join(part[name] for name in ("hh", "mm", "ss") if name in part)
        if time and "mm" not in part:
            time += ":00"
        text = " ".join(filter(None, (day, time)))
        if "YY" in part:
            text = "20" + text.replace(" ", "T")
        return f"{text} {part['NN']}" if "NN" in part else text

    def encode(self, value: int | str) -> bytes:
        """The inverse of ``decode``; the weekday (00 Sunday) is worked out from the date."""
        numbers = re.findall(r"\d+", str(value))
        names = [name for name in self.parts if name != "WW"]
        if "YY" in names and numbers and len(numbers[0]) == 4 and numbers[0].startswith("20"):
            numbers[0] = numbers[0][2:]
        if names[-1] == "hh" and len(numbers) == len(names) + 1 and numbers[-1] == "00":
            numbers.pop()
        part = dict(zip(names, (one.zfill(2) for one in numbers), strict=False))
        if len(numbers) != len(names) or any(len(one) != 2 for one in part.values()) or not possible(part):
            raise self._unfit(value)
        if "WW" in self.parts:
            weekday = date(2000 + int(part["YY"]), int(part["MM"]), int(part["DD"])).isoweekday() % 7
            part["WW"] = f"{weekday:02d}"
        return bytes.fromhex("".join(part[name] for name in self.parts))[::-1]


KINDS: dict[str, type[Digits] | type[Raw] | type[Ascii]] = {"DIGITS": Digits, "HEX": Raw, "ASCII": Ascii}

LIMITS = {"MM": (1, 12), "DD": (1, 31), "hh": (0, 23), "mm": (0, 59), "ss": (0, 59)}


def possible(part: dict[str, str]) -> bool:
    """Whether the parts (two digits each) can be a date and time."""
    for name, (least, most) in LIMITS.items():
        if name in part and not least <= int(part[name]) <= most:
            return False
    if "YY" in part and "DD" in part:
        try:
            date(2000 + int(part["YY"]), int(part["MM"]), int(part["DD"]))
        except ValueError:
            return False
    return True


def with_point(value: int, decimals: int) -> str:
    """A scaled integer as decimal string, with exactly ``decimals`` decimals."""
    if decimals == 0:
        return str(value)
    digits = f"{abs(value):0{decimals + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


@lru_cache(maxsize=256)
def parse(text: str) -> Format:
    """The format that ``text`` names; raises ``ValueError`` for an unknown one."""
    if re.fullmatch(r"-?X+(\.X+)?", text) and text.count("X") % 2 == 0:
        return Number(text)
    if match := re.fullmatch(r"UINT(\d+)(?:\.(\d))?", text):
        return Binary(text, int(match[1]), int(match[2] or 0))
    if re.fullmatch(r"(YY|MM|DD|WW|hh|mm|ss|NN)+", text):
        return Moment(text)
    if match := re.fullmatch(r"(BIN|DIGITS|HEX|ASCII)(\d+)", text):
        number = int(match[2])
        if match[1] == "BIN":
            return Bits(text, number // 8)
        return KINDS[match[1]](text, number)
    raise ValueError(f"unknown format {text}")

"""Addresses of meters on an M-Bus line as people write them, and as they go over the wire.

====================================  ==========================================================================
``5``, ``p5``                         primary address, 1 to 250; 0 is a meter as it left the factory, 254 any meter
``12345678``                          secondary address: the identification number alone
``12345678-KAM-01-07``                with maker, version and medium (hex); ``*`` for what does not matter
``1234FFFF-KAM``                      F stands for any digit; parts that are left out do not matter
``12345678-KAM-01-07#01020304``       with the fabrication number, where two meters share all of that
``1234567824400107``                  the 16 hex digits of other programs: number, maker as on the wire, version, medium
====================================  ==========================================================================

A maker that is no three letters is written as the four hex digits of its number: ``12345678-0477``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meterhub.errors import ConfigError
from meterhub.texts import mark

SELECTED, ANY_METER, EVERYBODY = 253, 254, 255
PRIMARY = re.compile(r"[pP]?(\d{1,3})")
PACKED = re.compile(r"[0-9A-Fa-f]{16}")
SECONDARY = re.compile(
    r"([0-9A-Fa-f]{8})(?:-([A-Za-z]{3}|[0-9A-Fa-f]{4}|\*))?(?:-([0-9A-Fa-f]{2}|\*))?(?:-([0-9A-Fa-f]{2}|\*))?"
    r"(?:#([0-9A-Fa-f]{8}))?"
)
HINT = mark("such as 5, 12345678, 12345678-KAM-01-07 or 1234FFFF")


@dataclass(frozen=True, slots=True)
class Address:
    """``primary`` is what stands in the frames. ``secondary`` has the 8 bytes that select a meter, F and FF where
    they do not matter, and ``fabrication`` the 4 bytes of its fabrication number; b'' where there is none."""

    primary: int
    secondary: bytes = b""
    fabrication: bytes = b""

    def fits(self, secondary: bytes) -> bool:
        """Whether a meter with these 8 bytes is selected by this address."""
        return fits(self.secondary, secondary)

    def __str__(self) -> str:
        """The canonical text."""
        if not self.secondary:
            return str(self.primary)
        more = f"#{self.fabrication[::-1].hex().upper()}" if self.fabrication else ""
        return shown(self.secondary) + more


def parse(text: str) -> Address:
    """The address that a text means; raises ``ConfigError``."""
    primary = PRIMARY.fullmatch(text)
    if primary is not None:
        number = int(primary[1])
        if number > 250 and number != ANY_METER:
            raise ConfigError(mark(f"a primary address is 0 to 250, or 254 for any meter, not {text!r}"))
        return Address(number)
    if PACKED.fullmatch(text):
        packed = bytes.fromhex(text)
        return Address(SELECTED, packed[3::-1] + packed[4:])
    parts = SECONDARY.fullmatch(text)
    if parts is None:
        raise ConfigError(mark(f"{text!r} is no address of an M-Bus meter"), hint=HINT)
    number_, maker, version, medium, fabrication = parts.groups()
    secondary = bytes.fromhex(number_)[::-1] + _maker(maker) + _byte(version) + _byte(medium)
    return Address(SELECTED, secondary, bytes.fromhex(fabrication or "")[::-1])


def shown(secondary: bytes) -> str:
    """The canonical text of the 8 bytes; parts at the end that do not matter are left out."""
    number, maker, version, medium = secondary[3::-1].hex().upper(), secondary[4:6], secondary[6], secondary[7]
    parts = [
        number,
        "*" if maker == b"\xff\xff" else maker_name(maker),
        "*" if version == 0xFF else f"{version:02X}",
        "*" if medium == 0xFF else f"{medium:02X}",
    ]
    while parts[-1] == "*":
        parts.pop()
    return "-".join(parts)


def maker_name(wire: bytes) -> str:
    """The three letters of a maker, or four hex digits where its number holds none (EN 13757-3: five bits each)."""
    number = int.from_bytes(wire, "little")
    letters = "".join(chr(64 + (number >> shift & 31)) for shift in (10, 5, 0))
    return letters if number < 0x8000 and letters.isalpha() else f"{number:04X}"


def fits(pattern: bytes, secondary: bytes) -> bool:
    """Whether 8 bytes are among those that ``pattern`` selects: a digit F of the number, FFFF, FF and FF fit all."""
    number = zip(pattern[:4].hex(), secondary[:4].hex(), strict=True)
    return (
        all(wanted in ("f", digit) for wanted, digit in number)
        and pattern[4:6] in (b"\xff\xff", secondary[4:6])
        and pattern[6] in (0xFF, secondary[6])
        and pattern[7] in (0xFF, secondary[7])
    )


def _maker(text: str | None) -> bytes:
    if text is None or text == "*":
        return b"\xff\xff"
    if len(text) == 4:
        return int(text, 16).to_bytes(2, "little")
    first, second, third = (ord(letter) - 64 for letter in text.upper())
    return (first << 10 | second << 5 | third).to_bytes(2, "little")


def _byte(text: str | None) -> bytes:
    return b"\xff" if text is None or text == "*" else bytes.fromhex(text)

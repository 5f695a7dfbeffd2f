"""How the meters that one secondary address selects are told apart: the narrower addresses to try, axis by axis.

The number is narrowed digit by digit, A to E among them: such numbers exist. Maker, version and medium have no digits
that could be left open (EN 13757-3, 11.3), so that whole values are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from meterhub_mbus.address import SELECTED, Address

DIGITS = "0123456789abcde"
OPEN = "f"
ANY_MAKER, ANY_BYTE = b"\xff\xff", 0xFF
MEDIA, VERSIONS = range(0x40), range(0xFF)
NO_FABRICATION = b"\xee" * 4
"""A fabrication number that no meter has: who answers to it does not look at the number."""

Axis = Callable[[Address, Iterable[bytes]], list[Address]]
"""``axis(address, makers)``: the narrower addresses; ``makers`` were seen on this line."""


def axes(address: Address) -> tuple[Axis, ...]:
    """The axes along which ``address`` can be narrowed, in the order to try; none when nothing is left to say."""
    if OPEN in _digits(address.secondary[:4]):
        return (by_number,)
    if address.fabrication:
        return (by_fabrication,) if OPEN in _digits(address.fabrication) else ()
    return (by_maker, by_medium, by_fabrication, by_version)


def by_number(address: Address, _: Iterable[bytes] = ()) -> list[Address]:
    """The next open digit of the identification number, highest first."""
    rest = address.secondary[4:]
    return [replace(address, secondary=number + rest) for number in _narrowed(address.secondary[:4])]


def by_fabrication(address: Address, _: Iterable[bytes] = ()) -> list[Address]:
    """The next open digit of the fabrication number (enhanced selection)."""
    return [replace(address, fabrication=number) for number in _narrowed(address.fabrication or b"\xff" * 4)]


def by_maker(address: Address, makers: Iterable[bytes]) -> list[Address]:
    """The makers seen on this line; an address that names its maker already is not narrowed."""
    head, tail = address.secondary[:4], address.secondary[6:]
    if address.secondary[4:6] != ANY_MAKER:
        return []
    return [replace(address, secondary=head + maker + tail) for maker in sorted(set(makers) - {ANY_MAKER})]


def by_medium(address: Address, _: Iterable[bytes] = ()) -> list[Address]:
    """All media that the standard has."""
    if address.secondary[7] != ANY_BYTE:
        return []
    return [replace(address, secondary=address.secondary[:7] + bytes((medium,))) for medium in MEDIA]


def by_version(address: Address, _: Iterable[bytes] = ()) -> list[Address]:
    """All versions: slow, and the last resort."""
    head, tail = address.secondary[:6], address.secondary[7:]
    if address.secondary[6] != ANY_BYTE:
        return []
    return [replace(address, secondary=head + bytes((version,)) + tail) for version in VERSIONS]


def neighbours(secondary: bytes) -> list[Address]:
    """Numbers that differ from a meter's in one of the last two digits, by bits that the wire swallows.

    A zero on the wire wins over a one: the telegram of number 8 may be all that is heard of 8 and 9 together.
    """
    digits = _digits(secondary[:4])
    others = [
        digits[:place] + digit + digits[place + 1 :]
        for place in (6, 7)
        for digit in DIGITS[:10]
        if digit != digits[place] and int(digit, 16) & int(digits[place], 16) == int(digits[place], 16)
    ]
    return [Address(SELECTED, bytes.fromhex(other)[::-1] + b"\xff" * 4) for other in others]


def _digits(wire: bytes) -> str:
    return wire[::-1].hex()


def _narrowed(wire: bytes) -> list[bytes]:
    digits = _digits(wire)
    place = digits.index(OPEN)
    return [bytes.fromhex(digits[:place] + digit + digits[place + 1 :])[::-1] for digit in DIGITS]

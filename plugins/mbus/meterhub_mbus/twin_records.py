"""The records that a simulated meter sends: for each point of its profile one that fits, by the standard's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from meterhub_mbus import vife
from meterhub_mbus.dif import EXTENSION, FUNCTIONS
from meterhub_mbus.meaning import SIGNED, TIME, Meaning
from meterhub_mbus.points import Point
from meterhub_mbus.vif_extended import FB, FD
from meterhub_mbus.vif_primary import PRIMARY

INT16, INT32, BCD8 = 0x02, 0x04, 0x0C
COUNTERS = {"energy", "volume", "mass", "fabrication_number", "reactive_energy"}
PLAIN_TEXT = 0x7C


class TwinRecord:
    """One record: its ``block`` (DIF to VIFE), its meaning, and the points that show it."""

    __slots__ = ("block", "coding", "meaning", "points")

    def __init__(self, point: Point) -> None:
        vib, meaning = information(point)
        self.meaning = meaning
        self.coding = INT32
        if meaning.coding == TIME:
            self.coding = INT16 if meaning.quantity == "date" else INT32
        elif meaning.coding == SIGNED and meaning.quantity in COUNTERS:
            self.coding = BCD8
        self.block = data_block(self.coding, point) + vib
        self.points = [point]


def records_for(points: Iterable[Point]) -> list[TwinRecord]:
    """One record for each thing that the points name; several bits of one status share theirs."""
    known: dict[tuple[object, ...], TwinRecord] = {}
    for point in points:
        if point.field:
            continue
        key = (point.key, point.modifiers, point.code, point.index, point.unit)
        if key in known:
            known[key].points.append(point)
        else:
            known[key] = TwinRecord(point)
    return list(known.values())


def data_block(coding: int, point: Point) -> bytes:
    """DIF and DIFEs with the point's function, storage, tariff and device."""
    _, storage, tariff, device, function = point.key
    storage, tariff, device = storage or 0, tariff or 0, device or 0
    block = [coding | FUNCTIONS.index(function) << 4 | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or device:
        block[-1] |= EXTENSION
        block.append(storage & 0x0F | (tariff & 3) << 4 | (device & 1) << 6)
        storage, tariff, device = storage >> 4, tariff >> 2, device >> 1
    return bytes(block)


def information(point: Point) -> tuple[bytes, Meaning]:
    """VIF and VIFEs for what a point names, with what they mean; the power of ten suits the scale of the entity."""
    quantity = point.key[0] or ""
    if point.code:
        return bytes.fromhex(point.code), Meaning(quantity, point.unit)
    fitting = [(vib, one) for vib, one in known_codes() if one.quantity == quantity and _suits(point, one)]
    if not fitting:
        text = quantity.encode("latin-1", "replace")
        return bytes((PLAIN_TEXT, len(text))) + text[::-1], Meaning(quantity)
    vib, meaning = min(fitting, key=lambda one: _distance(point, one[1]))
    return vib_with(vib, point.modifiers), meaning


def vib_with(vib: bytes, modifiers: Iterable[str]) -> bytes:
    """A code with the VIFEs that say ``modifiers`` behind it."""
    codes = [code for word in modifiers for code in range(0x80) if vife.words_for(code, False) == word]
    chain = [*vib, *codes]
    return bytes([byte | EXTENSION for byte in chain[:-1]] + chain[-1:])


@lru_cache(maxsize=1)
def known_codes() -> list[tuple[bytes, Meaning]]:
    """Every code of the three tables as a chain of bytes, the extension bits still to be set."""
    return list(_known_codes())


def _known_codes() -> Iterator[tuple[bytes, Meaning]]:
    for code, meaning in PRIMARY.items():
        yield bytes((code,)), meaning
    for first, table in ((0xFB, FB), (0xFD, FD)):
        for code, meaning in table.items():
            yield bytes((first, code)), meaning


def _suits(point: Point, meaning: Meaning) -> bool:
    return meaning.multiplier == 1 and point.shift_from(meaning.unit) is not None


def _distance(point: Point, meaning: Meaning) -> tuple[bool, int]:
    """How far the last digit of the record is from the last one of the entity; finer than the entity is worse."""
    exponent = meaning.exponent + (point.shift_from(meaning.unit) or 0) + point.exponent
    return exponent < -point.scale, abs(exponent + point.scale)

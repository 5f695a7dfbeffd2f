"""Records of a telegram and where they stand in it.

A meter sends the same heads at the same places for ever, and only the data change. So where a telegram was taken apart
once, its layout is kept, and the next one of its kind is only compared with it: one AND over all bytes, and one
``struct`` call for all integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from meterhub.errors import BadFrame
from meterhub_mbus.head import Head, Value

if TYPE_CHECKING:
    from meterhub_mbus.telegram import Telegram


@dataclass(slots=True)
class Record:
    """One record: what its head says, its data as sent (LVAR included), and what they mean.

    ``value`` is in ``head.unit``: an exact ``Decimal``, text, a date, a time, or None.
    """

    head: Head
    data: bytes
    value: Value

    @property
    def raw(self) -> bytes:
        """The data; those of variable length without the byte that tells their length."""
        return self.data[1:] if self.head.size < 0 else self.data


class Part(NamedTuple):
    """Where a record stands: ``at`` are its data, LVAR included, within all data; ``digits`` the same without LVAR
    within the hex text of all. ``make`` makes the value of what the layout's ``unpack`` gives for it."""

    head: Head
    make: Callable[[Any], Value]
    at: slice
    digits: slice


class Layout:
    """The records of data of one size. It fits other data of that size whose bits under ``mask`` are ``pattern``."""

    __slots__ = ("mask", "parts", "pattern", "unpack")

    def __init__(self, places: Sequence[tuple[Head, int, int]], size: int, mask: int = 0, pattern: int = 0) -> None:
        """``places``: head, start and end of the data of each record."""
        self.parts = [_part(*place) for place in places]
        self.unpack = Struct(_wire_format(places, size)).unpack
        self.mask = mask
        self.pattern = pattern

    def fits(self, data: bytes) -> bool:
        """Whether the records of ``data``, which has the size of the layout, stand in the same places."""
        return int.from_bytes(data, "little") & self.mask == self.pattern

    def items(self, data: bytes) -> Iterable[tuple[Part, Any]]:
        """Each part with what ``unpack`` gives for it in data that fit."""
        return zip(self.parts, self.unpack(data), strict=True) if self.parts else ()

    def records(self, data: bytes) -> list[Record]:
        """The records of data that fit."""
        return [Record(head, data[at], make(item)) for (head, make, at, _), item in self.items(data)]


class CutOff(BadFrame):
    """The data end in the middle of a record, or go on with one whose length nobody can know.

    ``records`` are the good ones before it, and ``layout`` tells where they stand; ``at`` is its place in the data.
    """

    def __init__(self, reason: str, at: int, data: bytes, layout: Layout) -> None:
        self.records = layout.records(data)
        good = len(self.records)
        super().__init__(f"the record at byte {at} of the data {reason}; {good} good ones stand before it")
        self.at = at
        self.layout = layout
        self.telegram: Telegram | None = None
        """The telegram with those records, where it is one."""


def _part(head: Head, start: int, end: int) -> Part:
    make = head.read if head.integer is None else head.integer[1]
    return Part(head, make, slice(start, end), slice(2 * start + 2 * (head.size < 0), 2 * end))


def _wire_format(places: Sequence[tuple[Head, int, int]], size: int) -> str:
    """What ``struct`` reads: integers where a head has them, else the bytes of the data."""
    text, at = "<", 0
    for head, start, end in places:
        text += f"{start - at}x{end - start}s" if head.integer is None else f"{start - at}x{head.integer[0]}"
        at = end
    return text + f"{size - at}x"


EMPTY = Layout((), 0)
"""No records; fits data of any size, as nothing is taken from them."""

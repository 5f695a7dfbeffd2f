"""Records: the variable data structure from the first DIF to the last byte. EN 13757-3, clause 6.

::

    record, record, ...  [0F or 1F, the maker's bytes]

    record:  DIF [DIFE ...]  VIF [text] [VIFE ...]  data
             +-- which value --+---- of what ----+

2F between records is a filler. 0F says that the rest is the maker's own; 1F the same, and that more telegrams follow.

A meter sends the same heads at the same places for ever, and only the data change. So where a telegram was taken apart
once, its layout is kept, and the next one of its kind is only compared with it: one AND over all bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from meterhub.errors import BadFrame
from meterhub_mbus import lvar
from meterhub_mbus.dif import FILLER, GLOBAL_READOUT, MANUFACTURER_DATA, MORE_FOLLOWS, SPECIAL
from meterhub_mbus.head import Head, Reader, Value, nothing
from meterhub_mbus.head_book import BrokenHead, HeadBook

MANUFACTURER_HEAD = Head(0, nothing, "manufacturer_specific", holds_value=False)
MORE_HEAD = Head(0, nothing, "more_follows", holds_value=False)
READOUT_HEAD = Head(0, nothing, "instantaneous", 0, 0, 0, "global_readout", holds_value=False)

LAYOUTS_KEPT = 1024


class Part(NamedTuple):
    """Where a record stands within data: ``at`` is where its own data are, LVAR included, ``digits`` the same without
    LVAR in the hex text of all. ``read`` is the head's reader."""

    head: Head
    read: Reader
    at: slice
    digits: slice


def part(head: Head, start: int, end: int) -> Part:
    """The part of a record whose data, LVAR included, stand from ``start`` to before ``end``."""
    return Part(head, head.read, slice(start, end), slice(2 * start + 2 * (head.size < 0), 2 * end))


@dataclass(slots=True)
class Record:
    """One record: what its head says, its data as sent (LVAR included), and what they mean.

    ``value`` is in ``head.unit``: an exact ``Decimal``, text, a date, a time, or None.
    """

    head: Head
    data: bytes
    value: Value


def records_in(data: bytes, parts: Sequence[Part]) -> list[Record]:
    """The records that are ``parts`` of ``data``."""
    return [Record(head, found := data[at], read(found)) for head, read, at, _ in parts]


class CutOff(BadFrame):
    """The data end in the middle of a record, or go on with one whose length nobody can know.

    ``records`` are the good ones before it; ``at`` is its place in the data.
    """

    def __init__(self, reason: str, at: int, records: list[Record]) -> None:
        super().__init__(f"the record at byte {at} of the data {reason}; {len(records)} good ones stand before it")
        self.at = at
        self.records = records


@dataclass(slots=True)
class Layout:
    """Where the records of a telegram stand. It fits data of its size whose bits under ``mask`` are ``pattern``."""

    mask: int
    pattern: int
    parts: Sequence[Part]


class Dissector:
    """Takes data of one direction and byte order apart."""

    def __init__(self, from_master: bool, high_first: bool) -> None:
        self._heads = HeadBook(from_master, high_first)
        self._layouts: dict[tuple[int, bytes], Layout] = {}

    def parts(self, data: bytes) -> Sequence[Part]:
        """All records of ``data``; raises only ``CutOff``."""
        kind = len(data), data[:4]
        layout = self._layouts.get(kind)
        if layout is None or int.from_bytes(data, "little") & layout.mask != layout.pattern:
            layout = self._layout(data)
            if len(self._layouts) >= LAYOUTS_KEPT:
                self._layouts.clear()
            self._layouts[kind] = layout
        return layout.parts

    def _layout(self, data: bytes) -> Layout:
        """Take ``data`` apart byte by byte."""
        mask = bytearray(b"\xff" * len(data))
        parts: list[Part] = []
        at = 0
        while at < len(data):
            if data[at] == FILLER:
                at += 1
                continue
            try:
                head, start, end = _special(data, at) if data[at] & 0x0F == SPECIAL else self._ordinary(data, at)
            except BrokenHead as broken:
                raise CutOff(str(broken), at, records_in(data, parts)) from None
            parts.append(part(head, start, end))
            free = start + 1 if head.size < 0 else start
            mask[free:end] = bytes(end - free)
            at = end
        number = int.from_bytes(mask, "little")
        return Layout(number, int.from_bytes(data, "little") & number, parts)

    def _ordinary(self, data: bytes, at: int) -> tuple[Head, int, int]:
        """Head, start and end of the data of the record that begins at ``at``."""
        head, start = self._heads.find(data, at)
        size = head.size if head.size >= 0 else _variable_size(data, start)
        if start + size > len(data):
            raise BrokenHead(f"needs {size} bytes of data, {len(data) - start} are left")
        return head, start, start + size


FROM_METER, FROM_METER_HIGH_FIRST = Dissector(False, False), Dissector(False, True)
FROM_MASTER, FROM_MASTER_HIGH_FIRST = Dissector(True, False), Dissector(True, True)
"""High first: numbers stand with their high byte first, as in the obsolete mode 2."""


def _special(data: bytes, at: int) -> tuple[Head, int, int]:
    """Head, start and end of the data behind a DIF that is no ordinary one."""
    dif = data[at]
    if dif == GLOBAL_READOUT:
        return READOUT_HEAD, at + 1, at + 1
    head = {MANUFACTURER_DATA: MANUFACTURER_HEAD, MORE_FOLLOWS: MORE_HEAD}.get(dif)
    if head is not None:
        return head, at + 1, len(data)
    return _reserved(dif), at, len(data)


@lru_cache(maxsize=16)
def _reserved(dif: int) -> Head:
    """A DIF that nobody has given a meaning: from it on nothing can be told, and all is kept."""
    return Head(0, nothing, "manufacturer_specific", error=f"the DIF {dif:02X} is reserved", holds_value=False)


def _variable_size(data: bytes, start: int) -> int:
    """Bytes of data of variable length, LVAR included."""
    if start >= len(data):
        raise BrokenHead("has no data: the byte that tells their length is missing")
    size = lvar.SIZES[data[start]]
    if size is None:
        raise BrokenHead(f"has a reserved length byte {data[start]:02X}")
    return size + 1

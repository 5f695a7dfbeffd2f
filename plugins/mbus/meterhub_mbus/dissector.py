"""Takes the variable data structure apart, from the first DIF to the last byte. EN 13757-3, clause 6.

::

    record, record, ...  [0F or 1F, the maker's bytes]

    record:  DIF [DIFE ...]  VIF [text] [VIFE ...]  data
             +-- which value --+---- of what ----+

2F between records is a filler. 0F says that the rest is the maker's own; 1F the same, and that more telegrams follow.
"""

from __future__ import annotations

from functools import lru_cache

from meterhub_mbus import lvar
from meterhub_mbus.dif import FILLER, GLOBAL_READOUT, MANUFACTURER_DATA, MORE_FOLLOWS, SPECIAL
from meterhub_mbus.head import Head, nothing
from meterhub_mbus.head_book import BrokenHead, HeadBook
from meterhub_mbus.record import CutOff, Layout

MANUFACTURER_HEAD = Head(0, nothing, "manufacturer_specific", holds_value=False)
MORE_HEAD = Head(0, nothing, "more_follows", holds_value=False)
READOUT_HEAD = Head(0, nothing, "instantaneous", 0, 0, 0, "global_readout", holds_value=False)

LAYOUTS_KEPT = 1024

Place = tuple[Head, int, int]
"""A record within data: its head, and where its own data begin (LVAR included) and end."""


class Dissector:
    """Takes data of one direction and byte order apart."""

    def __init__(self, from_master: bool, high_first: bool) -> None:
        self._heads = HeadBook(from_master, high_first)
        self._layouts: dict[tuple[int, bytes], Layout] = {}

    def layout(self, data: bytes) -> Layout:
        """Where the records of ``data`` stand; raises only ``CutOff``."""
        kind = len(data), data[:4]
        layout = self._layouts.get(kind)
        if layout is None or not layout.fits(data):
            layout = self._take_apart(data)
            if len(self._layouts) >= LAYOUTS_KEPT:
                self._layouts.clear()
            self._layouts[kind] = layout
        return layout

    def _take_apart(self, data: bytes) -> Layout:
        """Go through ``data`` byte by byte; ``mask`` keeps all that is no data of a record."""
        mask = bytearray(b"\xff" * len(data))
        places: list[Place] = []
        at = 0
        while at < len(data):
            if data[at] == FILLER:
                at += 1
                continue
            try:
                head, start, end = _special(data, at) if data[at] & 0x0F == SPECIAL else self._ordinary(data, at)
            except BrokenHead as broken:
                raise CutOff(str(broken), at, data, Layout(places, len(data))) from None
            places.append((head, start, end))
            free = start + 1 if head.size < 0 else start
            mask[free:end] = bytes(end - free)
            at = end
        number = int.from_bytes(mask, "little")
        return Layout(places, len(data), number, int.from_bytes(data, "little") & number)

    def _ordinary(self, data: bytes, at: int) -> Place:
        """Head, start and end of the data of the record that begins at ``at``."""
        head, start = self._heads.find(data, at)
        size = head.size if head.size >= 0 else _variable_size(data, start)
        if start + size > len(data):
            raise BrokenHead(f"needs {size} bytes of data, {len(data) - start} are left")
        return head, start, start + size


FROM_METER, FROM_METER_HIGH_FIRST = Dissector(False, False), Dissector(False, True)
FROM_MASTER, FROM_MASTER_HIGH_FIRST = Dissector(True, False), Dissector(True, True)
"""High first: numbers stand with their high byte first, as in the obsolete mode 2."""


def _special(data: bytes, at: int) -> Place:
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

"""Finds where the head of a record ends, and keeps the heads that were seen."""

from __future__ import annotations

from meterhub_mbus.dif import EXTENSION, MOST_EXTENSIONS
from meterhub_mbus.head import Head, make_head, reversed_head
from meterhub_mbus.vif import PLAIN_TEXT

HEADS_KEPT = 4096
LEAST_EXTENSION = b"\x70"
"""Behind a plain-text VIF: from this byte on it is a VIFE that changes the number and not the length of a unit."""


class BrokenHead(Exception):
    """Why the bytes are no head."""


class HeadBook:
    """The heads of one direction and byte order."""

    def __init__(self, from_master: bool, high_first: bool) -> None:
        self._known: dict[tuple[bytes, bytes], Head] = {}
        self._from_master = from_master
        self._high_first = high_first

    def find(self, data: bytes, at: int) -> tuple[Head, int]:
        """The head that begins at ``at``, and where it ends. Raises ``BrokenHead``."""
        vif_at = _end_of_chain(data, at, "DIF")
        if vif_at >= len(data):
            raise BrokenHead("ends behind its DIF")
        vif, end = data[vif_at], vif_at + 1
        if vif & ~EXTENSION == PLAIN_TEXT:
            text, extensions, end = _plain_text(data, vif_at)
            return self._make(data[at:vif_at], data[vif_at:end], text, extensions), end
        if vif & EXTENSION:
            end = _end_of_chain(data, vif_at, "VIF")
        dib, vib = data[at:vif_at], data[vif_at:end]
        head = self._known.get((dib, vib))
        if head is None:
            head = self._make(dib, vib, None, vib[1:])
            if len(self._known) >= HEADS_KEPT:
                self._known.clear()
            self._known[dib, vib] = head
        return head, end

    def _make(self, dib: bytes, vib: bytes, text: str | None, extensions: bytes) -> Head:
        head = make_head(dib, vib, text, extensions, self._from_master)
        return reversed_head(head) if self._high_first else head


def _end_of_chain(data: bytes, at: int, name: str, before: int = 0) -> int:
    """Where the bytes end of which each says by its extension bit whether another one follows.

    The first one is DIF or VIF itself, or an extension already (``before`` = 1).
    """
    end = at
    while end < len(data) and data[end] & EXTENSION:
        end += 1
    if end - at + before > MOST_EXTENSIONS:
        raise BrokenHead(f"has more than {MOST_EXTENSIONS} {name}Es")
    if end >= len(data):
        raise BrokenHead(f"ends within its {name}Es")
    return end + 1


def _plain_text(data: bytes, vif_at: int) -> tuple[str, bytes, int]:
    """Unit text, VIFEs and end of a plain-text VIF.

    The text stands at once behind the VIF; a later reading of the standard has it behind the VIFEs, as some meters do.
    """
    start = vif_at + 1
    if data[start : start + 1] < LEAST_EXTENSION:
        text = _text_at(data, start)
        if text is not None:
            start += 1 + len(text)
            end = _end_of_chain(data, start, "VIF", before=1) if data[vif_at] & EXTENSION else start
            return text, data[start:end], end
    if data[vif_at] & EXTENSION:
        start = _end_of_chain(data, vif_at, "VIF")
        text = _text_at(data, start)
        if text:
            return text, data[vif_at + 1 : start], start + 1 + len(text)
    raise BrokenHead("has a unit in plain text that goes beyond the data")


def _text_at(data: bytes, at: int) -> str | None:
    """The text whose length byte stands at ``at``, last character first; None if it goes beyond the data."""
    if at >= len(data) or at + 1 + data[at] > len(data):
        return None
    return data[at + 1 : at + 1 + data[at]][::-1].decode("latin-1")

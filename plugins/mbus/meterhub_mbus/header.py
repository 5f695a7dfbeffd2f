"""The header in front of the records: who the meter is and how it feels. EN 13757-7, clauses 7.2 and 7.3.

::

    long   ID (4, BCD) | manufacturer (2) | version | medium | access | status | configuration (2)     CI 72
    short                                                      access | status | configuration (2)     CI 7A
    fixed  ID (4, BCD) | access | status | medium and units (2)                                        CI 73

Low byte first; in mode 2 (CI 76 and 77) high byte first.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadFrame
from meterhub_mbus.names import FIXED_MEDIA, MEDIA

LONG_SIZE, SHORT_SIZE, FIXED_SIZE = 12, 4, 16
IDENTITY_SIZE = 8
"""ID, manufacturer, version, medium: the secondary address."""


LONG, SHORT, FIXED = "long", "short", "fixed"


@dataclass(slots=True)
class Header:
    """What a header says; None for what its kind does not hold. ``raw`` is its bytes, low byte first."""

    kind: str
    raw: bytes

    @property
    def id(self) -> str | None:
        """Eight digits, high first; hexadecimal ones occur and stand in upper case."""
        return None if self.kind == SHORT else self.raw[3::-1].hex().upper()

    @property
    def manufacturer(self) -> str | None:
        """Three letters; ``@@@`` where the meter sends zeros."""
        return manufacturer_letters(self.raw[4] | self.raw[5] << 8) if self.kind == LONG else None

    @property
    def version(self) -> int | None:
        """The maker's number of the generation."""
        return self.raw[6] if self.kind == LONG else None

    @property
    def medium(self) -> int | None:
        """The device type; a number of its own in the fixed data structure."""
        if self.kind == FIXED:
            return self.raw[6] >> 6 | self.raw[7] >> 6 << 2
        return self.raw[7] if self.kind == LONG else None

    @property
    def medium_name(self) -> str | None:
        """The device type in words."""
        if self.medium is None:
            return None
        return FIXED_MEDIA[self.medium] if self.kind == FIXED else MEDIA.get(self.medium, "reserved")

    @property
    def access(self) -> int:
        """The access number, which counts the telegrams."""
        return self.raw[{LONG: 8, SHORT: 0, FIXED: 4}[self.kind]]

    @property
    def status(self) -> int:
        """The status byte; see ``names.status_words``."""
        return self.raw[{LONG: 9, SHORT: 1, FIXED: 5}[self.kind]]

    @property
    def configuration(self) -> int:
        """The configuration word; older meters send a signature or anything else in its place."""
        return 0 if self.kind == FIXED else self.raw[-2] | self.raw[-1] << 8

    @property
    def identity(self) -> bytes | None:
        """The eight bytes of the secondary address as on the wire; None where the header does not hold them."""
        return self.raw[:IDENTITY_SIZE] if self.kind == LONG else None


def manufacturer_letters(code: int) -> str:
    """Three letters of five bits each, ``@`` for 0; bit 15 says that they are not unique worldwide."""
    return "".join(chr((code >> place & 0x1F) + 64) for place in (10, 5, 0))


def long_header(data: bytes, high_first: bool = False) -> Header:
    """The header of twelve bytes that ``data`` begin with. Raises ``BadFrame`` if they are too few."""
    raw = _enough(data, LONG_SIZE)
    if high_first:
        raw = raw[3::-1] + raw[5:3:-1] + raw[6:10] + raw[:9:-1]
    return Header(LONG, raw)


def short_header(data: bytes) -> Header:
    """The header of four bytes that ``data`` begin with. Raises ``BadFrame`` if they are too few."""
    return Header(SHORT, _enough(data, SHORT_SIZE))


def fixed_header(data: bytes, high_first: bool = False) -> Header:
    """The first eight of the sixteen bytes of the fixed data structure. Raises ``BadFrame`` for any other number."""
    if len(data) != FIXED_SIZE:
        raise BadFrame(f"the fixed data structure has {FIXED_SIZE} bytes, there are {len(data)}")
    return Header(FIXED, data[3::-1] + data[4:8] if high_first else data[:8])


def _enough(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise BadFrame(f"the header needs {size} bytes, there are {len(data)}")
    return data[:size]

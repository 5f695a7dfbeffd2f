"""One frame of CJ/T 188 and its check::

    68  T  A0 A1 A2 A3 A4 A5 A6  C  L  DI DI SER payload  CS 16
        |  |                     |  |  +- DATA, L bytes (no offset is added, unlike DL/T 645)
        |  |                     |  +- 1 answer, then 1 refused, then the function
        |  |                     +---- sum from 68 on
        |  +- address, low byte first; A5 A6 name the maker
        +- meter type: 10 cold water, 20 heat, 30 gas ...

There is only one 68. FE bytes before it wake the meter and belong to no sum. The two bytes of the identifier stand in
either order: high first in most meters of 2004, low first in those of 2018. A refusal has no identifier.
"""

from __future__ import annotations

from meterhub.errors import BadFrame, BadInput
from meterhub.texts import mark

START, END, WAKE_UP = 0x68, 0x16, 0xFE
OVERHEAD = 13
"""Bytes of a frame beside its data."""
FROM_METER, REFUSED, FUNCTION = 0x80, 0x40, 0x3F
FOLLOWS = 0x20
"""In the edition of 2018 more frames follow; before it a maker's own function."""
READ_ANSWER = 0x81
ADDRESS_BYTES = 7
ANY_BYTE = 0xAA
IDENTIFIER_HIGH = frozenset((0x81, 0x90, 0x91, 0xA0, 0xA1, 0xD1, 0xD2, 0xD3, 0xD4))
"""First bytes of the standard's identifiers: which of the two is one tells the order."""
MAKERS_HIGH = frozenset((0x82, 0xA2, 0xC1, 0x46, 0x60))
"""First bytes of makers' identifiers, asked when no byte is one of the standard's."""
HIGH, LOW = "high", "low"


class Frame:
    """A checked frame. ``raw`` is from 68 to 16; ``preamble`` is how many FE to send before it."""

    __slots__ = ("preamble", "raw")

    def __init__(self, raw: bytes, preamble: int = 0) -> None:
        self.raw = raw
        self.preamble = preamble

    def __repr__(self) -> str:
        what = self.identifier or self.data[:3].hex().upper()  # not the payload: it may hold a key
        return f"<Frame {self.meter_type:02X} {self.address} C={self.control:02X} {what} L={len(self.data)}>"

    @property
    def meter_type(self) -> int:
        """T."""
        return self.raw[1]

    @property
    def address(self) -> str:
        """14 digits, high byte first."""
        return self.raw[8:1:-1].hex().upper()

    @property
    def control(self) -> int:
        """C."""
        return self.raw[9]

    @property
    def from_meter(self) -> bool:
        """Whether it is an answer; otherwise it is a request, possibly an echo of our own."""
        return bool(self.raw[9] & FROM_METER)

    @property
    def refused(self) -> bool:
        """Whether it is a meter's no."""
        return self.raw[9] & (FROM_METER | REFUSED) == FROM_METER | REFUSED

    @property
    def data(self) -> bytes:
        """DATA: identifier, serial number and payload; of a refusal serial number and status."""
        return self.raw[11:-2]

    @property
    def order(self) -> str | None:
        """``high`` or ``low``: which byte of the identifier comes first; None where there is no identifier."""
        data = self.data
        return None if self.refused or len(data) < 2 else order_of(data[0], data[1])

    @property
    def identifier(self) -> str | None:
        """The identifier in hex, high byte first, or None where this frame carries none."""
        order = self.order
        if order is None:
            return None
        wire = self.raw[11:13]
        return (wire if order == HIGH else wire[::-1]).hex().upper()

    @property
    def serial(self) -> int | None:
        """SER; None where a maker leaves it out."""
        at = 11 if self.refused else 13
        return self.raw[at] if at < len(self.raw) - 2 else None

    @property
    def payload(self) -> bytes:
        """What follows the serial number."""
        return self.raw[12:-2] if self.refused else self.raw[14:-2]


def order_of(first: int, second: int) -> str:
    """Which order two bytes of an identifier are in, by what high bytes there are; ``high`` if nothing tells."""
    for known in (IDENTIFIER_HIGH, MAKERS_HIGH):
        if (first in known) != (second in known):
            return HIGH if first in known else LOW
        if first in known:
            break
    # Both could be the high one: 90 D1 is no identifier, D1 90 neither, but the histories of 2018 have any low byte.
    return LOW if second in (0xD2, 0xD3, 0xD4) and first not in (0xD2, 0xD3, 0xD4) else HIGH


def build(meter_type: int, address: str, control: int, data: bytes = b"", preamble: int = 0) -> Frame:
    """A frame from its parts. Raises ``BadInput`` for a wrong address or more than 255 bytes of data."""
    try:
        wire = bytes.fromhex(address)[::-1]
    except ValueError:
        wire = b""
    if len(wire) != ADDRESS_BYTES or len(data) > 255:
        raise BadInput(f"an address has 14 digits and a frame at most 255 bytes of data; got {address!r}, {len(data)}")
    return assemble(bytes((START, meter_type)) + wire, control, data, preamble)


def assemble(head: bytes, control: int, data: bytes, preamble: int = 0) -> Frame:
    """A frame from its first nine bytes, its control byte and its data."""
    body = head + bytes((control, len(data))) + data
    return Frame(body + bytes((sum(body) & 0xFF, END)), preamble)


def decode_frame(data: bytes) -> Frame:
    """Check that ``data`` is exactly one frame, FE before it allowed. Raises only ``BadFrame``, which says why."""
    raw = bytes(data).lstrip(b"\xfe")
    if (
        len(raw) < OVERHEAD
        or raw[0] != START
        or len(raw) != raw[10] + OVERHEAD
        or raw[-1] != END
        or (sum(raw) - 2 * raw[-2] - END) & 0xFF
    ):
        raise BadFrame(what_is_wrong(raw))
    return Frame(raw)


def what_is_wrong(raw: bytes) -> str:
    """In words, why these bytes are no frame."""
    if not raw:
        return mark("there are no bytes")
    if raw[0] != START:
        return mark(f"a frame begins with 68, this with {raw[0]:02X}")
    if len(raw) < OVERHEAD:
        return mark(f"a frame has at least {OVERHEAD} bytes, this has {len(raw)}")
    if len(raw) != raw[10] + OVERHEAD:
        return mark(f"the length byte says {raw[10] + OVERHEAD} bytes in all, there are {len(raw)}")
    if raw[-1] != END:
        return mark(f"a frame ends with 16, this with {raw[-1]:02X}")
    right = sum(raw[:-2]) & 0xFF
    words = mark(f"the checksum is {raw[-2]:02X}, it should be {right:02X}")
    return words + (", " + mark("and it is that of the data alone") if raw[-2] == sum(raw[11:-2]) & 0xFF else "")

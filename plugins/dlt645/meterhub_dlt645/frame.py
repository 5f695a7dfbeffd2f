"""One DL/T 645 frame, both editions; the link layer is the same.

::

    [FE ...] 68  A0 A1 A2 A3 A4 A5  68  C  L  DATA (L bytes)  CS  16
             |   |                  |   |  |  |               |   +- end
             |   |                  |   |  |  |               +- sum mod 256 from the first 68 to the last of DATA
             |   |                  |   |  |  +- each byte + 33H on the wire
             |   |                  |   |  +- bytes of DATA
             |   |                  |   +- control: D7 from the meter, D6 refused, D5 more follows, D4..D0 function
             |   |                  +- fixed
             |   +- 12 digits, low byte first
             +- fixed; this value may stand inside the frame as well

Clause 5 of DL/T 645-2007. FE before the frame wakes the far end up and is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from meterhub.errors import BadFrame, BadInput
from meterhub.texts import mark
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.formats import Format, Number, Value

PLUS_33 = bytes((value + 0x33) & 0xFF for value in range(256))
MINUS_33 = bytes((value - 0x33) & 0xFF for value in range(256))

FROM_METER, REFUSED, FOLLOWS, FUNCTION = 0x80, 0x40, 0x20, 0x1F
"""The parts of the control byte."""

FUNCTIONS_1997 = {0x01, 0x02, 0x04, 0x05, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0F, 0x10}
FUNCTIONS_2007 = {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D}
"""Functions that only one edition has, those of makers (05, 09, 0B, 0D) included. 03 and 08 are in both, with other
meanings or the same bytes."""
SECURITY = 0x03
SECURITY_CLASS = 0x07 + 0x33
"""DI3 of security and prepayment commands, as on the wire."""

IDENTIFIER_BYTES = {"1997": 2, "2007": 4}
REQUESTS_WITH_IDENTIFIER = {"1997": {0x01, 0x02, 0x04}, "2007": {0x03, 0x11, 0x12, 0x14, 0x18}}
ANSWERS_WITH_IDENTIFIER = {"1997": {0x01, 0x02}, "2007": {0x03, 0x11, 0x12}}
"""Functions whose data begin with an identifier; refusals never carry one."""


def _identifier_sizes(edition: str) -> bytes:
    """The size of the identifier for each control byte."""
    controls = set(REQUESTS_WITH_IDENTIFIER[edition])
    for function in ANSWERS_WITH_IDENTIFIER[edition]:
        controls |= {FROM_METER | function, FROM_METER | FOLLOWS | function}
    return bytes(IDENTIFIER_BYTES[edition] if control in controls else 0 for control in range(256))


IDENTIFIER_SIZES: dict[str | None, bytes] = {edition: _identifier_sizes(edition) for edition in IDENTIFIER_BYTES}
IDENTIFIER_SIZES[None] = bytes(256)


READ_MIDDLES = {"2007": b"\x68\x11\x04", "1997": b"\x68\x01\x02"}
"""What stands between address and identifier of a read."""
ENDS = tuple(bytes((checksum, 0x16)) for checksum in range(256))
"""The last two bytes of a frame by its checksum."""


@dataclass(slots=True)
class Frame:
    """A frame as it was on the wire, from the first 68 to 16; everything else is worked out when asked for.

    ``edition`` is ``2007``, ``1997``, or None where it cannot be told.
    """

    raw: bytes
    edition: str | None = None
    preamble: int = 0
    """How many FE to send before it."""

    @property
    def address(self) -> str:
        """12 digits, high byte first; hexadecimal ones in upper case, as some products use them."""
        return self.raw[6:0:-1].hex().upper()

    @property
    def control(self) -> int:
        """The control byte."""
        return self.raw[8]

    @property
    def function(self) -> int:
        """The control byte without its flags."""
        return self.raw[8] & FUNCTION

    @property
    def from_meter(self) -> bool:
        """Whether a meter says it; False is a request, possibly an echo of our own."""
        return self.raw[8] >= FROM_METER

    @property
    def refused(self) -> bool:
        """Whether it is a meter's no."""
        return self.raw[8] & (FROM_METER | REFUSED) == FROM_METER | REFUSED

    @property
    def follows(self) -> bool:
        """Whether D5 announces more frames; a waiting event sets it, too."""
        return bool(self.raw[8] & FOLLOWS)

    @property
    def data(self) -> bytes:
        """The data field after -33H."""
        return self.raw[10:-2].translate(MINUS_33)

    @property
    def identifier(self) -> str | None:
        """The identifier in hex, high byte first, or None where this frame carries none."""
        edition, raw = self.edition, self.raw
        start = raw[8:14] if edition == "2007" else raw[8:12]
        try:
            return KNOWN_STARTS[edition][start].identifier
        except KeyError:
            return start_of(edition, start).identifier

    @property
    def payload(self) -> bytes:
        """The data field after -33H and after the identifier."""
        raw = self.raw
        size = IDENTIFIER_SIZES[self.edition][raw[8]]
        return raw[10 + size if size <= raw[9] else 10 : -2].translate(MINUS_33)

    @property
    def value(self) -> Value:
        """The value of a meter's answer that holds exactly one item, in the scale of its format; None otherwise."""
        edition, raw = self.edition, self.raw
        start = raw[8:14] if edition == "2007" else raw[8:12]
        try:
            known = KNOWN_STARTS[edition][start]
        except KeyError:
            known = start_of(edition, start)
        if known.of_digits is not None:
            return known.of_digits(raw[-3 : known.before : -1].translate(MINUS_33).hex())
        return None if known.format is None else known.format.decode(raw[known.before + 1 : -2].translate(MINUS_33))


class Start:
    """What control, length and identifier tell of a frame: the same for all answers of a kind, and so kept.

    ``format`` is that of the one item behind the identifier of a meter's answer, None when it is not exactly one;
    ``of_digits`` reads it where it is a number; ``before`` is the place in front of its bytes.
    """

    __slots__ = ("before", "format", "identifier", "of_digits")

    def __init__(self, edition: str | None, start: bytes) -> None:
        size = IDENTIFIER_SIZES[edition][start[0]]
        data = start[2 : 2 + size][::-1].translate(MINUS_33).hex().upper()
        self.identifier = data if 0 < size <= start[1] else None
        form = single_format(edition, self.identifier) if self.identifier and edition else None
        self.format = form if form and start[0] & FROM_METER and start[1] == size + form.size else None
        self.of_digits = self.format.of_digits if isinstance(self.format, Number) else None
        self.before = 9 + size


KNOWN_STARTS: dict[str | None, dict[bytes, Start]] = {"2007": {}, "1997": {}, None: {}}
STARTS_KEPT = 8192


def start_of(edition: str | None, start: bytes) -> Start:
    """What a start tells, worked out and kept."""
    known = KNOWN_STARTS[edition]
    if len(known) >= STARTS_KEPT:
        known.clear()
    found = known[start] = Start(edition, start)
    return found


@lru_cache(maxsize=8192)
def identifier_wire(text: str) -> bytes:
    """An identifier in hex, high byte first, as it is on the wire; raises ``ValueError``."""
    return bytes.fromhex(text)[::-1].translate(PLUS_33)


def single_format(edition: str, identifier: str) -> Format | None:
    """The format behind an identifier that stands for one item alone."""
    layout = catalogue(edition).find(identifier)
    return layout.fields[0].format if layout is not None and layout.fixed() and len(layout.fields) == 1 else None


def build(address: str, control: int, data: bytes = b"", edition: str | None = None, preamble: int = 0) -> Frame:
    """A frame from its parts; ``data`` without +33H. Raises ``BadInput`` for a wrong address or more than 255 bytes."""
    try:
        wire = bytes.fromhex(address)[::-1]
    except ValueError:
        wire = b""
    if len(wire) != 6 or len(data) > 255:
        raise BadInput(f"an address has 12 digits and a frame at most 255 bytes of data; got {address!r}, {len(data)}")
    return assemble(b"\x68" + wire + b"\x68", control, data.translate(PLUS_33), edition, preamble)


def assemble(head: bytes, control: int, wire_data: bytes, edition: str | None = None, preamble: int = 0) -> Frame:
    """A frame from its first eight bytes and its data field as it is on the wire."""
    body = head + bytes((control, len(wire_data))) + wire_data
    return Frame(body + ENDS[sum(body) & 0xFF], edition, preamble)


def edition_of(raw: bytes) -> str | None:
    """The edition that the control byte of a checked frame tells, or None where both have it."""
    control, length = raw[8], raw[9]
    function = control & FUNCTION
    if function in FUNCTIONS_2007:
        return "2007"
    if function in FUNCTIONS_1997:
        return "1997"
    if function != SECURITY:
        return None
    if control & REFUSED:
        return "2007" if length == 2 else None  # only security commands are refused with two bytes
    return "2007" if length >= 4 and raw[13] == SECURITY_CLASS else None


def decode_frame(data: bytes, edition: str | None = None) -> Frame:
    """Check that ``data`` is exactly one frame, FE before it allowed. Raises only ``BadFrame``, which says why."""
    raw = data if type(data) is bytes else bytes(data)
    if not raw or raw[0] != 0x68:
        raw = raw.lstrip(b"\xfe")
        if raw[:1] != b"\x68":
            raise BadFrame(what_is_wrong(raw))
    size = len(raw)
    if size < 12 or raw[7] != 0x68 or size != raw[9] + 12 or raw[-1] != 0x16 or (sum(raw) - 2 * raw[-2] - 0x16) & 0xFF:
        raise BadFrame(what_is_wrong(raw))
    if edition is None:
        return Frame(raw, edition_of(raw))
    if edition not in IDENTIFIER_BYTES:
        raise BadFrame(f"there is no edition {edition!r}; there are 1997 and 2007")
    return Frame(raw, edition)


def what_is_wrong(raw: bytes) -> str:
    """In words, why these bytes are no frame."""
    if not raw:
        return mark("there are no bytes")
    if raw[0] != 0x68:
        return mark(f"a frame begins with 68, this with {raw[0]:02X}")
    if len(raw) < 12:
        return mark(f"a frame has at least 12 bytes, this has {len(raw)}")
    if raw[7] != 0x68:
        return mark(f"the eighth byte must be 68, it is {raw[7]:02X}")
    if len(raw) != raw[9] + 12:
        return mark(f"the length byte says {raw[9] + 12} bytes in all, there are {len(raw)}")
    if raw[-1] != 0x16:
        return mark(f"a frame ends with 16, this with {raw[-1]:02X}")
    return mark(f"the checksum is {raw[-2]:02X}, it should be {sum(raw[:-2]) & 0xFF:02X}")


def encode_read(address: str, identifier: str, edition: str = "2007") -> bytes:
    """The bytes that ask ``address`` for ``identifier`` (hex, high byte first), without FE before it.

    Raises only ``BadFrame``.
    """
    try:
        middle = READ_MIDDLES[edition]
        address_wire, wire = bytes.fromhex(address)[::-1], identifier_wire(identifier)
        if len(address_wire) != 6 or len(wire) != middle[2]:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise BadFrame(f"cannot ask {address!r} for {identifier!r} by DL/T 645-{edition}") from None
    body = b"\x68" + address_wire + middle + wire
    return body + ENDS[sum(body) & 0xFF]

"""One M-Bus link frame; EN 13757-2, clause 5, which takes format class FT 1.2 of IEC 60870-5-1.

::

    acknowledge  E5
    short        10  C  A  CS  16
    control      68  03  03  68  C  A  CI  CS  16
    long         68  L   L   68  C  A  CI  DATA (L - 3 bytes)  CS  16
                     |   |       |  |  |                       |   +- end
                     |   |       |  |  |                       +- sum mod 256 from C to the last of DATA
                     |   |       |  |  +- what DATA are, and who says it
                     |   |       |  +- primary address
                     |   |       +- control: D6 from the master, then D5 FCB, D4 FCV; else D5 ACD, D4 DFC; D3..D0 what
                     +---+- bytes from C to the last of DATA, twice; at least 3
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadFrame, BadInput
from meterhub.texts import mark

ACKNOWLEDGE = b"\xe5"
SHORT_START, LONG_START, END = 0x10, 0x68, 0x16
MOST_DATA = 252
"""Bytes of DATA that fit into a long frame."""

FROM_MASTER = 0x40
"""The bit of C that a master sets."""
FRAME_COUNT_BIT, FRAME_COUNT_VALID = 0x20, 0x10
"""Bits of C from a master: toggles with every new exchange; and whether it counts at all."""
ACCESS_DEMAND, DATA_FLOW_CONTROL = 0x20, 0x10
"""Bits of C from a meter: class-1 (alarm) data wait; and it is too busy to take data."""


@dataclass(slots=True)
class Frame:
    """A frame as it was on the wire, without anything before or after it, already found to be valid."""

    raw: bytes

    @property
    def kind(self) -> str:
        """``ack``, ``short``, ``control`` or ``long``."""
        size = len(self.raw)
        return {1: "ack", 5: "short", 9: "control"}.get(size, "long")

    @property
    def control(self) -> int | None:
        """C, or None for an acknowledgement."""
        return self._head(0)

    @property
    def address(self) -> int | None:
        """The primary address, or None for an acknowledgement."""
        return self._head(1)

    @property
    def ci(self) -> int | None:
        """CI, which says what the data are; None for frames without any."""
        return self.raw[6] if len(self.raw) > 5 else None

    @property
    def data(self) -> bytes:
        """What stands between CI and checksum."""
        return self.raw[7:-2]

    @property
    def from_master(self) -> bool:
        """Whether a master says it; possibly an echo of our own. An acknowledgement comes from a meter."""
        return bool((self.control or 0) & FROM_MASTER)

    def _head(self, offset: int) -> int | None:
        if len(self.raw) == 1:
            return None
        return self.raw[offset + (1 if len(self.raw) == 5 else 4)]


def short_frame(control: int, address: int) -> Frame:
    """A frame of five bytes, as for a reset of the link or a request for data."""
    return Frame(bytes((SHORT_START, control, address, (control + address) & 0xFF, END)))


def long_frame(control: int, address: int, ci: int, data: bytes = b"") -> Frame:
    """A long frame, or a control frame where there are no data. Raises ``BadInput`` for more data than it can carry."""
    if len(data) > MOST_DATA:
        raise BadInput(f"an M-Bus frame carries at most {MOST_DATA} bytes of data, not {len(data)}")
    body = bytes((control, address, ci)) + data
    size = len(body)
    return Frame(bytes((LONG_START, size, size, LONG_START)) + body + bytes((sum(body) & 0xFF, END)))


def decode_frame(data: bytes) -> Frame:
    """Check that ``data`` is exactly one frame, FE before it allowed. Raises only ``BadFrame``, which says why."""
    raw = data if type(data) is bytes else bytes(data)
    if raw[:1] == b"\xfe":
        raw = raw.lstrip(b"\xfe")
    size = len(raw)
    if size > 8 and raw[0] == LONG_START == raw[3]:
        length = raw[1]
        if length == raw[2] and size == length + 6 and raw[-1] == END and sum(raw[4:-2]) & 0xFF == raw[-2]:
            return Frame(raw)
    elif raw == ACKNOWLEDGE or (
        size == 5 and raw[0] == SHORT_START and raw[4] == END and (raw[1] + raw[2]) & 0xFF == raw[3]
    ):
        return Frame(raw)
    raise BadFrame(what_is_wrong(raw))


def what_is_wrong(raw: bytes) -> str:
    """In words, why these bytes are no frame."""
    if not raw:
        return mark("there are no bytes")
    if raw[0] == LONG_START:
        return _what_is_wrong_with_long(raw)
    if raw[0] == SHORT_START:
        return _what_is_wrong_with_end(raw, 5, 1)
    if raw[:1] == ACKNOWLEDGE:
        return mark(f"{len(raw) - 1} bytes stand behind the acknowledgement E5; give one frame at a time")
    return mark(f"a frame begins with 68, 10 or E5, this with {raw[0]:02X}")


def _what_is_wrong_with_long(raw: bytes) -> str:
    if len(raw) < 9:
        return mark(f"a frame that begins with 68 has at least 9 bytes, this has {len(raw)}")
    if raw[3] != LONG_START:
        return f"the fourth byte must be 68, it is {raw[3]:02X}"
    if raw[1] != raw[2]:
        return f"the two length bytes differ: {raw[1]:02X} and {raw[2]:02X}"
    if raw[1] < 3:
        return f"the length must be at least 3, it is {raw[1]}"
    return _what_is_wrong_with_end(raw, raw[1] + 6, 4)


def _what_is_wrong_with_end(raw: bytes, size: int, start: int) -> str:
    if len(raw) < size:
        return mark(f"the frame has {size} bytes, only {len(raw)} of them are there")
    if len(raw) > size:
        return mark(f"the frame has {size} bytes, {len(raw) - size} more stand behind it; give one frame at a time")
    if raw[-1] != END:
        return mark(f"a frame ends with 16, this with {raw[-1]:02X}")
    return mark(f"the checksum is {raw[-2]:02X}, it should be {sum(raw[start:-2]) & 0xFF:02X}")

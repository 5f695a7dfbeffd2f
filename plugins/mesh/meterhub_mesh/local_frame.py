"""Frames of the local interface between a concentrator and its radio module: Q/GDW 1376.2-2013 and 10376.2-2019.

    68 | L 2, low first | C | R 6 | A 12 + 6 per relay, if R says so | AFN | DT1 DT2 | data | CS | 16

L counts from 68 to 16; CS is the sum from C to the byte before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadFrame

START, END = 0x68, 0x16
SHORTEST, LONGEST = 15, 2048
UP, STARTER = 0x80, 0x40
MEDIA = {"plc": 1, "plc_distributed": 2, "hplc": 3, "wireless": 10, "ethernet": 20}
"""Bits 5 to 0 of C: what carries the network."""
ADDRESSED = 0x04
"""Bit 2 of R1: the frame is for or from a node, and addresses stand in it."""
OURS = "000000000001"
"""The address of a concentrator that was given none."""


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """One frame. ``route`` are the six bytes R, ``fn`` is 1 for F1; addresses of 12 digits, '' where there are none."""

    control: int
    afn: int
    fn: int
    data: bytes = b""
    route: bytes = bytes(6)
    source: str = ""
    destination: str = ""
    relays: tuple[str, ...] = ()

    @property
    def sequence(self) -> int:
        """R6: an answer repeats that of its request."""
        return self.route[5]

    @property
    def up(self) -> bool:
        """Does it come from the module?"""
        return bool(self.control & UP)

    @property
    def started(self) -> bool:
        """Does it begin an exchange?"""
        return bool(self.control & STARTER)


def bcd(address: str) -> bytes:
    """Twelve digits as six bytes, the low one first."""
    return bytes.fromhex(address)[::-1]


def digits(data: bytes) -> str:
    """Six bytes, the low one first, as twelve digits (or hex, where a module puts letters)."""
    return data[::-1].hex().upper()


def encode(frame: LocalFrame) -> bytes:
    """The bytes of a frame."""
    addresses = b""
    if frame.source or frame.destination:
        addresses = b"".join(map(bcd, (frame.source, *frame.relays, frame.destination)))
    unit = bytes([frame.afn, 1 << ((frame.fn - 1) % 8), (frame.fn - 1) // 8]) + frame.data
    body = bytes([frame.control]) + frame.route + addresses + unit
    length = len(body) + 5
    return b"\x68" + length.to_bytes(2, "little") + body + bytes([sum(body) & 0xFF, END])


def decode(data: bytes) -> LocalFrame:
    """One whole frame; raises ``BadFrame``."""
    if len(data) < SHORTEST or data[0] != START or data[-1] != END or int.from_bytes(data[1:3], "little") != len(data):
        raise BadFrame("this is no frame of the local interface")
    if sum(data[3:-2]) & 0xFF != data[-2]:
        raise BadFrame("the checksum is wrong")
    route, at = data[4:10], 10
    source = destination = ""
    relays: tuple[str, ...] = ()
    if route[0] & ADDRESSED:
        levels = route[0] >> 4
        end = at + 6 * (2 + levels)
        if len(data) < end + 5 and len(data) >= at + 17:
            levels, end = 0, at + 12  # modules also tell the level upwards without naming the relays
        found = [digits(data[place : place + 6]) for place in range(at, end, 6)]
        source, *between, destination = found
        relays, at = tuple(between), end
    if len(data) < at + 5:
        raise BadFrame("the frame is too short for its addresses")
    low, high = data[at + 1], data[at + 2]
    if low == 0 or low & (low - 1):
        raise BadFrame(f"the data unit {low:02X} {high:02X} names no one function")
    fn = high * 8 + low.bit_length()
    return LocalFrame(data[3], data[at], fn, data[at + 3 : -2], route, source, destination, relays)


class Scanner:
    """Finds frames in a stream; what is none is dropped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def find(self, data: bytes) -> list[tuple[LocalFrame, bytes]]:
        """The frames that are complete now, with their bytes. Never raises."""
        buffer = self._buffer
        buffer += data
        found: list[tuple[LocalFrame, bytes]] = []
        while True:
            start = buffer.find(START)
            del buffer[: start if start >= 0 else len(buffer)]
            if len(buffer) < 3:
                return found
            length = int.from_bytes(buffer[1:3], "little")
            if SHORTEST <= length <= LONGEST and len(buffer) < length:
                return found
            whole = bytes(buffer[:length])
            try:
                found.append((decode(whole), whole))
                del buffer[:length]
            except BadFrame:
                del buffer[0]

    def reset(self) -> None:
        """Forget what is not complete."""
        self._buffer.clear()

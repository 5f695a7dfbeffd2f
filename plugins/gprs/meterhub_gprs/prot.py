"""PROT, the framing of Four-Faith terminals over TCP: FE alone is a heartbeat, FD and FE in data are escaped."""

from __future__ import annotations

from meterhub.field.calls.framing import Framing

HEARTBEAT, ESCAPE = b"\xfe", 0xFD
PLAIN = {0xED: 0xFD, 0xEE: 0xFE}


def escaped(data: bytes) -> bytes:
    """FD becomes FD ED, FE becomes FD EE."""
    return data.replace(b"\xfd", b"\xfd\xed").replace(b"\xfe", b"\xfd\xee")


class Prot(Framing):
    """One connection's stream."""

    def __init__(self) -> None:
        self.held = b""

    def strip(self, data: bytes, final: bool = False) -> tuple[bytes, int]:
        """An escape at the end waits for what it escapes; one that escapes nothing known stays as it is."""
        data, self.held = self.held + data, b""
        if data[-1:] == b"\xfd" and not final:
            data, self.held = data[:-1], b"\xfd"
        beats = data.count(HEARTBEAT)
        data = data.replace(HEARTBEAT, b"")
        if b"\xfd" not in data:
            return data, beats
        plain, at = bytearray(), 0
        while at < len(data):
            byte = data[at]
            following = PLAIN.get(data[at + 1]) if byte == ESCAPE and at + 1 < len(data) else None
            plain.append(byte if following is None else following)
            at += 1 if following is None else 2
        return bytes(plain), beats

    def dress(self, data: bytes) -> bytes:
        """Escaped."""
        return escaped(data)

"""The server's side of RFC 2217 (telnet with the COM-PORT option), without I/O: for the twin of a serial server.

Data double every FF; ``FF FA 2C command value FF F0`` sets or asks a thing, and the answer's command is 100 higher.
"""

from __future__ import annotations

IAC, DONT, DO, WONT, WILL, SB, SE = 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF0
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0x00, 0x03, 0x2C
WANTED = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
BAUD, DATA_BITS, PARITY, STOP = 1, 2, 3, 4
LONGEST = 64
"""Bytes that a subnegotiation may have."""


class ComPortServer:
    """One client. ``settings`` are the last values that it set, by command; ``answers`` is what to send back."""

    def __init__(self) -> None:
        self.settings: dict[int, int] = {}
        self.answers = bytearray()
        self._state = b""
        self._told: set[tuple[int, int]] = set()

    def receive(self, data: bytes) -> bytes:
        """The data among what came. Never raises."""
        plain = bytearray()
        for byte in data:
            self._state += bytes([byte])
            state = self._state
            if state[0] != IAC:
                plain.append(byte)
            elif len(state) == 1 or (len(state) == 2 and WILL <= state[1] <= DONT) or state[1] == SB:
                if not self._ended(state):
                    continue
            elif state[1] == IAC:
                plain.append(IAC)
            elif len(state) == 3:
                self._negotiate(state[1], state[2])
            self._state = b""
        return bytes(plain)

    def _ended(self, state: bytes) -> bool:
        """Is it a whole subnegotiation, or one too long to be any? Then it has been answered."""
        if len(state) < 5 or state[1] != SB:
            return False
        if not state.replace(b"\xff\xff", b"").endswith(bytes((IAC, SE))):
            return len(state) > LONGEST
        if state[2] == COM_PORT:
            self._set(state[3], state[4:-2].replace(b"\xff\xff", b"\xff"))
        return True

    def _negotiate(self, verb: int, option: int) -> None:
        """Agree to what a serial server knows, once, and refuse the rest."""
        if (verb, option) in self._told or verb in (WONT, DONT):
            return
        self._told.add((verb, option))
        known = option in WANTED
        reply = (DO if known else DONT) if verb == WILL else (WILL if known else WONT)
        self.answers += bytes((IAC, reply, option))

    def _set(self, command: int, value: bytes) -> None:
        number = int.from_bytes(value, "big")
        if number:
            self.settings[command] = number
        kept = self.settings.get(command, 0).to_bytes(max(1, len(value)), "big")
        body = bytes((COM_PORT, command + 100)) + kept.replace(b"\xff", b"\xff\xff")
        self.answers += bytes((IAC, SB)) + body + bytes((IAC, SE))


def doubled(data: bytes) -> bytes:
    """Data as they go over telnet."""
    return data.replace(b"\xff", b"\xff\xff")

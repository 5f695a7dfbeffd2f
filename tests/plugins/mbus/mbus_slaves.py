"""Meters of the M-Bus tests that need no profile: an identity, and telegrams of one's choice."""

from __future__ import annotations

from meterhub.testing.conformance_protocol import StillWorld
from meterhub_mbus.address import parse
from meterhub_mbus.slave import Slave

COUNTER = "0C13 78563412"


class PlainSlave(Slave):
    """Sends what ``bodies`` say behind its header; keeps what is written."""

    def __init__(self, address: str, primary: int = 0, *bodies: str, world=None) -> None:
        one = parse(address)
        super().__init__(primary, one.secondary, one.fabrication or b"\x00" * 4, world or StillWorld())
        self.bodies = [bytes.fromhex(body) for body in bodies or (COUNTER,)]
        self.written: list[bytes] = []

    def telegrams(self):
        head = self.secondary + bytes((self.access, 0, 0, 0))
        return [(0x72, head + body) for body in self.bodies]

    def write(self, data):
        self.written.append(data)

"""Meters of the M-Bus tests that need no profile: an identity, and telegrams of one's choice."""

from __future__ import annotations

from meterhub.clock import seeded
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


def crowd(count: int) -> list[PlainSlave]:
    """Meters of a few makers with consecutive, random and twice used numbers."""
    chance = seeded("crowd")
    numbers = [f"{60_000_000 + step:08d}" for step in range(count // 2)]
    numbers += [f"{chance.randrange(10**8):08d}" for _ in range(count - len(numbers) - 4)]
    numbers += [numbers[0], numbers[1], numbers[-1], numbers[2]]
    makers = ["KAM", "PAD", "LUG", "ITW", "SEN"]
    return [
        PlainSlave(f"{number}-{makers[at % 5]}-{at % 3:02X}-{(4, 6, 7)[at % 3]:02X}#{at:08d}", at % 251)
        for at, number in enumerate(numbers)
    ]

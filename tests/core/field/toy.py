"""A toy protocol for tests of the field side: ``< address key value > checksum`` of one byte each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from meterhub.errors import NoAnswer
from meterhub.field.codec import StreamCodec
from meterhub.field.dialogue import Ask, Dialogue, PollReport
from meterhub.field.protocol import Meter, Protocol, SimulatedMeter

REQUEST, ANSWER = 0x3C, 0x3E


class Frame(NamedTuple):
    start: int
    address: int
    key: int
    value: int


class ToyCodec(StreamCodec):
    def encode(self, frame: Frame) -> bytes:
        body = bytes(frame)
        return body + bytes([sum(body) & 0xFF])

    def find(self, buffer: bytearray) -> tuple[Frame | None, int]:
        for at in range(len(buffer)):
            if buffer[at] not in (REQUEST, ANSWER):
                continue
            part = buffer[at : at + 5]
            if len(part) < 5:
                return None, at
            if sum(part[:4]) & 0xFF == part[4]:
                self.dropped += at
                return Frame(*part[:4]), at + 5
        return None, len(buffer)


def request(address: int, key: int, value: int = 0) -> bytes:
    return ToyCodec().encode(Frame(REQUEST, address, key, value))


def answer(address: int, key: int, value: int = 0) -> bytes:
    return ToyCodec().encode(Frame(ANSWER, address, key, value))


def ask(address: int, key: int, **more: Any) -> Ask:
    return Ask(
        Frame(REQUEST, address, key, 0),
        lambda frame: frame.start == ANSWER and frame.address == address and frame.key == key,
        answer_bytes=5,
        **more,
    )


def read(address: int, *keys: int, **more: Any) -> Dialogue[list[int]]:
    values = []
    for key in keys:
        reply = yield ask(address, key, **more)
        values.append(reply.value)
    return values


class ToyMeter(SimulatedMeter):
    turnaround_s = 0.05

    def __init__(self, address: int) -> None:
        self.address = address

    def answer(self, frame: Frame) -> bytes | None:
        if frame.start != REQUEST or frame.address != self.address:
            return None
        return answer(self.address, frame.key, (self.address * 7 + frame.key) & 0xFF)


class ToyProtocol(Protocol):
    def codec(self) -> ToyCodec:
        return ToyCodec()

    def point(self, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> int:
        return int(spec["key"])

    def read(self, meter: Meter, points: Sequence[int]) -> Dialogue[PollReport]:
        report = PollReport()
        for index, key in enumerate(points):
            try:
                reply = yield ask(int(meter.address), key)
            except NoAnswer as error:
                if not report.updated:
                    raise
                report.failed.append((index, error))
            else:
                report.updated.append((index, reply.value, "good"))
        return report

    def simulate(self, meter: Meter, world: Any) -> ToyMeter:
        return ToyMeter(int(meter.address))

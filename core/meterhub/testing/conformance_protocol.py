"""The rules that every meter protocol must keep, as a class to subclass::

class TestAcme(ProtocolConformance):
    def make_protocol(self):
        return Acme()

    def make_meter(self, protocol):
        return sample_meter(protocol, "17", {"energy": {"register": "energy"}})

    other_address = "18"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from meterhub.clock import Clock, seeded
from meterhub.errors import FieldError, LinkDown, NoAnswer
from meterhub.field.codec import MAX_BUFFER, Codec
from meterhub.field.dialogue import Ask, Dialogue, PollReport
from meterhub.field.protocol import Protocol, SimulatedMeter

MOST_ASKS = 1000


@dataclass(frozen=True)
class SampleMeter:
    """What a dialogue may know of a meter."""

    id: str
    address: str
    options: Mapping[str, Any] = field(default_factory=dict)
    points: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def sample_meter(
    protocol: Protocol,
    address: str,
    points: Mapping[str, Mapping[str, Any]],
    *,
    options: Mapping[str, Any] | None = None,
    commands: Mapping[str, Mapping[str, Any]] | None = None,
    kind: str = "reading",
    scale: int = 2,
) -> SampleMeter:
    """A meter with ``points`` compiled, all of one kind and scale."""
    compiled = {key: protocol.point(key, spec, kind, scale) for key, spec in points.items()}
    return SampleMeter("sample", protocol.address(address), options or {}, compiled, commands or {})


class StillWorld:
    """A world for twins in which nothing happens by chance."""

    def __init__(self) -> None:
        self.clock = Clock(1)
        self._now_ms = 1_767_225_600_000

    def now_ms(self) -> int:
        """Always 2026-01-01T00:00:00Z."""
        return self._now_ms

    def random(self, name: str) -> Any:
        """A generator for whoever is called ``name``."""
        return seeded(name)

    def wait_s(self, seconds: float) -> float:
        """As long as it says."""
        return seconds


def frames_of(codec: Codec, *segments: bytes) -> list[Any]:
    """All frames that the codec finds."""
    found = []
    for data in segments:
        codec.receive(data)
        while (frame := codec.next_frame()) is not None:
            found.append(frame)
    return found


class Exchange:
    """One question of a dialogue with the twin's answer, as bytes."""

    def __init__(self, ask: Ask, request: bytes, answer: bytes) -> None:
        self.ask = ask
        self.request = request
        self.answer = answer


def talk(protocol: Protocol, dialogue: Dialogue[Any], twin: SimulatedMeter) -> tuple[list[Exchange], Any]:
    """Run a dialogue with a twin, byte by byte through the codec; silence becomes ``NoAnswer``."""
    exchanges: list[Exchange] = []
    try:
        ask = next(dialogue)
        while len(exchanges) < MOST_ASKS:
            request = protocol.codec().encode(ask.frame)
            said = [twin.answer(frame) for frame in frames_of(protocol.codec(), request)]
            answer = b"".join(one for one in said if one is not None)
            exchanges.append(Exchange(ask, request, answer))
            match = ask.match
            right = [one for one in frames_of(protocol.codec(), answer) if match is not None and match(one)]
            if right or match is None:
                ask = dialogue.send(right[0] if right else None)
            else:
                ask = dialogue.throw(NoAnswer("the twin did not answer"))
    except StopIteration as end:
        return exchanges, end.value
    raise AssertionError(f"the dialogue did not end after {MOST_ASKS} questions")


class ProtocolConformance:
    """Subclass it; pytest runs the inherited tests."""

    other_address = ""
    """Another valid address; '' skips the tests that need one."""
    nameless_answers: tuple[bytes, ...] = ()
    """Whole answers that every meter gives alike and that name nobody, such as an acknowledgement of one byte."""

    def make_protocol(self) -> Protocol:
        """The protocol under test."""
        raise NotImplementedError

    def make_meter(self, protocol: Protocol) -> SampleMeter:
        """A meter with points that its twin knows."""
        raise NotImplementedError

    @pytest.fixture
    def protocol(self) -> Protocol:
        """The protocol."""
        return self.make_protocol()

    @pytest.fixture
    def meter(self, protocol: Protocol) -> SampleMeter:
        """The meter."""
        return self.make_meter(protocol)

    @pytest.fixture
    def twin(self, protocol: Protocol, meter: SampleMeter) -> SimulatedMeter:
        """The meter's twin."""
        twin = protocol.simulate(meter, StillWorld())
        if twin is None:
            pytest.skip("this protocol has no simulated meter")
        return twin

    @pytest.fixture
    def exchanges(self, protocol: Protocol, meter: SampleMeter, twin: SimulatedMeter) -> list[Exchange]:
        """What a poll of all points says on the wire."""
        return talk(protocol, protocol.read(meter, list(meter.points.values())), twin)[0]

    def test_the_twin_answers_its_profile(self, protocol: Protocol, meter: SampleMeter, twin: SimulatedMeter) -> None:
        """Every point gets a value, each once, of an exact type."""
        _, report = talk(protocol, protocol.read(meter, list(meter.points.values())), twin)
        assert isinstance(report, PollReport)
        assert not report.failed, f"failed: {report.failed}"
        assert sorted(index for index, _, _ in report.updated) == list(range(len(meter.points)))
        assert all(isinstance(value, int | str | bool | None) for _, value, _ in report.updated)

    def test_frames_are_found_however_the_stream_is_cut(self, protocol: Protocol, exchanges: list[Exchange]) -> None:
        """In one piece, byte by byte, and in pieces of odd sizes: the same number of frames."""
        stream = b"".join(one.answer for one in exchanges)
        whole = len(frames_of(protocol.codec(), stream))
        assert whole >= len([one for one in exchanges if one.answer])
        for size in (1, 2, 3, 7, 50):
            cut = [stream[at : at + size] for at in range(0, len(stream), size)]
            assert len(frames_of(protocol.codec(), *cut)) == whole, f"in pieces of {size} bytes"

    def test_garbage_never_raises_and_is_overcome(self, protocol: Protocol, exchanges: list[Exchange]) -> None:
        """Random bytes, spoilt frames, cut frames: afterwards good frames are found again."""
        chance = seeded("garbage")
        good = next(one for one in exchanges if one.answer)
        for _ in range(300):
            codec = protocol.codec()
            spoilt = bytearray(chance.choice(exchanges).answer or b"?")
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
            noise = chance.choice(
                (chance.randbytes(chance.randrange(1, 80)), bytes(spoilt), bytes(spoilt[: len(spoilt) // 2]))
            )
            match = good.ask.match
            assert match is not None
            assert any(match(one) for one in frames_of(codec, noise, *[good.answer] * 40)), noise.hex(" ")
            codec.receive(noise)
            codec.reset()
            assert any(match(one) for one in frames_of(codec, good.answer)), f"after reset: {noise.hex(' ')}"

    def test_an_endless_stream_does_not_fill_the_memory(self, protocol: Protocol, exchanges: list[Exchange]) -> None:
        """Nor does it take for ever."""
        start = exchanges[0].answer[:1] or b"\x68"
        for filler in (b"\x00", b"\xff", start, b"\x68\xff"):
            codec = protocol.codec()
            for _ in range(64):
                frames_of(codec, filler * 1024)
            kept = getattr(codec, "_buffer", b"")
            assert len(kept) <= MAX_BUFFER, f"{len(kept)} bytes kept of {filler.hex()}…"

    def test_an_answer_answers_only_what_was_asked(
        self, protocol: Protocol, meter: SampleMeter, exchanges: list[Exchange]
    ) -> None:
        """Not the echo of the request, and not what another meter says."""
        for one in exchanges:
            match = one.ask.match
            if match is None:
                continue
            for frame in frames_of(protocol.codec(), one.request):
                assert not match(frame), f"takes its own echo for an answer: {one.request.hex(' ')}"
        for other in self._exchanges_of_other(protocol, meter):
            if other.answer in self.nameless_answers:
                continue
            for frame in frames_of(protocol.codec(), other.answer):
                assert not any(one.ask.match(frame) for one in exchanges if one.ask.match is not None)

    def test_a_meter_is_silent_when_another_is_asked(
        self, protocol: Protocol, meter: SampleMeter, exchanges: list[Exchange]
    ) -> None:
        """The twin of another address says nothing."""
        other = self._other(protocol, meter)
        twin = protocol.simulate(other, StillWorld())
        assert twin is not None
        for one in exchanges:
            if one.ask.match is not None:
                assert all(twin.answer(frame) is None for frame in frames_of(protocol.codec(), one.request))

    @pytest.mark.parametrize("error", [NoAnswer, LinkDown])
    def test_dialogues_give_up(
        self, protocol: Protocol, meter: SampleMeter, error: Callable[[str], FieldError]
    ) -> None:
        """When nobody answers, a poll ends: with the error, or with a report in which everything failed."""
        dialogue = protocol.read(meter, list(meter.points.values()))
        next(dialogue)
        try:
            for _ in range(MOST_ASKS):
                dialogue.throw(error("nobody is there"))
        except StopIteration as end:
            assert len(end.value.failed) == len(meter.points) and not end.value.updated
        except FieldError:
            pass
        else:
            raise AssertionError("the dialogue asks for ever")

    def _other(self, protocol: Protocol, meter: SampleMeter) -> SampleMeter:
        if not self.other_address:
            pytest.skip("no other_address given")
        return replace(meter, id="other", address=protocol.address(self.other_address))

    def _exchanges_of_other(self, protocol: Protocol, meter: SampleMeter) -> list[Exchange]:
        if not self.other_address:
            return []
        other = self._other(protocol, meter)
        twin = protocol.simulate(other, StillWorld())
        return [] if twin is None else talk(protocol, protocol.read(other, list(other.points.values())), twin)[0]

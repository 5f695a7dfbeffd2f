"""The conformance suite passes a good protocol and catches bad ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "field"))

from toy import ToyCodec, ToyMeter, ToyProtocol

from meterhub.testing.conformance_protocol import ProtocolConformance, sample_meter, talk


class TestToyProtocol(ProtocolConformance):
    other_address = "2"

    def make_protocol(self):
        return ToyProtocol()

    def make_meter(self, protocol):
        return sample_meter(protocol, "1", {"a": {"key": 5}, "b": {"key": 6}})


class Leaky(ToyCodec):
    def find(self, buffer):
        return None, 0

    def next_frame(self):
        return self.find(self._buffer)[0]


class LeakyProtocol(ToyProtocol):
    def codec(self):
        return Leaky()


def exchanges_of(protocol):
    good = ToyProtocol()
    meter = sample_meter(good, "1", {"a": {"key": 5}})
    return talk(good, good.read(meter, [5]), ToyMeter(1))[0]


def test_a_codec_that_keeps_everything_is_caught():
    with pytest.raises(AssertionError, match="bytes kept"):
        TestToyProtocol().test_an_endless_stream_does_not_fill_the_memory(LeakyProtocol(), exchanges_of(ToyProtocol()))


def test_a_codec_that_never_recovers_is_caught():
    with pytest.raises(AssertionError):
        TestToyProtocol().test_garbage_never_raises_and_is_overcome(LeakyProtocol(), exchanges_of(ToyProtocol()))


def test_a_dialogue_that_asks_for_ever_is_caught():
    class Stubborn(ToyProtocol):
        def read(self, meter, points):
            while True:
                try:
                    yield from super().read(meter, points)
                except RuntimeError:
                    continue

    suite = TestToyProtocol()
    with pytest.raises(AssertionError, match="for ever"):
        suite.test_dialogues_give_up(Stubborn(), suite.make_meter(ToyProtocol()), RuntimeError)

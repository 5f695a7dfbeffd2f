"""The rules that every meter protocol must keep."""

from __future__ import annotations

from cjt188_models import CLOCK, meter

from meterhub.testing.conformance_protocol import ProtocolConformance
from meterhub_mbus.cjt188.protocol import Cjt188


class TestCjt188Water(ProtocolConformance):
    other_address = "00112233445567"

    def make_protocol(self):
        return Cjt188(CLOCK)

    def make_meter(self, protocol):
        return meter("cjt188-water-prepaid")


class TestCjt188Of2018(TestCjt188Water):
    def make_meter(self, protocol):
        return meter("cjt188-water-2018")


class TestCjt188Heat(TestCjt188Water):
    def make_meter(self, protocol):
        return meter("cjt188-heat")

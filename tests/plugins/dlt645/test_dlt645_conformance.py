"""The rules that every meter protocol must keep."""

from __future__ import annotations

from dlt645_models import meter, protocol

from meterhub.testing.conformance_protocol import ProtocolConformance


class TestDlt645Of2007(ProtocolConformance):
    other_address = "000000000162"

    def make_protocol(self):
        return protocol("2007")

    def make_meter(self, protocol):
        return meter("dlt645-2007-three-phase")


class TestDlt645Of1997(ProtocolConformance):
    other_address = "000000000162"

    def make_protocol(self):
        return protocol("1997")

    def make_meter(self, protocol):
        return meter("dlt645-1997-single-phase")

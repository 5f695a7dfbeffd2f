"""The rules that every meter protocol must keep."""

from __future__ import annotations

from mbus_models import model, protocol

from meterhub.testing.conformance_protocol import ProtocolConformance


class TestPrimary(ProtocolConformance):
    other_address = "6"
    nameless_answers = (b"\xe5",)

    def make_protocol(self):
        return protocol()

    def make_meter(self, one):
        return model(one, "5")


class TestSecondary(ProtocolConformance):
    other_address = "12345679-KAM-01-04"
    nameless_answers = (b"\xe5",)

    def make_protocol(self):
        return protocol()

    def make_meter(self, one):
        return model(one, "12345678-KAM-01-04")


class TestNeverReset(ProtocolConformance):
    other_address = "6"
    nameless_answers = (b"\xe5",)

    def make_protocol(self):
        return protocol()

    def make_meter(self, one):
        return model(one, "5", options={"ping": False})

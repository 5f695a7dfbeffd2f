"""Sample meters of the M-Bus tests."""

from __future__ import annotations

from meterhub.testing.clock import MovableClock
from meterhub.testing.conformance_protocol import SampleMeter, sample_meter
from meterhub_mbus.protocol import Mbus

POINTS = {
    "volume": {"quantity": "volume"},
    "volume_last_month": {"quantity": "volume", "storage": 1},
    "flow": {"quantity": "volume_flow"},
    "temperature": {"quantity": "flow_temperature"},
    "heat": {"quantity": "energy", "unit": "GJ", "tariff": 1, "device": 1},
    "power_peak": {"quantity": "power", "function": "maximum", "storage": 18, "unit": "kW"},
    "backwards": {"quantity": "volume", "modifiers": ["backward"]},
    "firmware": {"quantity": "firmware_version"},
}


def protocol() -> Mbus:
    """The protocol with a clock of its own."""
    return Mbus(MovableClock())


def model(one: Mbus, address: str = "5", **more) -> SampleMeter:
    """A meter with ``POINTS``, two decimals each."""
    return sample_meter(one, address, POINTS, kind="number", scale=3, **more)

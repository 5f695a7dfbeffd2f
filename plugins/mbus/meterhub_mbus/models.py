"""Which profile suits a meter that a search has found, by maker and medium."""

from __future__ import annotations

from collections.abc import Mapping

from meterhub_mbus.address import maker_name

OF_MEDIUM: Mapping[int, str] = {
    0x02: "mbus-electricity",
    0x03: "mbus-gas",
    0x04: "mbus-heat",
    0x06: "mbus-water",
    0x07: "mbus-water",
    0x0A: "mbus-cooling",
    0x0B: "mbus-cooling",
    0x0C: "mbus-heat",
    0x0D: "mbus-heat-cooling",
    0x15: "mbus-water",
    0x16: "mbus-water",
}
OF_MAKER: Mapping[tuple[str, int], str] = {
    ("ACW", 0x07): "itron-cyble-mbus",
    ("EFE", 0x04): "engelmann-sensostar-2c-mbus",
    ("ELS", 0x03): "elster-gas-oms-mbus",
    ("ELS", 0x07): "elster-falcon-mbus",
    ("GWF", 0x07): "gwf-mtkcoder-mbus",
    ("HYD", 0x07): "hydrometer-water-mbus",
    ("LSE", 0x06): "siemens-wfh21-mbus",
    ("NZR", 0x02): "nzr-dhz-mbus",
    ("SEN", 0x04): "sensus-pollustat-e-mbus",
    ("ZRM", 0x04): "minol-minocal-c2-mbus",
}
ANYTHING = "mbus-any"


def model_of(identity: bytes) -> str:
    """The id of the profile for the 8 bytes of a meter; one that shows all records as text where nothing fits."""
    medium = identity[7]
    return OF_MAKER.get((maker_name(identity[4:6]), medium)) or OF_MEDIUM.get(medium, ANYTHING)

"""What a serial link says in the site file. How the port is set stands with its line: baud, bits, parity, stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config.types import seconds, text

LINK_SCHEMA = {
    vol.Required("port", description="/dev/ttyUSB0, socket://host:port or rfc2217://host:port."): text(200),
    vol.Optional(
        "latency", default="0ms", description="Usual round trip; more than 0 for ports on the network."
    ): seconds(0, 600),
    vol.Optional("latency_max", default="100ms", description="Round trip to wait for before asking again."): seconds(
        0, 600
    ),
}

PARITIES = {"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"}


def port_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """pyserial's arguments from the line of the link; 2400 8E1 where it says nothing."""
    line = (config.get("lines") or [{}])[0]
    return {
        "baudrate": int(line.get("baud", 2400)),
        "bytesize": int(line.get("bits", 8)),
        "parity": PARITIES[str(line.get("parity", "even"))],
        "stopbits": int(line.get("stop", 1)),
    }

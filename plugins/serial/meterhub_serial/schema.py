"""What a serial link says in the site file. How the port is set stands with its line: baud, bits, parity, stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config.types import seconds, text
from meterhub.errors import ConfigError
from meterhub.field.link import CollectorConfig

CHANNEL = "{channel}"
"""In the name of a port: what the line says under ``channel:``, a TCP port or the end of a device's name."""

PORT = "/dev/ttyUSB0, socket://host:port or rfc2217://host:port; {channel} in it stands for the channel of the line."

LINK_SCHEMA = {
    vol.Required(
        "port",
        description=PORT,
    ): text(200),
    vol.Optional(
        "latency", default="0ms", description="Usual round trip; more than 0 for ports on the network."
    ): seconds(0, 600),
    vol.Optional("latency_max", default="100ms", description="Round trip to wait for before asking again."): seconds(
        0, 600
    ),
}

PARITIES = {"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"}


def ports_of(config: Mapping[str, Any], collector: CollectorConfig) -> list[str]:
    """The ports of a link's lines. Raises ``ConfigError`` for channels without a place in the name of the port."""
    port: str = config["port"]
    if CHANNEL in port and not collector.channels:
        hint = "port: socket://10.0.0.5:{channel} with channel: 4001 and channel: 4002 at its lines, for instance"
        raise ConfigError(f"{CHANNEL} in port: wants channel: at the lines", where=collector.id, hint=hint)
    return [port.replace(CHANNEL, one) for one in collector.channels] or [port]


def port_settings(config: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    """pyserial's arguments from the line of this number; 2400 8E1 where it says nothing."""
    line = (config.get("lines") or [{}])[number]
    return {
        "baudrate": int(line.get("baud", 2400)),
        "bytesize": int(line.get("bits", 8)),
        "parity": PARITIES[str(line.get("parity", "even"))],
        "stopbits": int(line.get("stop", 1)),
    }

"""What a gprs link and a collector on it say in the site file."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from meterhub.config.types import host_port, packet, seconds, whole

HEARTBEAT_SCHEMA = {
    vol.Required("every", description="How often a collector promises a sign of life."): seconds(1, 86_400),
    vol.Optional("packet", description="What it sends, one packet or a list; not given: its registration."): vol.Any(
        packet(), [packet()]
    ),
}

LINK_SCHEMA = {
    vol.Required("listen", description="Address and port to listen on."): host_port(),
    vol.Optional("heartbeat", description="Heartbeats: how often, and which bytes."): HEARTBEAT_SCHEMA,
    vol.Optional("register_within", default="10s", description="A caller must name itself within."): seconds(0.05, 600),
    vol.Optional("unregistered_per_address", default="200", description="Callers of one address not named yet."): whole(
        1, 20_000
    ),
    vol.Optional("latency", default="500ms", description="Usual round trip of the link."): seconds(0, 600),
    vol.Optional("latency_max", default="5s", description="Round trip to wait for before asking again."): seconds(
        0, 600
    ),
}

COLLECTOR_SCHEMA = {
    vol.Optional("registration", description="The packet it sends when it calls; not given: its id."): packet(),
}


def heartbeat_packets(config: Any) -> tuple[bytes, ...]:
    """The heartbeat packets of a link's configuration."""
    found = config.get("heartbeat", {}).get("packet", ())
    return (found,) if isinstance(found, bytes) else tuple(found)

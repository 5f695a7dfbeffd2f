"""What a gprs link and a collector on it say in the site file."""

from __future__ import annotations

import re
from typing import Any

import voluptuous as vol

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration(text: Any) -> float:
    """Seconds of ``60s``, ``500ms``, ``2m``, ``1h``, or of a bare number of seconds; never negative."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?", str(text).strip())
    if found is None:
        raise vol.Invalid(f"{text!r} is not a duration such as 60s, 500ms or 2m")
    return float(found[1]) * UNITS[found[2] or "s"]


def host_port(text: Any) -> tuple[str, int]:
    """``(host, port)`` of ``0.0.0.0:9100`` or ``[::]:9100``."""
    host, colon, port = str(text).strip().rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise vol.Invalid(f"{text!r} is not host:port such as 0.0.0.0:9100")
    return host.removeprefix("[").removesuffix("]"), int(port)


def packet(text: Any) -> bytes:
    """The bytes of a packet: text as it is, or ``hex:01 02 FF``. Not empty, at most 256 bytes."""
    text = str(text)
    try:
        data = bytes.fromhex(text[4:]) if text.lower().startswith("hex:") else text.encode()
    except ValueError:
        raise vol.Invalid(f"{text!r}: after hex: there must be pairs of hex digits") from None
    if not 0 < len(data) <= 256:
        raise vol.Invalid(f"{text!r} must have 1 to 256 bytes")
    return data


def packets(value: Any) -> tuple[bytes, ...]:
    """One packet or a list of them."""
    return tuple(packet(one) for one in (value if isinstance(value, list) else [value]))


HEARTBEAT_SCHEMA = vol.Schema(
    {
        vol.Required("every", description="How often a collector promises a sign of life."): duration,
        vol.Optional("packet", description="What it sends; not given: its registration again."): packets,
    }
)

LINK_SCHEMA = {
    vol.Required("listen", description="Address and port to listen on."): host_port,
    vol.Optional("heartbeat", description="Heartbeats: how often, and which bytes."): HEARTBEAT_SCHEMA,
    vol.Optional("register_within", default="10s", description="A caller must name itself within."): duration,
    vol.Optional("unregistered_per_address", default=200, description="Callers of one address not named yet."): vol.All(
        vol.Coerce(int), vol.Range(min=1, max=20_000)
    ),
    vol.Optional("latency", default="500ms", description="Usual round trip of the link."): duration,
    vol.Optional("latency_max", default="5s", description="Round trip to wait for before asking again."): duration,
}

COLLECTOR_SCHEMA = {
    vol.Optional("registration", description="The packet it sends when it calls; not given: its id."): packet,
}

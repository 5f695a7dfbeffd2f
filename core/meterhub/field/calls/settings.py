"""The keys in the site file of links whose collectors call or are called, for the schemas of plugins."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.config.schema import ListOf
from meterhub.config.types import choice, file_path, host_port, network, packet, seconds, whole
from meterhub.errors import ConfigError
from meterhub.field.calls.link import CallSettings
from meterhub.field.link import LinkFacts

HEARTBEAT_SCHEMA = {
    vol.Required("every", description="How often a collector promises a sign of life."): seconds(1, 86_400),
    vol.Optional("packet", description="What it sends, one packet or a list; not given: its registration."): vol.Any(
        packet(), [packet()]
    ),
}
LISTEN = "Address and port to listen on."
LIMITS_SCHEMA = {
    vol.Optional("heartbeat", description="Heartbeats: how often, and which bytes."): HEARTBEAT_SCHEMA,
    vol.Optional("register_within", default="10s", description="A caller must name itself within."): seconds(0.05, 600),
    vol.Optional("unregistered_per_address", default="200", description="Callers of one address not named yet."): whole(
        1, 20_000
    ),
    vol.Optional("unregistered", default="10000", description="Callers not named yet, of all addresses."): whole(
        1, 100_000
    ),
    vol.Optional("allow", default=list, description="Networks that callers may come from; all when left out."): ListOf(
        network(), maximum=100
    ),
}
TLS_SCHEMA = {
    vol.Required("certificate", description="The server's certificate and chain, a PEM file."): file_path(),
    vol.Required("key", description="Its private key, a PEM file."): file_path(),
    vol.Optional("clients", description="Certificates that callers must be signed by, a PEM file."): file_path(),
}


def latency_schema(usual: str, longest: str) -> dict[Any, Any]:
    """``latency`` and ``latency_max`` with the link's defaults."""
    return {
        vol.Optional("latency", default=usual, description="Usual round trip of the link."): seconds(0, 600),
        vol.Optional(
            "latency_max", default=longest, description="Round trip to wait for before asking again."
        ): seconds(0, 3600),
    }


LISTEN_SCHEMA = {
    vol.Optional("listen", description=LISTEN): host_port(),
    vol.Optional("transport", default="tcp", description="How collectors call."): choice("tcp", "udp"),
    vol.Optional("tls", description="Certificate for collectors that call over TLS."): TLS_SCHEMA,
    **LIMITS_SCHEMA,
}
CONNECT_SCHEMA = {
    vol.Optional("connect", description="Address and port to call it at, instead of waiting for its call."): host_port()
}
REGISTRATION_SCHEMA = {
    vol.Optional("registration", description="The packet it sends when it calls; not given: its id."): packet(),
}


def heartbeat_packets(config: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The heartbeat packets of a link's configuration."""
    found = config.get("heartbeat", {}).get("packet", ())
    return (found,) if isinstance(found, bytes) else tuple(found)


def facts_of(config: Mapping[str, Any]) -> LinkFacts:
    """The facts of a link on the network."""
    return LinkFacts(config["latency"], config["latency_max"], metered=True)


def settings_of(config: Mapping[str, Any], heartbeats: tuple[bytes, ...] = ()) -> CallSettings:
    """The settings that a link's checked configuration says; raises ``ConfigError`` for files that cannot be used."""
    return CallSettings(
        listen=config.get("listen"),
        udp=config.get("transport") == "udp",
        tls=tls_context(config["tls"]) if "tls" in config else None,
        allow=config["allow"],
        heartbeats=heartbeat_packets(config) or heartbeats,
        register_within_s=config["register_within"],
        per_address=config["unregistered_per_address"],
        unnamed_limit=config["unregistered"],
    )


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """The server's side of TLS; with ``clients`` a caller must show a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config["certificate"], config["key"])
        if "clients" in config:
            context.load_verify_locations(config["clients"])
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise ConfigError(
            f"the certificate cannot be used: {error.strerror or error}",
            where=str(config["certificate"]),
            hint="give PEM files that this user may read",
        ) from None
    return context

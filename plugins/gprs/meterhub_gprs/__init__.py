"""Collectors that dial in over TCP (GPRS, 4G, Ethernet): registration packet, heartbeats, transparent bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meterhub import hookimpl
from meterhub.field.calls.link import CallLink
from meterhub.field.calls.settings import facts_of, settings_of
from meterhub.field.link import LinkType
from meterhub.sim.caller import simulate
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA

requires_api = 1


def open_link(ctx: Any, config: Mapping[str, Any]) -> CallLink:
    """Make the link; it listens once it is opened."""
    return CallLink(ctx.clock, settings_of(config), facts_of(config))


@hookimpl
def register_links() -> Iterable[LinkType]:
    """The link type ``gprs``."""
    return [
        LinkType(
            "gprs",
            schema=LINK_SCHEMA,
            open=open_link,
            collector_schema=COLLECTOR_SCHEMA,
            dial_in=True,
            unique=("registration",),
            simulate=simulate,
            description="Transparent collectors (DTU, serial server) that dial in over TCP and name themselves.",
        )
    ]

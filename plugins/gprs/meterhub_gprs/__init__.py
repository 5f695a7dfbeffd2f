"""Collectors that dial in over TCP, TLS or UDP (GPRS, 4G, Ethernet) and name themselves; makers' forms as presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.config.types import packet
from meterhub.field.link import LinkType
from meterhub_gprs.link import GprsLink
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA
from meterhub_gprs.twin import simulate

requires_api = 1


def open_link(ctx: Any, config: Mapping[str, Any]) -> GprsLink:
    """Make the link; it listens once it is opened."""
    return GprsLink(ctx.clock, config)


@hookimpl
def register_links() -> Iterable[LinkType]:
    """The link type ``gprs``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_gprs")
    return [
        LinkType(
            "gprs",
            schema=LINK_SCHEMA,
            open=open_link,
            collector_schema=COLLECTOR_SCHEMA,
            dial_in=True,
            channel=lambda options: packet(40),
            unique=("registration",),
            simulate=simulate,
            description="Transparent collectors (DTU, serial server) that dial in over TCP and name themselves.",
        )
    ]

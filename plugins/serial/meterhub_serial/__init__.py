"""A serial port of this machine, or one reached over the network through pyserial's URLs, as a link with one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.config.types import text
from meterhub.field.link import LinkType
from meterhub_serial.link import SerialLink
from meterhub_serial.schema import CHANNEL, LINK_SCHEMA
from meterhub_serial.twin import simulate

requires_api = 1


def open_link(ctx: Any, config: Mapping[str, Any]) -> SerialLink:
    """Make the link; the port is opened with it. ``config["lines"]`` says how the port is set."""
    return SerialLink(ctx.clock, config)


@hookimpl
def register_links() -> Iterable[LinkType]:
    """The link type ``serial``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_serial")
    return [
        LinkType(
            "serial",
            schema=LINK_SCHEMA,
            open=open_link,
            dial_in=False,
            channel=lambda options: text(64) if CHANNEL in options["port"] else None,
            simulate=simulate,
            description="A serial port: /dev/ttyUSB0, socket://host:port or rfc2217://host:port.",
        )
    ]

"""LoRa: transparent modules behind WiFi or Ethernet converters, and LoRaWAN nodes through a network server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.field.envelope import EnvelopeType
from meterhub.field.link import LinkType
from meterhub_lora_wifi import fixed_point, gateway, lorawan
from meterhub_lora_wifi.cell_twin import simulate as simulate_cells
from meterhub_lora_wifi.lorawan_twin import simulate as simulate_nodes

requires_api = 1


def open_gateway(ctx: Any, config: Mapping[str, Any]) -> gateway.LoraLink:
    """The link to converters with transparent modules."""
    return gateway.LoraLink(ctx.clock, config)


def open_lorawan(ctx: Any, config: Mapping[str, Any]) -> lorawan.LorawanLink:
    """The link to a network server."""
    return lorawan.LorawanLink(ctx.clock, config)


@hookimpl
def register_links() -> Iterable[LinkType]:
    """The link types ``lora_wifi`` and ``lorawan``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_lora_wifi")
    return [
        LinkType(
            "lora_wifi",
            schema=gateway.LINK_SCHEMA,
            open=open_gateway,
            collector_schema=gateway.COLLECTOR_SCHEMA,
            envelope="lora_fixed",
            simulate=simulate_cells,
            description="Transparent LoRa modules behind a WiFi or Ethernet converter.",
        ),
        LinkType(
            "lorawan",
            schema=lorawan.LINK_SCHEMA,
            open=open_lorawan,
            collector_schema=lorawan.COLLECTOR_SCHEMA,
            simulate=simulate_nodes,
            description="LoRaWAN nodes through a network server, over MQTT.",
        ),
    ]


@hookimpl
def register_envelopes() -> Iterable[EnvelopeType]:
    """``lora_fixed``: address and channel of the target in front of each frame."""
    return [
        EnvelopeType(
            "lora_fixed",
            fixed_point.SCHEMA,
            lambda ctx, options: fixed_point.FixedPoint(options),
            "Address and channel of the target module in front of each frame.",
        )
    ]

"""The mesh link: concentrators that call or are called, and the station that speaks with each one's module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config.schema import ListOf
from meterhub.config.types import boolean, choice, seconds, text
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.link import CallLink
from meterhub.field.calls.settings import (
    CONNECT_SCHEMA,
    LISTEN_SCHEMA,
    REGISTRATION_SCHEMA,
    facts_of,
    latency_schema,
    settings_of,
)
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import CollectorConfig
from meterhub_mesh.local_frame import MEDIA
from meterhub_mesh.routed import node_of
from meterhub_mesh.station import Station

LINK_SCHEMA = {
    **LISTEN_SCHEMA,
    vol.Optional(
        "module",
        default="gdw376_2",
        description="What the concentrator passes on: its module's frames, or bare bytes.",
    ): choice("gdw376_2", "transparent"),
    vol.Optional("medium", default="wireless", description="What carries the network."): choice(*MEDIA),
    vol.Optional("survey", default="10m", description="How often the network map is learnt."): seconds(10, 86_400),
    **latency_schema("3s", "30s"),
}
COLLECTOR_SCHEMA = {
    **REGISTRATION_SCHEMA,
    **CONNECT_SCHEMA,
    vol.Optional(
        "nodes", default=list, description="Addresses that must be in the module's list; it is left alone without."
    ): ListOf(text(20), maximum=2048),
    vol.Optional("prune", default=False, description="Take whoever is not in nodes out of the module's list."): (
        boolean()
    ),
}


class MeshLink(CallLink):
    """A ``CallLink`` with a station per connection."""

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        super().__init__(clock, settings_of(config), facts_of(config))
        self._module = config["module"] == "gdw376_2"
        self.ticks = self._module
        self._medium: str = config["medium"]
        self._survey_s: float = config["survey"]

    def framing(self, collector: CollectorConfig, packet: bytes) -> Framing:
        """A station, or only a sieve where the concentrator passes bare bytes on."""
        sieve = Sieve((packet, *self.heartbeats) if packet else self.heartbeats)
        if not self._module:
            return sieve
        nodes = [node_of(one) for one in collector.options.get("nodes", ())]
        prune = collector.options.get("prune", False)
        return Station(self._clock, sieve, self._medium, nodes, self._survey_s, prune=prune)

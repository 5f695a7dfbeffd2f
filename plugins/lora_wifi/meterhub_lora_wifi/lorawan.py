"""The link ``lorawan``: each node is a collector; a network server brings bytes to it and back, over MQTT."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config.base import Type, words_of
from meterhub.config.types import boolean, choice, file_path, host_port, seconds, secret, text, whole
from meterhub.errors import ConfigError
from meterhub.field.calls.settings import latency_schema
from meterhub.field.link import CollectorConfig, Link, LinkFacts, LinkHost
from meterhub_lora_wifi.lorawan_node import LorawanNode
from meterhub_lora_wifi.mqtt_client import Broker, Listener, MqttClient
from meterhub_lora_wifi.mqtt_packets import Message
from meterhub_lora_wifi.network_server import DIALECTS, LIMITS, event_of


def _eui(value: Any) -> str:
    words = words_of(value).replace("-", "").replace(":", "").lower()
    if len(words) != 16:
        raise ValueError
    return bytes.fromhex(words).hex()


LINK_SCHEMA = {
    vol.Required("server", description="The MQTT server of the network server."): host_port(),
    vol.Optional("preset", default="chirpstack4", description="The kind of network server."): choice(*DIALECTS),
    vol.Optional("application", default="+", description="Id of the application; + for all of them."): text(100),
    vol.Optional("user", default="", description="User at the MQTT server."): text(200, empty=True),
    vol.Optional("password", description="Its password, best as !secret."): secret(),
    vol.Optional("client_id", default="", description="Our name there; one of its own for each hub."): text(
        100, empty=True
    ),
    vol.Optional("tls", default=False, description="Connect over TLS."): boolean(),
    vol.Optional("ca", description="The authority that signed the server's certificate, a PEM file."): file_path(),
    vol.Optional("region", default="cn470", description="Whose payload limits hold."): choice(*LIMITS),
    vol.Optional("heartbeat", description="How often a node promises an uplink."): {
        vol.Required("every", description="The longest time between two uplinks."): seconds(1, 604_800)
    },
    **latency_schema("2s", "8s"),
}
COLLECTOR_SCHEMA = {
    vol.Required("dev_eui", description="The node's EUI, 16 hex digits."): Type(
        "dev_eui", "an EUI of 16 hex digits", _eui
    ),
    vol.Optional("class", default="C", description="C listens always, A only after it has sent."): choice("A", "C"),
    vol.Optional("confirmed", default=True, description="The node has to acknowledge what it received."): boolean(),
    vol.Optional("port", default=2, description="FPort of the meters' bytes, both ways."): whole(1, 223),
    vol.Optional(
        "strip", default=True, description="Leave wake-up bytes FE in front of frames to the node."
    ): boolean(),
    vol.Optional("uplink_every", default="15m", description="Class A: the longest wait for its next uplink."): seconds(
        1, 86_400
    ),
}


class LorawanLink(Link):
    """One MQTT connection for all nodes; a node is connected while the server is, and not silent for too long."""

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        self._clock = clock
        self._config = config
        self.facts = LinkFacts(config["latency"], config["latency_max"], largest_frame=242, metered=True)
        self._dialect = DIALECTS[config["preset"]]
        self._nodes: dict[str, LorawanNode] = {}
        self._client: MqttClient | None = None
        self._keeper: asyncio.Task[None] | None = None

    def facts_of(self, collector: CollectorConfig) -> LinkFacts:
        """A node of class A may answer as late as its next uplink after next."""
        if collector.options["class"] == "C":
            return self.facts
        every_s = collector.options["uplink_every"]
        return LinkFacts(every_s / 2, 2 * every_s + self.facts.latency_max_s, self.facts.largest_frame, metered=True)

    async def open(self, host: LinkHost) -> None:
        """Connect to the server, and again for ever. Raises ``ConfigError`` for an EUI that two collectors have."""
        self._host = host
        for one in host.collectors:
            eui = one.options["dev_eui"]
            if eui in self._nodes:
                first = self._nodes[eui].collector.id
                raise ConfigError(f"the collectors {first} and {one.id} have the same dev_eui", where=one.id)
            expires_s = self.facts_of(one).latency_max_s
            limits, application = LIMITS[self._config["region"]], self._config["application"]
            self._nodes[eui] = LorawanNode(
                one, self._clock, self._publish, application, limits, expires_s, self._dialect
            )
        listener = Listener(self._heard, self._up, self._down, host.trouble)
        self._client = MqttClient(self._clock, self._broker(), listener)
        self._keeper = asyncio.get_running_loop().create_task(self._client.run(), name="lorawan")

    def _broker(self) -> Broker:
        config = self._config
        host, port = config["server"]
        application: str = config["application"]
        name = config["client_id"] or "meterhub" + (f"-{application}" if application != "+" else "")
        topics = self._dialect.events.format(application=application)
        return Broker(host, port, name, topics, config["user"], config.get("password", ""), self._tls())

    def _tls(self) -> ssl.SSLContext | None:
        if not self._config["tls"]:
            return None
        try:
            return ssl.create_default_context(cafile=self._config.get("ca"))
        except OSError as error:
            raise ConfigError(f"the ca cannot be used: {error}", where=str(self._config.get("ca"))) from None

    def _publish(self, topic: str, payload: bytes) -> None:
        assert self._client is not None
        self._client.publish(topic, payload)

    def _up(self) -> None:
        """The server is there: what is sent now reaches the nodes, as far as anybody knows."""
        for node in self._nodes.values():
            if node.addressable:
                node.attach(self._host)

    def _down(self, cause: str) -> None:
        for node in self._nodes.values():
            node.close(cause)

    def _heard(self, message: Message) -> None:
        event = event_of(message.topic, message.payload, self._dialect)
        if event is None:
            return
        node = self._nodes.get(event.eui)
        if node is not None:
            node.heard(event, self._host, message.topic)
        elif event.kind in ("up", "join"):
            self._host.stranger(event.eui, event.data[:64], "a node that no collector has as dev_eui")

    async def close(self) -> None:
        """Close every node's channel, then the connection."""
        self._down("hub_stopped")
        if self._client is not None:
            self._client.close()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None

"""The far end of ``lorawan``: a network server with its MQTT broker, and nodes on simulated wires."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from meterhub.clock import iso
from meterhub.errors import BadFrame
from meterhub.field.link import CollectorConfig
from meterhub_lora_wifi import mqtt_packets as mqtt
from meterhub_lora_wifi.airtime import lora_s
from meterhub_lora_wifi.lorawan_twin_speech import (
    APPLICATION,
    NAMED,
    chirpstack_downlinks,
    chirpstack_event,
    things_downlinks,
    things_event,
)

SPREADING, DATA_RATE = 9, 3
LOST = 0.01
"""Radio frames that are lost, each way."""
TWICE = 0.02
QUIET_S = 0.2
"""A node sends when its meter has said nothing more for so long."""
CLASS_C_S = 1.0
MOST_WAITING = 16

__all__ = ["APPLICATION", "NetworkServer", "Node", "Session", "simulate"]


class Node:
    """One node: passes downlinks to its wire and what comes back up, and breathes."""

    def __init__(
        self, collector: CollectorConfig, wire: Any, world: Any, server: NetworkServer, every_s: float
    ) -> None:
        self.eui: str = collector.options["dev_eui"]
        self._options = collector.options
        self._wire = wire
        self._world = world
        self._server = server
        self._every_s = min(every_s, collector.options["uplink_every"]) if self._options["class"] == "A" else every_s
        self._chance = world.random(f"node {self.eui}")
        self._said = bytearray()
        self._settling: Any = None
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._count = 0
        if wire is not None:
            wire.receive = self._heard

    def start(self) -> None:
        """Join, then breathe."""
        self._server.event(self.eui, "join", {})
        self._later(self._every_s * self._chance.random(), self._breathe)

    def _later(self, delay_s: float, act: Callable[..., None], *args: Any) -> Any:
        return self._world.clock.call_later(self._world.wait_s(delay_s), act, *args)

    def _breathe(self) -> None:
        self._uplink(b"", 1)
        self._later(self._every_s * 0.9, self._breathe)

    def downlink(self, item: dict[str, Any]) -> None:
        """Class C: soon. Class A: after its next uplink."""
        if self._options["class"] == "C":
            self._later(CLASS_C_S, self._send_down, item)
        else:
            self._waiting.append(item)

    def forget(self) -> None:
        """The server's queue for it is emptied."""
        self._waiting.clear()

    def _send_down(self, item: dict[str, Any]) -> None:
        if str(item.get("expiresAt", "9")) < iso(self._world.clock.now()):
            self._server.event(self.eui, "log", {"level": "ERROR", "code": "EXPIRED"})
            return
        try:
            data = base64.b64decode(str(item.get("data", "")), validate=True)
        except binascii.Error:
            return
        self._later(lora_s(SPREADING, len(data) + 13), self._arrive, item, data)

    def _arrive(self, item: dict[str, Any], data: bytes) -> None:
        arrived = self._chance.random() >= LOST
        if item.get("confirmed"):
            self._server.event(self.eui, "ack", {"queueItemId": item.get("id"), "acknowledged": arrived})
        if arrived and self._wire is not None:
            self._wire.send(data)

    def _heard(self, data: bytes) -> None:
        self._said += data
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._later(QUIET_S, self._settle)

    def _settle(self) -> None:
        data, self._said = bytes(self._said), bytearray()
        self._later(lora_s(SPREADING, len(data) + 13), self._uplink, data, self._options["port"])

    def _uplink(self, data: bytes, port: int) -> None:
        """To the server, which then may answer: that is when a node of class A listens."""
        self._count += 1
        if self._chance.random() >= LOST:
            said = {
                "deduplicationId": f"{self.eui}-{self._count}",
                "fPort": port,
                "fCnt": self._count,
                "dr": DATA_RATE,
                "data": base64.b64encode(data).decode(),
                "rxInfo": [{"gatewayId": "0016c001ff10a235", "rssi": -self._chance.randint(60, 118), "snr": 7.5}],
            }
            for _ in range(2 if self._chance.random() < TWICE else 1):
                self._server.event(self.eui, "up", said)
        if self._waiting:
            self._later(1.0, self._send_down, self._waiting.popleft())


class NetworkServer:
    """Publishes events to every client that has subscribed; downlinks go to their node."""

    def __init__(self, world: Any, preset: str = "chirpstack4") -> None:
        self.nodes: dict[str, Node] = {}
        self.sessions: set[Session] = set()
        self._world = world
        self._things = preset == "things_stack"

    def event(self, eui: str, kind: str, said: Mapping[str, Any]) -> None:
        """Tell an event as the network server does; ``said`` as ChirpStack 4 would."""
        told = things_event if self._things else chirpstack_event
        topic, content = told(eui, kind, said)
        payload = json.dumps({"time": iso(self._world.clock.now()), **content}).encode()
        for session in self.sessions:
            session.tell(topic, payload)

    def published(self, message: mqtt.Message) -> None:
        """A client wants a downlink."""
        try:
            said = json.loads(message.payload)
        except ValueError:
            return
        wanted = things_downlinks if self._things else chirpstack_downlinks
        if self._things and (listed := self.nodes.get(message.topic.split("/")[3].removeprefix(NAMED))) is not None:
            listed.forget()
        for eui, item in wanted(message.topic.split("/"), said) if isinstance(said, dict) else ():
            node = self.nodes.get(eui)
            if node is not None:
                node.downlink(item)


class Session(asyncio.Protocol):
    """One client of the broker."""

    def __init__(self, server: NetworkServer) -> None:
        self._server = server
        self._reader = mqtt.Reader()
        self._filters: list[str] = []
        self._transport: asyncio.Transport | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It left."""
        self._server.sessions.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Its packets."""
        try:
            for packet in self._reader.receive(data):
                self._take(packet)
        except BadFrame:
            if self._transport is not None:
                self._transport.abort()

    def _take(self, packet: mqtt.Packet) -> None:
        if packet.kind == mqtt.CONNECT:
            self._write(mqtt.packed(mqtt.CONNACK, 0, b"\0\0"))
        elif packet.kind == mqtt.SUBSCRIBE:
            wanted, _ = mqtt.words_at(packet.body, 2)
            self._filters.append(wanted)
            self._write(mqtt.packed(mqtt.SUBACK, 0, packet.body[:2] + b"\x01"))
        elif packet.kind == mqtt.PINGREQ:
            self._write(mqtt.packed(mqtt.PINGRESP))
        elif packet.kind == mqtt.PUBLISH:
            self._server.published(mqtt.message_of(packet))

    def tell(self, topic: str, payload: bytes) -> None:
        """Publish to this client if it wants it."""
        if any(mqtt.fits(topic, one) for one in self._filters):
            self._number = self._number % 0xFFFF + 1
            self._write(mqtt.publish(topic, payload, self._number))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run the server and its nodes until cancelled."""
    server = NetworkServer(world, config["preset"])
    every_s = config.get("heartbeat", {}).get("every", 600.0)
    for one in collectors:
        node = server.nodes[one.options["dev_eui"]] = Node(one, wires.get(one.id), world, server, every_s)
        node.start()
    host, port = config["server"]
    listener = await asyncio.get_running_loop().create_server(lambda: Session(server), host, port)
    async with listener:
        await listener.serve_forever()

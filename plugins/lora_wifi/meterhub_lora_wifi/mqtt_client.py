"""A small MQTT client: one connection that is kept open, one subscription, and publishing without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from meterhub.clock import Clock
from meterhub.errors import BadFrame, LinkDown
from meterhub_lora_wifi import mqtt_packets as mqtt

KEEP_ALIVE_S = 30
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
CONNECT_S = 10.0
WRITE_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom. ``password`` is never shown."""

    host: str
    port: int
    client_id: str
    topic: str
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears. ``up()`` when the broker has taken the subscription, ``down(cause)``, ``trouble(text)``."""

    message: Callable[[mqtt.Message], None]
    up: Callable[[], None]
    down: Callable[[str], None]
    trouble: Callable[[str], None]


class MqttClient(asyncio.Protocol):
    """``run`` keeps the connection open until cancelled."""

    def __init__(self, clock: Clock, broker: Broker, listener: Listener) -> None:
        self._clock = clock
        self._broker = broker
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._reader = mqtt.Reader()
        self._ready = False
        self._why = ""
        self._ended = asyncio.Event()
        self._ping: asyncio.TimerHandle | None = None
        self._answered = True

    async def run(self) -> None:
        """Connect, and again when the connection was lost."""
        wait_s, broker = FIRST_RETRY_S, self._broker
        where = f"{broker.host}:{broker.port}"
        while True:
            self._ended.clear()
            self._why = ""
            try:
                async with self._clock.timeout(CONNECT_S):
                    await asyncio.get_running_loop().create_connection(
                        lambda: self, broker.host, broker.port, ssl=broker.tls
                    )
                await self._ended.wait()
                wait_s = FIRST_RETRY_S if not self._why else wait_s
                self._listener.trouble(f"the MQTT server {where}: {self._why or 'the connection was lost'}")
            except (OSError, TimeoutError) as error:
                self._listener.trouble(f"cannot reach the MQTT server {where}: {str(error) or 'no answer'}")
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_RETRY_S)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0: what is lost on the way is asked for again, and must not come late. ``LinkDown``."""
        if self._transport is None or not self._ready:
            raise LinkDown("the MQTT server is not connected")
        if self._transport.get_write_buffer_size() > WRITE_LIMIT:
            self._lose("overflow")
            self._give_up("it does not take what is sent to it")
            raise LinkDown("the MQTT server does not take what is sent to it")
        self._transport.write(mqtt.publish(topic, payload))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self._transport = cast(asyncio.Transport, transport)
        self._reader = mqtt.Reader()
        self._answered = True
        broker = self._broker
        self._transport.write(mqtt.connect(broker.client_id, round(2 * KEEP_ALIVE_S), broker.user, broker.password))
        self._ping = self._clock.call_later(KEEP_ALIVE_S, self._breathe)

    def data_received(self, data: bytes) -> None:
        """Packets of the broker."""
        try:
            for packet in self._reader.receive(data):
                self._take(packet)
        except BadFrame as error:
            self._give_up(f"it does not speak MQTT: {error.message}")

    def _take(self, packet: mqtt.Packet) -> None:
        assert self._transport is not None
        self._answered = True
        if packet.kind == mqtt.PUBLISH:
            message = mqtt.message_of(packet)
            if message.packet_id:
                self._transport.write(mqtt.puback(message.packet_id))
            self._listener.message(message)
        elif packet.kind == mqtt.CONNACK:
            code = packet.body[1] if len(packet.body) > 1 else 3
            if code:
                self._give_up(mqtt.REFUSED.get(code, f"it refuses with code {code}"))
                return
            self._transport.write(mqtt.subscribe(1, self._broker.topic))
        elif packet.kind == mqtt.SUBACK:
            if packet.body[-1:] == b"\x80":
                self._give_up(f"it refuses the topic {self._broker.topic}")
                return
            self._ready = True
            self._listener.trouble("")
            self._listener.up()

    def _breathe(self) -> None:
        if self._transport is None:
            return
        if not self._answered:
            self._give_up("it is silent")
            return
        self._answered = False
        self._transport.write(mqtt.packed(mqtt.PINGREQ))
        self._ping = self._clock.call_later(KEEP_ALIVE_S, self._breathe)

    def _give_up(self, why: str) -> None:
        self._why = why
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The broker is gone."""
        self._transport = None
        if self._ping is not None:
            self._ping.cancel()
        self._lose("silent" if self._why == "it is silent" else "closed" if exc is None else "reset")
        self._ended.set()

    def _lose(self, cause: str) -> None:
        if self._ready:
            self._ready = False
            self._listener.down(cause)

    def close(self) -> None:
        """Say good-bye."""
        if self._transport is not None:
            with contextlib.suppress(RuntimeError):
                self._transport.write(mqtt.packed(mqtt.DISCONNECT))
            self._transport.close()

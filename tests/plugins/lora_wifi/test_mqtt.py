"""MQTT packets, and the client against a broker that does what brokers do."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.clock import Clock
from meterhub.errors import BadFrame, LinkDown
from meterhub.testing.conformance_link import until
from meterhub_lora_wifi import mqtt_client
from meterhub_lora_wifi import mqtt_packets as mqtt
from meterhub_lora_wifi.mqtt_client import Broker, Listener, MqttClient

topics = st.text(st.characters(codec="utf-8", exclude_characters="\0+#"), min_size=1, max_size=20)
messages = st.tuples(topics, st.binary(max_size=300), st.integers(0, 0xFFFF))


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 10_000), max_size=4))
def test_what_was_published_is_read_again_however_the_stream_is_cut(sent, places):
    stream = b"".join(mqtt.publish(*one) for one in sent)
    places = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    reader, found = mqtt.Reader(), []
    for start, end in pairwise(places):
        found += reader.receive(stream[start:end])
    assert [mqtt.message_of(one) for one in found] == [mqtt.Message(*one) for one in sent]


@given(st.binary(max_size=200))
def test_anything_else_is_refused_with_a_sentence_or_waited_for(data):
    try:
        for packet in mqtt.Reader().receive(data):
            mqtt.message_of(packet)
    except BadFrame as error:
        assert error.message


def test_the_packets_are_those_of_the_standard():
    assert mqtt.connect("a", 60).hex() == "100d" + "00044d515454" + "04" + "00" + "003c" + "000161"
    assert (
        mqtt.connect("a", 60, "u", "p").hex() == "1013" + "00044d515454" + "04c0003c" + "000161" + "000175" + "000170"
    )
    assert mqtt.subscribe(1, "a/b").hex() == "8208" + "0001" + "0003612f62" + "01"
    assert mqtt.publish("a", b"x" * 200)[1:3].hex() == "cb01"
    with pytest.raises(BadFrame, match="too long"):
        mqtt.Reader().receive(b"\x30\xff\xff\xff\x7f")
    with pytest.raises(BadFrame, match="four digits"):
        mqtt.Reader().receive(b"\x30\xff\xff\xff\xff\x01")


@pytest.mark.parametrize(
    ("topic", "wanted", "fits"),
    [
        ("a/b/c", "a/b/c", True),
        ("a/b/c", "a/+/c", True),
        ("a/b/c", "a/#", True),
        ("a/b/c", "a/+", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_topics_and_filters(topic, wanted, fits):
    assert mqtt.fits(topic, wanted) is fits


class Server:
    """A broker of a few lines; ``answer(packet, writer)`` may be replaced."""

    def __init__(self):
        self.heard = []
        self.writers = []
        self.connack = b"\0\0"

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        stream = mqtt.Reader()
        while data := await reader.read(65536):
            for packet in stream.receive(data):
                self.heard.append(packet)
                if packet.kind == mqtt.CONNECT:
                    writer.write(mqtt.packed(mqtt.CONNACK, 0, self.connack))
                elif packet.kind == mqtt.SUBSCRIBE:
                    writer.write(mqtt.packed(mqtt.SUBACK, 0, packet.body[:2] + b"\1"))
        writer.close()


class Ear:
    def __init__(self):
        self.messages, self.ups, self.downs, self.troubles = [], 0, [], []
        self.listener = Listener(self.messages.append, self._up, self.downs.append, self.troubles.append)

    def _up(self):
        self.ups += 1


@pytest.fixture
async def server():
    one = Server()
    one.address = await one.start()
    yield one
    one.server.close()


@pytest.fixture
async def client(server, monkeypatch):
    monkeypatch.setattr(mqtt_client, "FIRST_RETRY_S", 0.02)
    ear = Ear()
    one = MqttClient(Clock(), Broker(*server.address, "hub", "a/+", "user", "secret"), ear.listener)
    one.ear = ear
    task = asyncio.create_task(one.run())
    yield one
    one.close()
    task.cancel()


async def test_messages_come_and_go_and_are_acknowledged(server, client):
    with pytest.raises(LinkDown):
        client.publish("a/x", b"early")
    await until(lambda: client.ear.ups)
    server.writers[0].write(mqtt.publish("a/1", b"hello", 7))
    await until(lambda: client.ear.messages == [mqtt.Message("a/1", b"hello", 7)])
    client.publish("a/2", b"down")
    await until(lambda: server.heard[-1].kind == mqtt.PUBLISH)
    assert mqtt.message_of(server.heard[-1]) == mqtt.Message("a/2", b"down")
    assert mqtt.Packet(mqtt.PUBACK, 0, b"\0\7") in server.heard


async def test_a_lost_connection_is_told_and_made_again(server, client):
    await until(lambda: client.ear.ups)
    server.writers[0].transport.abort()
    await until(lambda: client.ear.ups == 2)
    assert len(client.ear.downs) == 1 and client.ear.downs[0] in ("closed", "reset")
    assert client.ear.troubles[-1] == ""


async def test_a_wrong_password_is_said_in_words_and_not_shown(server, monkeypatch):
    server.connack = b"\0\4"
    ear = Ear()
    task = asyncio.create_task(
        MqttClient(Clock(), Broker(*server.address, "hub", "a/+", "user", "secret"), ear.listener).run()
    )
    await until(lambda: ear.troubles)
    task.cancel()
    assert "wrong user or password" in ear.troubles[0] and "secret" not in ear.troubles[0]
    assert not ear.ups and not ear.downs


async def test_a_broker_that_falls_silent_is_given_up(server, client, monkeypatch):
    monkeypatch.setattr(mqtt_client, "KEEP_ALIVE_S", 0.05)
    await until(lambda: client.ear.ups == 2 and client.ear.downs == ["silent"])


async def test_somebody_who_does_not_speak_mqtt_is_given_up(monkeypatch):
    async def web(reader, writer):
        writer.write(b"\x30\xff\xff\xff\xff\xff no")

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    ear = Ear()
    broker = Broker(*server.sockets[0].getsockname(), "hub", "a/+")
    task = asyncio.create_task(MqttClient(Clock(), broker, ear.listener).run())
    await until(lambda: ear.troubles)
    task.cancel()
    server.close()
    assert "does not speak MQTT" in ear.troubles[0]

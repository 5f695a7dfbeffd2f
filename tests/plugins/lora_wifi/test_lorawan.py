"""LoRaWAN through a network server: its events, what the link makes of them, and the whole way over MQTT."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import BadInput, ConfigError, LinkDown
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import FarEnd, LinkConformance, RecordingHost, until
from meterhub_lora_wifi import mqtt_packets as mqtt
from meterhub_lora_wifi import open_lorawan
from meterhub_lora_wifi.lorawan import COLLECTOR_SCHEMA, LINK_SCHEMA
from meterhub_lora_wifi.lorawan_node import LorawanNode
from meterhub_lora_wifi.lorawan_twin import APPLICATION, NetworkServer, Session
from meterhub_lora_wifi.network_server import DIALECTS, LIMITS, Event, event_of

EUI = "a84041d8e1848927"
TOPIC = f"application/app/device/{EUI}/event/up"
VECTORS = [json.loads(line) for line in (Path(__file__).parent / "vectors.jsonl").read_text("utf-8").splitlines()]
UP = next(one for one in VECTORS if one["id"] == "cs-01")


def collector(**options):
    return CollectorConfig("n1", check({"dev_eui": EUI} | options, COLLECTOR_SCHEMA))


def test_an_uplink_of_the_vectors_is_read():
    topic = UP["meaning"].removeprefix("topic ")
    event = event_of(topic, bytes.fromhex(UP["hex"]))
    said = UP["decoded"]
    assert (event.eui, event.kind, event.port, event.data_rate) == (said["devEui"], "up", said["fPort"], said["dr"])
    assert event.data.hex() == said["payload"].lower() and event.signal_dbm == -97


def test_fields_that_are_missing_have_their_defaults():
    assert event_of(TOPIC, b"{}") == Event(EUI, "up", data_rate=0, acknowledged=False)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b'"x"', b"{", b'{"data": "!"}', b'{"dr": "x"}', b'{"rxInfo": 1}', b"\xff"]
)
def test_what_is_no_event_is_none(payload):
    assert event_of(TOPIC, payload) is None
    assert event_of("gateway/1/event/up", b"{}") is None


NAMES = st.sampled_from(("data", "dr", "fPort", "rxInfo", "acknowledged", "queueItemId", "other"))


@given(st.dictionaries(NAMES, st.none() | st.integers() | st.text(max_size=5) | st.just([{"rssi": "x"}])))
def test_anything_at_all_does_no_harm(said):
    event_of(TOPIC, json.dumps(said).encode())


THINGS = "v3/app1@ttn/devices/meter-7"
THINGS_UP = {
    "end_device_ids": {"device_id": "meter-7", "dev_eui": EUI.upper()},
    "uplink_message": {
        "f_port": 2,
        "f_cnt": 7,
        "frm_payload": "AQI=",
        "rx_metadata": [{"rssi": -90}, {"rssi": -71}],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 9}}},
    },
}


def things(suffix, **content):
    payload = json.dumps({"end_device_ids": THINGS_UP["end_device_ids"]} | content).encode()
    return event_of(f"{THINGS}/{suffix}", payload, DIALECTS["things_stack"])


def test_events_of_the_things_stack_are_read():
    up = things("up", **THINGS_UP)
    assert (up.eui, up.kind, up.port, up.data, up.data_rate, up.signal_dbm) == (EUI, "up", 2, b"\1\2", 3, -71)
    assert things("down/ack", correlation_ids=["a", "b"]).items == ("a", "b")
    assert things("down/ack").acknowledged and not things("down/nack").acknowledged
    assert things("down/nack").kind == "ack" and things("down/queued") is None
    assert things("down/failed", downlink_failed={"error": {"name": "x"}}).code == "x"


def test_events_of_chirpstack_3_are_read():
    said = {"devEUI": "qEBB2OGEiSc=", "fPort": 2, "fCnt": 5, "dr": 3, "data": "AQI=", "rxInfo": [{"rssi": -48}]}
    up = event_of(TOPIC, json.dumps(said).encode(), DIALECTS["chirpstack3"])
    assert (up.eui, up.port, up.data, up.data_rate, up.signal_dbm, up.key) == (EUI, 2, b"\1\2", 3, -48, "up 5")
    error = {"type": "DOWNLINK_PAYLOAD_SIZE", "error": "too long"}
    event = event_of(TOPIC.replace("/up", "/error"), json.dumps(error).encode(), DIALECTS["chirpstack3"])
    assert (event.kind, event.code) == ("log", "DOWNLINK_PAYLOAD_SIZE")


class Air:
    """A node, what it publishes, and its host."""

    def __init__(self, clock, preset="chirpstack4", **options):
        self.published = []
        self.host = RecordingHost([collector(**options)])
        publish, limits = lambda *one: self.published.append(one), LIMITS["cn470"]
        self.node = LorawanNode(self.host.collectors[0], clock, publish, "+", limits, 8.0, DIALECTS[preset])

    @property
    def user(self):
        return self.host.users[-1]

    def hear(self, kind="up", **event):
        self.node.heard(Event(EUI, kind, **event), self.host, TOPIC)


async def test_the_meters_bytes_come_once_and_only_from_their_port(clock):
    air = Air(clock)
    air.hear(key="1", port=2, data=b"abc", signal_dbm=-101)
    air.hear(key="1", port=2, data=b"abc", signal_dbm=-90)
    air.hear(key="2", port=1, data=b"status")
    assert air.user.data == b"abc" and air.user.signals == [-101] and air.user.beats == 2


async def test_a_downlink_says_its_id_and_when_it_expires(clock):
    air = Air(clock, port=10)
    assert not air.node.addressable
    air.hear(key="1", data_rate=3)
    assert air.node.addressable
    air.user.channel.send(b"\xfe\xfe\x68x\x16")
    ((topic, payload),) = air.published
    said = json.loads(payload)
    assert topic == f"application/app/device/{EUI}/command/down"
    assert said["devEui"] == EUI and said["fPort"] == 10 and said["confirmed"] is True
    assert base64.b64decode(said["data"]) == b"\x68x\x16"
    assert said["expiresAt"] == "2026-01-01T00:00:08.000Z" and said["id"]


async def test_what_the_data_rate_does_not_carry_is_refused(clock):
    air = Air(clock)
    air.hear(key="1", data_rate=1)
    with pytest.raises(BadInput, match="24 bytes are too long"):
        air.user.channel.send(b"\x68" * 24)
    air.user.channel.send(b"\x68" * 23)


async def test_the_line_hears_when_no_answer_will_come(clock):
    air = Air(clock)
    air.hear(key="1", data_rate=3)
    air.user.channel.send(b"one")
    item = json.loads(air.published[-1][1])["id"]
    air.hear("ack", items=("older",), acknowledged=False)
    air.hear("ack", items=(item,), acknowledged=True)
    assert air.user.given_up == []
    air.hear("ack", items=(item,), acknowledged=False)
    air.hear("log", code="DOWNLINK_PAYLOAD_SIZE")
    air.hear("log", code="UPLINK_MIC")
    assert len(air.user.given_up) == 2


async def test_a_node_that_was_cut_off_for_silence_comes_back_with_its_next_uplink(clock):
    air = Air(clock)
    air.hear(key="1")
    air.user.channel.close("silent")
    with pytest.raises(LinkDown):
        air.user.channel.send(b"x")
    air.hear("txack")
    assert len(air.host.users) == 1
    air.hear(key="2", port=2, data=b"abc")
    assert len(air.host.users) == 2 and air.user.data == b"abc"


class TestLorawanConformance(LinkConformance):
    """The far end is a node at a network server with a real broker."""

    collector = collector(strip="no")
    dial_in = False
    chunk = 200

    @pytest.fixture
    async def host(self, monkeypatch):
        monkeypatch.setattr("meterhub_lora_wifi.mqtt_client.FIRST_RETRY_S", 0.02)
        self.server = NetworkServer(SimpleNamespace(clock=Clock()))
        self.sessions = []
        self.broker = await asyncio.get_running_loop().create_server(self._session, "127.0.0.1", 0)
        yield RecordingHost([self.collector])
        self.broker.close()

    def _session(self):
        self.sessions.append(Session(self.server))
        return self.sessions[-1]

    def make_link(self, clock):
        host, port = self.broker.sockets[0].getsockname()
        config = {"server": f"{host}:{port}", "region": "none", "application": APPLICATION}
        return open_lorawan(SimpleNamespace(clock=clock), check(config, LINK_SCHEMA))

    async def make_far_end(self, link):
        await until(lambda: self.server.sessions)
        return NodeEnd(self.server, next(iter(self.server.sessions)))


class NodeEnd(FarEnd):
    def __init__(self, server, session):
        super().__init__()
        self._server, self._session = server, session
        server.nodes[EUI] = self
        self._count = 0

    def downlink(self, item):
        self.data += base64.b64decode(item["data"])

    async def send(self, data):
        self._count += 1
        said = {"deduplicationId": str(self._count), "fPort": 2, "data": base64.b64encode(data).decode()}
        self._server.event(EUI, "up", said)

    async def hang_up(self):
        self._session._transport.close()

    def stop_reading(self):
        self._session._transport.pause_reading()


async def test_two_collectors_cannot_be_one_node():
    link = open_lorawan(SimpleNamespace(clock=Clock()), check({"server": "127.0.0.1:1"}, LINK_SCHEMA))
    with pytest.raises(ConfigError, match="n1 and n1 have the same dev_eui"):
        await link.open(RecordingHost([collector(), collector()]))


def test_the_password_reaches_the_server_and_nobody_else():
    config = check({"server": "127.0.0.1:1", "user": "hub", "password": "s3cret"}, LINK_SCHEMA)
    broker = open_lorawan(SimpleNamespace(clock=Clock()), config)._broker()
    assert b"s3cret" in mqtt.connect(broker.client_id, 60, broker.user, broker.password)
    assert "s3cret" not in repr(broker)


def test_class_a_may_take_as_long_as_two_uplinks():
    link = open_lorawan(SimpleNamespace(clock=Clock()), check({"server": "127.0.0.1:1"}, LINK_SCHEMA))
    assert link.facts_of(collector()).latency_max_s == 8
    assert link.facts_of(collector(**{"class": "A", "uplink_every": "10m"})).latency_max_s == 1208


async def test_a_downlink_of_the_things_stack_is_taken_back_when_nobody_waits_for_it_any_more(clock):
    air = Air(clock, "things_stack")
    air.node.heard(things("up", **THINGS_UP), air.host, f"{THINGS}/up")
    air.host.users[0].channel.send(b"switch")
    topic, payload = air.published[0]
    (down,) = json.loads(payload)["downlinks"]
    assert topic == f"{THINGS}/down/replace" and base64.b64decode(down["frm_payload"]) == b"switch"
    assert down["f_port"] == 2 and down["confirmed"] and down["correlation_ids"] == [f"{EUI}-1"]
    await clock.advance(8.1)
    assert json.loads(air.published[1][1]) == {"downlinks": []}, "it must not come late"
    air.host.users[0].channel.send(b"again")
    air.node.heard(things("down/ack", correlation_ids=["x", f"{EUI}-2"]), air.host, f"{THINGS}/down/ack")
    await clock.advance(8.1)
    assert len(air.published) == 3, "the node has it"


SITE = """
hub: {{data: ./data}}
plugins: {{dlt645: , lora_wifi: }}
links:
  - {{id: radio, type: lorawan, preset: {preset}, server: "127.0.0.1:{port}", heartbeat: {{every: 20s}}}}
collectors:
  - {{id: n1, link: radio, dev_eui: {eui}, lines: [{{id: n1-a}}]}}
  - {{id: n2, link: radio, dev_eui: 70b3d57ed0000002, class: A, uplink_every: 4s, lines: [{{id: n2-a}}]}}
meters:
  - {{id: a-101, line: n1-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: a-102, line: n2-a, profile: dlt645-2007-single-phase, address: "000000000102"}}
"""


@pytest.mark.parametrize("preset", DIALECTS)
async def test_meters_are_read_behind_nodes_of_both_classes(live_site, free_port, preset):
    live = await live_site(SITE.format(port=free_port, eui=EUI, preset=preset), speed=50)
    await until(lambda: all(one.state == "online" and one.alive_ms for one in live.hub.field.collectors.values()))
    run = await live.act("meter.read", "a-101")
    late = await live.act("meter.read", "a-102", entities=["energy_total"])
    assert (run.state, late.state) == ("confirmed", "confirmed"), (run.error, late.error)
    assert live.value("a-101.energy_total") > 0 and live.value("a-102.energy_total") > 0
    assert -120 < live.hub.field.collectors["n1"].signal_dbm < -50

"""What makers' terminals send, from the vectors; presets over real sockets, TCP, UDP and TLS; pairing and secrets."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from far_end import Caller
from hypothesis import given
from hypothesis import strategies as st

from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import BadInput, ConfigError
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import FarEnd, LinkConformance, RecordingHost, until
from meterhub_gprs import ddp, open_link
from meterhub_gprs.prot import Prot, escaped
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA
from meterhub_gprs.usr import UsrSieve, speed_packet

VECTORS = {
    one["id"]: one for one in map(json.loads, (Path(__file__).parent / "vectors.jsonl").read_text("utf-8").splitlines())
}
PHONE = "13912345678"
ANSWER = bytes.fromhex("687856341200006891083333343389674533B216")


def collector(collector_id="c1", **options):
    return CollectorConfig(collector_id, check(options, COLLECTOR_SCHEMA))


@pytest.fixture
async def open_preset():
    """``await open_preset(preset, *collectors, **link)`` → link and host."""
    links = []

    async def open_one(preset, *collectors, **more):
        host = RecordingHost(collectors)
        config = check({"listen": "127.0.0.1:0", "preset": preset} | more, LINK_SCHEMA)
        link = open_link(SimpleNamespace(clock=Clock()), config)
        await link.open(host)
        links.append(link)
        return link, host

    yield open_one
    for link in links:
        await link.close()


class Datagrams(FarEnd, asyncio.DatagramProtocol):
    """A terminal on UDP."""

    @classmethod
    async def call(cls, link, first=b""):
        far = cls()
        loop = asyncio.get_running_loop()
        far.transport, _ = await loop.create_datagram_endpoint(lambda: far, remote_addr=link.address)
        if first:
            await far.send(first)
        return far

    def datagram_received(self, data, addr):
        self.data += data

    async def send(self, data):
        self.transport.sendto(data)

    async def hang_up(self):
        self.transport.close()

    def stop_reading(self):
        self.transport.close()


class TestUdpConformance(LinkConformance):
    """UDP has no end of a connection: a far end that goes away is noticed by its silence."""

    collector = collector(registration="DTU00001")
    piles_up = False

    def make_link(self, clock):
        config = check({"listen": "127.0.0.1:0", "transport": "udp"}, LINK_SCHEMA)
        return open_link(SimpleNamespace(clock=clock), config)

    async def make_far_end(self, link):
        self.link = link
        return await SilentlyGone.call(link, b"DTU00001")


class SilentlyGone(Datagrams):
    """Stands in for the hub's watch over silence, which the host of the conformance suite does not have."""

    @classmethod
    async def call(cls, link, first=b""):
        far = await super().call(link, first)
        far.link = link
        return far

    async def hang_up(self):
        self.transport.close()
        for connection in list(self.link._connections):
            connection.close("silent")


@pytest.mark.parametrize("name", ["dtu-04", "dtu-05", "dtu-07"])
def test_heartbeats_and_prefixes_of_the_vectors_are_taken_out(name):
    vector = VECTORS[name]
    sieve = Sieve((bytes.fromhex("D8B04C0004C9"), b"www.usr.cn"))
    data, beats = sieve.strip(bytes.fromhex(vector["hex"]))
    assert data.hex().upper().removeprefix("FEFEFEFE") == vector["decoded"].get("payload", "") and beats == 1


@pytest.mark.parametrize("name", ["usr-01", "usr-03", "usr-04"])
def test_the_speed_packet_is_that_of_the_vectors(name):
    said = VECTORS[name]["decoded"]
    parity = {"N": "none", "E": "even"}[said["parity"]]
    assert speed_packet(said["baud"], said["data"], parity, said["stop"]).hex().upper() == VECTORS[name]["hex"]


def test_ddp_packets_are_those_of_the_vectors():
    assert ddp.packet(ddp.ACCEPTED, PHONE.encode()).hex().upper() == VECTORS["ddp-02"]["hex"]
    assert ddp.split(bytes.fromhex(VECTORS["ddp-03"]["hex"])) == (ddp.DATA_UP, PHONE.encode(), ANSWER)
    assert ddp.split(bytes.fromhex(VECTORS["ddp-09"]["hex"])) is None
    inside = b"\x7b\x09\x00\x24" + PHONE.encode() + ANSWER + b"\x7b"
    assert ddp.split(inside) == (ddp.DATA_UP, PHONE.encode(), ANSWER)


def test_prot_data_are_escaped_as_in_the_vectors():
    vector = VECTORS["ff-03"]
    payload = bytes.fromhex(vector["decoded"]["payload"])
    assert escaped(payload).hex().upper() == vector["hex"]
    assert Prot().strip(bytes.fromhex(vector["hex"])) == (payload, 0)
    assert Prot().strip(bytes.fromhex(VECTORS["ff-02"]["hex"])) == (b"", 1)


@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=4))
def test_prot_brings_back_any_bytes_however_they_are_cut(data, places):
    stream, prot, found = escaped(data), Prot(), b""
    cuts = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    for start, end in pairwise(cuts):
        found += prot.strip(stream[start:end])[0]
    assert found + prot.strip(b"", final=True)[0] == data


@given(st.binary(max_size=80))
def test_any_datagram_does_no_harm(data):
    ddp.split(data)
    ddp.Ddp(b"1").strip(data)
    ddp.DdpGreeter({b"1": "c1"}).find(data)


@pytest.mark.parametrize(
    ("preset", "options", "first"),
    [
        ("imei", {"identity": "355837089512343"}, bytes.fromhex(VECTORS["dtu-02"]["hex"])),
        ("imei", {"identity": "355837089512343"}, bytes.fromhex("0355837089512343")),
        ("iccid", {"identity": "8986042010189123456X"}, b"8986042010189123456X\r\n"),
        ("mac", {"identity": "D8:B0:4C:00:04:C9"}, bytes.fromhex("D8B04C0004C9")),
        ("usr", {"registration": "LOGIN:1001"}, bytes.fromhex(VECTORS["dtu-01"]["hex"])),
        ("likong", {"identity": PHONE}, bytes.fromhex(VECTORS["ih-01"]["hex"])),
        (
            "prot",
            {"identity": "13066668888"},
            bytes.fromhex("78563412") + b"13066668888" + bytes.fromhex("00C0A8014200"),
        ),
    ],
)
async def test_a_terminal_is_known_by_what_its_maker_lets_it_send(open_preset, preset, options, first):
    link, host = await open_preset(preset, collector(**options))
    far = await Caller.call(link, first)
    await until(lambda: host.users)
    await far.send(ANSWER)
    await until(lambda: host.users[0].data == ANSWER)


async def test_a_ddp_terminal_registers_and_breathes_over_udp(open_preset):
    link, host = await open_preset("ddp", collector(identity=PHONE))
    register = b"\x7b\x01\x00\x16" + PHONE.encode() + bytes.fromhex("0A00000713897B")
    far = await Datagrams.call(link, register)
    await until(lambda: far.data == ddp.packet(ddp.ACCEPTED, PHONE.encode()))
    user = host.users[0]
    assert user.beats == 1 and user.data == b""
    far.data.clear()
    user.channel.send(b"\x68ask\x16")
    await until(lambda: far.data == ddp.packet(ddp.DATA_DOWN, PHONE.encode(), b"\x68ask\x16"))
    await far.send(ddp.packet(ddp.DATA_UP, PHONE.encode(), ANSWER))
    await until(lambda: user.data == ANSWER)
    moved = await Datagrams.call(link, ddp.packet(ddp.DATA_UP, PHONE.encode(), ANSWER))
    await until(lambda: len(host.users) == 2 and host.users[1].data == ANSWER)
    assert user.causes == ["replaced"] and moved.data == b""


async def test_a_converter_of_usr_can_be_told_its_speed(open_preset):
    link, host = await open_preset("usr", collector(registration="LOGIN:1001"))
    far = await Caller.call(link, b"LOGIN:1001")
    await until(lambda: host.users)
    assert host.users[0].channel.set_speed(1200) is True
    await until(lambda: far.data == speed_packet(1200))
    assert UsrSieve((), 8, "none", 1).speed(9600).hex().upper() == VECTORS["usr-01"]["hex"]


async def test_a_collector_with_a_secret_must_send_it_and_a_wrong_one_is_not_shown(open_preset):
    link, host = await open_preset("transparent", collector(registration="DTU1", secret="s3cret"))
    await Caller.call(link, b"DTU1wrong!")
    await until(lambda: host.strangers)
    ((_, shown, why),) = host.strangers
    assert shown == b"DTU1" and why == "its secret is wrong" and not host.users
    await Caller.call(link, b"DTU1s3cret")
    await until(lambda: host.users)


async def test_only_networks_that_are_allowed_get_in(open_preset):
    link, host = await open_preset("transparent", collector(registration="DTU1"), allow=["10.0.0.0/8"])
    far = await Caller.call(link)
    await until(lambda: far.closed)
    assert "not from an address that is allowed" in host.strangers[0][2]


async def test_when_too_many_are_unnamed_the_oldest_goes(open_preset):
    link, host = await open_preset("transparent", collector(registration="DTU1"), unregistered=2)
    callers = []
    for _ in range(3):
        callers.append(await Caller.call(link))
        await asyncio.sleep(0.02)
    await until(lambda: callers[0].closed)
    assert not callers[1].closed and not callers[2].closed
    await callers[2].send(b"DTU1")
    await until(lambda: host.users)


async def test_a_newcomer_is_paired_with_a_collector_that_waits(open_preset):
    link, host = await open_preset("transparent", collector("c1", pairing=True), collector("c2", registration="DTU2"))
    far = await Caller.call(link, b"DTU1")
    await until(lambda: far.closed)
    assert host.strangers[-1][1] == b"DTU1"
    with pytest.raises(BadInput, match="registration of c2"):
        link.pair("c1", b"DTU2")
    link.pair("c1", b"DTU1")
    await Caller.call(link, b"DTU1")
    await until(lambda: host.users and host.users[0].collector_id == "c1")


@pytest.mark.parametrize(
    ("preset", "collectors", "words"),
    [
        ("ddp", [collector(identity="123456789012")], "at most 11"),
        ("prot", [collector(identity=PHONE, secret="x")], "cannot send a secret"),
        ("mac", [collector(identity="not hex")], "cannot be sent as hex"),
        ("ddp", [collector("a", identity=PHONE), collector("b", identity=PHONE)], "a and b have the same"),
    ],
)
async def test_what_cannot_be_is_said_at_the_start(open_preset, preset, collectors, words):
    with pytest.raises(ConfigError, match=words):
        await open_preset(preset, *collectors)


@pytest.fixture
def certificate(tmp_path):
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subject = ["-subj", "/CN=localhost", "-days", "1", "-nodes", "-batch"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *files, *subject], check=True, capture_output=True
    )
    return tmp_path


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate of this test")
async def test_a_terminal_may_call_over_tls(open_preset, certificate):
    tmp_path = certificate
    tls = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    link, host = await open_preset("transparent", collector(registration="DTU1"), tls=tls)
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    _, writer = await asyncio.open_connection(*link.address, ssl=context, server_hostname="localhost")
    writer.write(b"DTU1" + ANSWER)
    await until(lambda: host.users and host.users[0].data == ANSWER)
    plain = await Caller.call(link, b"DTU1" + ANSWER)
    await until(lambda: plain.closed)
    assert len(host.users) == 1
    writer.close()


SITE = """
hub: {{data: ./data}}
plugins: {{dlt645: , gprs: }}
links:
  - {{id: field, type: gprs, preset: {preset}, listen: "127.0.0.1:{port}", heartbeat: {{every: 2s}}}}
collectors:
  - {{id: c1, link: field, {who}, lines: [{{id: c1-a}}]}}
meters:
  - {{id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
"""


@pytest.mark.parametrize(
    ("preset", "who"),
    [
        ("ddp", 'identity: "13912345678"'),
        ("prot", 'identity: "13912345678"'),
        ("likong", 'identity: "13912345678"'),
        ("usr_mac", 'identity: "D8B04C0004C9"'),
    ],
)
async def test_meters_are_read_behind_a_terminal_of_each_kind(live_site, free_port, preset, who):
    live = await live_site(SITE.format(preset=preset, port=free_port, who=who), speed=50)
    await until(lambda: live.hub.field.collectors["c1"].state == "online")
    run = await live.act("meter.read", "a-101")
    assert run.state == "confirmed", run.error
    alive_ms = live.hub.field.collectors["c1"].alive_ms
    await until(lambda: live.hub.field.collectors["c1"].alive_ms > alive_ms + 500)


TWO_PORTS = """
hub: {{data: ./data}}
plugins: {{dlt645: , mbus: , gprs: }}
links:
  - {{id: field, type: gprs, preset: {preset}, listen: "127.0.0.1:{port}", heartbeat: {{every: 2s}}}}
collectors:
  - id: c1
    link: field
    lines: [{{id: c1-a, channel: "{first}"}}, {{id: c1-b, channel: "{second}"}}]
meters:
  - {{id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: w-101, line: c1-b, profile: cjt188-water, address: "00000000000101"}}
"""


@pytest.mark.parametrize(
    ("preset", "first", "second"),
    [("transparent", "DTU1-1", "DTU1-2"), ("usr_mac", "hex:D8B04C0004C9", "hex:D8B04C0004CA"), ("ddp", "138", "139")],
)
async def test_a_terminal_with_two_ports_has_a_wire_behind_each(live_site, free_port, preset, first, second):
    live = await live_site(TWO_PORTS.format(preset=preset, port=free_port, first=first, second=second), speed=50)
    collector = live.hub.field.collectors["c1"]
    await until(lambda: all(line.connected for line in collector.lines))
    runs = await asyncio.gather(live.act("meter.read", "a-101"), live.act("meter.read", "w-101"))
    assert [run.state for run in runs] == ["confirmed", "confirmed"], [run.error for run in runs]
    assert collector.spells == 2 and collector.state == "online"
    assert {one.channel.peer for one in collector.sessions} != {collector.peer}
    collector.sessions[0].channel.close("reset")
    assert collector.state == "online" and collector.lines[0].down_cause == "reset"
    await until(lambda: collector.lines[0].connected)
    assert (await live.act("meter.read", "a-101")).state == "confirmed"


async def test_a_terminal_with_several_ports_is_not_paired(open_preset):
    given = check({"pairing": "true"}, COLLECTOR_SCHEMA)
    link, _ = await open_preset("transparent", CollectorConfig("c1", given, channels=(b"P1", b"P2")))
    with pytest.raises(BadInput, match="channels of its lines"):
        link.pair("c1", b"P3")


async def test_pairing_is_kept_over_a_restart(hub, clock):
    text = SITE.format(preset="transparent", port=1, who="pairing: true")
    home = await hub(text)
    collector_config = home.field.collectors["c1"].config
    assert collector_config.options["pairing"] is True
    assert home.collections["newcomers"] is not None
    paired = []
    for link, _ in home.field.links:
        link.pair = lambda *pair: paired.append(pair)
    run = await home.act("collector.pair", "c1", {"registration": "hex:AA01"})
    assert run.state == "confirmed" and run.result == {"registration": "hex:aa01"}
    await home.pairing.restore()
    assert paired == [("c1", b"\xaa\x01")] * 2

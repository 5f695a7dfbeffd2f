"""The gprs listener over real sockets: what collectors, and everybody else, do on an open port."""

from __future__ import annotations

import asyncio
import socket
import struct
from types import SimpleNamespace

import pytest
from far_end import Caller

from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import ConfigError
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import LinkConformance, RecordingHost, until
from meterhub_gprs import open_link as open_gprs
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA


def make_link(**more):
    return open_gprs(SimpleNamespace(clock=Clock()), check({"listen": "127.0.0.1:0"} | more, LINK_SCHEMA))


def collector(collector_id, registration=None):
    options = {} if registration is None else {"registration": registration}
    return CollectorConfig(collector_id, check(options, COLLECTOR_SCHEMA))


class TestGprsConformance(LinkConformance):
    collector = collector("c1", "DTU00001")

    def make_link(self, clock):
        return make_link()

    async def make_far_end(self, link):
        return await Caller.call(link, b"DTU00001")


@pytest.fixture
def host():
    return RecordingHost(
        [
            collector("c1", "DTU00001"),
            collector("c10", "DTU000010"),
            collector("c2", "hex:01 02 03 04 FF"),
            collector("plain-id"),
        ]
    )


@pytest.fixture
async def open_link(host):
    links = []

    async def open_one(**more):
        link = make_link(**more)
        await link.open(host)
        links.append(link)
        return link

    yield open_one
    for link in links:
        await link.close()


async def registered(host, number=1):
    await until(lambda: len(host.users) >= number)
    return host.users[-1]


@pytest.mark.parametrize(
    ("segments", "collector_id", "rest"),
    [
        ([b"DTU00001"], "c1", b""),
        ([b"DTU00001\r\n"], "c1", b""),
        ([b"\r\n DTU00001 \x00"], "c1", b""),
        ([b"DTU", b"00", b"001"], "c1", b""),
        ([b"DTU00001\x68glued"], "c1", b"\x68glued"),
        ([b"DTU000010"], "c10", b""),
        ([b"DTU00001", b"0\x68"], "c10", b"\x68"),
        ([b"\x01\x02", b"\x03\x04\xff\x68"], "c2", b"\x68"),
        ([b"01020304FF"], "c2", b""),
        ([b"plain-id"], "plain-id", b""),
        ([b"HBHB", b"DTU00001"], "c1", b""),
    ],
)
async def test_a_caller_is_known_by_its_registration(open_link, host, segments, collector_id, rest):
    link = await open_link(heartbeat={"every": "60s", "packet": "HB"})
    far = await Caller.call(link)
    for segment in segments:
        await far.send(segment)
        await asyncio.sleep(0.03)
    user = await registered(host)
    assert user.collector_id == collector_id
    await until(lambda: user.data == rest)
    assert not host.strangers


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"DTU99999", b"\x00" * 300, b"\xff\xfd\x18", b" " * 1000])
async def test_everybody_else_is_turned_away_at_once_and_kept_in_a_list(open_link, host, first):
    link = await open_link()
    far = await Caller.call(link, first)
    await until(lambda: far.closed)
    ((peer, first_bytes, why),) = host.strangers
    assert peer.startswith("127.0.0.1:") and first.startswith(first_bytes[:64]) and "unknown" in why
    assert not host.users


async def test_a_caller_that_says_nothing_is_cut_off(open_link, host):
    link = await open_link(register_within="100ms")
    silent, partly = await Caller.call(link), await Caller.call(link, b"DTU")
    await until(lambda: silent.closed and partly.closed)
    assert [why for _, _, why in host.strangers] == ["did not name itself in time"] * 2


async def test_a_caller_that_hangs_up_early_is_remembered(open_link, host):
    link = await open_link()
    far = await Caller.call(link, b"DTU0")
    await asyncio.sleep(0.05)
    await far.hang_up()
    await until(lambda: host.strangers)


async def test_one_address_cannot_take_all_places_before_it_has_named_itself(open_link, host):
    link = await open_link(unregistered_per_address=3)
    callers = [await Caller.call(link) for _ in range(5)]
    await until(lambda: sum(one.closed for one in callers) == 2)
    await callers[0].send(b"DTU00001")
    await registered(host)
    again = await Caller.call(link, b"DTU000010")
    await registered(host, 2)
    assert not again.closed


async def test_heartbeats_and_repeated_registrations_are_signs_of_life_and_no_data(open_link, host):
    link = await open_link(heartbeat={"every": "60s", "packet": ["HB", "hex:AA55AA55"]})
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host)
    for segment in (b"HB", b"HB\r\n", b"\xaa\x55\xaa\x55", b"DTU00001"):
        await far.send(segment)
        await asyncio.sleep(0.02)
    await until(lambda: user.beats == 4)
    assert user.data == b""
    await far.send(b"DTU00001\x68abc")  # as a prefix of data
    await until(lambda: user.data == b"\x68abc")


async def test_a_heartbeat_inside_an_answer_is_taken_out(open_link, host):
    link = await open_link(heartbeat={"every": "60s", "packet": "HB"})
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host)
    await far.send(b"\x68\x01\x02HB\x03\x16")
    await until(lambda: user.data == b"\x68\x01\x02\x03\x16")
    for segment in (b"\x68\x01", b"HB", b"\x02H", b"B\x16"):
        await far.send(segment)
        await asyncio.sleep(0.02)
    await until(lambda: user.data == b"\x68\x01\x02\x03\x16" + b"\x68\x01\x02\x16")


async def test_data_that_only_looks_like_the_beginning_of_a_heartbeat_arrives(open_link, host):
    link = await open_link(heartbeat={"every": "60s", "packet": "HEART"})
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host)
    await far.send(b"\x68\x01HEA")
    await until(lambda: user.data == b"\x68\x01HEA")


async def test_ten_megabytes_without_a_frame_do_no_harm(open_link, host):
    link = await open_link(heartbeat={"every": "60s", "packet": "HB"})
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host)
    user.received = lambda data: setattr(user, "amount", getattr(user, "amount", 0) + len(data))
    for _ in range(160):
        await far.send(b"\xfe" * 65536)
    await until(lambda: user.amount == 160 * 65536)
    other = await Caller.call(link, b"DTU000010\x68")
    await until(lambda: host.users[-1].data == b"\x68")
    assert not other.closed


async def test_how_a_connection_ended_is_told_apart(open_link, host):
    link = await open_link()
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host)
    await far.hang_up()
    await until(lambda: user.causes == ["closed"])
    far = await Caller.call(link, b"DTU00001")
    user = await registered(host, 2)
    user.channel.send(b"unread")
    await asyncio.sleep(0.02)
    far.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.abort()
    await until(lambda: user.causes == ["reset"])


async def test_two_collectors_with_one_registration_are_a_mistake_in_the_configuration():
    link = make_link()
    with pytest.raises(ConfigError, match="a and b have the same registration"):
        await link.open(RecordingHost([collector("a", "X1"), collector("b", "hex:5831")]))


async def test_a_taken_port_is_trouble_that_ends_when_it_is_free(open_link, host, monkeypatch):
    monkeypatch.setattr("meterhub.field.calls.link.RETRY_S", 0.05)
    first = await open_link()
    port = first.address[1]
    second = await open_link(listen=f"127.0.0.1:{port}")
    assert "cannot listen on 127.0.0.1" in host.troubles[-1]
    await first.close()
    await until(lambda: host.troubles[-1] == "")
    await Caller.call(second, b"DTU00001")
    await registered(host)


async def test_many_callers_at_once_all_get_in(open_link):
    many = RecordingHost([collector(f"c{number}", f"DTU{number:05d}") for number in range(300)])
    link = make_link(unregistered_per_address=1000)
    await link.open(many)
    try:
        callers = await asyncio.gather(*(Caller.call(link, b"DTU%05d" % number) for number in range(300)))
        await until(lambda: len(many.users) == 300)
        assert not any(caller.closed for caller in callers)
    finally:
        await link.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"listen": "9100"},
        {"listen": "0.0.0.0:99999"},
        {"listen": "x:1", "heartbeat": {"every": "soon"}},
        {"listen": "x:1", "heartbeat": {"every": "60s", "packet": "hex:1"}},
        {"listen": "x:1", "heartbeat": {"every": "60s", "packet": ""}},
        {"listen": "x:1", "unknown": 1},
    ],
)
def test_a_wrong_configuration_is_refused(bad):
    with pytest.raises(ConfigError):
        check(bad, LINK_SCHEMA)

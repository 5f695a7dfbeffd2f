"""Collectors: online and offline spells with their cause; the newest connection wins; half-open ones are noticed."""

from __future__ import annotations

import asyncio
import logging

import pytest
from toy import answer, request

from meterhub.bus import Bus
from meterhub.errors import LinkDown, Misuse
from meterhub.field.collector import Collector, CollectorOffline, CollectorOnline
from meterhub.field.link import Channel, CollectorConfig
from meterhub.field.link_desk import LinkDesk, LinkTrouble


class Pipe(Channel):
    def __init__(self, peer="10.0.0.1:4000"):
        self.peer = peer
        self.sent = []
        self.closed = None
        self.user = None

    def send(self, data):
        if self.closed:
            raise LinkDown("closed")
        self.sent.append(data)

    def close(self, cause):
        if self.closed is None:
            self.closed = cause
            if self.user is not None:
                self.user.lost(cause)


class Field:
    def __init__(self, clock, make_line, heartbeat_s=None):
        self.messages = []
        bus = self.bus = Bus()
        for kind in (CollectorOnline, CollectorOffline, LinkTrouble):
            bus.on(kind, self.messages.append)
        self.line = make_line()
        self.collector = Collector(CollectorConfig("c1"), [self.line], clock, bus, heartbeat_s)
        self.desk = LinkDesk("field", [self.collector], clock, bus)
        self.desk.start()

    def call(self, peer="10.0.0.1:4000"):
        pipe = Pipe(peer)
        pipe.user = self.desk.attach("c1", pipe)
        return pipe


@pytest.fixture
def field(clock, make_line):
    return Field(clock, make_line)


async def test_a_collector_that_never_called_says_so(field):
    assert (field.collector.state, field.collector.cause) == ("never_seen", "never_seen")
    assert field.collector.alive_ms is None
    assert [one.id for one in field.desk.collectors] == ["c1"]


async def test_a_call_begins_a_spell_and_its_end_names_the_cause(field, clock):
    pipe = field.call()
    assert (field.collector.state, field.collector.peer, field.desk.online()) == ("online", "10.0.0.1:4000", 1)
    online_ms = clock.now()
    await clock.advance(60)
    pipe.user.lost("reset")
    assert (field.collector.state, field.collector.cause, field.collector.since_ms) == ("offline", "reset", clock.now())
    assert field.messages == [
        CollectorOnline("c1", online_ms, "10.0.0.1:4000"),
        CollectorOffline("c1", clock.now(), "reset", online_ms),
    ]


async def test_endless_noise_ends_the_connection_and_a_new_call_begins_anew(field):
    pipe = field.call()
    for _ in range(5):
        pipe.user.received(b"\x00" * 65536)
        for _ in range(20):
            await asyncio.sleep(0)  # it is heard in slices
    assert (pipe.closed, field.collector.state, field.collector.cause) == ("babble", "offline", "babble")
    again = field.call()
    for _ in range(4):
        again.user.received(b"\x00" * 65536)
    assert (again.closed, field.collector.state) == (None, "online")


async def test_noise_with_frames_in_it_ends_nothing(field, clock, results):
    pipe = field.call()
    for number in range(8):
        field.line.submit(results.reading(f"r{number}", 1, 1))
        await clock.advance(0.1)
        pipe.user.received(answer(1, 1, 3))
        pipe.user.received(b"\x00" * 65536)
        await clock.advance(5)
    assert pipe.closed is None and field.collector.state == "online"


async def test_bytes_reach_the_line_and_the_three_clocks_are_kept_apart(field, clock, results):
    pipe = field.call()
    await clock.advance(1)
    pipe.user.alive()
    assert field.collector.alive_ms == clock.now() and field.collector.heard_ms is None
    await clock.advance(1)
    pipe.user.received(b"\x00noise")
    assert field.collector.heard_ms == clock.now() and field.collector.meter_ms is None
    field.line.submit(results.reading("r", 1, 1))
    assert pipe.sent == [request(1, 1)]
    await clock.advance(0.1)
    pipe.user.received(answer(1, 1, 3))
    assert results == [("r", [3])] and field.collector.meter_ms == clock.now()
    await clock.advance(5)
    assert field.collector.meter_ms == clock.now() - 5000


async def test_the_newest_connection_wins_and_the_older_one_is_fenced(field, results):
    older = field.call()
    newer = field.call("10.0.0.1:5000")
    assert older.closed == "replaced" and newer.closed is None
    assert field.collector.state == "online" and field.collector.peer == "10.0.0.1:5000"
    field.line.submit(results.reading("r", 1, 1))
    older.user.received(answer(1, 1, 66))
    older.user.alive()
    older.user.lost("closed")
    assert not results and field.collector.state == "online"
    newer.user.received(answer(1, 1, 7))
    assert results == [("r", [7])]
    assert [type(one).__name__ for one in field.messages] == ["CollectorOnline", "CollectorOffline", "CollectorOnline"]
    assert field.messages[1].cause == "replaced"


async def test_a_half_open_connection_is_noticed_within_two_heartbeats_and_five_seconds(clock, make_line):
    field = Field(clock, make_line, heartbeat_s=10)
    pipe = field.call()
    await clock.advance(9)
    pipe.user.alive()
    await clock.advance(23)
    assert field.collector.state == "online"
    await clock.advance(2.01)
    assert (field.collector.state, field.collector.cause, pipe.closed) == ("offline", "silent", "silent")
    assert len(field.messages) == 2


async def test_any_byte_is_a_sign_of_life(clock, make_line):
    field = Field(clock, make_line, heartbeat_s=1)
    pipe = field.call()
    for _ in range(20):
        await clock.advance(3)
        pipe.user.received(b"x")
    assert field.collector.state == "online"


async def test_without_a_promised_heartbeat_silence_means_nothing(field, clock):
    field.call()
    await clock.advance(100_000)
    assert field.collector.state == "online"


async def test_a_stopping_hub_closes_everything(field, results, clock):
    pipe = field.call()
    field.line.submit(results.reading("r", 1, 1))
    field.desk.stop()
    assert pipe.closed == "hub_stopped" and field.collector.cause == "hub_stopped"
    assert results.names == ["r"]


async def test_strangers_are_kept_in_a_short_list_and_logged_within_limits(field, caplog):
    with caplog.at_level(logging.WARNING):
        for number in range(200):
            field.desk.stranger(f"10.9.9.{number % 100}:1", b"x" * 500, "unknown registration")
        field.desk.stranger("10.9.9.99:7", b"GET /", "unknown registration")
    assert len(field.desk.strangers) == 50
    assert len(field.desk.strangers[0].first_bytes) == 64
    assert field.desk.strangers[-1].calls == 2
    assert len(caplog.records) == 1


async def test_trouble_is_told_once_per_change(field):
    for text in ("port taken", "port taken", ""):
        field.desk.trouble(text)
    assert [one.text for one in field.messages] == ["port taken", ""]


async def test_an_unknown_collector_is_our_own_mistake(field):
    with pytest.raises(Misuse):
        field.desk.attach("c9", Pipe())


class Terminal(Field):
    """A collector with two ports, each with a connection and a line of its own."""

    def __init__(self, clock, make_line):
        super().__init__(clock, make_line, heartbeat_s=10)
        self.second = make_line()
        lines = [self.line, self.second]
        self.collector = Collector(CollectorConfig("c1", channels=("1", "2")), lines, clock, self.bus, 10)
        self.desk.sessions["c1"] = self.collector

    def call_from(self, line):
        pipe = Pipe(f"10.0.0.1:400{line}")
        pipe.user = self.desk.attach("c1", pipe, line)
        return pipe


async def test_each_port_of_a_collector_has_its_own_line_and_the_collector_is_online_while_one_is(
    clock, make_line, results
):
    field = Terminal(clock, make_line)
    first, second = field.call_from(0), field.call_from(1)
    field.line.submit(results.reading("a", 1, 1))
    field.second.submit(results.reading("b", 1, 1))
    assert first.sent == second.sent == [request(1, 1)], "both wires at once"
    second.user.received(answer(1, 1, 8))
    first.user.received(answer(1, 1, 7))
    assert results == [("b", [8]), ("a", [7])], "and neither hears the other"
    first.user.lost("reset")
    assert (field.line.down_cause, field.second.down_cause, field.collector.state) == ("reset", "", "online")
    third = field.call_from(0)
    again = field.call_from(1)
    assert second.closed == "replaced" and field.second.connected and field.collector.state == "online"
    third.user.lost("reset")
    again.user.lost("closed")
    assert (field.collector.state, field.collector.cause) == ("offline", "closed")
    assert [type(one).__name__ for one in field.messages] == ["CollectorOnline", "CollectorOffline"]


async def test_a_port_that_falls_silent_ends_alone(clock, make_line):
    field = Terminal(clock, make_line)
    first, second = field.call_from(0), field.call_from(1)
    for _ in range(6):
        await clock.advance(5)
        second.user.alive()
    assert (first.closed, second.closed, field.collector.state) == ("silent", None, "online")
    field.desk.stop()
    assert second.closed == "hub_stopped" and field.collector.state == "offline"

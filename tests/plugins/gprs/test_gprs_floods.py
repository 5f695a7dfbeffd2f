"""Floods: strangers that say nothing or nonsense, and collectors that take nothing, harm nobody else."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest
from far_end import Caller

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.field.calls import datagrams, door
from meterhub.field.calls import link as calls
from meterhub.field.calls.turns import PER_TURN, Turns
from meterhub.field.collector import Collector
from meterhub.field.flow import Flow
from meterhub.field.link import CollectorConfig
from meterhub.field.link_desk import MAX_STRANGERS, LinkDesk
from meterhub.testing.conformance_link import until
from meterhub.web.collector_parts import connection_of
from meterhub_gprs import open_link
from meterhub_gprs.schema import COLLECTOR_SCHEMA, LINK_SCHEMA


@pytest.fixture
async def field():
    """A link with one collector at a real desk."""
    clock, bus = Clock(), Bus()
    owner = Collector(CollectorConfig("c1", check({"registration": "DTU1"}, COLLECTOR_SCHEMA)), (), clock, bus)
    desk = LinkDesk("field", [owner], clock, bus)
    config = {"listen": "127.0.0.1:0", "unregistered_per_address": 1000, "unregistered": 300}
    link = open_link(SimpleNamespace(clock=clock), check(config, LINK_SCHEMA))
    desk.start()
    await link.open(desk)
    yield SimpleNamespace(link=link, desk=desk, owner=owner)
    desk.stop()
    await link.close()


async def test_hundreds_of_strangers_leave_a_real_collector_alone_and_take_bounded_room(field, caplog):
    real = await Caller.call(field.link, b"DTU1")
    await until(lambda: field.owner.state == "online")
    silent = [await Caller.call(field.link) for _ in range(350)]
    garbage = await asyncio.gather(*(Caller.call(field.link, b"\xff\x00nonsense" * 30) for _ in range(200)))
    await until(lambda: all(one.closed for one in garbage))
    assert len(field.link._unnamed) <= 300 and len(field.link._connections) <= 301
    assert sum(one.closed for one in silent) >= 50, "the oldest had to go"
    assert len(field.desk.strangers) <= MAX_STRANGERS
    assert len([one for one in caplog.records if "called" in one.message]) <= 3, "said within limits"
    field.owner.sessions[0].channel.send(b"still here?")
    await until(lambda: real.data == b"still here?")
    for one in silent:
        one.abort()
    await until(lambda: len(field.link._connections) == 1)
    assert not field.link._unnamed and not field.link._callers


async def test_calling_and_hanging_up_over_and_over_leaves_nothing_behind(field):
    for _ in range(200):
        far = await Caller.call(field.link, b"DTU1")
        far.abort()
    await until(lambda: not field.link._connections)
    assert field.owner.state in ("offline", "never_seen") and not field.link._held
    await Caller.call(field.link, b"DTU1")
    await until(lambda: field.owner.state == "online")


@pytest.fixture
def few_descriptors(monkeypatch):
    """Callers may have thirty of them."""
    with socket.socket() as lowest:
        most = lowest.fileno() + 60  # both ends are in this process
    monkeypatch.setattr(door, "for_callers", lambda: most)


async def test_strangers_go_when_descriptors_run_out_and_a_collector_gets_in(few_descriptors, field):
    silent = [await Caller.call(field.link) for _ in range(60)]
    await until(lambda: sum(one.closed for one in silent) >= 20)
    real = await Caller.call(field.link, b"DTU1")
    await until(lambda: field.owner.state == "online")
    field.owner.sessions[0].channel.send(b"hello")
    await until(lambda: real.data == b"hello")
    assert any("descriptors" in one.why for one in field.desk.strangers) and not field.desk.text


async def test_a_full_house_is_told_and_over_when_there_has_been_room_for_a_while(few_descriptors, field, monkeypatch):
    monkeypatch.setattr(calls, "CALM_S", 0.05)
    monkeypatch.setattr(calls, "CROWD", 0)
    silent = [await Caller.call(field.link) for _ in range(60)]
    await until(lambda: "cannot accept calls" in field.desk.text)
    for one in silent:
        one.abort()
    await until(lambda: not field.desk.text)
    real = await Caller.call(field.link, b"DTU1")
    await until(lambda: field.owner.state == "online")
    assert not real.closed


async def test_callers_never_take_the_descriptors_of_files_however_many_come_while_others_still_leave(monkeypatch):
    full, guests = [], []

    def admit(address):
        guests.append(asyncio.Protocol())
        return guests[-1]

    entrance = door.Door(admit, lambda: True, full.append)  # they have to go, and take their time
    with socket.socket() as highest:
        most = highest.fileno() + 80
    monkeypatch.setattr(door, "for_callers", lambda: most)
    entrance.open("127.0.0.1", 0)
    callers = [socket.create_connection(entrance.address) for _ in range(60)]
    await until(lambda: full)
    assert 15 <= len(guests) <= 20 + door.SPARE
    entrance.close()
    for one in callers:
        one.close()


async def test_what_ends_for_thousands_at_once_leaves_others_their_turn():
    turns, done, most = Turns(), [], 0
    for number in range(1000):
        turns.do(lambda number=number: done.append(number))
    while len(done) < 1000:
        before = len(done)
        await asyncio.sleep(0)
        most = max(most, len(done) - before)
    assert done == list(range(1000)) and most <= PER_TURN
    turns.do(lambda: done.append("later"))
    assert done[-1] == "later", "with room it is done at once"


async def test_hundreds_who_hang_up_at_once_are_all_let_go_and_may_call_again(field):
    real = await Caller.call(field.link, b"DTU1")
    silent = [await Caller.call(field.link) for _ in range(2 * PER_TURN)]
    await until(lambda: field.owner.state == "online")
    for one in (*silent, real):
        await one.hang_up()
    await until(lambda: not field.link._connections)
    assert field.owner.state == "offline" and field.owner.cause == "closed" and not field.link._unnamed
    await Caller.call(field.link, b"DTU1")
    await until(lambda: field.owner.state == "online")


@pytest.mark.skipif(datagrams.OVERFLOW is None, reason="only Linux counts lost datagrams")
async def test_datagrams_that_find_no_room_are_counted(caplog):
    clock, bus = Clock(), Bus()
    owner = Collector(CollectorConfig("c1", check({"registration": "DTU1"}, COLLECTOR_SCHEMA)), (), clock, bus)
    flow = Flow(clock)
    desk = LinkDesk("field", [owner], clock, bus, flow)
    link = open_link(SimpleNamespace(clock=clock), check({"listen": "127.0.0.1:0", "transport": "udp"}, LINK_SCHEMA))
    await link.open(desk)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.connect(link.address)
        for _ in range(5000):  # the loop does not run meanwhile, and the kernel has room for some hundred
            far.send(b"x" * 1000)
        await until(lambda: owner.state == "never_seen" and not link._timers.get("held"))
        for _ in range(3):
            far.send(b"DTU1")
            await asyncio.sleep(0.01)
        await until(lambda: flow.lost_datagrams > 0)
    assert connection_of(owner)["lost_datagrams"] == flow.lost_datagrams, (
        "said on the page of each collector of the link"
    )
    assert any("datagrams are lost" in one.getMessage() for one in caplog.records)
    await link.close()

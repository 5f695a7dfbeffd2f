"""Back-pressure: bytes wait their turn, one after another, and nobody reads on while they do."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from toy import ToyCodec, read

from meterhub.bus import Bus
from meterhub.errors import LinkDown
from meterhub.field.collector import Collector
from meterhub.field.flow import CALM_S, DRAIN_S, LASTING_S, SLICE, TURN_BYTES, WAITING_BYTES, Flow
from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import Channel, CollectorConfig
from meterhub.testing.clock import MovableClock


class Tap(Channel):
    """A channel that notes what the hub wants of it; ``slows`` is whether its sender can be slowed down."""

    def __init__(self, slows: bool = True) -> None:
        self.slows = slows
        self.paused = False

    def send(self, data: bytes) -> None:
        raise LinkDown("nothing is sent here")

    def pause(self) -> bool:
        self.paused = self.slows
        return self.slows

    def resume(self) -> None:
        self.paused = False

    def close(self, cause: str) -> None:
        pass


@pytest.fixture
def flow(clock: MovableClock) -> Flow:
    return Flow(clock)


@pytest.fixture
def attach(flow: Flow, clock: MovableClock):
    """Connects a collector whose wire only counts what it hears."""

    def connect(name: str, *, slows: bool = True) -> SimpleNamespace:
        collector = Collector(CollectorConfig(name), [], clock, Bus(), 60.0, flow)
        heard: list[bytes] = []
        collector.lines = (
            SimpleNamespace(
                received=lambda data, now: heard.append(data),
                attached=lambda channel: None,
                lost=lambda cause: None,
                asking=False,
            ),
        )
        tap = Tap(slows)
        return SimpleNamespace(owner=collector, heard=heard, tap=tap, session=collector.attach(tap))

    return connect


def job(meter: str, priority: Priority) -> Job:
    return Job(meter, "1", "toy", lambda: read(1, 1), lambda result, error: None, priority=priority)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_fits_into_a_turn_is_handed_on_at_once(attach):
    one = attach("c1")
    one.session.received(b"a" * 100)
    assert one.heard == [b"a" * 100] and not one.tap.paused


async def test_a_flood_is_served_in_slices_and_a_quiet_collector_between_them(attach, flow):
    loud, quiet = attach("c1"), attach("c2")
    loud.session.received(bytes(range(256)) * 128)
    quiet.session.received(b"x" * TURN_BYTES)
    quiet.session.received(b"answer")
    assert loud.tap.paused and not loud.heard
    await turns(3)
    assert b"".join(quiet.heard).startswith(b"x" * SLICE), "it need not wait for all of the other"
    assert loud.tap.paused, "nothing more is read while some waits"
    await turns(20)
    assert b"".join(loud.heard) == bytes(range(256)) * 128 and max(map(len, loud.heard)) <= SLICE
    assert b"".join(quiet.heard) == b"x" * TURN_BYTES + b"answer", "and in order"
    assert not loud.tap.paused and not quiet.tap.paused and flow.waiting == 0


async def test_while_the_gate_is_shut_nobody_is_served_and_nobody_is_taken_for_silent(attach, flow, clock):
    one = attach("c1")
    flow.set_gate(True)
    one.session.received(b"first")
    await clock.advance(200)
    assert one.heard == [] and one.tap.paused and flow.shut_s == pytest.approx(200)
    one.owner.end_silent(clock.monotonic())
    assert one.session.present, "it is we who do not listen"
    flow.set_gate(False)
    await turns(3)
    assert one.heard == [b"first"] and not one.tap.paused
    one.owner.end_silent(clock.monotonic())
    assert one.session.present


async def test_what_waits_is_not_lost_with_the_connection(attach, flow):
    broken, replaced = attach("c1"), attach("c2")
    flow.set_gate(True)
    broken.session.received(b"last words")
    replaced.session.received(b"old words")
    broken.session.lost("reset")
    replaced.owner.attach(Tap())
    flow.set_gate(False)
    await turns(3)
    assert broken.heard == [b"last words"] and replaced.heard == [b"old words"]


async def test_of_a_sender_that_cannot_be_slowed_so_much_waits_and_the_rest_is_counted(attach, flow, caplog):
    radio = attach("c1", slows=False)
    flow.set_gate(True)
    for _ in range(3):
        radio.session.received(b"f" * (WAITING_BYTES // 2))
    assert radio.heard == [] and radio.owner.waiting_bytes == WAITING_BYTES
    assert radio.owner.dropped_bytes == flow.dropped_bytes == WAITING_BYTES // 2
    assert [one.getMessage() for one in caplog.records if "c1" in one.message] == [
        f"collector c1: {WAITING_BYTES // 2} bytes are dropped, it sends more than can be taken and cannot be slowed"
        f" down ({WAITING_BYTES // 2} in all)"
    ]
    flow.set_gate(False)
    await turns(WAITING_BYTES // TURN_BYTES + 5)
    assert len(b"".join(radio.heard)) == WAITING_BYTES and radio.owner.waiting_bytes == 0


async def test_the_answer_of_a_sender_that_cannot_be_slowed_is_heard_at_once(attach, flow):
    radio = attach("c1", slows=False)
    flow.set_gate(True)
    radio.session.received(b"noise")
    radio.owner.lines[0].asking = True
    radio.session.received(b"answer")
    assert b"".join(radio.heard) == b"noiseanswer" and radio.owner.waiting_bytes == 0


async def test_at_the_stop_what_waits_is_taken_in_and_no_more_is_read(attach, flow):
    one = attach("c1")
    one.session.received(b"w" * (4 * TURN_BYTES))
    await flow.drain()
    assert b"".join(one.heard) == b"w" * (4 * TURN_BYTES) and one.tap.paused
    one.owner.detach("hub_stopped")
    assert flow.dropped_bytes == 0


async def test_a_stop_does_not_wait_for_ever_for_the_store_and_counts_what_it_drops(attach, flow, clock):
    one = attach("c1")
    flow.set_gate(True)
    one.session.received(b"words")
    drain = asyncio.ensure_future(flow.drain())
    await clock.advance(DRAIN_S + 1)
    assert drain.done()
    one.owner.detach("hub_stopped")
    assert one.heard == [] and one.owner.dropped_bytes == len(b"words")


async def test_a_flood_is_said_once_and_shows_when_it_lasts(attach, flow, clock, caplog):
    caplog.set_level(logging.WARNING)
    one = attach("c1")
    flow.set_gate(True)
    one.session.received(b"much")
    await clock.advance(5)
    assert not flow.lasting()
    for _ in range(20):
        await clock.advance(1)
        flow.lasting()
    assert flow.lasting()
    assert [one.getMessage() for one in caplog.records if "wait" in one.message] == [
        "1 collectors and lines wait, for up to 5.0 s: the store has to catch up"
    ]
    flow.set_gate(False)
    await turns(3)
    await clock.advance(CALM_S + LASTING_S)
    assert not flow.lasting()


async def test_routine_reads_wait_at_the_gate_and_commands_do_not(flow, clock):
    sent: list[bytes] = []
    tap = Tap()
    tap.send = sent.append  # type: ignore[method-assign]
    line = Line(LineConfig("a"), clock, {"toy": ToyCodec}, flow=flow)
    line.attached(tap)
    flow.set_gate(True)
    line.submit(job("m1", Priority.SCHEDULED))
    assert sent == [] and flow.waiting == 1
    line.submit(job("m2", Priority.MONEY))
    assert len(sent) == 1
    line.close()
    flow.set_gate(False)
    await turns(3)
    assert flow.waiting == 0


async def test_a_read_that_waited_at_the_gate_is_sent_when_it_opens(flow, clock):
    sent: list[bytes] = []
    tap = Tap()
    tap.send = sent.append  # type: ignore[method-assign]
    line = Line(LineConfig("a"), clock, {"toy": ToyCodec}, flow=flow)
    line.attached(tap)
    flow.set_gate(True)
    line.submit(job("m1", Priority.SCHEDULED))
    flow.set_gate(False)
    await turns(3)
    assert len(sent) == 1
    line.close()

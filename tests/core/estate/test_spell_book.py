"""The spell book beside a store that fails for a while."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from meterhub.bus import Bus
from meterhub.devices.states import Estate
from meterhub.errors import StoreError
from meterhub.estate.spell_book import ALIVE_EVERY_S, PART, RETRY_S, SpellBook
from meterhub.field.collector import CollectorOffline, CollectorOnline


class FullAtFirst:
    """A store whose disk is full at the first two notes."""

    def __init__(self):
        self.asked = 0

    async def transact(self, fn):
        self.asked += 1
        if self.asked <= 2:
            raise StoreError("the disk is full")


async def test_a_full_disk_does_not_end_the_notes_that_the_hub_lives(clock):
    store, bus = FullAtFirst(), Bus()
    book = SpellBook(store, clock, bus, Estate(bus, clock), lambda owner, coroutine: coroutine.close())
    task = asyncio.ensure_future(book.keep_alive())
    await clock.advance(3 * ALIVE_EVERY_S)
    assert not task.done() and store.asked >= 3
    task.cancel()


@pytest.fixture
async def book(store, clock, tasks):
    """A book in a real store, and the bus that it listens to."""
    bus = Bus()
    book = SpellBook(store, clock, bus, Estate(bus, clock), tasks.spawn)
    await book.open(["c1", "c2"])
    return SimpleNamespace(book=book, emit=bus.emit)


def all_of(device):
    return {"device": device, "from_ms": 0, "to_ms": 9**15}


async def spells(book, device):
    rows = await book.book.spells(device, 0, 9**15)
    return [(one["state"], one["since_ms"], one["until_ms"], one["cause"]) for one in rows]


async def test_flaps_within_one_moment_are_all_kept_and_their_times_join(book, clock):
    start = clock.now()
    book.emit(CollectorOnline("c1", start + 1, "peer"))
    book.emit(CollectorOffline("c1", start + 2, "reset", start + 1))
    book.emit(CollectorOnline("c2", start + 2, "peer"))
    book.emit(CollectorOnline("c1", start + 3, "peer"))
    assert await spells(book, "c1") == [
        ("unknown", start, start + 1, "never_seen"),
        ("online", start + 1, start + 2, "connected"),
        ("offline", start + 2, start + 3, "reset"),
        ("online", start + 3, None, "connected"),
    ]
    assert [one[0] for one in await spells(book, "c2")] == ["unknown", "online"]


async def test_a_thousand_collectors_at_once_are_few_transactions(book, store, clock):
    before = store.commits
    for number in range(1000):
        book.emit(CollectorOnline(f"c{number}", clock.now(), "peer"))
    assert (await spells(book, "c999"))[-1][0] == "online"
    await book.book.close()
    assert store.commits - before <= 4
    assert [one["state"] for one in await store.query("spells_of", all_of("c999"))] == ["online"]


async def test_a_power_cut_of_thousands_is_kept_in_parts_that_keep_nobody_waiting(book, store, clock):
    count = 2 * PART + 1
    for number in range(count):
        book.emit(CollectorOnline(f"c{number}", clock.now(), "peer"))
        book.emit(CollectorOffline(f"c{number}", clock.now() + 5, "reset", clock.now()))
    await book.book.close()
    for number in (0, PART // 2, PART, count - 1):
        rows = await store.query("spells_of", all_of(f"c{number}"))
        assert [one["state"] for one in rows][-2:] == ["online", "offline"]
        assert all(one["until_ms"] is not None for one in rows)


class Busy:
    """A store whose transactions wait for a word; it reads as ever."""

    def __init__(self, store):
        self._store = store
        self.free = asyncio.Event()
        self.query = store.query

    async def transact(self, fn):
        await self.free.wait()
        return await self._store.transact(fn)


async def test_who_looks_while_the_store_is_busy_is_told_the_newest_and_does_not_wait(store, clock, tasks):
    busy, bus = Busy(store), Bus()
    book = SimpleNamespace(book=SpellBook(busy, clock, bus, Estate(bus, clock), tasks.spawn))
    busy.free.set()
    await book.book.open(["c1"])
    busy.free.clear()
    start = clock.now()
    bus.emit(CollectorOnline("c1", start + 10, "peer"))
    await clock.advance(0.1)
    bus.emit(CollectorOffline("c1", start + 20, "reset", start + 10))
    expected = [
        ("unknown", start, start + 10, "never_seen"),
        ("online", start + 10, start + 20, "connected"),
        ("offline", start + 20, None, "reset"),
    ]
    assert await spells(book, "c1") == expected
    assert await book.book.spells("c1", start, start + 15) != [], "what touches the time"
    assert [one["state"] for one in await book.book.spells("c1", 0, start + 15)] == ["unknown", "online"]
    busy.free.set()
    await book.book.close()
    assert [one[:2] for one in await spells(book, "c1")] == [one[:2] for one in expected]


async def test_what_a_full_disk_refuses_is_written_when_there_is_room(clock, tasks):
    store, bus = FullAtFirst(), Bus()
    SpellBook(store, clock, bus, Estate(bus, clock), tasks.spawn)
    bus.emit(CollectorOnline("c1", clock.now(), "peer"))
    await clock.advance(3 * RETRY_S)
    assert store.asked == 3

"""The recorder: batches, acknowledgement, and what happens while the store does not take readings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from meterhub.errors import BadInput, StoreError
from meterhub.store.engine import Reading
from meterhub.store.recorder import FULL_ROWS, Recorder
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import START_MS, MovableClock


class Moody:
    """Stands for a store whose disk is full while ``full``, and that never takes the value 13."""

    def __init__(self) -> None:
        self.full = False
        self.kept: list[Reading] = []
        self.batches = 0

    async def record(self, batch: Sequence[Reading]) -> None:
        if self.full:
            raise StoreError("the disk is full")
        if any(row[2] == 13 for row in batch):
            raise BadInput("thirteen")
        self.kept += batch
        self.batches += 1

    async def roll_up(self) -> int:
        return 0


def rows(first: int, count: int) -> list[Reading]:
    return [(1, START_MS + number, 1000 + number, 0) for number in range(first, first + count)]


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_polls_of_one_second_share_a_commit(clock: MovableClock) -> None:
    store = Moody()
    recorder = Recorder(store, clock)
    task = asyncio.create_task(recorder.run())
    for poll in range(10):
        recorder.add(rows(poll * 8, 8))
        await clock.advance(0.05)
    assert (recorder.queued, recorder.written) == (80, 0)
    await clock.advance(1)
    assert (recorder.queued, recorder.written, store.batches) == (0, 80, 1)
    assert START_MS < recorder.last_commit_ms <= clock.now()
    await stop(task)


async def test_flush_returns_when_all_is_in_the_file(store: SqliteStore, clock: MovableClock) -> None:
    recorder = Recorder(store, clock)
    (series,) = (await store.series(["m.x"])).values()
    recorder.add([(series, START_MS + number, number, 0) for number in range(25_000)])
    await recorder.flush()
    assert (recorder.queued, recorder.written) == (0, 25_000)
    assert len(await store.points("m.x", START_MS, START_MS + 25_000, limit=50_000)) == 25_000


async def test_readings_wait_while_the_disk_is_full_and_the_oldest_are_given_up(clock: MovableClock) -> None:
    store = Moody()
    recorder = Recorder(store, clock, most_rows=20_000)
    task = asyncio.create_task(recorder.run())
    store.full = True
    for part in range(3):
        recorder.add(rows(part * 10_000, 10_000))
        await clock.advance(5)
    assert (recorder.queued, recorder.written, recorder.lost) == (20_000, 0, 10_000)
    assert "full" in recorder.fault
    store.full = False
    await clock.advance(60)
    assert (recorder.queued, recorder.written, recorder.fault) == (0, 20_000, "")
    assert store.kept == rows(10_000, 20_000)
    await stop(task)


async def test_a_failed_flush_is_tried_again_by_itself(clock: MovableClock) -> None:
    store = Moody()
    recorder = Recorder(store, clock)
    task = asyncio.create_task(recorder.run())
    recorder.add(rows(0, 5))
    store.full = True
    with pytest.raises(StoreError):
        await recorder.flush()
    store.full = False
    await clock.advance(2)
    assert store.kept == rows(0, 5)
    await stop(task)


async def test_one_reading_that_can_never_be_kept_does_not_take_others_along(clock: MovableClock) -> None:
    store = Moody()
    recorder = Recorder(store, clock)
    good = rows(0, 1000)
    recorder.add([*good[:700], (1, START_MS, 13, 0), *good[700:]])
    await recorder.close()
    assert store.kept == good
    assert (recorder.written, recorder.lost, recorder.queued) == (1000, 1, 0)


async def test_close_stores_the_rest_or_counts_it(clock: MovableClock) -> None:
    store = Moody()
    recorder = Recorder(store, clock)
    recorder.add(rows(0, 3))
    await recorder.close()
    store.full = True
    recorder.add(rows(3, 4))
    await recorder.close()
    assert (recorder.written, recorder.lost, recorder.queued) == (3, 4, 0)


async def test_it_says_when_too_much_waits_and_when_there_is_room_again(clock: MovableClock) -> None:
    told: list[bool] = []
    recorder = Recorder(Moody(), clock, on_full=told.append)
    recorder.add(rows(0, FULL_ROWS - 1))
    assert told == []
    recorder.add(rows(0, 1))
    recorder.add(rows(0, 1))
    assert told == [True]
    await recorder.flush()
    assert told == [True, False] and recorder.lost == 0


async def test_a_store_that_fails_holds_nobody_up(clock: MovableClock) -> None:
    store, told = Moody(), []
    recorder = Recorder(store, clock, on_full=told.append)
    task = asyncio.create_task(recorder.run())
    store.full = True
    recorder.add(rows(0, FULL_ROWS))
    await clock.advance(0.5)
    recorder.add(rows(0, 1))
    assert told == [True, False]
    store.full = False
    await clock.advance(5)
    assert recorder.queued == 0 and recorder.lost == 0 and told[-1] is False
    await stop(task)

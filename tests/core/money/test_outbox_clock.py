"""The outbox and a clock that is set: what waits goes on, at its time or soon after, once, and nothing comes early."""

from __future__ import annotations

import logging

import pytest
from test_outbox import Work, put, row_of

from meterhub.errors import StoreError
from meterhub.money.outbox import PARKED_MS, Again

HOUR_S = 3600


async def begin(till):
    """An outbox that has looked around, and a second has passed."""
    await till.until_quiet(1)


@pytest.mark.parametrize(("ahead_s", "carried_s"), [(HOUR_S, 100), (60.001, 100), (60, 160), (59, 159)])
async def test_a_row_that_a_clock_ahead_put_in_is_brought_forward_after_a_restart(till, ahead_s, carried_s):
    await begin(till)
    till.clock.jump(ahead_s)
    Work(till)
    await put(till, "1", after_s=100)
    await till.close()
    till.clock.jump(-ahead_s)
    await till.open()
    work = Work(till)
    await till.until_quiet(200)
    assert len(work.times) == 1 and 0 <= work.times[0] - carried_s < 1


@pytest.mark.parametrize(("ahead_s", "carried_s"), [(HOUR_S, 400), (60, 400), (59.999, 459.999)])
async def test_a_row_that_waits_is_brought_forward_when_the_clock_was_put_right(till, ahead_s, carried_s):
    await begin(till)
    till.clock.jump(ahead_s)
    await put(till, "0", kind="strange")
    work = Work(till)
    await put(till, "1", after_s=400)
    begun_s = till.clock.monotonic()
    till.clock.jump(-ahead_s)
    work.begun_ms = till.clock.now()
    await till.until_quiet(carried_s + 1)
    assert len(work.times) == 1 and 0 <= work.times[0] - carried_s < 1
    assert till.clock.monotonic() - begun_s > carried_s


async def test_the_log_tells_once_that_the_clock_was_set_back(till, caplog):
    caplog.set_level(logging.WARNING)
    await till.until_quiet(1000)
    assert caplog.messages == []
    till.clock.jump(HOUR_S)
    await till.until_quiet(400)
    till.clock.jump(-HOUR_S)
    await till.until_quiet(2000)
    assert [words for words in caplog.messages if "was set back" in words] == caplog.messages
    assert len(caplog.messages) == 1


async def test_after_a_clock_was_put_right_new_rows_wait_as_long_as_they_should(till):
    await begin(till)
    till.clock.jump(HOUR_S)
    await put(till, "0", kind="strange")
    await till.until_quiet(1)
    till.clock.jump(-HOUR_S)
    await till.until_quiet(400)
    work = Work(till, Again(1500))
    await put(till, "1", after_s=1000)
    await till.until_quiet(3000)
    assert len(work.times) == 2
    assert 0 <= work.times[0] - 1000 < 1 and 0 <= work.times[1] - work.times[0] - 1500 < 1


@pytest.mark.parametrize("again_s", [HOUR_S, 120])
async def test_a_clock_may_be_set_back_again_and_again(till, again_s):
    await begin(till)
    for _ in range(2):
        till.clock.jump(again_s)
        work = Work(till)
        await put(till, f"{till.clock.monotonic()}", after_s=400)
        till.clock.jump(-again_s)
        work.begun_ms = till.clock.now()
        await till.until_quiet(410)
        assert len(work.times) == 1 and 0 <= work.times[0] - 400 < 1
    work = Work(till)
    await put(till, "back", after_s=700)
    till.clock.jump(-again_s)
    work.begun_ms = till.clock.now()
    await till.until_quiet(710)
    assert len(work.times) == 1 and work.times[0] <= 701


async def test_what_waits_for_a_person_waits_on_when_the_clock_is_set(till):
    work = Work(till, Again(None, "help"))
    await put(till, "1")
    await begin(till)
    for seconds in (HOUR_S, -HOUR_S):
        till.clock.jump(seconds)
        await till.until_quiet(700)
    assert len(work.calls) == 1 and (await row_of(till, "1"))["next_ms"] == PARKED_MS


async def test_what_is_due_at_once_by_a_clock_set_forward_is_carried_out_within_five_minutes(till):
    await begin(till)
    work = Work(till)
    await put(till, "1", after_s=5000)
    await till.until_quiet(10)
    till.clock.jump(HOUR_S * 2)
    begun_s = till.clock.monotonic()
    await till.until_quiet(300)
    assert len(work.calls) == 1 and till.clock.monotonic() - begun_s <= 300


async def test_a_row_that_somebody_else_put_in_is_found_within_five_minutes(till):
    work = Work(till)
    await begin(till)
    row = {"kind": "odd", "key": "1", "lane": "odd/1", "operator": "main", "payload_json": "{}", "state": "waiting"}
    row |= {"next_ms": till.clock.now(), "created_ms": till.clock.now()}
    await till.real.transact(lambda tx: tx.insert("outbox", row))
    await till.until_quiet(300)
    assert len(work.calls) == 1


async def test_somebody_who_wakes_the_outbox_need_not_wait(till):
    work = Work(till)
    await begin(till)
    row = {"kind": "odd", "key": "1", "lane": "odd/1", "operator": "main", "payload_json": "{}", "state": "waiting"}
    row |= {"next_ms": till.clock.now(), "created_ms": till.clock.now()}
    await till.real.transact(lambda tx: tx.insert("outbox", row))
    till.money.outbox.wake()
    await till.until_quiet(0.1)
    assert len(work.calls) == 1


async def test_a_row_that_is_due_soon_is_not_late_because_the_clock_is_put_right_meanwhile(till):
    await begin(till)
    till.clock.jump(HOUR_S)
    work = Work(till)
    await put(till, "1", after_s=10)
    begun_s = till.clock.monotonic()
    await till.until_quiet(1)
    till.clock.jump(-HOUR_S)
    await till.until_quiet(10)
    assert len(work.calls) == 1 and till.clock.monotonic() - begun_s <= 11.001


async def test_what_is_put_in_after_a_clock_was_set_forward_is_carried_out_at_its_time(till):
    await begin(till)
    till.clock.jump(HOUR_S)
    work = Work(till, Again(5))
    await put(till, "1", after_s=10)
    await till.until_quiet(20)
    assert work.times == [10, 15]


async def test_a_file_that_fails_while_the_clock_is_put_right_makes_nothing_wait_for_the_wrong_time(till):
    class FailingOnce:
        broken = False

        def __init__(self, store):
            self.query, self._transact = store.query, store.transact

        async def transact(self, fn):
            if FailingOnce.broken:
                FailingOnce.broken = False
                raise StoreError("the disk is full")
            return await self._transact(fn)

    await till.close()
    await till.open(wrap=FailingOnce)
    await begin(till)
    till.clock.jump(HOUR_S)
    work = Work(till)
    await put(till, "1", after_s=400)
    till.clock.jump(-HOUR_S)
    work.begun_ms = till.clock.now()
    FailingOnce.broken = True
    await till.until_quiet(310)
    assert till.money.fault == "the disk is full"
    await till.until_quiet(92)
    assert till.money.fault == "" and not FailingOnce.broken and len(work.times) == 1 and 0 <= work.times[0] - 400 < 1

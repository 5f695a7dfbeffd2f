"""The movable clock: time passes only when nothing else can run."""

from __future__ import annotations

import asyncio
import time

import pytest

from meterhub.testing.clock import BASE_S, START_MS, MovableClock


async def test_a_simulated_year_takes_no_time(clock):
    began = time.monotonic()
    ticks = 0
    for _ in range(365 * 24):
        await clock.sleep(3600)
        ticks += 1
    assert clock.now() == START_MS + ticks * 3_600_000
    assert time.monotonic() - began < 20


async def test_timers_fire_in_their_order_at_their_time(clock):
    heard = []
    for delay in (3, 1, 2):
        clock.call_later(delay, lambda delay=delay: heard.append((delay, clock.monotonic() - BASE_S)))
    await clock.advance(2)
    assert heard == [(1, 1), (2, 2)]
    await clock.advance(1)
    assert heard[-1] == (3, 3)


async def test_time_outs_work(clock):
    with pytest.raises(TimeoutError):
        async with clock.timeout(1000):
            await asyncio.Event().wait()
    assert clock.monotonic() == BASE_S + 1000


async def test_time_stands_still_while_a_thread_is_waited_for(clock):
    with clock.outside():
        async with clock.timeout(0.001):
            await asyncio.to_thread(time.sleep, 0.1)
    assert clock.monotonic() == BASE_S


async def test_time_does_not_pass_while_something_can_run(clock):
    for _ in range(1000):
        await clock.sleep(0)
    assert clock.monotonic() == BASE_S


def test_chance_repeats_from_the_seed():
    assert MovableClock(seed=5).random.random() == MovableClock(seed=5).random.random()


def test_a_loop_without_a_selector_is_refused():
    with pytest.raises(RuntimeError, match="stock asyncio"):
        MovableClock().install(object())

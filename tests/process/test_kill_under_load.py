"""Tenants pay while the hub is killed again and again: payments = ledger = meters, nothing short, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import random

import aiohttp
import pytest_asyncio
from tenants import Court

FULL = os.environ.get("METERHUB_FULL") == "1"
SEED = int(os.environ.get("METERHUB_SEED") or random.randrange(10**6))
METERS, RECHARGES, KILLS, TROUBLE = (12, 25, 40, 60) if FULL else (4, 4, 4, 4)


@pytest_asyncio.fixture
async def court(tmp_path):
    one = Court(tmp_path, METERS, SEED)
    yield one
    await one.stop()


async def test_a_hub_that_is_killed_while_tenants_pay_credits_each_payment_once(court):
    print(f"METERHUB_SEED={SEED}")
    await court.open()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        await court.trouble(session, TROUBLE)
        paying = asyncio.gather(*(_tenant(court, session, meter) for meter in court.meters))
        for _ in range(KILLS):
            await asyncio.sleep(court.chance.uniform(0.1, 1.5))
            await court.kill()
        await paying
    await court.quiet(600 if FULL else 90)
    (hit,) = court.rows("select count(*), coalesce(sum(sends > 1), 0) from deliveries")
    print(f"{court.kills} kills, {hit[0]} credits, {hit[1]} of them sent twice under the same number")
    await court.down()
    _agree(court, await court.purchases())


async def _tenant(court, session, meter):
    for number in range(RECHARGES):
        await court.pay(session, meter, number)
        if FULL:
            await asyncio.sleep(court.chance.uniform(0, 4))


def _agree(court, meters):
    """The companies' word, the hub's books and the meters' own ledgers say the same."""
    payments = court.rows("select attempt, amount_fen from payments")
    assert sorted(payments) == sorted((no, fen) for no, (_, fen) in court.paid.items())
    delivered = court.rows("select meter, number, amount_fen from deliveries where state = 'confirmed'")
    for meter in court.meters:
        paid = sorted(fen for one, fen in court.paid.values() if one == meter)
        assert [number for number, _ in meters[meter]] == list(range(1, len(paid) + 1)), meters[meter]
        assert sorted(fen for _, fen in meters[meter]) == paid
        assert meters[meter] == sorted((number, fen) for one, number, fen in delivered if one == meter)
        held = court.rows(f"select fen from book_balances where book = 'meter/{meter}-1'")
        assert held == [(sum(paid),)]
    assert court.rows("select sum(fen) from book_balances") == [(0,)]
    left = "select book from book_balances where fen <> 0 and book not like 'meter/%' and book not like 'clearing/%'"
    assert court.rows(left) == []
    assert court.rows("select kind, detail from anomalies where solved_ms is null") == []
    assert court.rows("select kind, key from outbox where state = 'waiting' and kind = 'delivery'") == []

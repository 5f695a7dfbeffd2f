"""Answers that are lost, doubled, late and out of order on both sides at once: payments = ledger = meters.

Whole processes over real sockets: the hub, the meters behind bad wires, and companies that lose answers and deliver
notices twice, late, swapped, forged, again, or never.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import aiohttp
import pytest_asyncio
from tenants import FAULTS, Court
from test_kill_under_load import _agree

SEED = int(os.environ.get("METERHUB_SEED") or random.randrange(10**6))
TWINS = Path(__file__).with_name("twins_of_bad_wires.py")
METERS, RECHARGES = 3, 3
ANSWERS = (("lost", "torn", "stuck"), ("lost", "torn", "stuck", "error", "busy"))
"""To opening a payment (one that was not opened is opened again by the tenant alone), and to asking about it."""
NOTICES = ("twice", "dropped", "late", "swapped", "forged", "replayed")


class BadCourt(Court):
    """A court whose meters stand behind bad wires."""

    async def start(self, *arguments):
        if arguments == ("simulate", "-c", "field.yaml"):
            return await self.spawn(sys.executable, str(TWINS), "field.yaml", str(SEED))
        return await super().start(*arguments)

    async def bad_companies(self, session):
        """Each fault once at least, at each company."""
        plans = [(kind, None) for kind in NOTICES] + [(kind, one) for one in (0, 1) for kind in ANSWERS[one]]
        self.chance.shuffle(plans)
        for company, operations in FAULTS.items():
            for kind, number in plans:
                operation = "payment" if number is None else operations[number]
                plan = {"kind": kind, "operation": operation, "seconds": 2}
                await session.post(f"http://127.0.0.1:{self.ports[company]}/sandbox/faults", json=plan)


@pytest_asyncio.fixture
async def court(tmp_path):
    one = BadCourt(tmp_path, METERS, SEED)
    yield one
    await one.stop()


async def test_on_bad_ways_on_both_sides_each_payment_is_credited_once(court):
    print(f"METERHUB_SEED={SEED}")
    await court.open()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        await court.bad_companies(session)
        await asyncio.gather(*(_tenant(court, session, meter) for meter in court.meters))
    await court.quiet(300)
    (hit,) = court.rows("select count(*), coalesce(sum(sends > 1), 0) from deliveries")
    print(f"{hit[0]} credits, {hit[1]} of them sent twice under the same number")
    await court.down()
    _agree(court, await court.purchases())


async def _tenant(court, session, meter):
    for number in range(RECHARGES):
        await court.pay(session, meter, number, ("alipay", "wechat")[number % 2])

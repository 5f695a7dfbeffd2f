"""A whole hub whose disk takes no more, or whose clock jumps, while tenants pay: nothing short, nothing doubled."""

from __future__ import annotations

import asyncio
import re
import resource
import struct
import sys
from pathlib import Path

import aiohttp
import pytest_asyncio
from tenants import Court
from test_kill_under_load import _agree

PLENTY = resource.RLIM_INFINITY
NOTHING = 4096
HUB = Path(__file__).with_name("hub_with_a_clock.py")


@pytest_asyncio.fixture
async def court(tmp_path):
    one = Court(tmp_path, 2, 7)
    yield one
    await one.stop()


class ClockedCourt(Court):
    """A court whose hub takes its time from a file: how many seconds it is ahead."""

    async def up(self):
        self.ahead(0)
        self.hub = await self.spawn(sys.executable, str(HUB), "site.yaml", "clock")
        await self.until("/healthz", lambda answer: answer["status"] == "ok")

    def ahead(self, seconds):
        """Set the hub's clock."""
        with (self.folder / "clock").open("r+b" if (self.folder / "clock").exists() else "wb") as file:
            file.write(struct.pack("<q", seconds))


@pytest_asyncio.fixture
async def clocked_court(tmp_path):
    one = ClockedCourt(tmp_path, 2, 7)
    yield one
    await one.stop()


async def test_a_hub_whose_disk_is_full_takes_no_money_and_goes_on_by_itself(court):
    await court.open()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for meter in court.meters:
            await court.pay(session, meter, 0)
        waiting = [await _ordered(court, session, meter) for meter in court.meters]
        await _booked(court, 2)
        resource.prlimit(court.hub.pid, resource.RLIMIT_FSIZE, (NOTHING, PLENTY))
        for meter, no in zip(court.meters, waiting, strict=True):
            await _paid_at_the_company(court, session, meter, no)
        await court.until("/healthz", lambda answer: "store" in answer["faulty"])
        assert len(court.rows("select 1 from payments")) == 2
        form = {"amount": "30.00", "way": "by-alipay.qr", "key": "full"}
        page = f"http://127.0.0.1:{court.web}{court.links[court.meters[0]]}"
        async with session.post(page, data=form, headers={"Accept": "text/html"}) as answer:
            words = re.sub("<[^>]+>", " ", await answer.text())
            assert answer.status == 503 and "目前无法保存" in words + await _in_chinese(session, page, form), words
        async with session.get(page) as answer:
            assert answer.status == 200  # what was paid so far can be looked at
        resource.prlimit(court.hub.pid, resource.RLIMIT_FSIZE, (PLENTY, PLENTY))
    await court.quiet(90)
    await court.until("/healthz", lambda answer: answer["status"] == "ok")
    await court.down()
    _agree(court, await court.purchases())


async def test_a_hub_whose_clock_jumps_while_tenants_pay_credits_each_payment_once(clocked_court):
    court = clocked_court
    await court.open()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        waiting = [await _ordered(court, session, meter, "wechat") for meter in court.meters]
        for number, ahead_s in enumerate((-600, 86_400, 600, 0)):
            court.ahead(ahead_s)
            # WeChat Pay opens nothing for who is more than five minutes off, and its notices count as stale then.
            company = "alipay" if ahead_s else "wechat"
            await asyncio.gather(*(court.pay(session, meter, number, company) for meter in court.meters))
            if ahead_s == 600:
                for meter, no in zip(court.meters, waiting, strict=True):
                    await _paid_at_the_company(court, session, meter, no, "wechat")
    await court.quiet(90)
    await court.down()
    _agree(court, await court.purchases())


async def _booked(court, count):
    """Wait until so many payments are on their meters."""
    for _ in range(600):
        if len(court.rows("select 1 from deliveries where state = 'confirmed'")) >= count:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing moves")


async def _ordered(court, session, meter, company="alipay"):
    """An order that waits to be paid."""
    form = {"amount": "20.00", "way": f"by-{company}.qr", "key": f"{meter}-waits"}
    return (
        (await court._answer(session, "POST", court.links[meter], form)).removeprefix("/pay/order/").partition("?")[0]
    )


async def _paid_at_the_company(court, session, meter, no, company="alipay"):
    cashier = f"http://127.0.0.1:{court.ports[company]}/sandbox/pay"
    async with session.post(cashier, json={"out_trade_no": f"{no}00", "late": True}) as answer:
        assert (await answer.json())["paid"]
    court.paid[f"{no}00"] = (meter, 2000)


async def _in_chinese(session, page, form):
    """The same page for a Chinese reader."""
    async with session.post(page, data=form, headers={"Accept": "text/html", "Accept-Language": "zh-CN"}) as answer:
        return await answer.text()

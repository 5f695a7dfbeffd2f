"""Intervals that payment companies ask for: until closing, between parts of a refund, between questions."""

from __future__ import annotations

import pytest
from test_refunds import give_back, server_order


def timed(till):
    """What is asked at the company, with the seconds since now, however the clock is set."""
    begun_s, asked = till.clock.monotonic(), []
    till.company.trip = lambda name: asked.append((name, round(till.clock.monotonic() - begun_s, 3)))
    return asked


def times(asked, name):
    return [at for one, at in asked if one == f"before {name}"]


async def until_s(till, seconds, step=1):
    for _ in range(int(seconds / step)):
        await till.clock.advance(step)


async def test_an_unpaid_payment_is_asked_about_less_and_less_often_and_once_more_at_its_end(till):
    await till.account()
    asked = timed(till)
    await till.start(await till.order())
    await till.clock.advance(1200)
    assert times(asked, "query") == [5, 15, 30, 60, 120, 300, 600, 900, 900]  # before and after closing
    assert times(asked, "close") == [900]


async def test_a_company_that_does_not_answer_is_asked_less_and_less_often_and_a_person_is_called(till):
    await till.account()
    await till.start(await till.order())
    till.company.fail["query"] = ["before"] * 99
    asked = timed(till)
    await till.clock.advance(3 * 86_400)
    gaps = [5, 30, 120, 600, 3600, 86_400, 86_400]
    assert times(asked, "query") == [5 + sum(gaps[:number]) for number in range(len(gaps) + 1)]
    assert await till.cases() == ["attempt_unknown"]


async def test_a_payment_is_closed_no_sooner_after_it_was_opened_than_the_company_wants(till):
    await till.account()
    account = till.money.merchants.get("court").account
    account.close_after_s = 300
    order = await till.order()
    await till.clock.advance(890)
    asked = timed(till)
    no = await till.start(order)
    await till.clock.advance(299)
    assert times(asked, "close") == [] and await till.state(order["no"]) == "paying"
    await till.clock.advance(121)
    assert times(asked, "close") == [300] and await till.state(order["no"]) == "expired"
    assert till.company.trades[no].state == "closed"


@pytest.mark.parametrize("restart", [False, True])
async def test_a_clock_that_is_set_forward_closes_no_payment_sooner_than_the_company_wants(till, restart):
    await till.account()
    till.money.merchants.get("court").account.close_after_s = 300
    order = await till.order()
    no = await till.start(order)
    await till.clock.advance(10)
    asked, real = timed(till), till.clock.now
    till.clock.now = lambda: real() + 3_600_000
    if restart:
        await till.close()
        await till.open()
    await till.clock.advance(289)
    assert times(asked, "close") == [] and await till.state(order["no"]) == "paying"
    await till.clock.advance(300)
    assert till.company.trades[no].state == "closed" and await till.state(order["no"]) == "expired"
    assert times(asked, "close") == [300 if restart else 290]


async def test_payments_that_are_opened_one_after_the_other_are_each_closed_after_their_own_time(till):
    await till.account()
    till.money.merchants.get("court").account.close_after_s = 300
    asked, early, late = timed(till), await till.order(), await till.order(key="k2")
    await till.start(early)
    await till.clock.advance(890)
    await till.start(late)
    await till.clock.advance(400)
    assert times(asked, "close") == [900, 1190]
    assert [await till.state(one["no"]) for one in (early, late)] == ["expired", "expired"]


async def test_money_that_comes_while_a_payment_waits_to_be_closed_is_for_its_order(till):
    await till.account()
    till.money.merchants.get("court").account.close_after_s = 300
    order = await till.order()
    await till.clock.advance(890)
    no = await till.start(order)
    await till.clock.advance(60)
    till.company.pay(no, till.clock.now())
    await till.clock.advance(300)
    assert await till.state(order["no"]) == "fulfilled" and await till.cases() == []


async def test_parts_of_a_refund_are_asked_for_one_after_the_other(till):
    no = await server_order(till)
    till.money.merchants.get("court").account.refund_gap_s = 60
    asked = timed(till)
    for _ in range(3):
        await give_back(till, no, 1000)
    await till.clock.advance(59)
    assert times(asked, "refund") == [0]
    await till.clock.advance(240)
    assert len(times(asked, "refund")) == 3
    first, second, third = times(asked, "refund")
    assert second - first >= 60 and third - second >= 60 and third <= 125
    assert [row["state"] for row in await till.rows("select state from refunds")] == ["done"] * 3


async def test_the_interval_between_parts_is_kept_after_a_restart_and_after_a_lost_answer(till):
    no = await server_order(till)
    till.money.merchants.get("court").account.refund_gap_s = 60
    till.company.fail["refund"] = ["after"]
    asked = timed(till)
    await give_back(till, no, 1000)
    await till.clock.advance(1)
    assert times(asked, "refund") == [0]
    await till.close()
    await till.open()
    till.money.merchants.get("court").account.refund_gap_s = 60
    await give_back(till, no, 1000)
    await till.clock.advance(180)
    assert len(times(asked, "refund")) == 2 and times(asked, "refund")[1] >= 60
    assert [row["state"] for row in await till.rows("select state from refunds")] == ["done"] * 2


async def test_a_refund_without_an_answer_is_not_asked_about_before_the_company_can_know(till):
    no = await server_order(till)
    till.money.merchants.get("court").account.refund_known_after_s = 10
    till.company.fail["refund"] = ["after"]
    asked = timed(till)
    await give_back(till, no)
    await till.clock.advance(30)
    assert times(asked, "query_refund") == [10] and await till.state(no) == "refunded"


async def test_a_payment_is_not_closed_in_the_last_part_of_the_second_that_the_company_wants(till):
    await till.account()
    till.money.merchants.get("court").account.close_after_s = 300
    order = await till.order()
    await till.clock.advance(600.5)
    asked = timed(till)
    await till.start(order)
    await till.clock.advance(400)
    (closed_s,) = times(asked, "close")
    assert 300 <= closed_s < 301.5


async def test_payments_that_are_opened_shortly_after_each_other_are_each_closed_after_their_own_time(till):
    await till.account()
    till.money.merchants.get("court").account.close_after_s = 300
    asked, orders = timed(till), [await till.order(key=f"k{number}") for number in range(2)]
    for order in orders:
        await till.clock.advance(650 if order is orders[0] else 50)
        await till.start(order)
    await till.clock.advance(400)
    assert times(asked, "close") == [950, 1000]

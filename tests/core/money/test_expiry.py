"""Orders whose time is over: many end together, none is forgotten, and what may still be paid waits."""

from __future__ import annotations

import pytest

from meterhub.money import expiry
from meterhub.money.statements import PaymentState


async def states(till):
    return [row["state"] for row in await till.rows("select state from orders order by created_ms, no")]


async def test_an_order_is_told_as_it_is_kept(till):
    await till.account()
    order = await till.order()
    assert await till.rows("select * from orders") == [order]
    assert await till.order() == order


async def test_orders_of_the_same_minute_share_one_row_and_end_together(till, monkeypatch):
    monkeypatch.setattr(expiry, "AT_ONCE", 2)
    await till.account()
    for number in range(5):
        await till.order(key=f"k{number}")
    await till.until_quiet(90)
    await till.order(key="later")
    assert len(await till.outbox("expire")) == 2
    await till.until_quiet(915)
    assert await states(till) == 5 * ["expired"] + ["created"]
    await till.until_quiet(90)
    assert await states(till) == 6 * ["expired"]


async def test_an_order_that_may_still_be_paid_is_looked_at_again(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.trades[no].state = PaymentState.PENDING
    till.company.fail["close"] = till.company.fail["query"] = 60 * ["before"]
    await till.until_quiet(1200)
    assert await states(till) == ["paying"]
    till.company.fail.clear()
    await till.until_quiet(4000)
    assert await states(till) == ["expired"]
    assert [state for _, state, _ in await till.outbox("expire")] == ["done"]


async def test_an_order_ends_within_seconds_of_the_end_of_the_payment_that_kept_it(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.fail["close"] = till.company.fail["query"] = 60 * ["before"]
    await till.until_quiet(5000)
    assert await states(till) == ["paying"]
    (row,) = await till.rows("select tries from outbox where kind = 'expire'")
    assert row["tries"] < 10  # it is not asked for all the time
    till.company.fail.clear()
    till.company.trades[no].state = PaymentState.CLOSED
    await till.money.paying.look_now(no[:-2])
    await till.until_quiet(5)
    assert await states(till) == ["expired"]


async def test_no_order_is_forgotten_when_the_clock_was_set_back(till):
    await till.account()
    await till.order()
    await till.until_quiet(1000)
    real = till.clock.now
    till.clock.now = lambda: real() - 1_000_000
    await till.order(key="again")
    till.clock.now = real
    await till.order(key="after")
    await till.until_quiet(1000)
    assert await states(till) == 3 * ["expired"]


async def test_an_order_of_a_minute_that_the_clock_comes_to_twice_ends_without_another_one(till):
    await till.account()
    await till.order()
    await till.until_quiet(1000)
    assert await states(till) == ["expired"]
    till.clock.jump(-1000)
    await till.order(key="again")
    assert [state for _, state, _ in await till.outbox("expire")] == ["waiting"]
    await till.until_quiet(1000)
    assert await states(till) == 2 * ["expired"]


async def test_what_an_older_version_put_out_ends_its_order(till):
    await till.account()
    order = await till.order()
    row = {"kind": "expire", "key": order["no"], "lane": f"expire/{order['no']}", "operator": "main"}
    times = {"payload_json": "{}", "state": "waiting", "next_ms": order["expires_ms"] + 30_000, "created_ms": 0}

    def older(tx):
        tx.execute("delete from outbox where kind = 'expire'")
        tx.insert("outbox", {**row, **times})

    await till.real.transact(older)
    await till.until_quiet(935)
    assert await states(till) == ["expired"]


@pytest.mark.parametrize("second", [5, 40])
async def test_the_end_of_a_payment_ends_no_other_order_of_its_minute_before_its_time(till, second):
    await till.account()
    await till.until_quiet(second)
    first = await till.order()
    await till.start(first)
    await till.until_quiet(55 - second)
    second_order = await till.order(key="k2")
    await till.until_quiet(895)
    assert [row["state"] for row in await till.rows("select state from attempts")] == ["closed"]
    assert await till.state(second_order["no"]) == "created"
    await till.until_quiet(45)
    assert await states(till) == ["expired", "expired"]


async def test_an_order_whose_payment_gets_its_end_a_minute_late_ends_with_it(till):
    await till.account()
    order = await till.order()
    await till.start(order)
    till.company.fail["close"] = till.company.fail["query"] = 60 * ["before"]
    await till.until_quiet(1000)
    assert await states(till) == ["paying"]
    till.company.fail.clear()
    await till.money.paying.look_now(order["no"])
    await till.until_quiet(2)
    assert await states(till) == ["expired"]

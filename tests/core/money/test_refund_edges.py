"""Refunds at bad moments, and rows that somebody else has moved on."""

from __future__ import annotations

import pytest
from test_refunds import give_back, said, server_order

from meterhub.errors import Conflict
from meterhub.money.evidence import Outcome
from meterhub.money.statements import RefundState
from meterhub.money.states import DeliveryState, Mode, OrderState, move_delivery, move_order


async def test_a_refund_that_is_done_has_no_error_left(till):
    no = await server_order(till)
    till.company.fail["refund"] = till.company.fail["query_refund"] = ["before"] * 9
    refund = await give_back(till, no)
    await till.until_quiet(1)
    assert await till.rows("select state, error from refunds") == [{"state": "unknown", "error": "no answer"}]
    await said(till, refund["no"], RefundState.DONE)
    assert await till.rows("select state, error from refunds") == [{"state": "done", "error": ""}]


async def test_a_second_payment_that_went_back_does_not_end_the_refund_of_the_first(till):
    await till.account(mode=Mode.SERVER)
    order = await till.order()
    await till.start(order, "qr")
    await till.start(order, "h5")
    till.company.fail["refund"] = till.company.fail["query_refund"] = ["before"] * 99
    for no in (f"{order['no']}00", f"{order['no']}01"):
        till.company.pay(no, till.clock.now())
        await till.notify(no)
    await give_back(till, order["no"])
    assert await till.state(order["no"]) == "refunding"
    first, second = sorted(await till.rows("select no from refunds"), key=lambda row: row["no"])
    assert await said(till, second["no"], RefundState.DONE) is Outcome.REFUND_DONE
    assert await till.state(order["no"]) == "refunding" and (await till.books())["refunds_payable"] == 5000
    await said(till, first["no"], RefundState.DONE)
    assert await till.state(order["no"]) == "refunded"


async def test_who_was_slower_does_not_move_what_another_moved(till):
    no = await server_order(till)
    order = await till.money.one("money.order", no=no)
    with pytest.raises(Conflict, match="not paid any more") as refused:
        await till.real.transact(lambda tx: move_order(tx, {**order, "state": "paid"}, OrderState.REFUNDING))
    assert refused.value.where == f"orders {no}"
    assert await till.state(no) == "fulfilled"
    await till.account("a-102")
    till.meters.fail["meter.balance"] = ["before"] * 9
    other = await till.paid_order("a-102-1", key="k2")
    delivery = await till.delivery(other)
    with pytest.raises(Conflict, match="not unknown any more"):
        await till.real.transact(
            lambda tx: move_delivery(tx, {**delivery, "state": "unknown"}, DeliveryState.CONFIRMED, error="no")
        )
    assert (await till.delivery(other))["state"] == "planned"

"""Refunds at bad moments, and rows that somebody else has moved on."""

from __future__ import annotations

import pytest
from test_intervals import timed, times
from test_refunds import give_back, meter_order, said, server_order

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


async def test_a_refund_that_a_notice_ended_is_asked_for_no_more(till):
    no = await server_order(till)
    till.company.fail["refund"] = till.company.fail["query_refund"] = ["before"] * 9
    refund = await give_back(till, no)
    await till.until_quiet(1)
    await said(till, refund["no"], RefundState.DONE)
    before = len(till.company.calls)
    await till.until_quiet(3600)
    assert len(till.company.calls) == before
    assert [state for _, state, _ in await till.outbox("refund")] == ["done"]


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


async def test_a_company_at_work_on_a_refund_is_asked_each_minute_then_each_hour(till):
    no = await server_order(till)
    account = till.merchants.get("court").account
    refund = account.refund

    async def begins(request):
        till.company.trades[f"{no}00"].refunds[request.refund_no] = {"fen": 5000, "state": RefundState.PROCESSING}
        return await refund(request)

    account.refund = begins
    asked = timed(till)
    row = await give_back(till, no)
    await till.until_quiet(8000)
    assert times(asked, "refund") == [0]
    assert times(asked, "query_refund") == [60, 120, 180, 240, 300, 3900, 7500]
    till.company.trades[f"{no}00"].refunds[row["no"]]["state"] = RefundState.DONE
    await till.until_quiet(3600)
    assert await till.state(no) == "refunded"
    assert [state for _, state, _ in await till.outbox("refund")] == ["done"]


async def test_a_refund_that_is_done_at_once_is_asked_for_once(till):
    no = await server_order(till)
    asked = timed(till)
    await give_back(till, no)
    await till.until_quiet(30)
    assert [name for name, _ in asked] == ["before refund", "after refund"]
    assert [state for _, state, _ in await till.outbox("refund")] == ["done"]


async def test_what_went_wrong_with_one_refund_is_told_of_that_one_alone(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before", "refused"]
    till.company.fail["query_refund"] = ["before"] * 9
    first = await give_back(till, no, 1000)
    await till.until_quiet(1)
    second = await give_back(till, no, 500)
    await till.until_quiet(1)
    rows = await till.rows("select no, state, error from refunds order by no")
    assert [(row["no"], row["state"], row["error"]) for row in rows] == [
        (first["no"], "unknown", "no answer"),
        (second["no"], "requested", ""),
    ]
    (case,) = await till.rows("select * from anomalies")
    assert (case["kind"], case["ref"], case["order_no"], case["at_ms"] > 0) == (
        "refund_refused",
        second["no"],
        no,
        True,
    )


async def test_a_refund_of_credit_from_a_meter_keeps_who_asked_for_it_and_why(till):
    no = await meter_order(till)
    await give_back(till, no, 2000, "moved out", meter_gives_back=True)
    await till.until_quiet()
    (refund,) = await till.rows("select reason, created_by, amount_fen from refunds")
    assert refund == {"reason": "moved out", "created_by": "user:anna", "amount_fen": 2000}


async def test_one_fen_that_was_taken_out_of_a_meter_is_given_back_first(till):
    no = await meter_order(till)
    till.company.fail["refund"] = till.company.fail["query_refund"] = ["before"] * 99
    await give_back(till, no, 1, meter_gives_back=True)
    await till.until_quiet()
    (refund,) = await till.rows("select no from refunds")
    await said(till, refund["no"], RefundState.CLOSED)
    with pytest.raises(Conflict, match=r"0\.01 of this order were taken out"):
        await give_back(till, no, 2000, meter_gives_back=True)
    assert (await give_back(till, no, 1, meter_gives_back=True))["amount_fen"] == 1

"""What a mistake in one line of the rooms of money would change, and nothing else showed."""

from __future__ import annotations

import pytest
from test_proof_content import DAY_S, bill, content
from test_refunds import give_back, server_order

from meterhub.errors import BadInput
from meterhub.money.ledger import Line, post
from meterhub.money.statements import Funds, Movement
from meterhub.money.states import Mode


@pytest.mark.parametrize("fen", [0, -1])
async def test_a_line_moves_money_forward_or_not_at_all(till, fen):
    line = Line("charge", "x", "prepaid/a", "revenue/energy", fen)
    with pytest.raises(BadInput):
        await till.real.transact(lambda tx: post(tx, line, operator="main", at_ms=1, cause="test"))


async def test_deeds_on_an_account_return_it_as_it_then_is(till):
    await till.account(mode=Mode.SERVER)
    counter = till.money.counter
    assert (await counter.charge("a-101-1", "day/1", 100))["id"] == "a-101-1"
    assert (await counter.freeze("a-101-1", "user:anna"))["state"] == "closing"


async def test_a_proof_that_is_late_is_made_at_once(till):
    await till.until_quiet(1)
    await till.close()
    await till.clock.advance(1.5 * DAY_S)
    await till.open()
    await till.until_quiet(0.5)
    assert (await content(till, "2026-01-01"))["made_ms"] <= till.clock.now()


async def test_a_proof_tells_how_many_movements_it_compared(till):
    await till.account(mode=Mode.SERVER)
    await till.paid_order()
    (payment,) = await till.rows("select transaction_id, attempt from payments")
    bill(till, (till.company.statement(payment["attempt"]), 0))

    async def funds(day):
        return Funds(day, (Movement(payment["transaction_id"], 5000),))

    till.merchants.get("court").account.funds = funds
    await till.until_quiet(DAY_S)
    (check,) = [one for one in (await content(till))["checks"] if one["name"] == "funds"]
    assert check == {"name": "funds", "compared": 1, "differences": []}


async def test_what_a_question_settled_is_off_the_outbox_at_once(till):
    await till.account(mode=Mode.SERVER)
    order = await till.order()
    no = await till.start(order)
    till.company.pay(no, till.clock.now())
    await till.until_quiet(6)
    assert await till.state(order["no"]) == "fulfilled"
    rows = await till.rows("select state, tries, error from outbox where kind = 'watch'")
    assert rows == [{"state": "done", "tries": 0, "error": ""}]


async def test_a_case_closed_by_hand_is_noted_with_its_reason_and_returned(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.fail["query"] = ["before"] * 99
    await till.until_quiet(2 * DAY_S)
    (case,) = await till.rows("select * from anomalies")
    closed = await till.money.counter.settle_case(case["id"], "asked at the company", "user:anna")
    assert closed["id"] == case["id"]
    told = {"kind": "attempt_unknown", "ref": no, "reason": "asked at the company"}
    assert till.audit[-1] == ("money.settle_case", no[:-2], "user:anna", told)


async def test_a_case_about_a_delivery_names_the_order(till):
    await till.account()
    till.meters.purses["a-101"].limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    assert [row["order_no"] for row in await till.rows("select order_no from anomalies")] == [no]


async def test_a_refund_that_a_company_works_on_need_not_wait_for_its_turn(till):
    no = await server_order(till)
    till.merchants.get("court").account.refund_gap_s = 60
    refund = await give_back(till, no)
    await till.until_quiet(1)
    assert await till.rows("select no, state, asked_ms is not null as asked from refunds") == [
        {"no": refund["no"], "state": "done", "asked": 1}
    ]


async def test_a_company_that_wants_no_gap_leaves_no_time_of_asking(till):
    no = await server_order(till)
    await give_back(till, no)
    await till.until_quiet(1)
    assert await till.rows("select asked_ms from refunds") == [{"asked_ms": None}]


async def test_what_was_over_in_an_older_hub_is_not_asked_about(till):
    no = await server_order(till)
    till.company.fail["refund"] = till.company.fail["query_refund"] = ["before"] * 9
    await give_back(till, no)
    await till.start(await till.order(key="k2"))
    await till.until_quiet(1)

    def older(tx):
        tx.execute("update attempts set state = 'failed' where state = 'pending'")
        tx.execute("update refunds set state = 'closed'")

    await till.real.transact(older)
    asked = len(till.company.calls)
    await till.until_quiet(100)
    assert len(till.company.calls) == asked
    assert [state for kind in ("watch", "refund") for _, state, _ in await till.outbox(kind)] == ["done"] * 3


async def test_a_wish_for_a_row_that_there_is_not_changes_nothing(till):
    await till.real.transact(lambda tx: till.money.outbox.wake_row(tx, "watch", "nobody"))
    await till.until_quiet(1)
    assert await till.outbox("watch") == []

"""The edges of money: limits to the fen, what is kept for whoever looks later, and who is called."""

from __future__ import annotations

import pytest
from test_refunds import give_back, said, server_order
from test_settle import evidence, paid

from meterhub.errors import BadInput, Conflict, ProviderRefused
from meterhub.money.amount import MAX_FEN, parse_yuan, positive
from meterhub.money.evidence import Outcome, Source
from meterhub.money.policy import LateRule, Policy
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.money.states import Mode


def test_the_smallest_and_the_largest_amount_are_amounts():
    assert positive(1) == 1 and positive(MAX_FEN) == MAX_FEN
    assert parse_yuan("100000000.00") == MAX_FEN
    with pytest.raises(BadInput):
        parse_yuan("100000000.01")
    with pytest.raises(BadInput):
        positive(101, most=100)


def test_the_rules_of_an_operator_who_said_nothing():
    assert Policy().expiry_s == 15 * 60
    assert (Policy().least_fen, Policy().most_fen) == (1_00, 5_000_00)
    assert Policy().tiles_fen == (20_00, 50_00, 100_00, 200_00, 500_00)
    assert (Policy().most_cuts, Policy().fresh_s, Policy().two_people_fen) == (20, 2 * 3600, 0)
    assert Policy().no_cut_hours == (20, 8) and Policy().late is LateRule.PERSON


async def test_an_order_may_be_of_the_least_and_of_the_most_and_lives_as_long_as_the_rule_says(till):
    await till.account()
    order = await till.order(fen=till.policy.least_fen, key="k")
    assert order["expires_ms"] - order["created_ms"] == till.policy.expiry_s * 1000
    assert (await till.order(fen=till.policy.most_fen, key="x" * 255))["amount_fen"] == till.policy.most_fen
    with pytest.raises(BadInput, match="1 to 255"):
        await till.order(key="x" * 256)


async def test_an_order_that_is_paid_is_not_opened_again(till):
    await till.account(mode=Mode.SERVER)
    no = await till.paid_order()
    with pytest.raises(Conflict, match="fulfilled already"):
        await till.start({"no": no})


async def test_a_payment_ends_its_attempt_under_the_companys_number_and_the_call_for_a_person(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.fail["query"] = ["before"] * 20
    await till.until_quiet(2 * 86_400)
    assert "attempt_unknown" in await till.cases()
    till.company.fail.clear()
    till.company.pay(no, till.clock.now())
    await till.notify(no)
    (attempt,) = await till.rows("select state, transaction_id from attempts where no = ?", no)
    assert (attempt["state"], attempt["transaction_id"]) == ("success", f"T{no}")
    assert "attempt_unknown" not in await till.cases()


async def test_a_case_names_the_order_that_it_is_about(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    assert await till.money.settle(evidence(paid(no, 4999))) is Outcome.WRONG_AMOUNT
    (case,) = await till.rows("select order_no, detail from anomalies")
    assert case["order_no"] == order["no"] and "4999 fen" in case["detail"]


async def test_a_refund_keeps_when_it_was_done_and_the_companys_number(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"] * 9
    refund = await give_back(till, no)
    assert await said(till, refund["no"], RefundState.PROCESSING, refund_id="R7") is Outcome.REFUND_NOTED
    (row,) = await till.rows("select * from refunds")
    assert (row["state"], row["refund_id"]) == ("processing", "R7")
    await said(till, refund["no"], RefundState.DONE, amount_fen=5000, refund_id="R8", refunded_ms=77)
    (row,) = await till.rows("select * from refunds")
    assert (row["state"], row["done_ms"], row["refund_id"], row["error"]) == ("done", 77, "R8", "")


async def test_a_refund_told_without_a_time_was_done_now(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"] * 9
    refund = await give_back(till, no)
    await said(till, refund["no"], RefundState.DONE)
    (row,) = await till.rows("select done_ms from refunds")
    assert row["done_ms"] == till.clock.now()


async def test_what_a_company_says_wrongly_of_a_refund_calls_a_person(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"] * 9
    refund = await give_back(till, no)
    assert await said(till, refund["no"], RefundState.DONE, amount_fen=4999) is Outcome.WRONG_AMOUNT
    assert await till.cases() == ["wrong_amount"]
    await said(till, refund["no"], RefundState.CLOSED, reason="no such card")
    (row,) = await till.rows("select state, error from refunds")
    assert (row["state"], row["error"]) == ("closed", "no such card")
    assert await said(till, refund["no"], RefundState.DONE) is Outcome.CONTRADICTION
    assert await till.cases() == ["wrong_amount", "refund_closed", "contradiction"]


async def test_a_refund_under_a_number_that_is_not_ours_names_the_order(till):
    no = await server_order(till)
    told = RefundStatement(f"{no}00", "their-own", RefundState.DONE, 5000)
    assert await till.money.settle(evidence(told, Source.BILL)) is Outcome.REFUND_NOTED
    (case,) = await till.rows("select order_no, ref from anomalies")
    assert (case["order_no"], case["ref"]) == (no, "acme/M1/their-own")


async def test_how_much_can_still_be_given_back_is_told(till):
    no = await server_order(till)
    await give_back(till, no, 2000)
    with pytest.raises(Conflict, match=r"only 30\.00 of this payment"):
        await give_back(till, no, 3001)


async def test_a_delivery_that_a_refund_stopped_is_over(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before"] * 9
    no = await till.paid_order()
    await till.until_quiet(1)
    await give_back(till, no)
    assert (await till.delivery(no))["state"] == "not_delivered"
    await till.until_quiet(3600)
    assert till.meters.purses["a-101"].ledger == []


async def test_a_closed_attempt_of_an_unpaid_statement_stays_what_it_is(till):
    await till.account()
    no = await till.start(await till.order())
    assert await till.money.settle(evidence(PaymentStatement(no, PaymentState.CLOSED))) is Outcome.CLOSED
    assert await till.money.settle(evidence(PaymentStatement(no, PaymentState.CLOSED))) is Outcome.PENDING


async def test_an_attempt_that_the_company_refused_is_asked_about_no_more(till):
    await till.account()
    till.company.fail["create"] = ["refused"]
    order = await till.order()
    with pytest.raises(ProviderRefused):
        await till.start(order)
    before = len(till.company.calls)
    await till.until_quiet(60)
    assert len(till.company.calls) == before
    assert [state for _, state, _ in await till.outbox("watch")] == ["done"]


async def test_a_payer_who_says_it_is_paid_when_that_is_known_changes_nothing(till):
    await till.account()
    no = await till.paid_order()
    await till.until_quiet()
    before = len(till.company.calls)
    await till.money.paying.look_now(no)
    await till.until_quiet()
    assert len(till.company.calls) == before and await till.state(no) == "fulfilled"

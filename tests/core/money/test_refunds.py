"""Money that goes back: invariants 7 and 11 of the domain model, and what a company may say of a refund."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterhub.errors import BadInput, Conflict, NotFound, ProviderRefused
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import RefundState, RefundStatement
from meterhub.money.states import Mode


async def payment_of(till, order_no):
    (row,) = await till.rows("select * from payments where order_no = ? and kind <> 'second'", order_no)
    return row


async def give_back(till, order_no, fen=5000, reason="moved out", meter_gives_back=False):
    payment = await payment_of(till, order_no)
    return await till.money.counter.refund(RefundWish(payment["id"], fen, reason, meter_gives_back), "user:anna")


async def nonzero(till):
    return {name: fen for name, fen in (await till.books()).items() if fen}


async def server_order(till, **more):
    await till.account(mode=Mode.SERVER)
    no = await till.paid_order(**more)
    assert await till.state(no) == "fulfilled"
    return no


async def said(till, no, state, **more):
    statement = RefundStatement("x", no, state, **more)
    return await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, statement))


async def test_unspent_credit_on_the_server_goes_back(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"]
    await give_back(till, no)
    assert await till.state(no) == "refunding"
    assert (await till.books())["refunds_payable"] == 5000
    await till.until_quiet()
    assert await till.state(no) == "refunded"
    assert await nonzero(till) == {}
    assert till.company.money() == 0
    assert ("message", f"{no}/refunded") in till.notes


async def test_7_never_more_than_was_paid_and_never_what_was_used(till):
    no = await server_order(till)
    await till.money.counter.charge("a-101-1", "day/1", 1500)
    with pytest.raises(Conflict, match="less than"):
        await give_back(till, no, 5000)
    await give_back(till, no, 3000)
    with pytest.raises(Conflict, match="can still be given back"):
        await give_back(till, no, 3000)
    await give_back(till, no, 500)
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    assert await nonzero(till) == {"clearing/acme/M1": -1500, "revenue/energy": 1500}


async def test_a_refund_needs_a_reason_an_amount_and_a_payment(till):
    no = await server_order(till)
    with pytest.raises(BadInput):
        await give_back(till, no, reason=" ")
    with pytest.raises(BadInput):
        await give_back(till, no, 0)
    with pytest.raises(NotFound):
        await till.money.counter.refund(RefundWish(99, 100, "why"), "user:anna")


async def test_a_payment_goes_back_in_fifty_parts_at_most(till):
    no = await server_order(till)
    for _ in range(50):
        await give_back(till, no, 1)
    with pytest.raises(Conflict, match="50 parts"):
        await give_back(till, no, 1)


async def test_11_no_refund_while_the_delivery_is_in_doubt(till):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = ["lost"]
    no = await till.paid_order()
    await till.until_quiet()
    with pytest.raises(Conflict, match="nobody knows"):
        await give_back(till, no)
    await till.money.counter.resolve_delivery(no, "not_arrived", "seen", "user:anna")
    await give_back(till, no)
    await till.until_quiet()
    assert await till.state(no) == "refunded"
    assert await nonzero(till) == {}


async def test_what_the_meter_has_is_not_given_back(till):
    await till.account()
    no = await till.paid_order()
    await till.until_quiet()
    with pytest.raises(Conflict, match="meter has this credit"):
        await give_back(till, no)


async def test_a_refund_stops_a_delivery_that_was_not_begun(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before"] * 3
    no = await till.paid_order()
    with pytest.raises(Conflict, match="whole"):
        await give_back(till, no, 100)
    await give_back(till, no)
    await till.until_quiet(3600)
    assert await till.state(no) == "refunded"
    assert till.meters.purses["a-101"].ledger == []
    assert await nonzero(till) == {}


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_an_answer_lost_is_the_same_refund(till, fault):
    no = await server_order(till)
    till.company.fail["refund"] = [fault, None]
    await give_back(till, no, 2000)
    await till.until_quiet(3600)
    assert till.company.money() == 3000
    assert await nonzero(till) == {"clearing/acme/M1": -3000, "prepaid/a-101-1": 3000}
    assert (await till.rows("select state from refunds"))[0]["state"] == "done"


async def test_a_company_that_refuses_makes_a_case_and_is_asked_again(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["refused"] * 7 + [None]
    await give_back(till, no)
    await till.until_quiet(60)
    assert await till.cases() == ["refund_refused"]
    await till.until_quiet(5 * 3600)
    assert await till.state(no) == "refunded"


async def test_a_refund_that_takes_days_is_asked_about(till):
    no = await server_order(till)
    refund = await give_back(till, no)
    till.company.fail["refund"] = ["after"]
    await till.until_quiet(3)
    one = till.company.trades[f"{no}00"].refunds[refund["no"]]
    one["state"] = RefundState.PROCESSING
    await till.until_quiet(10 * 3600)
    assert await till.state(no) == "refunding"
    assert (await till.rows("select state from refunds"))[0]["state"] == "processing"
    one["state"] = RefundState.DONE
    await till.until_quiet(3700)
    assert await till.state(no) == "refunded"


async def test_a_refund_that_cannot_reach_the_payer_needs_a_person(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"]
    refund = await give_back(till, no)
    assert await said(till, refund["no"], RefundState.ABNORMAL, reason="card closed") is Outcome.REFUND_NOTED
    assert await till.cases() == ["refund_abnormal"]
    assert await said(till, refund["no"], RefundState.DONE, amount_fen=5000) is Outcome.REFUND_DONE
    assert await till.cases() == []
    assert await till.state(no) == "refunded"


async def test_a_refund_that_cannot_reach_the_payer_stays_so_while_the_company_is_silent(till):
    no = await server_order(till)
    till.company.fail = {"refund": ["before"] * 99, "query_refund": ["before"] * 99}
    refund = await give_back(till, no)
    await said(till, refund["no"], RefundState.ABNORMAL, reason="card closed")
    await till.until_quiet(4000)
    (row,) = await till.rows("select state, error from refunds")
    assert row["state"] == "abnormal" and "no answer" in row["error"]


async def test_a_refund_that_cannot_reach_the_payer_is_sent_elsewhere_where_the_company_can_do_that(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"] * 99
    refund = await give_back(till, no)
    for wrong in (refund["no"], "R404"):
        with pytest.raises(Conflict, match="cannot reach"):
            await till.money.refunding.redirect(wrong, None)
    await said(till, refund["no"], RefundState.ABNORMAL, reason="card closed")
    with pytest.raises(ProviderRefused, match="nowhere else"):
        await till.money.refunding.redirect(refund["no"], None)
    account, asked = till.money.merchants.get("court").account, []

    async def redirect_refund(request, refund_id, card):
        asked.append((request.refund_no, card))
        return RefundStatement(request.attempt.no, request.refund_no, RefundState.PROCESSING, 5000)

    account.redirect_refund = redirect_refund
    await till.money.refunding.redirect(refund["no"], None)
    await till.money.counter.redirected(refund["no"], "merchant", "user:anna")
    assert asked == [(refund["no"], None)] and ("money.redirect_refund", refund["no"]) in till.notes
    assert (await till.rows("select state from refunds"))[0]["state"] == "processing"
    assert await till.cases() == ["refund_abnormal"]


@pytest.mark.parametrize("mode", [Mode.SERVER, Mode.METER])
async def test_a_refund_that_was_not_carried_out_returns_to_the_customer(till, mode):
    await till.account(mode=mode)
    till.meters.fail["meter.balance"] = ["before"] * 9
    till.company.fail["refund"] = ["before"] * 9
    till.company.fail["query_refund"] = ["before"] * 9
    no = await till.paid_order()
    refund = await give_back(till, no)
    assert await said(till, refund["no"], RefundState.CLOSED, reason="too late") is Outcome.REFUND_NOTED
    assert await till.state(no) == ("fulfilled" if mode is Mode.SERVER else "paid")
    assert (await till.books())["prepaid/a-101-1"] == 5000
    assert await till.cases() == ["refund_closed"]
    assert await said(till, refund["no"], RefundState.CLOSED) is Outcome.KNOWN
    assert await said(till, refund["no"], RefundState.PROCESSING) is Outcome.KNOWN
    assert await said(till, refund["no"], RefundState.DONE) is Outcome.CONTRADICTION
    again = await give_back(till, no)
    assert again["no"] != refund["no"]
    assert await said(till, again["no"], RefundState.MISSING) is Outcome.REFUND_NOTED
    assert await said(till, again["no"], RefundState.DONE, amount_fen=1) is Outcome.WRONG_AMOUNT
    other = Evidence("other", "M1", "court", Source.NOTICE, RefundStatement("x", again["no"], RefundState.DONE))
    assert await till.money.settle(other) is Outcome.OTHER_CHANNEL
    assert await said(till, again["no"], RefundState.DONE, amount_fen=5000) is Outcome.REFUND_DONE


async def test_a_partial_refund_that_was_not_carried_out_leaves_the_order_as_it_is(till):
    no = await server_order(till)
    till.company.fail["refund"] = ["before"] * 3
    refund = await give_back(till, no, 2000)
    await said(till, refund["no"], RefundState.CLOSED)
    assert await till.state(no) == "fulfilled"
    assert (await till.books())["prepaid/a-101-1"] == 5000


async def test_money_without_an_order_is_given_back_at_the_company_only(till):
    from meterhub.money.statements import PaymentState, PaymentStatement

    statement = PaymentStatement("E9", PaymentState.PAID, 100, "T9")
    await till.money.settle(Evidence("acme", "M1", "court", Source.BILL, statement))
    (payment,) = await till.rows("select * from payments")
    refund = await till.money.counter.refund(RefundWish(payment["id"], 100, "unknown payer"), "user:anna")
    await till.until_quiet()
    assert "refund_refused" in await till.cases()
    assert await said(till, refund["no"], RefundState.DONE) is Outcome.REFUND_DONE
    assert await nonzero(till) == {}


async def test_a_late_payment_that_is_given_back_cannot_be_applied(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    await till.until_quiet(1000)
    till.company.trades[no] = replace(till.company.trades[no], state=RefundState.PROCESSING)
    from meterhub.money.statements import PaymentState, PaymentStatement

    statement = PaymentStatement(no, PaymentState.PAID, 5000, "T9")
    await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, statement))
    (payment,) = await till.rows("select * from payments")
    till.company.fail["refund"] = ["before"] * 5
    await till.money.counter.refund(RefundWish(payment["id"], 5000, "too late"), "user:anna")
    with pytest.raises(Conflict, match="given back"):
        await till.money.counter.apply_late(payment["id"], "user:anna")


async def test_a_late_payment_of_which_a_part_went_back_still_needs_a_person(till):
    await till.account()
    no = await till.start(await till.order())
    await till.until_quiet(1000)
    from meterhub.money.statements import PaymentState, PaymentStatement

    statement = PaymentStatement(no, PaymentState.PAID, 5000, "T9")
    till.company.trades[no].state = PaymentState.PAID
    await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, statement))
    (payment,) = await till.rows("select * from payments")
    for fen, left in ((2000, ["late_payment"]), (3000, [])):
        await till.money.counter.refund(RefundWish(payment["id"], fen, "too late"), "user:anna")
        await till.until_quiet(600)
        assert await till.cases() == left
    assert await nonzero(till) == {}


async def test_an_account_that_is_gone_from_the_site_file_is_waited_for(till):
    no = await server_order(till)
    court = till.merchants._all.pop("court")
    await give_back(till, no)
    await till.until_quiet(60)
    assert await till.state(no) == "refunding"
    till.merchants._all["court"] = court
    await till.until_quiet(3700)
    assert await till.state(no) == "refunded"


async def meter_order(till, counted=True, **more):
    await till.account(counted=counted)
    no = await till.paid_order(**more)
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    return no


async def test_credit_in_a_meter_is_taken_out_first_and_its_money_goes_back(till):
    no = await meter_order(till)
    with pytest.raises(Conflict, match="taken back there"):
        await give_back(till, no)
    till.meters.fail["meter.balance"] = ["before"]
    assert await give_back(till, no, 2000, meter_gives_back=True) is None
    with pytest.raises(Conflict, match="being taken out"):
        await give_back(till, no, 1000, meter_gives_back=True)
    await till.until_quiet()
    assert till.meters.purses["a-101"].ledger == [(1, 5000), (2, -2000)]
    assert till.company.money() == 3000 and await till.state(no) == "fulfilled"
    assert await give_back(till, no, 3000, meter_gives_back=True) is None
    await till.until_quiet()
    assert await till.state(no) == "refunded"
    assert await nonzero(till) == {} and till.company.money() == 0
    with pytest.raises(Conflict, match="can still be given back"):
        await give_back(till, no, 1, meter_gives_back=True)
    row = await till.money.one("proof.meters", operator="main")
    assert (row["confirmed"], row["booked"], row["purchases"], row["last"]) == (0, 0, 3, 3)
    assert {"confirmed"} == {one["state"] for one in await till.rows("select state from deliveries")}


async def test_credit_that_was_used_is_not_taken_out(till):
    no = await meter_order(till)
    till.meters.purses["a-101"].balance_fen = 1234
    await give_back(till, no, meter_gives_back=True)
    await till.until_quiet()
    (row,) = await till.money.all("money.withdrawals_of_order", order_no=no)
    assert row["state"] == "not_delivered" and "holds only 12.34" in row["error"]
    assert await nonzero(till) == {"clearing/acme/M1": -5000, "meter/a-101-1": 5000}
    till.meters.purses["a-101"].balance_fen = 5000
    till.meters._credit = lambda *given: "not in this position"
    await give_back(till, no, meter_gives_back=True)
    await till.until_quiet()
    assert [one["state"] for one in await till.money.all("money.withdrawals_of_order", order_no=no)] == [
        "not_delivered",
        "not_delivered",
    ]
    assert await nonzero(till) == {"clearing/acme/M1": -5000, "meter/a-101-1": 5000}
    assert await till.cases() == [] and await till.state(no) == "fulfilled"


@pytest.mark.parametrize("fault", ["lost", "after"])
async def test_a_withdrawal_in_doubt_without_a_count_waits_for_a_person(till, fault):
    no = await meter_order(till, counted=False)
    till.meters.fail["meter.refund"] = [fault]
    await give_back(till, no, meter_gives_back=True)
    await till.until_quiet(86_400)
    assert await till.cases() == ["uncertain_delivery"] and till.company.money() == 5000
    what = "arrived" if fault == "after" else "not_arrived"
    await till.money.counter.resolve_delivery(no, what, "the display shows it", "user:anna")
    await till.until_quiet()
    assert await till.cases() == [] and len(till.meters.purses["a-101"].ledger) == 1 + (fault == "after")
    assert await till.state(no) == ("refunded" if fault == "after" else "fulfilled")
    assert till.company.money() == till.meters.purses["a-101"].balance_fen


async def test_what_was_taken_out_and_not_refunded_is_refunded_without_asking_the_meter_again(till):
    no = await meter_order(till)
    till.company.fail["refund"] = ["before"] * 9
    await give_back(till, no, 2000, meter_gives_back=True)
    await till.until_quiet()
    (refund,) = await till.rows("select no from refunds")
    till.company.fail["query_refund"] = ["before"] * 99
    await said(till, f"{refund['no']}", RefundState.CLOSED, amount_fen=2000)
    assert (await till.books())["prepaid/a-101-1"] == 2000
    with pytest.raises(Conflict, match=r"20\.00 of this order were taken out"):
        await give_back(till, no, 3000, meter_gives_back=True)
    till.company.fail.clear()
    assert (await give_back(till, no, 2000, meter_gives_back=True))["no"] != refund["no"]
    await till.until_quiet()
    assert till.meters.purses["a-101"].ledger == [(1, 5000), (2, -2000)] and till.company.money() == 3000


async def test_a_closed_account_takes_nothing_out_of_its_meter(till):
    no = await meter_order(till)
    await till.money.counter.freeze("a-101-1", "user:anna")
    await till.money.counter.close_account("a-101-1", 5000, "user:anna")
    with pytest.raises(Conflict, match="closed"):
        await give_back(till, no, meter_gives_back=True)

"""From an order to money in the books: notices, queries and bills, once each and together."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from meterhub.errors import BadInput, Conflict, Misuse, NotFound, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.orders import Wish
from meterhub.money.policy import LateRule
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.money.states import Mode


def evidence(statement, source=Source.NOTICE, **changes):
    return replace(Evidence("acme", "M1", "court", source, statement), **changes)


def paid(no, fen=5000, transaction="T1", **more):
    return PaymentStatement(no, PaymentState.PAID, fen, transaction, **more)


async def test_an_order_is_stored_before_the_company_hears_of_it(till):
    await till.account()
    till.company.fail["create"] = ["before"]
    order = await till.order()
    with pytest.raises(ProviderUnknown):
        await till.start(order)
    assert await till.state(order["no"]) == "paying"
    (attempt,) = await till.rows("select * from attempts")
    assert (attempt["state"], attempt["order_no"]) == ("unknown", order["no"])


async def test_a_notice_pays_credits_the_meter_and_tells_the_customer(till):
    await till.account()
    no = await till.paid_order()
    assert (await till.books()) == {"clearing/acme/M1": -5000, "prepaid/a-101-1": 5000}
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]
    assert {book: fen for book, fen in (await till.books()).items() if fen} == {
        "clearing/acme/M1": -5000,
        "meter/a-101-1": 5000,
    }
    assert ("message", f"{no}/credited") in till.notes


async def test_4_notice_query_and_bill_of_one_payment_are_one_payment(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    till.company.pay(no)
    statement = till.company.statement(no)
    said = [evidence(statement, source) for source in (Source.NOTICE, Source.QUERY, Source.BILL) * 3]
    outcomes = await asyncio.gather(*[till.money.settle(one) for one in said])
    assert sorted(outcomes) == sorted([Outcome.CREDITED] + [Outcome.KNOWN] * 8)
    await till.until_quiet()
    assert len(await till.rows("select 1 from payments")) == 1
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]
    assert (await till.books())["clearing/acme/M1"] == -till.company.money()


async def test_payment_that_nobody_told_of_is_asked_for(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    till.company.pay(no)
    await till.until_quiet()
    assert await till.state(order["no"]) == "fulfilled"
    assert "query" in till.company.calls


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"amount_fen": 1}, Outcome.WRONG_AMOUNT),
        ({"amount_fen": 5001}, Outcome.WRONG_AMOUNT),
        ({"amount_fen": None}, Outcome.WRONG_AMOUNT),
        ({"currency": "USD"}, Outcome.WRONG_CURRENCY),
        ({"no": "E2026010100000000000000000000"}, Outcome.UNKNOWN_ORDER),
    ],
)
async def test_what_does_not_fit_to_the_order_credits_nothing_and_calls_a_person(till, change, outcome):
    await till.account()
    no = await till.start(await till.order())
    statement = replace(paid(no), **change)
    for _ in range(3):
        assert await till.money.settle(evidence(statement)) is outcome
    assert not outcome.accepted
    assert await till.books() == {}
    assert await till.cases() == [outcome.value]


async def test_another_channel_cannot_pay_an_order(till):
    await till.account()
    no = await till.start(await till.order())
    for change in ({"provider": "other"}, {"merchant": "M2"}):
        assert await till.money.settle(evidence(paid(no), **change)) is Outcome.OTHER_CHANNEL
        closed = PaymentStatement(no, PaymentState.CLOSED)
        assert await till.money.settle(evidence(closed, **change)) is Outcome.PENDING
    assert await till.books() == {}
    assert (await till.rows("select state from attempts"))[0]["state"] == "pending"


async def test_a_bill_proves_that_money_is_there_even_without_an_order(till):
    statement = paid("E2026010100000000000000000000")
    assert await till.money.settle(evidence(statement, Source.BILL)) is Outcome.UNMATCHED
    assert await till.money.settle(evidence(statement, Source.BILL)) is Outcome.KNOWN
    assert await till.books() == {"clearing/acme/M1": -5000, "suspense": 5000}
    strange = replace(statement, currency="USD", transaction_id="T2")
    assert await till.money.settle(evidence(strange, Source.BILL)) is Outcome.UNKNOWN_ORDER
    assert (await till.books())["suspense"] == 5000


async def test_a_known_payment_told_with_another_amount_is_a_contradiction(till):
    await till.account()
    no = await till.start(await till.order())
    await till.money.settle(evidence(paid(no)))
    assert await till.money.settle(evidence(paid(no, 4000))) is Outcome.CONTRADICTION
    assert await till.cases() == ["contradiction"]


async def test_what_is_not_paid_changes_no_money(till):
    await till.account()
    no = await till.start(await till.order())
    for state, outcome in [(PaymentState.PENDING, Outcome.PENDING), (PaymentState.MISSING, Outcome.PENDING)]:
        assert await till.money.settle(evidence(PaymentStatement(no, state))) is outcome
    closed = evidence(PaymentStatement(no, PaymentState.CLOSED))
    assert await till.money.settle(closed) is Outcome.CLOSED
    assert await till.money.settle(closed) is Outcome.PENDING
    assert await till.books() == {}


async def test_a_paid_statement_needs_a_transaction_id(till):
    with pytest.raises(Misuse):
        await till.money.settle(evidence(paid("x", transaction="")))


async def test_notices_that_prove_nothing_are_turned_away(till):
    with pytest.raises(NoticeRejected) as refused:
        await till.notify("x", body="forged")
    assert refused.value.why == "signature"
    assert (await till.notify("x", body="ignore")).body == b"success"
    assert (await till.notify("x")).body == b"success"  # the company says itself that it knows no such payment
    with pytest.raises(NotFound):
        await till.money.notice("acme", "nobody", None)
    with pytest.raises(NotFound):
        await till.money.notice("other", "court", None)


async def test_the_same_key_is_the_same_order_and_other_content_is_refused(till):
    await till.account()
    first, second = await till.order(), await till.order()
    assert first["no"] == second["no"]
    with pytest.raises(Conflict, match="another amount"):
        await till.order(fen=6000)


@pytest.mark.parametrize("fen", [0, -5, 99, 500_001, 10**13])
async def test_amounts_out_of_range_are_refused(till, fen):
    await till.account()
    with pytest.raises(BadInput):
        await till.order(fen=fen)


async def test_orders_need_a_key_an_account_and_one_that_takes_them(till):
    await till.account()
    with pytest.raises(BadInput, match="key"):
        await till.order(key="")
    with pytest.raises(NotFound):
        await till.money.order(Wish("nobody", 5000, "k", "tenant"))
    await till.money.counter.freeze("a-101-1", "user:anna")
    with pytest.raises(Conflict, match="closed"):
        await till.order()


async def test_an_order_that_nobody_pays_expires_after_the_company_closed_it(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    untouched = await till.order(key="k2")
    await till.until_quiet(1000)
    assert till.company.trades[no].state is PaymentState.CLOSED
    assert [await till.state(one["no"]) for one in (order, untouched)] == ["expired", "expired"]
    with pytest.raises(Conflict):
        await till.start(order)


async def test_13_a_company_that_does_not_know_a_payment_says_nothing_final_before_its_time(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    trade = till.company.trades.pop(no)  # nobody scanned the code yet
    await till.until_quiet(600)
    assert await till.state(order["no"]) == "paying"
    till.company.trades[no] = trade
    till.company.pay(no)
    await till.until_quiet(400)
    assert await till.state(order["no"]) == "fulfilled"


async def test_a_payment_that_was_never_scanned_is_closed_at_its_time(till):
    await till.account()
    order = await till.order()
    del till.company.trades[await till.start(order)]
    await till.until_quiet(1000)
    assert await till.state(order["no"]) == "expired"


async def test_a_payment_in_the_moment_of_closing_is_taken(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)

    async def close(attempt):
        till.company.pay(no)
        raise ProviderRefused("it is paid")

    till.merchants.get("court").account.close = close
    await till.until_quiet(1000)
    assert await till.state(order["no"]) == "fulfilled"


@pytest.mark.parametrize(
    ("rule", "cases", "state", "book"),
    [
        (LateRule.PERSON, ["late_payment"], "expired", "suspense"),
        (LateRule.APPLY, [], "fulfilled", "meter/a-101-1"),
        (LateRule.REFUND, [], "expired", None),
    ],
)
async def test_a_payment_after_the_end_is_kept_and_follows_the_rule(till, rule, cases, state, book):
    till.money._settling._policy = replace(till.policy, late=rule)
    await till.account()
    order = await till.order()
    no = await till.start(order)
    await till.until_quiet(1000)
    till.company.trades[no].state = PaymentState.PENDING
    till.company.pay(no)
    assert (await till.notify(no)).body == b"success"
    await till.until_quiet(1000)
    assert await till.cases() == cases
    assert await till.state(order["no"]) == state
    left = {name: fen for name, fen in (await till.books()).items() if fen}
    assert left == ({} if book is None else {"clearing/acme/M1": -5000, book: 5000})


async def test_a_late_payment_is_applied_by_a_person(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    await till.until_quiet(1000)
    await till.money.settle(evidence(paid(no)))
    (payment,) = await till.rows("select * from payments")
    await till.money.counter.apply_late(payment["id"], "user:anna")
    await till.until_quiet()
    assert await till.state(order["no"]) == "fulfilled"
    assert await till.cases() == []
    with pytest.raises(Conflict):
        await till.money.counter.apply_late(payment["id"], "user:anna")
    with pytest.raises(BadInput):
        await till.money.counter.apply_late(99, "user:anna")


async def test_a_second_payment_is_kept_apart_and_given_back(till):
    await till.account()
    order = await till.order()
    first = await till.start(order, "qr")
    await till.start(order, "h5")
    second = f"{order['no']}01"
    for no in (first, second):
        till.company.pay(no)
        assert (await till.notify(no)).body == b"success"
    await till.until_quiet()
    assert [row["kind"] for row in await till.rows("select kind from payments order by id")] == ["first", "second"]
    assert till.company.money() == 5000
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]
    assert {name: fen for name, fen in (await till.books()).items() if fen} == {
        "clearing/acme/M1": -5000,
        "meter/a-101-1": 5000,
    }
    assert await till.state(order["no"]) == "fulfilled"


async def test_an_attempt_is_opened_again_and_not_twice(till):
    await till.account()
    order = await till.order()
    await till.start(order)
    await till.start(order)
    assert till.company.calls.count("create") == 1
    till.company.fail["create"] = ["after"]
    with pytest.raises(ProviderUnknown):
        await till.start(order, "h5")
    till.company.fail.clear()
    await till.start(order, "h5")
    assert len(await till.rows("select 1 from attempts")) == 2


async def test_an_order_cannot_be_tried_for_ever(till):
    await till.account()
    order = await till.order()
    for number in range(20):
        await till.start(order, f"way{number}")
    with pytest.raises(Conflict, match="too often"):
        await till.start(order, "one more")


async def test_a_refusal_to_open_may_mean_that_it_is_paid(till):
    await till.account()
    order = await till.order()
    till.company.fail["create"] = ["after"]
    with pytest.raises(ProviderUnknown):
        await till.start(order)
    till.company.fail.clear()
    till.company.pay(f"{order['no']}00")
    with pytest.raises(ProviderRefused):
        await till.start(order)
    await till.until_quiet()
    assert await till.state(order["no"]) == "fulfilled"


async def test_a_plain_refusal_to_open_ends_the_attempt(till):
    await till.account()
    order = await till.order()
    till.company.fail["create"] = ["refused"]
    with pytest.raises(ProviderRefused):
        await till.start(order)
    assert (await till.rows("select state from attempts"))[0]["state"] == "failed"
    till.company.fail = {"create": ["refused"], "query": ["before", None]}
    with pytest.raises(ProviderRefused):
        await till.start(order, "h5")
    assert (await till.rows("select state from attempts order by no"))[1]["state"] == "unknown"


async def test_a_company_that_is_silent_for_days_becomes_a_case(till):
    await till.account()
    await till.start(await till.order())
    till.company.fail["query"] = ["before"] * 100
    await till.until_quiet(3 * 86_400)
    assert await till.cases() == ["attempt_unknown"]


async def test_the_payer_can_ask_for_a_look(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    await till.until_quiet(300)
    till.company.pay(no)
    await till.money.paying.look_now(order["no"])
    await till.until_quiet(1)
    assert await till.state(order["no"]) == "fulfilled"


async def test_postpaid_money_pays_what_is_owed(till):
    await till.account(mode=Mode.POSTPAID)
    await till.money.counter.charge("a-101-1", "bill/1", 8000)
    no = await till.paid_order()
    assert await till.state(no) == "fulfilled"
    assert await till.books() == {"clearing/acme/M1": -5000, "receivable/a-101-1": -3000, "revenue/energy": 8000}


async def test_refunds_told_under_strange_numbers(till):
    strange = RefundStatement("E1", "R9", RefundState.DONE, 100)
    assert await till.money.settle(evidence(strange)) is Outcome.UNKNOWN_ORDER
    total = RefundStatement("E1", "", RefundState.DONE, None, 100)
    assert await till.money.settle(evidence(total)) is Outcome.REFUND_NOTED
    assert await till.cases() == ["unknown_order"]

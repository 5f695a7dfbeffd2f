"""Credit goes to its meter once, whatever is cut off or lost: invariants 8, 9, 10 and 11 of the domain model."""

from __future__ import annotations

import pytest

from meterhub.errors import BadInput, Conflict
from meterhub.money.asking import Answer
from meterhub.money.refunds import RefundWish

DAY_S = 86_400


async def nonzero(till):
    return {name: fen for name, fen in (await till.books()).items() if fen}


@pytest.mark.parametrize("fault", ["before", "lost", "after"])
@pytest.mark.parametrize("action", ["meter.balance", "meter.credit"])
async def test_8_and_9_any_loss_ends_in_one_credit(till, action, fault):
    await till.account()
    till.meters.fail[action] = [fault, fault]
    first, second = await till.paid_order(), await till.paid_order(key="k2", fen=700)
    await till.until_quiet(300)
    assert till.meters.purses["a-101"].ledger == [(1, 5000), (2, 700)]
    numbers = await till.rows("select number, state from deliveries order by id")
    assert [(row["number"], row["state"]) for row in numbers] == [(1, "confirmed"), (2, "confirmed")]
    assert [await till.state(no) for no in (first, second)] == ["fulfilled", "fulfilled"]
    assert await nonzero(till) == {"clearing/acme/M1": -5700, "meter/a-101-1": 5700}
    (account,) = await till.rows("select purchase_count from money_accounts")
    assert account["purchase_count"] == 2


async def test_the_number_is_stored_before_the_first_byte(till):
    await till.account()
    seen = []
    real = till.meters.ask

    async def ask(action, meter, params, key, cause):
        if action == "meter.credit":
            rows = await till.rows("select state, number, sends from deliveries")
            seen.append((rows[0]["state"], rows[0]["number"] == params["number"], key.endswith(f"/{rows[0]['sends']}")))
        return await real(action, meter, params, key, cause)

    till.money.deliveries._ask = ask
    till.meters.fail["meter.credit"] = ["lost", "before"]
    await till.paid_order()
    await till.until_quiet(300)
    assert seen == [("sending", True, True)] * 3


async def test_10_one_credit_per_meter_is_under_way_and_they_keep_their_order(till):
    await till.account()
    await till.account("a-102")
    till.meters.fail["meter.balance"] = ["before"] * 4
    for number in range(4):
        await till.paid_order(fen=1000 + number, key=f"k{number}")
        await till.paid_order("a-102-1", fen=2000 + number, key=f"k{number}")
    with pytest.raises(Conflict):
        await till.real.transact(lambda tx: tx.execute("update deliveries set state = 'unknown' where id in (1, 3)"))
    await till.until_quiet(3600)
    assert [fen for _, fen in till.meters.purses["a-101"].ledger] == [1000, 1001, 1002, 1003]
    assert [fen for _, fen in till.meters.purses["a-102"].ledger] == [2000, 2001, 2002, 2003]


@pytest.mark.parametrize("fault", ["lost", "after"])
async def test_without_a_count_a_doubt_waits_for_a_person(till, fault):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = [fault]
    no = await till.paid_order()
    await till.until_quiet(86_400)
    delivery = await till.delivery(no)
    assert (delivery["state"], delivery["needs_person"], delivery["sends"]) == ("unknown", 1, 1)
    assert await till.cases() == ["uncertain_delivery"]
    assert (await till.books())["in_flight/a-101-1"] == 5000
    what = "arrived" if fault == "after" else "not_arrived"
    with pytest.raises(BadInput):
        await till.money.counter.resolve_delivery(no, what, " ", "user:anna")
    await till.money.counter.resolve_delivery(no, what, "the display shows it", "user:anna")
    assert await till.cases() == ([] if what == "arrived" else ["uncertain_delivery"])
    if what == "not_arrived":  # the customer's money has no place yet: it stays a case until that is decided
        assert (await till.books())["prepaid/a-101-1"] == 5000
        await till.money.counter.resolve_delivery(no, "send_again", "asked the tenant", "user:anna")
        await till.until_quiet()
    assert await till.state(no) == "fulfilled" and await till.cases() == []
    assert till.meters.purses["a-101"].balance_fen == 5000
    assert await nonzero(till) == {"clearing/acme/M1": -5000, "meter/a-101-1": 5000}


async def test_without_a_count_what_was_certainly_not_sent_is_sent_later(till):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = ["before", "before"]
    no = await till.paid_order()
    await till.until_quiet(3600)
    assert await till.state(no) == "fulfilled"
    ((number, fen),) = till.meters.purses["a-101"].ledger
    assert fen == 5000 and 10**14 < number < 10**16


async def test_without_a_count_a_refusal_is_a_doubt_too(till):
    await till.account(counted=False)
    till.meters.purses["a-101"].limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    assert await till.cases() == ["uncertain_delivery"]
    assert (await till.delivery(no))["state"] == "unknown"


async def test_a_meter_that_says_no_gives_the_credit_back_to_the_customer(till):
    await till.account()
    till.meters.purses["a-101"].limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    assert (await till.delivery(no))["state"] == "not_delivered"
    assert await till.cases() == ["refused_delivery"]
    assert await nonzero(till) == {"clearing/acme/M1": -5000, "prepaid/a-101-1": 5000}
    till.meters.purses["a-101"].limit_fen = 10**6
    await till.money.counter.resolve_delivery(no, "send_again", "the limit was raised", "user:anna")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    assert await till.cases() == []
    assert await nonzero(till) == {"clearing/acme/M1": -5000, "meter/a-101-1": 5000}


async def test_a_credit_that_the_protocol_cannot_express_calls_a_person_and_is_not_tried_for_ever(till):
    await till.account()
    do = till.meters._do

    def cannot(action, meter, params):
        if action == "meter.credit":
            return Answer(code="bad_input", message="'50.00' is no amount of at most 1 decimals")
        return do(action, meter, params)

    till.meters._do = cannot
    no = await till.paid_order()
    await till.until_quiet(60)
    assert await till.cases() == ["refused_delivery"]
    assert (await till.books())["prepaid/a-101-1"] == 5000 and await till.state(no) == "paid"


async def test_a_meter_that_tells_its_count_and_never_takes_a_credit_is_sent_to_less_and_less(till):
    await till.account()
    till.meters.fail["meter.credit"] = ["lost"] * 1000
    no = await till.paid_order()
    await till.until_quiet(DAY_S)
    sent = sum(action == "meter.credit" for action, *_ in till.meters.asked)
    assert 5 < sent < 40
    till.meters.fail.clear()
    await till.until_quiet(2 * DAY_S)
    assert await till.state(no) == "fulfilled" and till.meters.purses["a-101"].ledger == [(1, 5000)]


async def test_a_refusal_after_which_the_meter_is_silent_is_looked_into_later(till):
    await till.account()
    till.meters.purses["a-101"].limit_fen = 100
    till.meters.fail["meter.balance"] = [None, "lost"]
    no = await till.paid_order()
    await till.until_quiet(2)
    assert (await till.delivery(no))["state"] == "unknown"
    await till.until_quiet(3600)
    assert (await till.delivery(no))["state"] == "not_delivered"


async def test_a_refusal_of_what_is_in_already_is_a_success(till):
    await till.account()
    real = till.meters._do

    def refuse_after_crediting(action, meter, params):
        answer = real(action, meter, params)
        if action == "meter.credit":
            return Answer(code="refused", message="repeated recharge")
        return answer

    till.meters._do = refuse_after_crediting
    no = await till.paid_order()
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]


async def test_a_count_that_is_not_in_the_books_stops_the_meter_until_a_person_adopts_it(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 7
    no = await till.paid_order(key="k2")
    await till.until_quiet(3600)
    assert await till.cases() == ["count_gap"]
    assert (await till.delivery(no))["state"] == "planned"
    assert len(till.meters.purses["a-101"].ledger) == 1
    await till.money.counter.resolve_delivery(no, "adopt_count", "a card was used", "user:anna")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    assert till.meters.purses["a-101"].ledger[-1] == (8, 5000)


async def test_a_delivery_that_was_sent_anew_and_then_not_sent_is_still_carried_on_by_a_decision(till):
    await till.account()
    purse = till.meters.purses["a-101"]
    purse.limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    purse.limit_fen = 10**6
    till.meters.fail["meter.credit"] = ["before"]
    await till.money.counter.resolve_delivery(no, "send_again", "the limit was raised", "user:anna")
    await till.until_quiet(2)
    purse.foreign(700)
    await till.until_quiet(3600)
    assert await till.cases() == ["count_gap"]
    await till.money.counter.resolve_delivery(no, "adopt_count", "a card was used", "user:anna")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled" and purse.ledger == [(1, 700), (2, 5000)]


async def test_credit_that_is_given_back_while_a_person_is_needed_holds_up_no_other(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].foreign(700)
    no = await till.paid_order(key="k2")
    await till.until_quiet(60)
    assert await till.cases() == ["count_gap"]
    behind = await till.paid_order(key="k3")
    (payment,) = await till.rows("select * from payments where order_no = ?", no)
    await till.money.counter.refund(RefundWish(payment["id"], 5000, "moved out"), "user:anna")
    await till.until_quiet(60)
    assert await till.state(no) == "refunded"
    assert (await till.delivery(behind))["needs_person"] == 1
    await till.money.counter.resolve_delivery(behind, "adopt_count", "a card was used", "user:anna")
    await till.until_quiet()
    assert await till.state(behind) == "fulfilled"


async def test_a_late_answer_that_tells_an_older_count_calls_nobody(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    purse = till.meters.purses["a-101"]
    real = till.meters.ask
    late = [Answer({"count": 0, "balance": "0.00"})]

    async def ask(action, meter, params, key, cause):
        return late.pop() if action == "meter.balance" and late else await real(action, meter, params, key, cause)

    till.money.deliveries._ask = ask
    no = await till.paid_order(key="k2")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled" and await till.cases() == []
    assert purse.ledger == [(1, 5000), (2, 5000)]


async def test_a_count_below_what_the_meter_confirmed_is_not_adopted(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 0
    no = await till.paid_order(key="k2")
    await till.until_quiet(3600)
    assert await till.cases() == ["count_gap"]
    with pytest.raises(Conflict, match="counts 0 purchases, but has confirmed purchase 1") as refused:
        await till.money.counter.resolve_delivery(no, "adopt_count", "the meter was exchanged", "user:anna")
    assert "give this money back" in refused.value.hint
    assert await till.cases() == ["count_gap"]
    (payment,) = await till.rows("select * from payments where order_no = ?", no)
    await till.money.counter.refund(RefundWish(payment["id"], 5000, "the meter was exchanged"), "user:anna")
    await till.until_quiet(3600)
    assert await till.state(no) == "refunded"
    assert len(till.meters.purses["a-101"].ledger) == 1


@pytest.mark.parametrize("told_by", ["the answer", "the refusal", "the read-back"])
async def test_our_number_over_another_amount_is_never_confirmed(till, told_by):
    await till.account()
    purse = till.meters.purses["a-101"]
    no = await till.paid_order()
    real = till.meters.ask

    async def ask(action, meter, params, key, cause):
        if action == "meter.credit" and not purse.ledger:
            purse.foreign(700)
            till.meters.fail[action] = ["after"] if told_by == "the read-back" else []
        answer = await real(action, meter, params, key, cause)
        if action == "meter.credit" and told_by == "the refusal":
            return Answer(code="refused", message="number taken")
        return answer

    till.money.deliveries._ask = ask
    await till.until_quiet(3600)
    delivery = await till.delivery(no)
    assert (delivery["state"], delivery["needs_person"]) == ("unknown", 1)
    assert await till.cases() == ["books_differ"]
    assert (await till.books())["in_flight/a-101-1"] == 5000 and purse.ledger == [(1, 700)]
    counter = till.money.counter
    await counter.resolve_delivery(no, "not_arrived", "a card of another shop was used", "user:anna")
    await counter.resolve_delivery(no, "send_again", "it is ours to send", "user:anna")
    await till.until_quiet()
    assert await till.cases() == ["count_gap"]
    await counter.resolve_delivery(no, "adopt_count", "the other purchase was 1", "user:anna")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled" and purse.ledger == [(1, 700), (2, 5000)]


async def test_a_count_that_went_back_is_never_sent_to_blindly(till):
    await till.account()
    till.meters.purses["a-101"].count = 5
    till.meters.fail["meter.credit"] = ["lost"]
    no = await till.paid_order()
    till.meters.fail["meter.balance"] = [None, "before"]
    await till.until_quiet(3)
    till.meters.purses["a-101"].count = 2
    await till.until_quiet(3600)
    assert await till.cases() == ["count_gap"]
    assert till.meters.purses["a-101"].ledger == []
    await till.money.counter.resolve_delivery(no, "not_arrived", "the meter was exchanged", "user:anna")
    assert await till.cases() == ["count_gap"]
    await till.money.counter.resolve_delivery(no, "send_again", "the new meter is in", "user:anna")
    await till.until_quiet()
    assert await till.cases() == ["count_gap"]  # another one: the one before was solved
    await till.money.counter.resolve_delivery(no, "adopt_count", "the new meter had two", "user:anna")
    await till.until_quiet()
    assert await till.cases() == [] and await till.state(no) == "fulfilled"


async def test_what_is_not_in_doubt_cannot_be_decided(till):
    await till.account()
    no = await till.paid_order()
    counter = till.money.counter
    await till.until_quiet()
    for what in ("arrived", "not_arrived", "adopt_count", "send_again"):
        with pytest.raises(Conflict):
            await counter.resolve_delivery(no, what, "why not", "user:anna")
    with pytest.raises(BadInput):
        await counter.resolve_delivery(no, "dance", "why not", "user:anna")
    with pytest.raises(BadInput):
        await counter.resolve_delivery("E1", "arrived", "why not", "user:anna")
    assert await till.state(no) == "fulfilled"


async def test_the_meter_silent_for_long_is_asked_until_it_answers(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["lost"] * 50
    no = await till.paid_order()
    await till.until_quiet(50 * 3700)
    assert await till.state(no) == "fulfilled"


@pytest.mark.parametrize("arrived", [False, True])
async def test_a_credit_that_was_being_sent_when_the_hub_stopped_is_on_the_meter_once(till, arrived):
    async def hang(action, meter, params, key, cause):
        if action != "meter.credit":
            return await real(action, meter, params, key, cause)
        if arrived:
            await real(action, meter, params, key, cause)
        await till.clock.sleep(86_400)
        return Answer()

    await till.account()
    real, till.meters.ask = till.meters.ask, hang
    await till.close()
    await till.open()
    no = await till.paid_order()
    await till.until_quiet(1)
    assert (await till.delivery(no))["state"] == "sending"
    till.meters.ask = real
    await till.close()
    await till.open()
    await till.until_quiet(60)
    delivery = await till.delivery(no)
    assert (delivery["state"], delivery["number"], delivery["sends"]) == ("confirmed", 1, 1 if arrived else 2)
    assert till.meters.purses["a-101"].ledger == [(1, 5000)] and await till.state(no) == "fulfilled"


async def test_a_meter_that_is_deaf_to_credits_is_sent_them_less_and_less_often(till):
    await till.account()
    till.meters.fail["meter.credit"] = ["lost"] * 6
    begun_ms, sent, real = till.clock.now(), [], till.money.deliveries._ask

    async def ask(action, *rest):
        if action == "meter.credit":
            sent.append((till.clock.now() - begun_ms) / 1000)
        return await real(action, *rest)

    till.money.deliveries._ask = ask
    no = await till.paid_order()
    await till.until_quiet(800)
    assert sent == [0, 0, 0, 5, 35, 155, 755]
    assert till.meters.purses["a-101"].ledger == [(1, 5000)] and await till.state(no) == "fulfilled"

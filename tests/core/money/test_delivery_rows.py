"""What stands in the row of a delivery while it is under way and after a person decided on it."""

from __future__ import annotations

from test_refunds import give_back

from meterhub.money.asking import Answer


async def asked_of_meter(till):
    return [action.removeprefix("meter.") for action, _, _ in till.meters.asked]


async def test_while_a_purchase_is_sent_no_older_error_stands_at_it(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before"]
    seen, real = [], till.meters.ask

    async def ask(action, meter, params, key, cause):
        if action == "meter.credit":
            seen.extend(await till.rows("select state, error, tries, number, counted from deliveries"))
        return await real(action, meter, params, key, cause)

    till.money.deliveries._ask = ask
    await till.paid_order()
    await till.until_quiet()
    assert seen == [{"state": "sending", "error": "", "tries": 0, "number": 1, "counted": 1}]


async def test_what_a_meter_has_already_is_confirmed_by_one_look(till):
    await till.account()
    real = till.meters._do

    def refuse_after_crediting(action, meter, params):
        answer = real(action, meter, params)
        return Answer(code="refused", message="repeated recharge") if action == "meter.credit" else answer

    till.meters._do = refuse_after_crediting
    no = await till.paid_order()
    await till.until_quiet()
    assert await asked_of_meter(till) == ["balance", "credit", "balance"]
    assert (await till.delivery(no))["sends"] == 1 and await till.state(no) == "fulfilled"


async def test_what_came_back_is_sent_anew_in_a_round_of_its_own(till):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = ["lost"]
    no = await till.paid_order()
    await till.until_quiet()
    counter = till.money.counter
    row = await counter.resolve_delivery(no, "not_arrived", "seen", "user:anna")
    assert (row["state"], row["needs_person"], row["round"]) == ("not_delivered", 0, 0)
    assert row["error"] == "a person saw that it did not arrive"
    await till.until_quiet()
    row = await counter.resolve_delivery(no, "send_again", "asked the tenant", "user:anna")
    told = {name: row[name] for name in ("state", "round", "number", "counted", "tries", "error", "needs_person")}
    assert told == {
        "state": "planned",
        "round": 1,
        "number": None,
        "counted": None,
        "tries": 0,
        "error": "",
        "needs_person": 0,
    }
    assert [key for key, _, _ in await till.outbox("delivery")] == [f"{row['id']}", f"{row['id']}/1"]
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"


async def test_a_count_that_is_taken_over_begins_the_waiting_anew(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 7
    till.meters.fail["meter.balance"] = ["before"]
    no = await till.paid_order(key="k2")
    await till.until_quiet()
    assert (await till.delivery(no))["tries"] == 1
    till.meters.fail["meter.balance"] = ["before"]
    row = await till.money.counter.resolve_delivery(no, "adopt_count", "a card", "user:anna")
    assert (row["state"], row["needs_person"], row["tries"]) == ("planned", 0, 0)
    (adoption,) = await till.rows("select * from count_adoptions")
    assert (adoption["known"], adoption["adopted"], adoption["reason"], adoption["decided_by"]) == (
        1,
        None,
        "a card",
        "user:anna",
    )
    assert (adoption["account"], adoption["order_no"], adoption["at_ms"]) == ("a-101-1", no, till.clock.now())
    await till.until_quiet()
    assert await till.rows("select known, adopted from count_adoptions") == [{"known": 1, "adopted": 7}]


async def test_a_count_back_at_the_last_confirmed_purchase_can_be_taken_over(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    await till.real.transact(lambda tx: tx.execute("update money_accounts set purchase_count = 5"))
    no = await till.paid_order(key="k2")
    await till.until_quiet()
    assert await till.cases() == ["count_gap"]
    await till.money.counter.resolve_delivery(no, "adopt_count", "counted wrongly here", "user:anna")
    await till.until_quiet()
    assert till.meters.purses["a-101"].ledger == [(1, 5000), (2, 5000)] and await till.state(no) == "fulfilled"


async def test_why_a_meter_without_a_count_is_in_doubt_is_what_it_said(till):
    await till.account(counted=False)
    till.meters.purses["a-101"].limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    row = await till.delivery(no)
    assert (row["state"], row["error"]) == ("unknown", "over the hoarding limit")


async def test_a_delivery_that_a_refund_stopped_says_so(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before"] * 9
    no = await till.paid_order()
    await till.until_quiet(1)
    await give_back(till, no)
    assert (await till.delivery(no))["error"] == "given back before it was sent"


async def test_a_delivery_that_is_over_is_off_the_outbox_and_says_since_when(till):
    await till.account()
    no = await till.paid_order()
    await till.until_quiet(0.5)
    assert (await till.delivery(no))["confirmed_ms"] == (await till.delivery(no))["sent_ms"]
    assert [state for _, state, _ in await till.outbox("delivery")] == ["done"]


async def test_a_meter_is_asked_through_the_room_as_well(till):
    await till.account()
    answer = await till.money.ask("meter.balance", "a-101", {}, "", "user:anna")
    assert answer.ok and answer.result["count"] == 0

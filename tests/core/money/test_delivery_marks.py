"""What a delivery's row tells whoever looks at it, and how it goes on after each kind of doubt."""

from __future__ import annotations

import pytest

from meterhub.errors import Conflict


async def test_a_delivery_keeps_what_the_meter_said_before_and_after(till):
    await till.account()
    till.meters.purses["a-101"].balance_fen = 700
    sent_ms = till.clock.now()
    no = await till.paid_order()
    await till.until_quiet()
    row = await till.delivery(no)
    assert (row["count_before"], row["balance_before"], row["balance_after"]) == (0, "7.00", "57.00")
    assert (row["sent_ms"], row["sends"], row["error"], row["needs_person"]) == (sent_ms, 1, "", 0)


async def test_a_meter_that_cannot_be_asked_is_counted_and_named_and_forgotten_when_it_is_sent(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before", "before"]
    no = await till.paid_order()
    await till.until_quiet(1)
    row = await till.delivery(no)
    assert (row["state"], row["tries"], row["error"]) == ("planned", 1, "the collector is away")
    (again,) = await till.rows("select * from outbox where kind = 'delivery'")
    assert (again["failures"], again["error"]) == (1, "the collector is away")
    await till.until_quiet(5)
    assert (await till.delivery(no))["tries"] == 2
    await till.until_quiet(60)
    row = await till.delivery(no)
    assert (row["state"], row["tries"], row["error"]) == ("confirmed", 0, "")


async def test_what_was_not_sent_begins_a_new_round_under_a_number_read_anew(till):
    await till.account()
    till.meters.fail["meter.credit"] = ["before"]
    no = await till.paid_order()
    await till.until_quiet(1)
    row = await till.delivery(no)
    assert (row["state"], row["round"], row["tries"], row["number"]) == ("planned", 1, 1, None)
    await till.until_quiet(60)
    row = await till.delivery(no)
    assert (row["state"], row["number"], row["sends"]) == ("confirmed", 1, 2)


async def test_in_doubt_the_count_of_this_very_purchase_is_enough_and_one_below_sends_once_more(till):
    await till.account()
    till.meters.fail["meter.credit"] = ["after"]
    first = await till.paid_order(key="k1")
    await till.until_quiet()
    till.meters.fail["meter.credit"] = ["lost"]
    second = await till.paid_order(key="k2")
    await till.until_quiet()
    rows = [await till.delivery(no) for no in (first, second)]
    assert [(row["state"], row["number"], row["sends"]) for row in rows] == [("confirmed", 1, 1), ("confirmed", 2, 2)]
    assert [number for number, _ in till.meters.purses["a-101"].ledger] == [1, 2]


async def test_a_count_two_below_the_number_needs_a_person_and_names_both(till):
    await till.account()
    await till.paid_order(key="k1")
    await till.until_quiet()
    till.meters.fail["meter.credit"] = ["lost"]
    till.meters.fail["meter.balance"] = [None, "before"]
    no = await till.paid_order(key="k2")
    await till.until_quiet(1)
    till.meters.purses["a-101"].count = 0
    await till.until_quiet(60)
    row = await till.delivery(no)
    assert (row["state"], row["needs_person"]) == ("unknown", 1)
    assert row["error"] == "the meter's count is 0, which does not fit to purchase 2"
    assert await till.cases() == ["count_gap"]
    with pytest.raises(Conflict, match="nothing holds"):  # it may have been sent: no count is taken over for it
        await till.money.counter.resolve_delivery(no, "adopt_count", "read it", "user:anna")


async def test_a_meter_that_refuses_what_it_has_is_believed_by_its_count(till):
    await till.account()
    purse, before = till.meters.purses["a-101"], till.meters._credit

    def taken_and_refused(one, number, fen):
        before(one, number, fen)
        return "recharge count wrong"

    till.meters._credit = taken_and_refused
    no = await till.paid_order()
    await till.until_quiet()
    assert (await till.delivery(no))["state"] == "confirmed"
    assert purse.ledger == [(1, 5000)] and await till.state(no) == "fulfilled"


async def test_a_doubt_that_a_person_ended_leaves_no_call(till):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = ["after"]
    no = await till.paid_order()
    await till.until_quiet()
    row = await till.delivery(no)
    assert (row["state"], row["needs_person"], row["error"]) == ("unknown", 1, "the meter did not answer")
    assert row["number"] == row["sent_ms"] * 100 + row["id"] % 100
    (parked,) = await till.rows("select * from outbox where kind = 'delivery'")
    assert parked["error"] == "a person has to decide"
    await till.money.counter.resolve_delivery(no, "arrived", "seen on the display", "user:anna")
    row = await till.delivery(no)
    assert (row["state"], row["needs_person"], row["error"]) == ("confirmed", 0, "")

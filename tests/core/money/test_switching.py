"""When a supply may be cut, to the hour and to the millisecond, and what is kept of the decision."""

from __future__ import annotations

import json
from datetime import UTC

import pytest
from test_refunds import give_back

from meterhub.money.policy import Policy
from meterhub.money.states import Mode
from meterhub.money.switching import PENDING, STALE, Switching

CALM = {"credit_fen": -1, "paying": 0, "cuts": 0, "answered_ms": None}
HOUR_S = 3600


def rules(clock, **wanted):
    return Switching(Policy(**{"no_cut_hours": (0, 0), **wanted}), clock, UTC, lambda meter: None)


@pytest.mark.parametrize(
    ("hours", "cut"),
    [
        ((22, 8), {8, 9, 21}),
        ((1, 23), {0, 23}),
        ((0, 0), {0, 1, 7, 8, 9, 21, 22, 23}),
        ((8, 9), {0, 1, 7, 9, 21, 22, 23}),
    ],
)
async def test_the_quiet_hours_begin_and_end_with_the_hour(clock, hours, cut):
    may = {}
    for hour in (0, 1, 7, 8, 9, 21, 22, 23):
        await clock.advance(hour * HOUR_S - (clock.now() // 1000) % (24 * HOUR_S))
        may[hour], why = rules(clock, no_cut_hours=hours).may("off", CALM, None)
        assert may[hour] or why == f"nobody is cut off between {hours[0]} and {hours[1]} o'clock"
    assert {hour for hour, allowed in may.items() if allowed} == cut


async def test_a_payment_under_way_keeps_a_supply_on_for_an_hour_since_it_did_so_first(clock):
    paying = {**CALM, "paying": 1}
    switching = rules(clock)
    assert switching.may("off", paying, None) == (False, PENDING)
    first = {"reason": PENDING, "at_ms": clock.now()}
    other = {"reason": STALE, "at_ms": clock.now()}
    await clock.advance(HOUR_S - 0.001)
    assert switching.may("off", paying, first) == (False, PENDING)
    await clock.advance(0.001)
    assert switching.may("off", paying, first) == (True, "the credit is used up")
    assert switching.may("off", paying, other) == (False, PENDING)
    assert switching.may("off", CALM, None) == (True, "the credit is used up")


async def test_an_answer_is_fresh_for_as_long_as_the_rule_says(clock):
    heard = {**CALM, "answered_ms": clock.now()}
    await clock.advance(7200)
    assert rules(clock, fresh_s=7200).may("off", heard, None)[0]
    await clock.advance(0.001)
    assert rules(clock, fresh_s=7200).may("off", heard, None) == (False, STALE)


async def test_so_many_may_be_cut_within_an_hour_and_no_more(clock):
    assert rules(clock, most_cuts=2).may("off", {**CALM, "cuts": 1}, None)[0]
    allowed, why = rules(clock, most_cuts=2).may("off", {**CALM, "cuts": 2}, None)
    assert not allowed and why == "2 were cut off within the last hour, and no more may be"
    assert rules(clock, most_cuts=0).may("on", {**CALM, "cuts": 9}, None) == (True, "there is credit again")


async def test_a_decision_keeps_the_figures_it_was_made_on(till):
    await till.clock.advance(9.5 * HOUR_S)
    await till.account(mode=Mode.SERVER)
    await till.paid_order(fen=300)
    await till.money.counter.charge("a-101-1", "day/1", 400)
    await till.until_quiet()
    (row,) = await till.rows("select * from policy_decisions")
    assert json.loads(row["inputs_json"]) == {
        "credit_fen": -100,
        "owed_fen": 100,
        "hour": 9,
        "day": "2026-01-01",
        "paying": 0,
        "cuts": 0,
        "answered_ms": None,
    }
    assert (row["account"], row["meter"], row["operator"], row["wanted"]) == ("a-101-1", "a-101", "main", "off")
    assert (row["allow"], row["reason"]) == (1, "the credit is used up")


async def test_the_supply_of_who_keeps_the_credit_in_the_meter_is_not_ours_to_cut(till):
    await till.account()
    till.meters.fail["meter.balance"] = ["before"] * 9
    no = await till.paid_order()
    await give_back(till, no)
    await till.until_quiet()
    assert [state for _, state, _ in await till.outbox("supply")] == ["done"]
    assert till.meters.relays == {} and await till.rows("select 1 from policy_decisions") == []


async def test_the_supply_of_a_closed_account_is_left_as_it_is(till):
    await till.account(mode=Mode.SERVER)
    counter = till.money.counter
    await till.paid_order()
    await till.until_quiet()
    await counter.charge("a-101-1", "day/1", 5000)
    await till.real.transact(lambda tx: tx.execute("update money_accounts set state = 'closed'"))
    await till.until_quiet(2 * HOUR_S)
    assert till.meters.relays == {}

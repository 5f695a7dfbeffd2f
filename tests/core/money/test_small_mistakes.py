"""Small mistakes in the rooms of money that a user would notice: at the last fen, the last second, the last word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from bank import CompanyAccount
from test_accounts import rules, used_up
from test_cases import case_of, settle
from test_intervals import timed, times
from test_proof_content import DAY_S, content
from test_refunds import give_back, server_order

from meterhub.money import cases, expiry, funds
from meterhub.money.outbox import PARKED_MS
from meterhub.money.provider import PaymentAccount
from meterhub.money.room import Outside
from meterhub.money.statements import Bill, BillRow, Funds, Movement, PaymentState, PaymentStatement
from meterhub.money.states import Mode

DAY = date(2026, 1, 1)


async def test_the_last_fen_keeps_a_supply_on(till):
    await till.account(mode=Mode.SERVER)
    await till.paid_order()
    await till.money.counter.charge("a-101-1", "day/1", 4999)
    await till.until_quiet()
    assert till.meters.relays == {}
    await till.money.counter.charge("a-101-1", "day/2", 1)
    await till.until_quiet()
    assert till.meters.relays == {"a-101": "off"}


async def test_a_silent_meter_that_answers_when_it_is_asked_is_switched_at_the_first_look(till):
    def answered(meter):
        asked = [action for action, *_ in till.meters.asked]
        return till.clock.now() - (0 if "meter.read" in asked else 8_000_000)

    rules(till, answered)
    assert await used_up(till) == [(0, "the meter has not answered for too long"), (1, "the credit is used up")]
    assert till.meters.relays == {"a-101": "off"}
    rows = await till.rows("select state, tries, failures from outbox where kind = 'supply'")
    assert rows == [{"state": "done", "tries": 0, "failures": 0}]


async def test_a_case_about_a_delivery_has_the_name_that_older_hubs_gave_it(till):
    await till.account(counted=False)
    till.meters.fail["meter.credit"] = ["lost"]
    no = await till.paid_order()
    await till.until_quiet()
    delivery = await till.delivery(no)
    assert (await case_of(till, cases.UNCERTAIN))["ref"] == f"{delivery['id']}/1"


@pytest.mark.parametrize("ref", ["its own", "R-of-nobody"])
async def test_a_refund_that_reached_the_payer_in_the_end_leaves_a_case_that_can_be_closed(till, ref):
    no = await server_order(till)
    refund = await give_back(till, no)
    await till.until_quiet()
    more = {"operator": "main", "at_ms": 1, "order_no": no}
    about = refund["no"] if ref == "its own" else ref
    await till.real.transact(lambda tx: cases.flag(tx, cases.REFUND_ABNORMAL, about, "left open", **more))
    await settle(till, cases.REFUND_ABNORMAL)
    assert await till.cases() == []


def test_a_row_of_a_bill_without_an_amount_moved_nothing():
    row = BillRow(PaymentStatement("n1", PaymentState.PAID, None, "T1"))
    told = funds.differences(Bill(DAY, (row,)), Funds(DAY, (Movement("T1", 5000),)))
    assert told == ["T1: amount 0.00 in the bill, 50.00 in the account"]


async def test_an_order_ends_half_a_minute_after_the_minute_of_its_time(till):
    await till.account()
    await till.until_quiet(59.5)
    order = await till.order()
    assert order["expires_ms"] % 60_000 == 59_500
    await till.until_quiet(930)
    assert await till.state(order["no"]) == "created"
    await till.until_quiet(1)
    assert await till.state(order["no"]) == "expired"


async def test_an_order_that_may_be_paid_for_a_day_is_not_ended_before(till):
    till.money.policy = replace(till.policy, expiry_s=86_400)
    await till.account()
    await till.until_quiet(59)
    order = await till.order()
    await till.until_quiet(86_400)
    assert await till.state(order["no"]) == "created"
    await till.until_quiet(32)
    assert await till.state(order["no"]) == "expired"


async def test_what_an_older_version_put_out_ends_no_order_before_its_half_minute(till):
    await till.account()
    orders = [await till.order()]
    await till.until_quiet(10)
    orders.append(await till.order(key="k2"))

    def older(tx):
        tx.execute("delete from outbox where kind = 'expire'")
        for one in orders:
            row = {"kind": "expire", "key": one["no"], "lane": f"expire/{one['no']}", "operator": "main"}
            due_ms = one["expires_ms"] + 30_000
            tx.insert("outbox", {**row, "payload_json": "{}", "state": "waiting", "next_ms": due_ms, "created_ms": 0})

    await till.real.transact(older)
    await till.until_quiet(921)
    assert [await till.state(one["no"]) for one in orders] == ["expired", "created"]
    await till.until_quiet(10)
    assert await till.state(orders[1]["no"]) == "expired"


async def test_an_order_that_a_company_does_not_speak_of_holds_up_no_later_ones(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.fail["close"] = till.company.fail["query"] = 60 * ["before"]
    await till.until_quiet(120)
    later = await till.order(key="k2")
    await till.until_quiet(1200)
    assert [await till.state(no[:-2]), await till.state(later["no"])] == ["paying", "expired"]
    assert [state for _, state, _ in await till.outbox("expire")] == ["waiting", "done"]


async def test_many_orders_of_a_minute_end_in_its_second(till, monkeypatch):
    monkeypatch.setattr(expiry, "AT_ONCE", 2)
    await till.account()
    orders = [await till.order(key=f"k{number}") for number in range(5)]
    begun_ms = orders[0]["created_ms"]
    due_ms = (orders[0]["expires_ms"] // 60_000 + 1) * 60_000 + 30_000
    await till.until_quiet((due_ms - begun_ms) / 1000 + 0.5)
    assert {await till.state(one["no"]) for one in orders} == {"expired"}


async def test_what_may_still_be_paid_is_looked_at_every_ten_minutes(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.fail["close"] = till.company.fail["query"] = 60 * ["before"]
    await till.until_quiet(1000)
    ((due_ms,),) = [row.values() for row in await till.rows("select next_ms from outbox where kind = 'expire'")]
    assert 0 < due_ms - till.clock.now() <= 600_000 and await till.state(no[:-2]) == "paying"
    await till.until_quiet((due_ms - till.clock.now()) / 1000 + 599.9)
    await till.real.transact(lambda tx: tx.execute("update attempts set state = 'closed'"))
    await till.until_quiet(0.6)
    assert await till.state(no[:-2]) == "expired"


async def test_a_part_of_a_refund_waits_until_the_last_tenth_of_the_companys_minute(till):
    no = await server_order(till)
    till.money.merchants.get("court").account.refund_gap_s = 60
    asked = timed(till)
    await give_back(till, no, 1000)
    await till.until_quiet(59.5)
    await give_back(till, no, 1000)
    await give_back(till, no, 1000)
    await till.until_quiet(120)
    first, second, third = times(asked, "refund")
    assert (first, second, third) == (0, 60, 120)


async def test_a_company_that_says_another_amount_was_paid_is_asked_once(till):
    await till.account()
    no = await till.start(await till.order())
    till.company.trades[no].amount_fen = 4999
    till.company.pay(no, till.clock.now())
    await till.until_quiet(600)
    assert till.company.calls.count("query") == 1 and await till.cases() == ["wrong_amount"]
    assert [state for _, state, _ in await till.outbox("watch")] == ["done"]


async def test_a_count_that_does_not_fit_is_read_again_five_seconds_later_before_a_person_is_called(till):
    await till.account()
    till.meters.purses["a-101"].foreign(100)
    await till.real.transact(lambda tx: tx.execute("update money_accounts set purchase_count = 0"))
    begun_ms, read, real = till.clock.now(), [], till.money.deliveries._ask

    async def ask(action, *rest):
        read.append((action, (till.clock.now() - begun_ms) / 1000))
        return await real(action, *rest)

    till.money.deliveries._ask = ask
    await till.paid_order()
    await till.until_quiet(4.5)
    assert read == [("meter.balance", 0)] and await till.cases() == []
    assert await till.rows("select error from outbox where kind = 'delivery'") == [
        {"error": "the meter has had 1 purchases, the books know of 0"}
    ]
    await till.until_quiet(1)
    assert read == [("meter.balance", 0), ("meter.balance", 5)] and await till.cases() == [cases.COUNT_GAP]
    assert [row["next_ms"] for row in await till.rows("select next_ms from outbox where kind = 'delivery'")] == [
        PARKED_MS
    ]


def test_a_row_of_a_bill_without_an_amount_had_no_coupon():
    assert BillRow(PaymentStatement("n1", PaymentState.PAID, None, "T1"), 0, 0).discount_fen == 0


async def test_who_was_cut_off_and_pays_has_a_supply_again_at_once(till):
    rules(till)
    await used_up(till)
    assert till.meters.relays == {"a-101": "off"}
    await till.paid_order()
    await till.until_quiet(1)
    assert till.meters.relays == {"a-101": "on"}
    (last, *_) = await till.rows("select * from policy_decisions order by id desc")
    assert (last["wanted"], last["allow"], last["reason"]) == ("on", 1, "there is credit again")
    assert [row["supply"] for row in await till.rows("select supply from money_accounts")] == ["on"]


async def test_where_nobody_knows_when_meters_answered_a_supply_is_cut_off_all_the_same(till):
    outside = Outside(till.meters.ask, till.tasks.spawn, till.merchants, till._note, till.folder)
    rules(till, outside.answered)
    assert await used_up(till) == [(1, "the credit is used up")]
    assert till.meters.relays == {"a-101": "off"}


async def test_a_plugin_that_knows_nothing_of_the_merchants_account_need_not_say_so(till):
    class Plain(CompanyAccount):
        funds = PaymentAccount.funds

    await till.account(mode=Mode.SERVER)
    await till.paid_order()
    till.merchants.get("court").account.funds = Plain(till.company).funds
    await till.until_quiet(DAY_S)
    assert [one["differences"] for one in (await content(till))["checks"] if one["name"] == "funds"] in ([], [[]])

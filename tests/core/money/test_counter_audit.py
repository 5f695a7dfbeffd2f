"""What managers do with money: who did what, to what, and why, is kept with the deed; and what they may not do."""

from __future__ import annotations

import pytest
from test_refunds import give_back, meter_order, server_order

from meterhub.errors import Conflict
from meterhub.money.accounts import Opening
from meterhub.money.orders import Wish
from meterhub.money.states import Mode

ANNA = "user:anna"


async def test_every_deed_is_noted_with_who_did_it_and_what_it_was(till):
    counter = till.money.counter
    await till.account(mode=Mode.SERVER)
    order = await counter.sell_for_cash(Wish("a-101-1", 3000, "r1", ANNA))
    (payment,) = await till.rows("select id from payments")
    refund = await give_back(till, order["no"], 1000)
    await counter.printed(order["no"], ANNA)
    await counter.printed(order["no"], ANNA)
    await counter.charge("a-101-1", "day/1", 2000, ANNA, "read by hand")
    await till.until_quiet()
    await counter.freeze("a-101-1", ANNA)
    await counter.close_account("a-101-1", 0, ANNA)
    refunded = {"payment": payment["id"], "amount_fen": 1000, "reason": "moved out"}
    assert till.audit == [
        ("money.open_account", "a-101-1", ANNA, {"mode": "server"}),
        ("money.cash", order["no"], ANNA, {"account": "a-101-1", "amount_fen": 3000}),
        ("money.refund", refund["no"], ANNA, refunded),
        ("money.receipt", order["no"], ANNA, {"copy": 0}),
        ("money.receipt", order["no"], ANNA, {"copy": 1}),
        ("money.charge", "a-101-1", ANNA, {"amount_fen": 2000, "ref": "day/1", "reason": "read by hand"}),
        ("money.freeze", "a-101-1", ANNA, {}),
        ("money.close_account", "a-101-1", ANNA, {"meter_credit_fen": 0}),
    ]


async def test_a_withdrawal_and_a_decision_on_it_are_noted(till):
    no = await meter_order(till, counted=False)
    till.meters.fail["meter.refund"] = ["after"]
    await give_back(till, no, meter_gives_back=True)
    (payment,) = await till.rows("select id from payments")
    told = {"payment": payment["id"], "amount_fen": 5000, "reason": "moved out"}
    assert till.audit[-1] == ("money.withdraw", no, ANNA, told)
    await till.until_quiet()
    decided = await till.money.counter.resolve_delivery(no, "arrived", "seen", ANNA)
    assert (decided["state"], decided["needs_person"], decided["takes_back"]) == ("confirmed", 0, 1)
    assert till.audit[-1] == ("money.delivery.arrived", no, ANNA, {"reason": "seen"})


async def test_a_late_payment_that_was_applied_is_noted(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    await till.until_quiet(1000)
    till.company.trades[no].state = type(till.company.trades[no].state).PENDING
    till.company.pay(no)
    await till.notify(no)
    (payment,) = await till.rows("select id from payments")
    await till.money.counter.apply_late(payment["id"], ANNA)
    assert till.audit[-1] == ("money.apply_late", order["no"], ANNA, {"payment": payment["id"], "reason": ""})


async def test_an_account_keeps_what_it_was_opened_with_and_when_it_ended(till):
    who = {"holder": "Li Na", "phone": "13800000000", "utility": "water", "purchase_count": 4}
    opening = Opening("w-7", "main", "main/north", Mode.POSTPAID, "link", ANNA, **who)
    account = await till.money.counter.open_account(opening)
    assert {name: account[name] for name in who} == who
    assert (account["meter"], account["operator"], account["scope"], account["link"]) == (
        "w-7",
        "main",
        "main/north",
        "link",
    )
    opened = (account["opened_by"], account["opened_ms"], account["state"], account["mode"])
    assert opened == (ANNA, till.clock.now(), "open", "postpaid")
    with pytest.raises(Conflict, match="has the account w-7-1 already") as refused:
        await till.money.counter.open_account(opening)
    assert refused.value.where == "w-7"
    await till.money.counter.freeze("w-7-1", ANNA)
    await till.clock.advance(5)
    closed = await till.money.counter.close_account("w-7-1", 0, ANNA)
    assert (closed["state"], closed["closed_ms"]) == ("closed", till.clock.now())


async def test_the_last_fen_in_a_meter_is_written_off_too(till):
    await till.account()
    till.money.policy = till.policy.__class__(least_fen=1)
    await till.paid_order(fen=1)
    await till.until_quiet()
    await till.money.counter.freeze("a-101-1", ANNA)
    await till.money.counter.close_account("a-101-1", 1, ANNA)
    assert {book: fen for book, fen in (await till.books()).items() if fen} == {
        "clearing/acme/M1": -1,
        "write_off": 1,
    }


async def test_a_debt_of_one_fen_is_paid_and_a_fee_of_one_fen_booked(till):
    await till.account(mode=Mode.SERVER)
    await till.money.counter.charge("a-101-1", "day/1", 1)
    await till.paid_order()
    books = await till.books()
    assert (books["prepaid/a-101-1"], books["receivable/a-101-1"]) == (4999, 0)
    till.company.fee_fen = 1
    await till.until_quiet(2 * 86_400)
    assert (await till.books())["fees/acme"] == -1


async def test_a_delivery_that_waits_for_the_meter_alone_is_not_decided_on(till):
    await till.account()
    till.meters.fail["meter.credit"] = ["lost"]
    till.meters.fail["meter.balance"] = [None, "lost"]
    no = await till.paid_order()
    await till.until_quiet(1)
    assert (await till.delivery(no))["state"] == "unknown"
    for what in ("arrived", "not_arrived"):
        with pytest.raises(Conflict, match="not in doubt"):
            await till.money.counter.resolve_delivery(no, what, "looks like it", ANNA)
    await till.until_quiet()
    assert till.meters.purses["a-101"].ledger == [(1, 5000)] and await till.state(no) == "fulfilled"


async def test_a_delivery_that_is_held_up_before_it_was_sent_did_not_arrive(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 7
    no = await till.paid_order(key="k2")
    await till.until_quiet()
    assert (await till.delivery(no))["needs_person"] == 1
    for what in ("arrived", "not_arrived"):
        with pytest.raises(Conflict, match="not in doubt"):
            await till.money.counter.resolve_delivery(no, what, "looks like it", ANNA)


async def test_a_refund_lets_the_supply_be_looked_at(till):
    no = await server_order(till)
    refund = await give_back(till, no)
    assert f"refund/{refund['no']}" in [key for key, _, _ in await till.outbox("supply")]
    await till.until_quiet()
    assert till.meters.relays == {"a-101": "off"}


async def test_a_message_to_the_customer_says_what_it_is_about(till):
    no = await server_order(till)
    ((key, _, payload),) = await till.outbox("message")
    assert key == f"{no}/credited"
    assert payload == {"order": no, "account": "a-101-1", "what": "credited", "amount_fen": 5000}

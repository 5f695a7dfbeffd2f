"""What a second person has to approve is done with the approval, or not at all."""

from __future__ import annotations

import pytest

from meterhub.errors import Conflict, NotFound
from meterhub.money.approvals import Deed
from meterhub.money.refunds import RefundWish
from meterhub.money.states import Mode


def wish(**changes):
    told = {"action": "money.refund", "about": "a-101-1", "scope": "main/main", "params": {"payment": 1, "fen": 5000}}
    return Deed(**{**told, "amount_fen": 5000, "reason": "moved out", "key": "wish-1", "by": "user:anna", **changes})


async def waiting(till):
    return await till.money.all("approvals.waiting", operator="main", most=9)


async def paid_on_the_server(till):
    await till.account(mode=Mode.SERVER)
    order_no = await till.paid_order()
    (payment,) = await till.rows("select id from payments")
    return order_no, RefundWish(payment["id"], 5000, "moved out")


async def test_an_approval_that_is_used_up_before_its_deed_waits_no_more(till):
    approval = (await till.money.ask_second(wish()))["id"]
    with pytest.raises(Conflict, match="second person"):
        await till.money.accept(approval, "user:anna")
    await till.money.accept(approval, "user:bo")
    assert await waiting(till) == []
    with pytest.raises(Conflict, match="approved already"):
        await till.money.accept(approval, "user:cy")


async def test_a_wish_waits_under_its_key_with_all_that_it_needs(till):
    row = await till.money.ask_second(wish())
    (kept,) = await waiting(till)
    assert {name: kept[name] for name in row} == row
    assert (kept["operator"], kept["scope"], kept["action"]) == ("main", "main/main", "money.refund")
    assert (kept["params_json"], kept["amount_fen"], kept["reason"]) == (
        '{"payment": 1, "fen": 5000}',
        5000,
        "moved out",
    )
    assert (kept["about"], kept["asked_by"], kept["asked_ms"]) == ("a-101-1", "user:anna", till.clock.now())
    assert till.audit == [
        ("money.ask_second", "a-101-1", "user:anna", {"deed": "money.refund", "amount_fen": 5000}),
    ]
    assert (await till.money.ask_second(wish()))["id"] == kept["id"]
    assert (await till.money.ask_second(wish(key="wish-2")))["id"] != kept["id"]
    assert len(await waiting(till)) == 2


async def test_a_second_person_approves_and_it_is_done(till):
    order_no, refund = await paid_on_the_server(till)
    approval = (await till.money.ask_second(wish()))["id"]
    with pytest.raises(Conflict, match="second person"):
        await till.money.approved(approval, "user:anna").refund(refund, "user:anna")
    assert await till.state(order_no) == "fulfilled"
    await till.money.approved(approval, "user:ben").refund(refund, "user:anna")
    (row,) = await till.rows("select state, decided_by, decided_ms from approvals")
    assert row == {"state": "approved", "decided_by": "user:ben", "decided_ms": till.clock.now()}
    told = ("money.approved", "a-101-1", "user:ben", {"deed": "money.refund", "asked_by": "user:anna"})
    assert told in till.audit and await waiting(till) == []
    await till.until_quiet()
    assert await till.state(order_no) == "refunded"
    with pytest.raises(Conflict, match="approved already"):
        await till.money.approved(approval, "user:ben").refund(refund, "user:anna")
    assert len(await till.rows("select 1 from refunds")) == 1


async def test_a_deed_that_cannot_be_done_still_waits(till):
    order_no, refund = await paid_on_the_server(till)
    approval = (await till.money.ask_second(wish()))["id"]
    await till.money.counter.charge("a-101-1", "day/1", 100)
    with pytest.raises(Conflict, match="less than"):
        await till.money.approved(approval, "user:ben").refund(refund, "user:anna")
    assert [row["id"] for row in await waiting(till)] == [approval]
    assert await till.state(order_no) == "fulfilled"


async def test_a_wish_is_refused_or_taken_back_once(till):
    for key, by in (("wish-1", "user:ben"), ("wish-2", "user:anna")):
        approval = (await till.money.ask_second(wish(key=key)))["id"]
        await till.money.refuse(approval, by)
        assert till.audit[-1][:3] == ("money.refused", "a-101-1", by)
        with pytest.raises(Conflict, match="refused already"):
            await till.money.refuse(approval, "user:ben")
    with pytest.raises(NotFound, match="99"):
        await till.money.refuse(99, "user:ben")
    assert await waiting(till) == []


async def test_cash_that_was_approved_is_settled_in_the_same_commit(till):
    from meterhub.money.orders import Wish

    await till.account(mode=Mode.SERVER)
    approval = (await till.money.ask_second(wish(action="money.sell")))["id"]
    order = await till.money.approved(approval, "user:ben").sell_for_cash(Wish("a-101-1", 3000, "r1", "user:anna"))
    assert order["state"] == "fulfilled" and (await till.books())["prepaid/a-101-1"] == 3000
    assert await waiting(till) == []


async def test_an_approval_that_is_used_up_beforehand_is_used_once(till):
    approval = (await till.money.ask_second(wish()))["id"]
    with pytest.raises(Conflict, match="second person"):
        await till.money.accept(approval, "user:anna")
    await till.money.accept(approval, "user:ben")
    told = {"deed": "money.refund", "asked_by": "user:anna"}
    assert till.audit[-1] == ("money.approved", "a-101-1", "user:ben", told) and await waiting(till) == []
    with pytest.raises(Conflict, match="approved already"):
        await till.money.accept(approval, "user:ben")

"""Cases that need a person: each closes when what it is about is over, and by hand only where nothing is left to do."""

from __future__ import annotations

import pytest

from meterhub.errors import BadInput, Conflict, NotFound
from meterhub.money import cases
from meterhub.money.evidence import Evidence, Source
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.money.states import Mode


async def case_of(till, kind):
    (row,) = await till.rows("select * from anomalies where kind = ?", kind)
    return row


async def settle(till, kind, reason="seen to at the company"):
    case = await case_of(till, kind)
    return await till.money.counter.settle_case(case["id"], reason, "user:anna")


async def give_back(till, order_no, fen=5000):
    (payment, *_) = await till.rows("select * from payments where order_no = ? order by id desc", order_no)
    return await till.money.counter.refund(RefundWish(payment["id"], fen, "moved out"), "user:anna")


async def late_order(till):
    await till.account()
    no = await till.start(await till.order())
    await till.until_quiet(1000)
    statement = PaymentStatement(no, PaymentState.PAID, 5000, f"T{no}", paid_ms=till.clock.now())
    await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, statement))
    return no[:-2]


async def test_a_refused_delivery_whose_money_goes_back_needs_nobody_any_more(till):
    await till.account()
    till.meters.purses["a-101"].limit_fen = 100
    no = await till.paid_order()
    await till.until_quiet()
    with pytest.raises(Conflict, match="the meter does not have the credit"):
        await settle(till, cases.REFUSED)
    await give_back(till, no)
    assert await till.cases() == []
    assert (await case_of(till, cases.REFUSED))["solved_by"] == "user:anna"


async def test_a_delivery_held_up_by_a_count_needs_nobody_after_its_money_went_back(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 7
    no = await till.paid_order(key="k2")
    await till.until_quiet(3600)
    with pytest.raises(Conflict, match="waits for a decision"):
        await settle(till, cases.COUNT_GAP)
    await give_back(till, no)
    assert await till.cases() == []
    assert (await till.delivery(no))["needs_person"] == 0


async def test_a_late_payment_stays_a_case_until_its_money_has_a_place(till):
    no = await late_order(till)
    with pytest.raises(Conflict, match="still waits"):
        await settle(till, cases.LATE)
    await give_back(till, no, 2000)
    await till.until_quiet(600)
    assert (await till.rows("select state from refunds"))[0]["state"] == "done"
    with pytest.raises(Conflict, match="still waits"):
        await settle(till, cases.LATE)
    till.company.fail["refund"] = ["before"] * 9
    await give_back(till, no, 3000)
    await settle(till, cases.LATE)


async def test_a_refund_that_cannot_reach_the_payer_stays_a_case_and_one_that_was_refused_ends_with_it(till):
    await till.account(mode=Mode.SERVER)
    no = await till.paid_order()
    till.company.fail["refund"] = ["refused"]
    refund = await give_back(till, no)
    await till.until_quiet(2)
    assert await till.cases() == [cases.REFUND_REFUSED]
    later = RefundStatement(f"{no}00", refund["no"], RefundState.ABNORMAL, reason="card closed")
    await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, later))
    with pytest.raises(Conflict, match="cannot reach the payer"):
        await settle(till, cases.REFUND_ABNORMAL)
    await till.until_quiet(2 * 3600)
    assert await till.state(no) == "refunded"
    assert await till.cases() == []


async def test_what_only_a_person_can_judge_is_closed_with_a_reason_once(till):
    await till.account()
    no = await till.start(await till.order())
    wrong = PaymentStatement(no, PaymentState.PAID, 4999, "T1", paid_ms=1)
    await till.money.settle(Evidence("acme", "M1", "court", Source.NOTICE, wrong))
    (kind,) = await till.cases()
    with pytest.raises(BadInput, match="reason"):
        await settle(till, kind, " ")
    await settle(till, kind)
    assert await till.cases() == []
    assert ("money.settle_case", no[:-2]) in till.notes
    with pytest.raises(Conflict, match="closed already"):
        await settle(till, kind)
    with pytest.raises(NotFound):
        await till.money.counter.settle_case(99, "x", "user:anna")


async def test_what_was_settled_elsewhere_can_be_closed_by_hand(till):
    """Cases of an older hub, which did not close them with their delivery."""
    await till.account()
    no = await till.paid_order()
    await till.until_quiet()
    more = {"operator": "main", "at_ms": 1, "order_no": no}
    (delivery,) = await till.rows("select * from deliveries")
    await till.real.transact(lambda tx: cases.flag(tx, cases.UNCERTAIN, f"{delivery['id']}/1", "old", **more))
    await settle(till, cases.UNCERTAIN)
    assert await till.cases() == []

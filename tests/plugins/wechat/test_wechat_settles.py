"""Each shown notice goes through ``settle()`` and ends in the named state: in books, orders and cases."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from test_wechat_account import meaning_of, samples

from meterhub.errors import NoticeRejected
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import RefundStatement
from meterhub.money.states import Mode

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "money"))
SAMPLES = samples("wechat.notify_policy")
REFUNDS = [one for one in SAMPLES if one["out"]["action"].startswith("refund")]
OUTCOMES = {
    "credit": {Outcome.CREDITED},
    "late_payment": {Outcome.LATE},
    "none": {Outcome.KNOWN, Outcome.PENDING, Outcome.CLOSED},
    "refund_record": {Outcome.REFUND_NOTED, Outcome.REFUND_DONE},
    "refund_alarm": {Outcome.REFUND_NOTED},
    "alarm": {Outcome.SECOND},
}
NO_PROOF = {"signature", "stale", "form", "probe"}
CASES = {Outcome.LATE: "late_payment", Outcome.SECOND: "second_payment", Outcome.REFUND_NOTED: "unknown_order"}


@pytest_asyncio.fixture
async def till(tmp_path, clock):
    from till_house import Till

    house = await Till(tmp_path, clock).open()
    await house.account(mode=Mode.SERVER)
    yield house
    await house.close()


async def settled(till, statement):
    return await till.money.settle(Evidence("wechat", "m", "court", Source.NOTICE, statement))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one["why"][:60])
async def test_a_notice_has_the_effect_that_it_should_have(sample, till):
    wanted = sample["out"]
    for order in sample["in"]["orders"]:
        await till.know(order)
    before = await till.books()
    try:
        statement = meaning_of(sample)
    except NoticeRejected as error:
        assert not wanted["http_ok"] and (error.why in NO_PROOF) == (wanted["action"] == "none")
        return
    if statement is None:
        assert wanted == {"action": "none", "http_ok": True}
        return
    outcome = await settled(till, statement)
    assert outcome.accepted == wanted["http_ok"], outcome
    if outcome.accepted:
        assert outcome in OUTCOMES[wanted["action"]]
        assert await till.cases() == [kind for of, kind in CASES.items() if of is outcome]
    else:
        assert await till.cases() == [outcome]
    if outcome in OUTCOMES["credit"] | OUTCOMES["late_payment"] | OUTCOMES["alarm"]:
        book = {"credit": "prepaid/a-101-1", "late_payment": "suspense", "alarm": "refunds_payable"}[wanted["action"]]
        assert (await till.books())[book] - before.get(book, 0) == 5000
        again = await till.books()
        assert await settled(till, statement) is Outcome.KNOWN and await till.books() == again
    else:
        assert await till.books() == before


@pytest.mark.parametrize("sample", REFUNDS, ids=lambda one: one["why"][:60])
async def test_a_refund_that_was_asked_for_here_ends_as_the_notice_says(sample, till):
    (order,) = sample["in"]["orders"]
    await till.know(order)
    (payment,) = await till.rows("select id from payments")
    statement = meaning_of(sample)
    assert isinstance(statement, RefundStatement)
    refund = await till.money.counter.refund(RefundWish(payment["id"], statement.amount_fen, "moves out"), "user:anna")
    outcome = await settled(till, replace(statement, refund_no=refund["no"]))
    (row,) = await till.rows("select state from refunds")
    if sample["out"]["action"] == "refund_alarm":
        assert (outcome, row["state"]) == (Outcome.REFUND_NOTED, "abnormal")
        assert await till.cases() == ["refund_abnormal"]
    else:
        assert (outcome, row["state"]) == (Outcome.REFUND_DONE, "done") and await till.cases() == []
        assert (await till.books())["clearing/wechat/m"] == statement.amount_fen - order["amount_fen"]

"""Each shown notice goes through ``settle()``: credited, refused, late, second or noted, as the sample says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytest_asyncio
from test_alipay_account import meaning_of, samples

from meterhub.errors import NoticeRejected
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import Mode

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "money"))
OUTCOMES = {
    "credit": {Outcome.CREDITED},
    "late_payment": {Outcome.LATE},
    "none": {Outcome.KNOWN, Outcome.PENDING, Outcome.CLOSED},
    "refund_record": {Outcome.REFUND_NOTED, Outcome.REFUND_DONE},
    "alarm": {Outcome.SECOND},
}
STATES = {"PENDING": "paying", "CLOSED": "expired", "PAID": "paying", "REFUNDED": "paying"}


@pytest_asyncio.fixture
async def till(tmp_path, clock):
    from till_house import Till

    house = await Till(tmp_path, clock).open()
    await house.account(mode=Mode.SERVER)
    yield house
    await house.close()


async def known(till, order):
    """Make an order of a sample as the hub would have it by then."""
    no, fen, paid = order["out_trade_no"], order["amount_fen"], order["state"] in ("PAID", "REFUNDED")
    now_ms = till.clock.now()

    def write(tx):
        place = {"operator": "main", "amount_fen": fen, "created_ms": now_ms, "expires_ms": now_ms + 900_000}
        state = STATES[order["state"]]
        whose = {"scope": "main", "account": "a-101-1", "meter": "a-101", "client_key": no, "created_by": "tenant"}
        tx.insert("orders", {**place, **whose, "no": f"O{no}", "state": state})
        payment = {"provider": order["channel"], "merchant": "m", "payment_account": "court", "way": "qr"}
        tx.insert("attempts", {**place, **payment, "no": no, "order_no": f"O{no}", "state": "pending"})

    await till.real.transact(write)
    if paid:
        statement = PaymentStatement(no, PaymentState.PAID, fen, order["trade_no"], paid_ms=now_ms)
        assert await till.money.settle(Evidence("alipay", "m", "court", Source.NOTICE, statement)) is Outcome.CREDITED


@pytest.mark.parametrize("sample", samples("alipay.notify_policy"), ids=lambda one: one["why"][:60])
async def test_a_notice_has_the_effect_that_it_should_have(sample, till):
    wanted = sample["out"]
    for order in sample["in"]["orders"]:
        await known(till, order)
    before = await till.books()
    try:
        statement = meaning_of(sample)
    except NoticeRejected:
        assert wanted["reply"] == "fail"
        return
    if statement is None:
        assert wanted["reply"] == "success" and wanted["action"] == "none"
        return
    outcome = await till.money.settle(Evidence("alipay", "m", "court", Source.NOTICE, statement))
    assert outcome.accepted == (wanted["reply"] == "success"), outcome
    if outcome.accepted:
        assert outcome in OUTCOMES[wanted["action"]]
    if not outcome.accepted or outcome in OUTCOMES["none"]:
        assert await till.books() == before

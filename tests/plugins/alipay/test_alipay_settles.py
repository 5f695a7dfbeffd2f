"""Each shown notice goes through ``settle()``: credited, refused, late, second or noted, as the sample says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytest_asyncio
from test_alipay_account import meaning_of, samples

from meterhub.errors import NoticeRejected
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.states import Mode

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "money"))
OUTCOMES = {
    "credit": {Outcome.CREDITED},
    "late_payment": {Outcome.LATE},
    "none": {Outcome.KNOWN, Outcome.PENDING, Outcome.CLOSED},
    "refund_record": {Outcome.REFUND_NOTED, Outcome.REFUND_DONE},
    "alarm": {Outcome.SECOND},
}


@pytest_asyncio.fixture
async def till(tmp_path, clock):
    from till_house import Till

    house = await Till(tmp_path, clock).open()
    await house.account(mode=Mode.SERVER)
    yield house
    await house.close()


@pytest.mark.parametrize("sample", samples("alipay.notify_policy"), ids=lambda one: one["why"][:60])
async def test_a_notice_has_the_effect_that_it_should_have(sample, till):
    wanted = sample["out"]
    for order in sample["in"]["orders"]:
        await till.know(order)
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

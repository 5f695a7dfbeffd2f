"""Money into and out of a meter: whole dialogues with a simulated purse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from dlt645_models import act, house

from meterhub.errors import BadInput, NoAnswer, Refused

PURSES = {
    "national": {"variant": "national", "signer": "plaintext"},
    "kede": {"variant": "kede"},
    "order": {"variant": "order"},
}


def prepaid(variant, **more):
    return house(commands={"meter.credit": PURSES[variant] | more, "meter.refund": {}, "meter.open_account": {}})


@pytest.mark.parametrize("variant", PURSES)
def test_money_goes_in_once(variant):
    one, twin, _ = prepaid(variant)
    before = act(one, twin, "meter.balance")[1].detail
    controls, reply = act(one, twin, "meter.credit", amount="100.00", number=1)
    assert controls.count("03") >= 1 and reply.detail["already"] is False
    assert Decimal(reply.detail["balance"]) - Decimal(before["balance"]) == 100
    controls, again = act(one, twin, "meter.credit", amount="100.00", number=1)
    assert again.detail["already"] is True and again.detail["balance"] == reply.detail["balance"]
    assert [row.amount for row in twin.purse.ledger] == [10_000]


@pytest.mark.parametrize("variant", PURSES)
def test_what_the_purse_says_is_what_the_page_shows(variant):
    one, twin, _ = prepaid(variant)
    for name, params in (("meter.balance", {}), ("meter.credit", {"amount": "100.00", "number": 1})):
        _, reply = act(one, twin, name, **params)
        remaining, overdrawn = reply.values["remaining_amount"], reply.values["overdrawn_amount"]
        assert Decimal(reply.detail["remaining"]) * 100 == remaining and overdrawn == 0


@pytest.mark.parametrize("variant", ["national", "kede"])
def test_a_lost_answer_is_settled_by_the_count(variant):
    one, twin, _ = prepaid(variant)
    lost, real = [], twin.answer

    def answer(frame):
        said = real(frame)
        if frame.identifier == "070102FF" and not lost:
            lost.append(said)
            return None
        return said

    twin.answer = answer
    _, reply = act(one, twin, "meter.credit", amount="50", number=1)
    assert lost and reply.detail["count"] == 1 and reply.detail["acknowledged"] is False
    assert len(twin.purse.ledger) == 1


def test_a_lost_request_is_sent_again_by_the_next_call_only():
    one, twin, _ = prepaid("national")
    real, deaf = twin.answer, [True]
    twin.answer = lambda frame: None if frame.identifier == "070102FF" and deaf else real(frame)
    with pytest.raises(NoAnswer) as told:
        act(one, twin, "meter.credit", amount="50", number=1)
    assert "same number" in told.value.hint and not twin.purse.ledger
    deaf.clear()
    assert act(one, twin, "meter.credit", amount="50", number=1)[1].detail["count"] == 1


def test_wrong_numbers_are_refused_here_and_there():
    one, twin, _ = prepaid("national")
    with pytest.raises(Refused, match="next one is 1") as told:
        act(one, twin, "meter.credit", amount="50", number=7)
    assert told.value.reasons == ("recharge count wrong",)
    twin.purse.count = 3
    assert act(one, twin, "meter.credit", amount="50", number=3)[1].detail["already"] is True
    assert twin.purse.ledger == []
    assert twin.purse.answer("070102FF", (5000).to_bytes(4, "little") + (9).to_bytes(4, "little") + bytes(14)) == (
        None,
        5,
    )


def test_the_meters_reasons_are_told():
    one, twin, _ = prepaid("national")
    twin.purse.limit_fen = 20_000
    with pytest.raises(Refused, match="hoarding limit"):
        act(one, twin, "meter.credit", amount="9999", number=1)
    twin.purse.macs = (b"1234", b"5678")
    with pytest.raises(Refused, match="ESAM"):
        act(one, twin, "meter.credit", amount="1", number=1)


def test_macs_come_from_outside_or_not_at_all():
    one, twin, _ = prepaid("national", signer="external")
    twin.purse.macs = (bytes.fromhex("11223344"), bytes.fromhex("55667788"))
    with pytest.raises(BadInput, match="mac_1"):
        act(one, twin, "meter.credit", amount="1", number=1)
    macs = {"mac_1": "44332211", "mac_2": "88776655"}
    assert act(one, twin, "meter.credit", amount="1", number=1, **macs)[1].detail["count"] == 1
    nobody, twin, _ = prepaid("national", signer="none")
    with pytest.raises(BadInput, match="keys"):
        act(nobody, twin, "meter.credit", amount="1", number=1)


def test_a_repeated_purchase_counts_only_when_the_count_shows_it():
    one, twin, _ = prepaid("national")
    with pytest.raises(Refused, match="refused as repeated purchase 1, but its purse does not show it"):
        act(one, twin, "meter.open_account", amount="10", number=1)  # this account is open, and nothing came in
    assert twin.state.credited_fen == 0


def test_the_national_form_tells_the_amount_of_the_last_purchase():
    one, twin, _ = prepaid("national")
    assert act(one, twin, "meter.balance")[1].detail["last"] is None
    _, reply = act(one, twin, "meter.credit", amount="10.50", number=1)
    assert (reply.detail["count"], reply.detail["last"]) == (1, "10.50")
    twin.refuse.add("03330301")
    assert act(one, twin, "meter.balance")[1].detail["last"] is None


def test_where_the_count_is_not_told_the_balance_proves_it():
    one, twin, _ = prepaid("national")
    twin.refuse.add("03330201")
    _, reply = act(one, twin, "meter.credit", amount="10", number=1)
    assert reply.detail["count"] is None and twin.state.credited_fen == 1000


def test_opening_an_account_and_refunds():
    one, twin, _ = prepaid("national")
    twin.purse.opened = False
    assert act(one, twin, "meter.open_account", amount="1", number=1)[1].detail["count"] == 1
    with pytest.raises(BadInput, match="no such command"):
        act(one, twin, "meter.refund", amount="1", number=2)
    for variant in ("kede", "order"):
        one, twin, _ = prepaid(variant)
        act(one, twin, "meter.credit", amount="80", number=1)
        _, reply = act(one, twin, "meter.refund", amount="30", number=2)
        assert twin.state.credited_fen == 5000 and reply.detail["already"] is False


@pytest.mark.parametrize("amount", ["0", "", "-1", "1.234", "many", "12345678"])
def test_amounts_that_are_none(amount):
    one, twin, _ = prepaid("kede")
    with pytest.raises(BadInput):
        act(one, twin, "meter.credit", amount=amount, number=1)


def test_a_meter_without_a_purse():
    one, twin, _ = house()
    with pytest.raises(BadInput, match="purse"):
        act(one, twin, "meter.credit", amount="1", number=1)

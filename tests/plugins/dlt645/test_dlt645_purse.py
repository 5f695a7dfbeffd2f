"""Money into and out of a meter: whole dialogues with a simulated purse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from dlt645_models import ADDRESS, act, house, protocol

from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645.formats import parse
from meterhub_dlt645.frame import PLUS_33, assemble
from meterhub_dlt645.purse import MONEY

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


@pytest.mark.parametrize(("variant", "most"), [("national", 2**32 - 1), ("kede", 99_999_999), ("order", 10**16 - 1)])
def test_numbers_that_no_purchase_has(variant, most):
    for number in (-1, 0, most + 1):
        one, twin, _ = prepaid(variant)
        with pytest.raises(BadInput, match=f"from 1 to {most}, not {number}"):
            act(one, twin, "meter.credit", amount="1", number=number)
        assert twin.purse.ledger == []
    one, twin, _ = prepaid(variant)
    for number in (1, most):
        if variant == "order":
            assert act(one, twin, "meter.credit", amount="1", number=number)[1].detail["number"] == number
        elif number > 1:
            twin.purse.count = 9998
            with pytest.raises(Refused, match=f"next one is 9999, not {most}"):
                act(one, twin, "meter.credit", amount="1", number=most)


# Debt, and what cannot be read.


def status(sign, fen, count, total=0):
    """The status of a Kede purse."""
    return bytes((sign,)) + MONEY.encode(fen) + MONEY.encode(total) + parse("XXXX").encode(count)


@pytest.mark.parametrize(
    ("said", "balance", "remaining", "overdrawn"),
    [
        (status(0, 1250, 3, total=999999), "12.50", "12.50", "0.00"),
        (status(1, 1250, 3), "-12.50", "0.00", "12.50"),
        (status(1, 0, 3), "0.00", "0.00", "0.00"),
        (bytes((1,)) + b"\xff" * 8 + b"\x03\x00", None, None, "0.00"),
    ],
)
def test_a_kede_purse_tells_debt_by_a_sign(said, balance, remaining, overdrawn):
    one, twin, _ = prepaid("kede")
    twin.purse._status = lambda: said
    _, reply = act(one, twin, "meter.balance")
    assert reply.detail["count"] == 3
    assert (reply.detail["balance"], reply.detail["remaining"], reply.detail["overdrawn"]) == (
        balance,
        remaining,
        overdrawn,
    )
    shown = {} if remaining is None else {"remaining_amount": remaining, "overdrawn_amount": overdrawn}
    assert reply.values == {key: int(Decimal(value) * 100) for key, value in shown.items()}


def test_a_kede_purse_that_says_more_or_less_is_not_believed():
    one, twin, _ = prepaid("kede")
    for said in (status(0, 1, 1)[:-1], status(0, 1, 1) + b"\0"):
        twin.purse._status = lambda said=said: said
        with pytest.raises(Refused, match=f"has {len(said)} bytes in place of 11"):
            act(one, twin, "meter.balance")


def answering(twin, **said):
    """Let the twin give these data for identifiers (``_070102FF``), one after the other, the last one for ever.

    None is a refusal; True is what it says itself.
    """
    real, data = twin.answer, {name.lstrip("_"): list(each) for name, each in said.items()}

    def answer(frame):
        left = data.get(frame.identifier)
        now = True if not left else left.pop(0) if len(left) > 1 else left[0]
        if now is True:
            return real(frame)
        if now is None:
            twin.refuse.add(frame.identifier)
            said = real(frame)
            twin.refuse.discard(frame.identifier)
            return said
        return frame_of(twin, frame, now)

    twin.answer = answer


def frame_of(twin, frame, payload):
    """A good answer to a read with this payload."""
    wire = bytes.fromhex(frame.identifier)[::-1]
    head = b"\x68" + bytes.fromhex(ADDRESS)[::-1] + b"\x68"
    return assemble(head, 0x91, (wire + payload).translate(PLUS_33), "2007", b"").raw


@pytest.mark.parametrize("variant", ["national", "order"])
def test_what_is_overdrawn_is_debt(variant):
    one, twin, _ = prepaid(variant)
    if variant == "national":
        answering(twin, _00900200=[MONEY.encode(0)], _00900201=[MONEY.encode(1250)])
    else:
        answering(twin, _028011FF=[MONEY.encode(0) + MONEY.encode(1250) + bytes(57)])
    _, reply = act(one, twin, "meter.balance")
    assert (reply.detail["balance"], reply.detail["overdrawn"]) == ("-12.50", "12.50")
    assert reply.values == {"remaining_amount": 0, "overdrawn_amount": 1250}


def test_a_purse_tells_its_state_as_values_with_their_units():
    one, twin, _ = prepaid("national")
    _, reply = act(one, twin, "meter.credit", amount="10.50", number=1)
    shown = [(value["key"], value["value"], value["unit"]) for value in reply.detail["values"]]
    assert shown == [("balance", reply.detail["balance"], "yuan"), ("purchase_count", "1", None)]
    assert (reply.detail["number"], reply.detail["already"], reply.detail["acknowledged"]) == (1, False, True)
    _, again = act(one, twin, "meter.credit", amount="10.50", number=1)
    assert (again.detail["number"], again.detail["already"]) == (1, True)
    one, twin, _ = prepaid("order")
    keys = [value["key"] for value in act(one, twin, "meter.balance")[1].detail["values"]]
    assert keys == ["balance"]


# What is sent.


def recharge(one, twin, **params):
    """The only recharge command that goes out: the data of its frame, less 33H, behind the identifier."""
    seen = []
    real = twin.answer

    def answer(frame):
        if frame.identifier in ("070102FF", "070108FF"):
            seen.append(frame)
        return real(frame)

    twin.answer = answer
    act(one, twin, "meter.credit", **params)
    (frame,) = seen
    return frame.payload


def test_a_recharge_is_written_as_its_variant_wants_it():
    one, twin, _ = prepaid("kede")
    wanted = "01000000563412000100000000" + "00" * 13
    assert recharge(one, twin, amount="1234.56", number=1).hex() == wanted
    one, twin, _ = prepaid("order")
    wanted = "443322111027000078563412000000000000000061010000000000000000"
    assert recharge(one, twin, amount="100.00", number=12345678).hex() == wanted
    one, twin, _ = prepaid("national")
    wanted = "0000000010270000010000000000000000000000000000000000"
    assert recharge(one, twin, amount="100.00", number=1).hex() == wanted


def test_the_customer_number_goes_with_the_money():
    for spec, params in (({}, {"customer": "123456789012"}), ({"customer": "123456789012"}, {})):
        one, twin, _ = prepaid("national", **spec)
        twin.purse.customer = bytes.fromhex("123456789012")[::-1]
        assert act(one, twin, "meter.credit", amount="1", number=1, **params)[1].detail["count"] == 1
    one, twin, _ = prepaid("national")
    twin.purse.customer = bytes.fromhex("123456789012")[::-1]
    with pytest.raises(Refused, match="customer number"):
        act(one, twin, "meter.credit", amount="1", number=1)


@pytest.mark.parametrize("variant", PURSES)
def test_a_recharge_is_sent_once_and_nothing_comes_between_it_and_its_proof(variant):
    one, twin, _ = prepaid(variant)
    deaf(twin, arrives=False)
    asks = []
    with pytest.raises(NoAnswer):
        dialogue = protocol("2007").command(one, "meter.credit", {"amount": "1", "number": 1})
        talk(protocol("2007"), watched(dialogue, asks), twin)
    (sent,) = [ask for ask in asks if ask.frame.identifier == "070102FF"]
    assert (sent.tries, sent.hold, twin.purse.ledger) == (1, True, [])


def watched(dialogue, asks):
    """The dialogue; what it asks is kept."""
    try:
        ask = next(dialogue)
        while True:
            asks.append(ask)
            try:
                reply = yield ask
            except NoAnswer as error:
                ask = dialogue.throw(error)
            else:
                ask = dialogue.send(reply)
    except StopIteration as end:
        return end.value


def test_the_most_that_can_be_credited_at_once():
    one, twin, _ = prepaid("national")
    with pytest.raises(Refused, match="hoarding limit"):
        act(one, twin, "meter.credit", amount="999999.99", number=1)
    with pytest.raises(BadInput, match="is no amount"):
        act(one, twin, "meter.credit", amount="1000000", number=1)


# The proof where nothing is counted.


def deaf(twin, used_fen=0, arrives=True):
    """The answer to a recharge is lost; the credit goes in, less what is used meanwhile, or not at all."""
    real = twin.answer

    def answer(frame):
        if frame.identifier != "070102FF":
            return real(frame)
        if arrives:
            real(frame)
            twin.state.credited_fen -= used_fen
        return None

    twin.answer = answer


def test_without_a_count_silence_is_no_proof():
    one, twin, _ = prepaid("order")
    deaf(twin, arrives=False)
    with pytest.raises(NoAnswer) as told:
        act(one, twin, "meter.credit", amount="100", number=1)
    assert "same number" in told.value.hint


@pytest.mark.parametrize(
    ("amount", "used_fen", "proved"),
    [
        ("100.00", 0, True), ("100.00", 5000, True), ("100.00", 5001, False), ("100.00", -1, False),
        ("300.00", 5000, True), ("300.00", 5001, False), ("10.00", 500, True), ("10.00", 501, False),
    ],
)  # fmt: skip
def test_without_a_count_the_balance_proves_a_credit_less_what_was_used_meanwhile(amount, used_fen, proved):
    one, twin, _ = prepaid("order")
    deaf(twin, used_fen)
    if proved:
        assert act(one, twin, "meter.credit", amount=amount, number=1)[1].detail["acknowledged"] is False
    else:
        with pytest.raises(NoAnswer):
            act(one, twin, "meter.credit", amount=amount, number=1)


@pytest.mark.parametrize("told", [[None, True], [True, None]])
def test_a_balance_that_was_read_once_only_proves_nothing(told):
    one, twin, _ = prepaid("national")
    twin.refuse.add("03330201")
    answering(twin, _00900200=told)
    with pytest.raises(Refused, match="does not show it"):
        act(one, twin, "meter.credit", amount="10", number=1)


def test_a_counting_purse_that_says_repeated_and_shows_nothing_is_not_believed():
    one, twin, _ = prepaid("national")
    twin.refuse.add("03330201")
    with pytest.raises(Refused, match="refused as repeated purchase 1"):
        act(one, twin, "meter.open_account", amount="10", number=1)


def test_an_order_that_the_meter_has_already_is_in():
    one, twin, _ = prepaid("order")
    act(one, twin, "meter.credit", amount="10", number=7)
    _, again = act(one, twin, "meter.credit", amount="10", number=7)
    assert again.detail["already"] is True and [row.amount for row in twin.purse.ledger] == [1000]

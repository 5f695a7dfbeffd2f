"""When a company is asked about a payment, what it hears of one, and what it may say at a bad moment."""

from __future__ import annotations

import pytest

from meterhub.errors import Conflict, ProviderRefused
from meterhub.money.paying import Browser
from meterhub.money.provider import Checkout
from meterhub.money.statements import PaymentState
from meterhub.money.states import Mode


def listen(till, call="query"):
    """The seconds from now at which the company hears a call."""
    account, since_ms, heard = till.merchants.get("court").account, till.clock.now(), []
    real = getattr(account, call)

    async def noted(*given):
        heard.append((till.clock.now() - since_ms) / 1000)
        return await real(*given)

    setattr(account, call, noted)
    return heard


async def waiting(till):
    rows = await till.rows("select kind from outbox where state = 'waiting' and kind <> 'proof'")
    return sorted(row["kind"] for row in rows)


async def test_a_payment_that_may_be_made_for_hours_is_asked_about_every_quarter_of_an_hour(till):
    till.money.policy = till.policy.__class__(expiry_s=4000)
    await till.account()
    heard = listen(till)
    await till.start(await till.order())
    await till.until_quiet(3999)
    assert heard[6:] == [600, 900, 1800, 2700, 3600]


async def test_who_asks_just_before_the_end_hears_the_end_in_time(till):
    await till.account()
    order = await till.order()
    heard = listen(till)
    await till.start(order)
    await till.until_quiet(899.5)
    await till.money.paying.look_now(order["no"])
    await till.until_quiet(1)
    assert heard[7:] == [899.5, 900, 900]


async def test_a_payment_that_the_company_cannot_close_is_asked_about_until_it_can(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    account = till.merchants.get("court").account
    close = account.close

    async def not_now(attempt):
        """It says yes and does nothing."""

    account.close = not_now
    heard = listen(till)
    await till.until_quiet(2600)
    assert heard[7:] == [900, 900, 1800, 1800]
    assert await till.state(order["no"]) == "paying" and await waiting(till) == ["expire", "watch"]
    account.close = close
    await till.until_quiet(160)
    assert await till.state(order["no"]) == "expired" and await waiting(till) == []
    assert till.company.trades[no].state is PaymentState.CLOSED


async def test_an_order_ends_soon_after_its_last_attempt(till):
    await till.account()
    order = await till.order()
    await till.start(order)
    till.company.fail["close"] = ["before"]
    await till.until_quiet(904)
    assert await till.state(order["no"]) == "paying"
    await till.until_quiet(150)
    assert await till.state(order["no"]) == "expired"


async def test_nothing_is_left_to_be_done_for_an_order_that_is_paid(till):
    await till.account(mode=Mode.SERVER)
    await till.paid_order()
    await till.until_quiet(1100)
    assert await waiting(till) == []


async def test_what_a_company_hears_of_a_payment(till):
    await till.account()
    order = await till.order()
    heard = []
    account = till.merchants.get("court").account
    create = account.create

    async def noted(request):
        heard.append(request)
        return await create(request)

    account.create = noted
    browser = Browser("Mozilla/5.0", "192.0.2.7", "openid")
    checkout = await till.money.paying.open(order["no"], till.merchants.get("court"), "h5", "Meter 101", browser)
    (request,) = heard
    assert (request.no, request.way, request.amount_fen, request.subject) == (
        f"{order['no']}00",
        "h5",
        5000,
        "Meter 101",
    )
    assert (request.created_ms, request.expires_ms) == (order["created_ms"], order["expires_ms"])
    assert request.notify_url == "https://pay.example.org/pay/notify/acme/court"
    assert request.return_url == f"https://pay.example.org/pay/order/{order['no']}"
    assert (request.agent, request.client_ip, request.payer) == ("Mozilla/5.0", "192.0.2.7", "openid")
    assert checkout == Checkout(qr=f"qr:{order['no']}00")
    again = await till.money.paying.open(order["no"], till.merchants.get("court"), "h5", "Meter 101", browser)
    assert again == checkout and len(heard) == 1


async def test_what_a_page_shows_for_a_while_only_is_asked_for_again_after_it(till):
    await till.account()
    order = await till.order()
    account, made = till.merchants.get("court").account, []

    async def create(request):
        made.append(request.no)
        return Checkout(qr=f"{len(made)}", expires_ms=till.clock.now() + 2000)

    async def shown():
        return (await till.money.paying.open(order["no"], till.merchants.get("court"), "qr", "Meter", Browser())).qr

    account.create = create
    assert [await shown(), await shown()] == ["1", "1"]
    await till.clock.advance(2)
    assert await shown() == "2"
    assert len(set(made)) == 1


async def test_at_the_very_end_of_its_time_an_order_is_not_opened_again(till):
    await till.account()
    order = await till.order()
    await till.start(order)
    await till.real.transact(
        lambda tx: [
            tx.execute(f"update {table} set expires_ms = {till.clock.now()}") for table in ("orders", "attempts")
        ]
    )
    with pytest.raises(Conflict, match="time to pay"):
        await till.start(order)


async def test_a_payment_in_the_moment_of_opening_stays_paid(till):
    await till.account(mode=Mode.SERVER)
    order = await till.order()
    account = till.merchants.get("court").account
    create = account.create

    async def paid_at_once(request):
        checkout = await create(request)
        till.company.pay(request.no, till.clock.now())
        await till.notify(request.no)
        return checkout

    account.create = paid_at_once
    await till.start(order)
    assert [row["state"] for row in await till.rows("select state from attempts")] == ["success"]
    assert await till.state(order["no"]) == "fulfilled"


async def test_what_went_wrong_with_one_attempt_is_told_of_that_one_alone(till):
    await till.account()
    first, second = await till.order(), await till.order(key="k2")
    await till.start(first)
    till.company.fail["create"] = ["refused"]
    with pytest.raises(ProviderRefused):
        await till.start(second)
    rows = await till.rows("select order_no, state, error from attempts order by rowid")
    assert [(row["order_no"], row["state"]) for row in rows] == [(first["no"], "pending"), (second["no"], "failed")]
    assert (rows[0]["error"], rows[1]["error"]) == ("", "no")


async def test_a_refusal_because_it_is_paid_credits_at_once(till):
    await till.account()
    order = await till.order()
    await till.until_quiet(1)
    account = till.merchants.get("court").account
    create = account.create

    async def paid_before(request):
        await create(request)
        till.company.pay(request.no, till.clock.now())
        raise ProviderRefused("it is paid")

    account.create = paid_before
    with pytest.raises(ProviderRefused):
        await till.start(order)
    await till.until_quiet(0.001)
    assert await till.state(order["no"]) == "fulfilled"


async def test_the_call_for_a_person_names_order_and_attempt(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    till.company.fail["query"] = ["before"] * 100
    heard = listen(till)
    await till.until_quiet(2 * 86_400)
    assert heard[:7] == [5, 10, 40, 160, 760, 4360, 90_760]
    (case,) = await till.rows("select * from anomalies")
    assert (case["kind"], case["ref"], case["order_no"], case["detail"]) == (
        "attempt_unknown",
        no,
        order["no"],
        "no answer",
    )
    assert (case["operator"], case["at_ms"] - order["created_ms"]) == ("main", 90_760_000)

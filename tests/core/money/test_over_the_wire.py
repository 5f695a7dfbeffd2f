"""The whole path on a whole hub: order, notice, ledger, DL/T 645 on a simulated 2400-baud line, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bank
import pytest

from meterhub.errors import ConfigErrors
from meterhub.hub import load_plugins
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.money.provider import Notice
from meterhub.testing.house import make_site

SITE = """
hub: {name: Test, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}
web: {public_url: "https://pay.example.org"}
plugins: {dlt645: , mbus: , gprs: , acmepay: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0", heartbeat: {every: 60s}}]
collectors: [{id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 2400, parity: even}]}]
payments: [{id: court, type: acmepay, merchant: M1}]
meters:
  - {id: a-101, line: c1-a, profile: kede-2007-prepaid, address: "101"}
  - {id: a-102, line: c1-a, profile: dial-in-2007-prepaid, address: "102"}
  - {id: w-101, line: c1-a, profile: cjt188-water-prepaid, address: "00202601000101"}
  - {id: a-103, line: c1-a, profile: dlt645-2007-single-phase, address: "103"}
"""
PLUGIN = [Path(__file__).parent / "acmepay.py"]


@pytest.fixture
def company():
    return bank.fresh()


async def start(hub, site=SITE):
    return await hub(site, plugins=PLUGIN)


async def open_account(home, meter, mode="meter"):
    run = await home.act("money.open_account", meter, {"mode": mode, "holder": "Ms Li"})
    assert run.error is None, run.error
    return run.result["account"]


async def pay(home, account, key, fen=5000):
    order = await home.money.order(Wish(account, fen, key, "tenant"))
    merchant = home.money.merchants.get("court")
    await home.money.paying.open(order["no"], merchant, "qr", "Meter", Browser())
    no = f"{order['no']}00"
    bank.SHARED.pay(no, home.clock.now())
    answer = await home.money.notice("acmepay", "court", Notice({}, f"paid {no}".encode(), home.clock.now()))
    assert answer.body == b"success"
    return order["no"]


async def delivery(home, order_no):
    return await home.money.one("money.delivery_of_order", order_no=order_no)


async def books(home):
    rows = await home.money.all("ledger.books", operator="main")
    return {row["book"]: row["fen"] for row in rows if row["fen"]}


async def test_a_payment_is_on_the_meter_within_five_seconds(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "a-101")
    before = sim.twins["a-101"].state.remaining_fen()
    order_no = await pay(home, account, "k1")
    paid_ms = clock.now()
    await clock.advance(8)
    row = await delivery(home, order_no)
    assert (row["state"], row["number"]) == ("confirmed", 1)
    assert row["confirmed_ms"] - paid_ms <= 5000
    assert [(one.number, one.amount) for one in sim.twins["a-101"].purse.ledger] == [(1, 5000)]
    assert sim.twins["a-101"].state.remaining_fen() - before <= 5000
    assert await books(home) == {"clearing/acmepay/M1": -5000, f"meter/{account}": 5000}


@pytest.mark.parametrize("faults", [{"drop": 0.4}, {"corrupt": 0.4}, {"late": 0.4}])
async def test_a_bad_line_never_credits_twice(hub, sim, clock, company, faults):
    home = await start(hub)
    account = await open_account(home, "a-101")
    sim.faults("c1-a", **faults)
    orders = [await pay(home, account, f"k{number}", 1000 + number) for number in range(3)]
    await clock.advance(3600)
    sim.faults("c1-a")
    await clock.advance(3 * 3600)
    assert [(await delivery(home, no))["state"] for no in orders] == ["confirmed"] * 3
    assert [(one.number, one.amount) for one in sim.twins["a-101"].purse.ledger] == [(1, 1000), (2, 1001), (3, 1002)]


async def test_a_hub_stopped_while_sending_goes_on_after_the_restart(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "a-101")
    order_no = await pay(home, account, "k1")
    while (await delivery(home, order_no))["state"] == "planned":
        await clock.advance(0.2)
    await clock.advance(0.5)
    await home.stop()
    home = await start(hub)
    await clock.advance(600)
    assert (await delivery(home, order_no))["state"] == "confirmed"
    assert [one.amount for one in sim.twins["a-101"].purse.ledger] == [5000]


async def test_a_meter_without_a_count_that_falls_silent_is_uncertain(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "a-102")
    first = await pay(home, account, "k1")
    await clock.advance(30)
    assert (await delivery(home, first))["state"] == "confirmed"
    second = await pay(home, account, "k2")
    while (await delivery(home, second))["state"] == "planned":
        await clock.advance(0.05)
    sim.silence("a-102")
    await clock.advance(3600)
    row = await delivery(home, second)
    assert (row["state"], row["needs_person"]) == ("unknown", 1)
    (case,) = await home.money.all("cases.open", operator="main", most=10)
    assert (case["kind"], case["order_no"]) == ("uncertain_delivery", second)


async def test_a_purchase_of_somebody_else_under_our_number_is_a_case(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "w-101")
    order_no = await pay(home, account, "k1")
    while (await delivery(home, order_no))["state"] == "planned":
        await clock.advance(0.05)
    sim.silence("w-101")
    await clock.advance(60)
    assert (await delivery(home, order_no))["state"] == "unknown"
    assert sim.twins["w-101"].purse.ledger == []
    assert sim.twins["w-101"].purse.book(bytes.fromhex("0100070000"), False)  # purchase 1 over 7.00
    sim.revive("w-101")
    await clock.advance(3600)
    row = await delivery(home, order_no)
    assert (row["state"], row["needs_person"]) == ("unknown", 1)
    (case,) = await home.money.all("cases.open", operator="main", most=10)
    assert (case["kind"], case["order_no"]) == ("books_differ", order_no)
    assert "purchase 1 over 7.00, the books over 50.00" in case["detail"]
    assert (await books(home))[f"in_flight/{account}"] == 5000


async def test_cash_over_the_counter_and_an_account_that_is_closed(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "a-101")
    for _ in range(2):
        run = await home.act("money.sell", "a-101", {"amount": "20.00"}, key="receipt-1")
        assert run.error is None, run.error
    await clock.advance(30)
    assert [one.amount for one in sim.twins["a-101"].purse.ledger] == [2000]
    assert (await home.act("money.freeze_account", params={"account": account})).result == {"state": "closing"}
    wrong = await home.act("money.close_account", params={"account": account}, reason="moved")
    assert "20.00" in wrong.error["message"]
    done = await home.act("money.close_account", params={"account": account, "meter_credit": "20.00"}, reason="moved")
    assert done.result == {"state": "closed"}
    assert (await home.people.audit.verify()).problem == ""


async def test_credit_is_taken_out_of_a_meter_that_can_do_it_before_its_money_goes_back(hub, sim, clock, company):
    home = await start(hub)
    account, other = await open_account(home, "a-101"), await open_account(home, "w-101")
    sim.faults("c1-a", drop=0.3, late=0.3)
    order_no, kept = await pay(home, account, "k1"), await pay(home, other, "k1")
    await clock.advance(3600)
    wanted = {"payment": 1, "amount": "30.00", "reason": "moved out"}
    run = await home.act("money.refund", params=wanted, reason="moved out")
    assert run.result == {"refund": None}, run.error
    await clock.advance(3600)
    assert [(one.number, one.amount) for one in sim.twins["a-101"].purse.ledger] == [(1, 5000), (2, -3000)]
    (refund,) = await home.money.all("money.refunds_of_order", order_no=order_no)
    assert (refund["state"], refund["amount_fen"]) == ("done", 3000) and company.money() == 7000
    assert (await books(home))[f"meter/{account}"] == 2000
    (payment,) = await home.money.all("money.payments_of_order", order_no=kept)
    run = await home.act("money.refund", params={**wanted, "payment": payment["id"]}, reason="moved out")
    assert "the meter has this credit already" in run.error["message"]


async def test_accounts_are_opened_where_the_meter_can_do_it(hub, sim, clock, company):
    home = await start(hub)
    refused = await home.act("money.open_account", "a-103", {"mode": "meter"})
    assert "keeps no credit" in refused.error["message"]
    await open_account(home, "a-103", "server")
    sim.silence("a-101")
    silent = await home.act("money.open_account", "a-101", {"mode": "meter"})
    assert "cannot be read" in silent.error["message"]
    again = await home.act("money.open_account", "a-103", {"mode": "server"})
    assert again.error["code"] == "conflict"


async def test_no_money_is_sold_to_a_meter_that_sells_volume(hub, sim, clock, company):
    home = await start(hub)
    ask = home.money.ask

    async def in_cubic_metres(*wanted):
        answer = await ask(*wanted)
        return replace(answer, result={**answer.result, "unit": "m³"})

    home.money.ask = in_cubic_metres
    refused = await home.act("money.open_account", "a-101", {"mode": "meter"})
    assert "sells m³" in refused.error["message"] and "server" in refused.error["hint"]


async def test_server_credit_cuts_the_supply_and_brings_it_back(hub, sim, clock, company):
    home = await start(hub)
    account = await open_account(home, "a-101", "server")
    await pay(home, account, "k1", 1000)
    await clock.advance(8 * 3600 - clock.now() / 1000 % 86_400 % 3600)
    await home.money.counter.charge(account, "day/1", 1500)
    await clock.advance(20 * 3600)
    relay = sim.twins["a-101"].state
    assert (await home.money.one("money.account", id=account))["supply"] == "off"
    await pay(home, account, "k2", 1000)
    await clock.advance(60)
    assert (await home.money.one("money.account", id=account))["supply"] == "on"
    decisions = await home.money.all("money.decisions_of", account=account, most=200)
    assert {(row["wanted"], row["allow"]) for row in decisions} >= {("off", 1), ("on", 1)}
    assert relay is not None
    assert (await books(home))[f"prepaid/{account}"] == 500


async def test_a_merchant_account_can_be_tested_and_mistakes_name_their_line(hub, clock, company, tmp_path):
    home = await start(hub)
    run = await home.act("money.test_merchant", params={"account": "court"})
    assert run.result == {"says": "keys and connection work"}
    for wrong, says in [
        ("type: acmepy", "no listed plugin brings"),
        ("merchnt: M1", "merchnt"),
        ("merchant: nobody", "nobody"),
    ]:
        entry = f"{{id: court, type: acmepay, {wrong}}}" if "type" not in wrong else "{id: x, type: acmepy}"
        text = SITE.replace("{id: court, type: acmepay, merchant: M1}", entry)
        with pytest.raises(ConfigErrors) as found:
            load_plugins(make_site(text, tmp_path, PLUGIN, ()), clock, home.spawn)
        assert says in str(found.value) and "site.yaml:" in str(found.value)

"""The tenant's page, the manager's pages of money, and the notices, on a whole hub with a simulated meter."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from meterhub.clock import Clock, utc
from meterhub.devices.device import Status
from meterhub.errors import StoreError
from meterhub.messages.desk import NO_NUMBER
from meterhub.money.evidence import Evidence, Source
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.people.commands import Maintainer
from meterhub.testing.house import Sim, SimulatedHub, make_site
from meterhub.texts import texts_for
from meterhub.web.app import build_app
from meterhub.web.order_steps import OrderView
from meterhub.web.pages import setup_pages
from meterhub.web.tenant_use import Period, main_register, used

MONEY = Path(__file__).parents[1] / "money"
SITE = """
hub: {name: Sunrise Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}
web: {public_url: "https://pay.example.org"}
plugins: {dlt645: , gprs: , acmepay: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0", heartbeat: {every: 60s}}]
collectors: [{id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 115200, parity: even}]}]
payments: [{id: court, type: acmepay, merchant: M1}]
meters:
  - {id: a-101, line: c1-a, profile: kede-2007-prepaid, address: "101", place: Block A / 1 / 101}
  - {id: a-102, line: c1-a, profile: dial-in-2007-prepaid, address: "102"}
  - {id: a-103, line: c1-a, profile: dial-in-2007-prepaid, address: "103"}
"""
LANGUAGES = {"en": "yuan left", "zh-CN": "元", "ja": "元の残高"}


@pytest_asyncio.fixture
async def court(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(MONEY))
    import bank

    clock = Clock()
    sim = Sim(clock)
    hub = SimulatedHub(make_site(SITE, tmp_path, [MONEY / "acmepay.py"], ()), clock, sim)
    company = bank.fresh()
    await hub.start()
    await hub.people.users.add("boss", "a long pass phrase", "owner", by=Maintainer())
    await hub.people.users.add("vera", "a long pass phrase", "viewer", by=Maintainer())
    rooms = hub.rooms()
    app = build_app(rooms, lambda app: setup_pages(app, rooms))
    async with TestClient(TestServer(app), cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        links = {}
        for meter in ("a-101", "a-102"):
            run = await hub.act("money.open_account", meter, {"mode": "meter", "holder": "Ms <Li>"})
            links[meter] = run.result["link"]
        yield SimpleNamespace(hub=hub, client=client, company=company, sim=sim, links=links, clock=clock)
    await hub.stop()


async def page(court, path, status=200, **headers):
    async with court.client.get(path, headers={"Accept": "text/html", **headers}) as answer:
        html = await answer.text()
        assert answer.status == status, html[:800]
        return html


async def form(court, path, accept="text/html", **fields):
    return await court.client.post(path, data=fields, headers={"Accept": accept}, allow_redirects=False)


async def log_in(court, name="boss"):
    court.client.session.cookie_jar.clear()
    answer = await form(court, "/login", name=name, password="a long pass phrase")
    assert answer.status == 303


async def act(court, order_no, **fields):
    csrf = re.search(r'name="csrf" value="([^"]+)"', await page(court, "/account"))[1]
    return await form(court, f"/orders/{order_no}/act", csrf=csrf, **fields)


async def ordered(court, meter="a-101", amount="20.00"):
    """A tenant orders on the page; returns the order's number."""
    html = await page(court, court.links[meter])
    key = re.search(r'name="key" value="([0-9a-f]+)"', html)[1]
    way = re.search(r'name="way" value="([^"]+)"', html)[1]
    csrf = re.search(r'name="csrf" value="([^"]*)"', html)[1]
    fields = {"key": key, "tile": amount, "way": way, "csrf": csrf}
    answer = await form(court, court.links[meter], **fields)
    assert answer.status == 303, await answer.text()
    again = await form(court, court.links[meter], **fields)
    assert again.headers["Location"] == answer.headers["Location"]
    return re.search(r"/pay/order/(\w+)", answer.headers["Location"])[1], answer.headers["Location"]


async def notify(court, body, account="court", provider="acmepay"):
    return await court.client.post(f"/pay/notify/{provider}/{account}", data=body.encode())


async def until(court, order_no, word):
    for _ in range(200):
        html = await page(court, f"/pay/order/{order_no}/steps?word=x")
        if word in html:
            return html
        await asyncio.sleep(0.05)
    raise AssertionError(html)


async def test_a_tenant_pays_and_follows_it_onto_the_meter(court):
    no, place = await ordered(court)
    html = await page(court, place)
    assert '<svg class="qr"' in html and "Waiting for your payment" in html and "Scan with Acme Pay" in html
    court.company.pay(f"{no}00", court.clock.now())
    answer = await notify(court, f"paid {no}00")
    assert (answer.status, await answer.text()) == (200, "success")
    html = await until(court, no, "Done. Thank you.")
    assert "Purchase number 1" in html and "hx-get" not in html
    assert [one.amount for one in court.sim.twins["a-101"].purse.ledger] == [2000]
    assert no in await page(court, court.links["a-101"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_is_plain_in_every_language_and_nothing_in_it_is_inline(court, language):
    html = await page(court, court.links["a-101"], **{"Accept-Language": language})
    assert LANGUAGES[language] in html and "Block A / 1 / 101" in html
    assert not re.search(r"<style|\son\w+=|<script(?![^>]*src=)|\sstyle=", html)
    chosen = await court.client.get(f"{court.links['a-101']}?language=ja", allow_redirects=False)
    assert chosen.status == 303


async def test_what_is_wrong_is_said_on_the_form(court):
    way = "court.qr"
    for fields, words in [
        ({"tile": "abc", "way": way, "key": "k"}, "no amount"),
        ({"tile": "0.50", "way": way, "key": "k"}, "between 1.00 and 5000.00 can be paid, not 0.50"),
        ({"tile": "20.00", "way": "court.gold", "key": "k"}, "choose how to pay"),
        ({"tile": "20.00", "way": way, "key": ""}, "key"),
    ]:
        answer = await form(court, court.links["a-101"], **fields)
        assert answer.status == 400 and words in await answer.text()
    await page(court, "/pay/nobody", 404)
    await page(court, "/pay/order/E1", 404)
    assert (await court.client.get("/pay/part/acmepay.js")).status == 404


async def test_a_company_without_an_answer_is_asked_and_nobody_pays_twice(court):
    court.company.fail["create"] = ["after"] * 9
    no, place = await ordered(court)
    assert "no clear answer" in await page(court, place) or "asking the payment company" in await page(court, place)
    court.company.fail.clear()
    court.company.pay(f"{no}00")
    answer = await form(court, f"/pay/order/{no}/look")
    assert answer.status == 303
    await until(court, no, "Done. Thank you.")


async def test_who_comes_back_with_words_of_a_payment_has_not_paid_by_them(court):
    no, place = await ordered(court)
    words = f"out_trade_no={no}00&trade_no=2026&total_amount=20.00&trade_status=TRADE_SUCCESS&sign=x"
    back = f"{place}{'&' if '?' in place else '?'}{words}"
    assert "Waiting for your payment" in await page(court, back)
    assert "Waiting for your payment" in await page(court, f"/pay/order/{no}/steps?{words}&word=x")
    assert (await form(court, f"/pay/order/{no}/look?{words}")).status == 303
    assert await court.hub.store.query("select 1 from payments") == []
    assert (await court.hub.money.one("money.order", no=no))["state"] != "paid"


async def test_another_way_can_be_chosen_for_the_same_order(court):
    no, _ = await ordered(court)
    html = await page(court, f"/pay/order/{no}")
    assert f'action="/pay/order/{no}/open"' in html
    answer = await form(court, f"/pay/order/{no}/open", way="court.qr")
    assert answer.status == 303
    assert (await form(court, f"/pay/order/{no}/open", way="x.y")).status == 400


async def test_notices_are_taken_without_login_and_forgeries_leave_no_trace(court):
    assert (await notify(court, "forged")).status == 500
    assert (await notify(court, "ignore")).status == 200
    assert (await notify(court, "paid x", account="nobody")).status == 404
    assert (await notify(court, "paid x", provider="other")).status == 404
    assert (await notify(court, "x" * 70_000)).status == 413
    assert (await court.client.get("/pay/notify/acmepay/court")).status == 405
    assert await court.hub.money.all("cases.open", operator="main", most=9) == []


async def test_a_notice_that_comes_in_pieces_is_read_whole(court):
    no, _ = await ordered(court)
    court.company.pay(f"{no}00", court.clock.now())

    async def pieces():
        for piece in (b"paid ", no.encode(), b"00"):
            yield piece
            await Clock().sleep(0.05)

    answer = await court.client.post("/pay/notify/acmepay/court", data=pieces())
    assert (answer.status, await answer.text()) == (200, "success")
    assert [one["attempt"] for one in await court.hub.store.query("select attempt from payments")] == [f"{no}00"]


async def test_a_tenant_reads_of_a_full_disk_what_he_can_do_and_nothing_of_the_machine(court):
    no, _ = await ordered(court)
    writer = court.hub.store._writers["hub.db"]._conn
    writer.execute("pragma query_only = 1")
    for path, fields in ((court.links["a-101"], {"tile": "20.00", "way": "court.qr", "key": "k2"}),
                         (f"/pay/order/{no}/look", {})):  # fmt: skip
        for accept in ("text/html", "*/*"):
            answer = await form(court, path, accept, **fields)
            words = await answer.text()
            assert answer.status == 503 and "cannot keep anything just now" in words and "some minutes" in words
            assert "hub.db" not in words and "data folder" not in words
    assert (await notify(court, f"paid {no}00")).status == 503
    writer.execute("pragma query_only = 0")
    court.company.pay(f"{no}00", court.clock.now())
    assert (await form(court, f"/pay/order/{no}/look")).status == 303
    await until(court, no, "Done. Thank you.")


async def test_energy_that_is_left_is_not_shown_as_money(court):
    estate = court.hub.estate
    meter = estate["a-101"]
    for key, scaled in (("remaining_energy", 19_566), ("remaining_amount", 12_761)):
        estate.set(meter.entity(key), scaled)
    html = await page(court, court.links["a-101"])
    assert "<b>127.61</b>" in html and "195.66" not in html


async def test_a_manager_sees_everything_behind_an_order_and_prints_receipts(court):
    no, _ = await ordered(court)
    court.company.pay(f"{no}00")
    await notify(court, f"paid {no}00")
    await until(court, no, "Done. Thank you.")
    (told,) = await court.hub.money.all("money.delivery_of_order", order_no=no)
    assert f"<b>{told['balance_after']}</b>" in await page(court, court.links["a-101"])
    await log_in(court)
    html = await page(court, f"/orders/{no}")
    for words in ("On the meter", "meter/a-101-1", f"T{no}00", "Acme Pay", "Notice of the company", "tone-ok"):
        assert words in html
    assert "Ms &lt;Li&gt;" in html and "Block A / 1 / 101" in html
    assert 'class="frame sent"' in html and 'class="frame received"' in html
    run = re.search(r'href="(/runs/[^"]+)">Recharge<', html)[1]
    assert "Recharge" in await page(court, run)
    for name in ("orders", "payments", "deliveries", "refunds", "accounts", "messages"):
        await page(court, f"/{name}")
    listed = await page(court, f"/orders?q={no}")
    assert no in listed and '<span class="status tone-ok">' in listed
    assert 'href="/accounts/a-101-1"' in await page(court, "/accounts")
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)[1]
    first = await form(court, f"/orders/{no}/receipt", csrf=csrf, paper="58")
    text = await first.text()
    assert "20.00" in text and "Ms &lt;Li&gt;" in text and "Copy" not in text
    again = await form(court, f"/orders/{no}/receipt", csrf=csrf, paper="a4")
    assert "Copy 1" in await again.text()
    assert (await form(court, f"/orders/{no}/receipt", csrf=csrf, paper="a5")).status == 400
    taken = await act(court, no, action="money.refund", payment="1", amount="20.00", reason="moved out")
    assert taken.status == 303
    assert "out of the meter" in await page(court, f"/orders/{no}")
    await until(court, no, "was given back")
    html = await page(court, f"/orders/{no}")
    assert "moved out" in html and 'name="amount"' not in html  # nothing is left to give back
    returned = await (await form(court, f"/orders/{no}/receipt", csrf=csrf, paper="80")).text()
    assert "<dt>Given back</dt><dd><strong>20.00</strong></dd>" in returned
    strange = await act(court, no, action="money.refund", payment="7", amount="20.00", reason="x")
    assert strange.status == 400


async def test_money_is_found_by_what_a_manager_knows_of_it(court):
    """Whoever calls tells a name, a room, a number, an amount, a day or what the company's own page shows."""
    await court.hub.act("message.set_number", "", {"account": "a-101-1", "number": "138 0013 8765"})
    no, _ = await ordered(court, amount="31.40")
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    await until(court, no, "Done. Thank you.")
    other, _ = await ordered(court, "a-102", "50.00")
    court.company.pay(f"{other}00", court.clock.now())
    await notify(court, f"paid {other}00")
    for one in (no, other):
        await until(court, one, "The message could not be sent")
    await log_in(court)
    await act(court, no, action="money.refund", payment="1", amount="31.40", reason="moved out")
    await until(court, no, "given back")
    told = {
        one["about"]: one["no"] for one in await court.hub.store.query("select no, about from messages order by no")
    }
    today = f"{utc(court.clock.now()).astimezone(court.hub.site.hub.time_zone):%Y-%m-%d}"
    lists = ("orders", "payments", "deliveries", "refunds", "messages")

    async def found(name, word):
        """Which of the two orders a list shows."""
        listed = await page(court, f"/{name}?{urlencode({'q': word})}")
        assert "13800138765" not in listed
        numbers = {one: told[one] if name == "messages" else one for one in (no, other)}
        return [one for one, number in numbers.items() if number in listed]

    for name, word in product(lists, ("block a / 1", "8765", "138 0013 8765", "31.4", "¥31.40", "31.40元")):
        assert await found(name, word) == [no], (name, word)
    for name, word in product(lists, ("Ms <Li>", today, today[:7], today.replace("-", "/"))):
        assert no in await found(name, word), (name, word)
    for name, word in product(("orders", "payments"), (f"T{no}00", f"{no}00")):
        assert await found(name, word) == [no], (name, word)
    for name, word in product(lists, ("2020-01-01", "2026-13-45", "9999-12-31", "0013", "31.41", "Block C")):
        assert await found(name, word) == [], (name, word)
    listed = await page(court, "/accounts?q=8765")
    assert "a-101-1" in listed and "a-102-1" not in listed
    assert "a-101-1" in await page(court, "/accounts?q=1%20/%20101")


async def in_doubt(court):
    """An order whose credit the meter took without saying so."""
    no, _ = await ordered(court, "a-102")
    court.company.pay(f"{no}00")
    real = court.hub.money.deliveries._ask

    async def ask(action, meter, params, key, cause):
        answer = await real(action, meter, params, key, cause)
        if action == "meter.credit":
            from meterhub.money.asking import Answer

            return Answer(code="no_answer", message="the meter did not answer")
        return answer

    court.hub.money.deliveries._ask = ask
    await notify(court, f"paid {no}00")
    await until(court, no, "Somebody from the management")
    return no


async def decide(court, number=1, **fields):
    csrf = re.search(r'name="csrf" value="([^"]+)"', await page(court, "/account"))[1]
    return await form(court, f"/cases/{number}/decide", csrf=csrf, **fields)


async def test_what_needs_a_person_stands_on_one_page_and_is_decided_on_the_order(court):
    await log_in(court)
    assert "Nothing waits for you" in await page(court, "/cases")
    no = await in_doubt(court)
    html = await page(court, "/cases")
    assert "Nobody knows whether the meter has the credit" in html and f"/orders/{no}" in html
    assert (await act(court, no, action="money.decide_delivery", decision="arrived", reason=" ")).status == 400
    done = await act(court, no, action="money.decide_delivery", decision="arrived", reason="the display shows it")
    assert done.status == 303
    assert "Nothing waits for you" in await page(court, "/cases")
    assert "Done. Thank you." in await page(court, f"/orders/{no}")
    assert (await act(court, no, action="meter.open_circuit", reason="x")).status == 400


async def test_a_case_is_decided_on_the_page_of_cases_itself(court):
    await log_in(court)
    no = await in_doubt(court)
    html = await page(court, "/cases")
    for words in ("display", "20.00 yuan", "Ms &lt;Li&gt;", "Acme Pay", f"T{no}00", "The meter does not have it"):
        assert words in html
    held = await court.hub.money.one("money.delivery_of_order", order_no=no)
    after = Decimal(held["balance_before"]) + 20
    assert f"<dt>Balance if it arrived</dt><dd>{after}</dd>" in html and "<dt>The meter says</dt>" in html
    assert (await decide(court, choice="refund", reason="x", key="k")).status == 400  # nobody knows yet where it is
    empty = await decide(court, choice="arrived", reason=" ", key="k0")
    assert empty.status == 400 and "a decision needs a reason" in await empty.text()
    done = await decide(court, choice="not_arrived", reason="the display shows nothing", key="k1")
    assert done.headers["Location"] == f"/cases?done={no}"
    html = await page(court, done.headers["Location"])
    assert "Decided." in html and "The meter does not have the credit" in html and "Give 20.00 yuan back" in html
    done = await decide(court, choice="refund", reason="moves out", key="k2")
    html = await page(court, done.headers["Location"])
    assert "Closed lately" in html and "boss" in html and 'name="choice"' not in html
    assert 'hx-get="/cases/1/follow"' in html or "Nothing waits for you" in html
    assert (await decide(court, choice="refund", reason="moves out", key="k3")).status == 404
    for _ in range(100):
        if (await court.hub.money.one("money.order", no=no))["state"] == "refunded":
            break
        await asyncio.sleep(0.05)
    assert court.company.money() == 0
    assert "the case is closed" in await page(court, "/cases/1/follow")
    await page(court, "/cases/9/follow", 404)


async def test_a_case_that_waits_for_its_money_to_go_back_stays_as_it_is_until_then(court):
    no, _ = await ordered(court)
    await court.hub.store.transact(lambda tx: tx.update("orders", {"no": no}, {"state": "expired"}))
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    court.company.fail["refund"] = ["before"] * 99
    await log_in(court)
    await decide(court, choice="refund", reason="moves out", key="k")
    assert 'hx-get="/cases/1/follow"' in await page(court, "/cases")
    assert await page(court, "/cases/1/follow", 204) == ""
    await log_in(court, "vera")
    await page(court, "/cases/1/follow", 404)


async def test_the_start_page_says_what_money_did_today_and_what_of_it_waits(court):
    await log_in(court)
    await in_doubt(court)  # paid long ago
    no, _ = await ordered(court, "a-102", "30.00")
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    html = await page(court, "/")
    told = dict(re.findall(r'<span class="label">([^<]+)</span><span class="sum"><b>([^<]+)</b>', html))
    assert told["Paid today"] == "30.00" and told["Given back today"] == "0.00"
    assert told["Needs a person"] >= "1" and told["Paid, not done yet"] >= "1"
    for href in re.findall(r'class="lead[^"]*" href="([^"]+)"', html):
        await page(court, href.replace("&amp;", "&"))
    await log_in(court, "vera")
    assert "Paid today" not in await page(court, "/")


@pytest.mark.parametrize(("ahead_s", "says"), [(-86_400, "1440 min behind"), (600, "10 min ahead"), (60, "")])
async def test_the_start_page_names_a_clock_with_which_no_payment_can_be_opened(court, ahead_s, says):
    court.hub.plugins.http.ahead_s = ahead_s
    await log_in(court)
    html = await page(court, "/")
    assert says in html and ("The clock of this machine" in html) == bool(says)


async def test_a_case_about_which_nothing_is_left_to_do_is_closed_with_a_reason(court):
    no, _ = await ordered(court)
    await notify(court, f"paid {no}00")  # it says so of an attempt that the company does not have
    wrong = PaymentStatement(f"{no}00", PaymentState.PAID, 1999, "T1", paid_ms=1)
    await court.hub.money.settle(Evidence("acmepay", "M1", "court", Source.NOTICE, wrong))
    await log_in(court, "vera")
    await page(court, "/cases", 403)
    assert (await decide(court, choice="settle", reason="x", key="k")).status == 404
    await log_in(court)
    assert "The amount is not that of the order" in await page(court, "/cases")
    assert (await decide(court, choice="settle", reason="a test of the company", key="k")).status == 303
    html = await page(court, "/cases")
    assert "Nothing waits for you" in html and "The amount is not that of the order" in html
    listed = json.loads(await page(court, "/api/v1/collections/cases?state=closed"))
    assert [(one["kind"], one["order_no"], one["solved_by"]) for one in listed["items"]] == [
        ("wrong_amount", no, "user:boss")
    ]


async def test_a_late_payment_over_the_limit_is_credited_by_two_people(court):
    court.hub.money.policy = replace(court.hub.money.policy, two_people_fen=1000)
    await court.hub.people.users.add("wang", "a long pass phrase", "owner", by=Maintainer())
    no, _ = await ordered(court)
    await court.hub.store.transact(lambda tx: tx.update("orders", {"no": no}, {"state": "expired"}))
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    await log_in(court)
    html = await page(court, "/cases")
    assert "A payment came too late" in html and "Give 20.00 yuan back" in html and "2000 fen" not in html
    assert "Paid too late" in await page(court, f"/pay/order/{no}")
    asked = await decide(court, choice="credit", reason="the tenant wants it", key="k")
    assert asked.headers["Location"] == "/cases"
    assert "the tenant wants it" in await page(court, "/cases")
    assert (await court.hub.money.one("money.order", no=no))["state"] == "expired"
    await log_in(court, "wang")
    assert (await approve(court, "approve")).status == 303
    await until(court, no, "Done. Thank you.")
    assert 'name="choice"' not in await page(court, "/cases")


class Stranded:
    """A refund over the limit that cannot reach the payer, and a company that takes it to a card."""

    def __init__(self, court):
        self.court, self.asked = court, []

    async def open(self):
        court, money = self.court, self.court.hub.money
        money.policy = replace(money.policy, two_people_fen=1000)
        await court.hub.people.users.add("wang", "a long pass phrase", "owner", by=Maintainer())
        opened = await court.hub.act("money.open_account", "a-103", {"mode": "server"})
        court.links["a-103"] = opened.result["link"]
        no, _ = await ordered(court, "a-103")
        court.company.pay(f"{no}00", court.clock.now())
        await notify(court, f"paid {no}00")
        court.company.fail["refund"] = ["before"] * 99
        refunded = await court.hub.act("money.refund", params={"payment": 1, "amount": "20.00", "reason": "moves out"})
        self.no, self.order = refunded.result["refund"], no
        late = RefundStatement(f"{no}00", self.no, RefundState.ABNORMAL, reason="card closed")
        await money.settle(Evidence("acmepay", "M1", "court", Source.NOTICE, late))
        money.merchants.get("court").account.redirect_refund = self.redirect
        return self

    async def redirect(self, request, refund_id, card):
        self.asked.append(card)
        return RefundStatement(request.attempt.no, request.refund_no, RefundState.PROCESSING, 2000)


CARD = {"bank": "ICBC_DEBIT", "card": "6222020000001234567", "holder": "Li Lei"}


async def test_a_refund_to_a_card_over_the_limit_needs_two_people_and_the_card_is_stored_nowhere(court):
    stranded = await Stranded(court).open()
    await log_in(court)
    html = await page(court, "/cases")
    assert "A refund cannot reach the payer" in html and "Card number" in html
    half = await decide(court, choice="card", reason="x", key="k0", card="6222")
    assert half.status == 400 and "a card has a bank" in await half.text()
    asked = await decide(court, choice="card", reason="the card was closed", key="k1", **CARD)
    assert asked.headers["Location"] == "/cases" and stranded.asked == []
    again = await decide(court, choice="card", reason="the card was closed", key="k2", **CARD)
    assert again.status == 400 and "waits for a second person already" in await again.text()
    assert (await approve(court, "approve")).status == 400
    await log_in(court, "wang")
    assert "**** 4567" in await page(court, "/cases")
    assert (await approve(court, "approve")).status == 303
    assert [one.number for one in stranded.asked] == [CARD["card"]]
    html = await page(court, "/cases")
    assert "on its way back" in html and 'name="choice"' not in html
    for table in await court.hub.store.query("select name from sqlite_master where type = 'table'"):
        rows = str(await court.hub.store.query(f"select * from {table['name']}"))
        assert CARD["card"] not in rows and CARD["holder"] not in rows, table["name"]


async def test_a_card_that_was_forgotten_by_a_restart_is_asked_for_again(court):
    stranded = await Stranded(court).open()
    await log_in(court)
    await decide(court, choice="card", reason="the card was closed", key="k1", **CARD)
    court.hub.actions.get("money.approve").handler.__self__._redirects._cards.clear()  # as a restart does
    await log_in(court, "wang")
    lost = await approve(court, "approve")
    assert lost.status == 400 and "is not known any more" in await lost.text() and stranded.asked == []
    assert (await approve(court, "refuse")).status == 303
    await decide(court, choice="merchant", reason="paid by hand", key="k2")
    await log_in(court)
    assert (await approve(court, "approve")).status == 303
    assert stranded.asked == [None]


async def test_money_that_stands_still_is_told_on_the_first_page_and_by_the_health_check(court):
    await log_in(court)
    assert "Money stands still" not in await page(court, "/")
    court.hub.money.outbox.stand_still(StoreError("the disk is full"))
    html = await page(court, "/")
    assert "Money stands still" in html and "the disk is full" in html
    health = json.loads(await page(court, "/healthz"))
    assert (health["status"], health["faulty"]) == ("degraded", ["money"])
    assert 'meterhub_faulty{part="money"} 1.0' in await page(court, "/metrics")
    await court.hub.money.outbox.look()
    assert "Money stands still" not in await page(court, "/")


async def test_whoever_may_not_see_money_does_not(court):
    no, _ = await ordered(court)
    await log_in(court, "vera")
    await page(court, f"/orders/{no}", 404)
    await page(court, "/cases", 403)
    await page(court, "/orders", 404)


async def test_a_receipt_needs_a_payment(court):
    no, _ = await ordered(court)
    await log_in(court)
    csrf = re.search(r'name="csrf" value="([^"]+)"', await page(court, f"/orders/{no}"))[1]
    assert (await form(court, f"/orders/{no}/receipt", csrf=csrf, paper="80")).status == 400
    assert "bank" in sys.modules


async def test_the_proof_of_a_night_is_a_page_and_a_signed_file(court):
    from datetime import date

    await log_in(court)
    prover = court.hub.money.prover
    await prover._keep(date(2026, 1, 1), await prover._compare(date(2026, 1, 1)))
    html = await page(court, "/proofs/2026-01-01")
    assert "Everything is equal" in html and "Counts in the meters" in html
    content = await (await court.client.get("/proofs/2026-01-01.json")).read()
    signature = await (await court.client.get("/proofs/2026-01-01.sig")).text()
    from meterhub.money.seal import verify

    public = (court.hub.site.hub.data / "proofs" / "proof.pub").read_text()
    assert verify(public, content, signature)
    await page(court, "/proofs/2026-01-09", 404)


@pytest.mark.parametrize(
    "row, label, at",
    [
        ({"state": "done", "told": "delivered", "done_ms": 5}, "Message sent", "done"),
        ({"state": "done", "told": "failed", "done_ms": 5, "reason": "x"}, "The message could not be sent", ""),
        ({"state": "waiting", "told": None, "done_ms": None}, "Message on its way", "at"),
        ({"state": "no_way", "told": None, "done_ms": None}, "No message: none is set up", ""),
    ],
)
def test_the_timeline_never_says_of_a_failed_message_that_it_was_sent(row, label, at):
    order = {"state": "fulfilled", "created_ms": 1, "paid_ms": 2, "done_ms": 3}
    last = OrderView(order, [], [], [], None, [row]).steps(texts_for("en"), {})[-1]
    assert (last.label, last.at) == (label, at)


@pytest.mark.parametrize(("reason", "says"), [(NO_NUMBER, "tell the management yours"), ("MK:0013", "changes nothing")])
def test_a_tenant_reads_what_a_failed_message_means(reason, says):
    order = {"state": "fulfilled", "created_ms": 1, "paid_ms": 2, "done_ms": 3}
    row = {"state": "done", "told": "failed", "done_ms": 5, "reason": reason}
    assert says in OrderView(order, [], [], [], None, [row]).steps(texts_for("en"), {})[-1].note


@pytest.mark.parametrize(
    ("reason", "says"), [("second_payment", "41.00 yuan that were paid twice"), ("x", "41.00 yuan")]
)
def test_a_tenant_reads_how_much_went_back_and_why(reason, says):
    order = {"state": "fulfilled", "created_ms": 1, "paid_ms": 2, "done_ms": 3}
    refund = {"state": "done", "reason": reason, "amount_fen": 4100, "created_ms": 4, "done_ms": 5}
    assert OrderView(order, [], [], [refund], None, []).steps(texts_for("en"), {})[-1].note == says


@pytest.mark.parametrize(
    ("fault", "says"), [("before", "so there is nothing to pay yet"), ("refused", "opens no payment now")]
)
async def test_a_company_that_opens_no_payment_leaves_the_tenant_other_ways(court, fault, says):
    """It hangs, or it refuses all that a hub with a wrong clock asks: nobody has paid, so nobody is told to wait."""
    court.company.fail["create"] = [fault, fault, None]
    no, place = await ordered(court)
    html = await page(court, place)
    assert says in html and "Try again" in html and "I have paid" not in html
    csrf = re.search(r'name="csrf" value="([^"]*)"', html)[1]
    way = re.search(r'name="way" value="([^"]+)"', html)[1]
    court.company.fail.clear()
    again = await form(court, f"/pay/order/{no}/open", csrf=csrf, way=way)
    assert '<svg class="qr"' in await page(court, again.headers["Location"])


async def test_a_payment_that_was_shown_may_have_been_paid_when_its_company_falls_silent(court):
    no, place = await ordered(court)
    await page(court, place)
    gone = {"state": "unknown", "error": "no answer"}
    await court.hub.store.transact(lambda tx: tx.update("attempts", {"order_no": no}, gone))
    html = await page(court, place)
    assert "Do not pay again" in html and "I have paid" in html


async def test_what_was_typed_is_not_lost_when_it_cannot_be_paid(court):
    html = await page(court, court.links["a-101"])
    way = re.findall(r'name="way" value="([^"]+)"', html)[-1]
    csrf = re.search(r'name="csrf" value="([^"]*)"', html)[1]
    answer = await form(court, court.links["a-101"], csrf=csrf, key="k", amount="6000", tile="50.00", way=way)
    html = await answer.text()
    assert 'value="6000"' in html and f'value="{way}" required checked' in html and 'value="50.00" checked' in html


def test_a_meter_that_is_known_to_be_silent_is_not_said_to_be_written_to():
    order = {"state": "paid", "created_ms": 1, "paid_ms": 2, "done_ms": None}
    delivery = {"state": "planned", "needs_person": 0, "error": ""}
    assert OrderView(order, [], [], [], delivery, []).word == "planned"
    assert OrderView(order, [], [], [], delivery, [], reachable=False).word == "silent"


async def test_what_is_owed_is_the_first_amount_to_pay_and_a_cut_supply_is_named(court):
    opened = await court.hub.act("money.open_account", "a-103", {"mode": "server"})
    await court.hub.act("money.charge", params={"account": "a-103-1", "amount": "12.50", "reason": "read"})
    gone = {"supply": "off"}
    await court.hub.store.transact(lambda tx: tx.update("money_accounts", {"id": "a-103-1"}, gone))
    html = await page(court, opened.result["link"])
    assert re.findall(r'name="tile" value="([^"]+)"( checked)?', html)[:2] == [("12.50", " checked"), ("20.00", "")]
    assert "The supply is cut off" in html
    html = await page(court, "/pay/a-103")  # whoever knows the number alone learns nothing of it
    assert "12.50" not in html and "cut off" not in html


async def test_a_tenant_is_told_before_paying_that_the_meter_is_silent(court):
    court.hub.estate["a-101"].status = Status.LINK_DOWN
    assert "What you pay is sent to it as soon as it answers" in await page(court, court.links["a-101"])


async def test_the_number_of_a_meter_lets_pay_but_tells_nothing_of_its_tenant(court):
    no, _ = await ordered(court)
    court.hub.estate.set(court.hub.estate["a-101"].entity("remaining_amount"), 12_761)
    html = await page(court, "/pay/a-101")
    for private in ("127.61", "yuan left", no, "Li", court.links["a-101"]):
        assert private not in html
    court.links["a-101"] = "/pay/a-101"
    stranger, place = await ordered(court)
    assert 'href="/pay/a-101"' in await page(court, place)
    order = await court.hub.money.one("money.order", no=stranger)
    assert order["created_by"] == "passer-by"


async def on_account(court, **fields):
    csrf = re.search(r'name="csrf" value="([^"]+)"', await page(court, "/account"))[1]
    return await form(court, "/accounts/a-101-1/act", csrf=csrf, **fields)


async def test_a_refusal_is_told_and_another_try_is_offered(court):
    no, place = await ordered(court)
    await page(court, place)
    court.company.trades[f"{no}00"].state = PaymentState.CLOSED
    html = await page(court, f"/pay/order/{no}")
    csrf = re.search(r'name="csrf" value="([^"]*)"', html)[1]
    await form(court, f"/pay/order/{no}/look", csrf=csrf)
    assert "nothing was taken" in await until(court, no, "The payment was not made")
    html = await page(court, place)
    assert "Try again" in html and "Waiting for your payment" not in html
    way = re.search(r'name="way" value="([^"]+)"', html)[1]
    answer = await form(court, f"/pay/order/{no}/open", csrf=csrf, way=way)
    assert "Waiting for your payment" in await page(court, answer.headers["Location"])
    court.company.pay(f"{no}01", court.clock.now())
    await notify(court, f"paid {no}01")
    await until(court, no, "Done. Thank you.")


async def test_companies_are_tried_on_their_page(court):
    await log_in(court)
    html = await page(court, "/merchants")
    assert "Acme Pay" in html and "https://pay.example.org/pay/notify/acmepay/court" in html
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)[1]
    answer = await form(court, "/merchants", csrf=csrf, kind="payment", name="court")
    assert "tone-ok" in await answer.text()
    court.company.fail["test"] = ["refused"]
    answer = await form(court, "/merchants", csrf=csrf, kind="payment", name="court")
    assert 'role="alert"' in await answer.text()
    assert (await form(court, "/merchants", csrf=csrf, kind="x", name="court")).status == 404


async def test_a_message_shows_each_step_it_took(court):
    no, _ = await ordered(court)
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    await until(court, no, "Done. Thank you.")
    await log_in(court)
    await until(court, no, "The message could not be sent")
    (message,) = await court.hub.store.query("select no from messages")
    html = await page(court, f"/messages/{message['no']}")
    assert (
        "no mobile number is known; enter it on the page of the account" in html
        and f"/orders/{no}" in html
        and "Credit has arrived" in html
    )
    assert f"/messages/{message['no']}" in await page(court, f"/orders/{no}")
    assert "no mobile number is known" in await page(court, "/messages")
    await page(court, "/messages/M0", 404)


async def test_a_renewed_link_leaves_the_old_sticker_with_nothing(court):
    await log_in(court)
    old = court.links["a-101"]
    html = await page(court, "/accounts/a-101-1")
    assert f"https://pay.example.org{old}" in html and 'class="qr"' in html
    assert f"https://pay.example.org{old}" in await page(court, "/devices/a-101")
    assert "Scan to see" in await page(court, "/accounts/a-101-1/sticker")
    assert (await on_account(court, action="money.renew_link", key="k")).status == 303
    await page(court, old, 404)
    account = await court.hub.money.one("money.account", id="a-101-1")
    assert "yuan left" in await page(court, f"/pay/{account['link']}")


async def test_a_sale_at_the_counter_sent_twice_is_one(court):
    await log_in(court)
    sale = {"action": "money.sell", "amount": "30", "key": "form-1"}
    first, again = await on_account(court, **sale), await on_account(court, **sale)
    assert first.status == 303 and first.headers["Location"] == again.headers["Location"]
    await until(court, first.headers["Location"].rpartition("/")[2], "Done. Thank you.")
    assert "30.00" in await page(court, "/accounts/a-101-1")
    assert (await on_account(court, action="money.sell", amount="1e9", key="form-2")).status == 400
    assert (await on_account(court, action="people.add", key="form-3")).status == 400


async def test_an_account_is_led_to_its_end_step_by_step(court):
    await log_in(court)
    assert (await on_account(court, action="money.close_account", key="a")).status == 400
    assert (await on_account(court, action="money.freeze_account", key="b")).status == 303
    assert "Close the account" in await page(court, "/accounts/a-101-1")
    assert (await on_account(court, action="money.close_account", meter_credit="0.00", key="c")).status == 303
    await page(court, court.links["a-101"], 404)
    html = await page(court, "/devices/a-101")
    assert "Nobody can pay for this meter yet" in html
    html = await page(court, "/devices/a-101/account")
    assert "In the meter" in html and "Paid later" in html
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)[1]
    opening = {"csrf": csrf, "mode": "meter", "holder": "Mr Wu", "phone": "no number"}
    assert (await form(court, "/devices/a-101/account", **opening)).status == 400
    answer = await form(court, "/devices/a-101/account", **{**opening, "phone": "138 0000 0000"})
    assert answer.headers["Location"] == "/accounts/a-101-2"
    html = await page(court, "/accounts/a-101-2")
    assert "Mr Wu" in html and "138****0000" in html


async def approve(court, decision):
    html = await page(court, "/cases")
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)[1]
    number = re.search(r'name="approval" value="(\d+)"', html)[1]
    return await form(court, "/cases/approve", csrf=csrf, approval=number, decision=decision)


async def test_over_the_limit_a_second_person_approves_and_the_deed_is_done_once(court):
    court.hub.money.policy = replace(court.hub.money.policy, two_people_fen=1000)
    await court.hub.people.users.add("wang", "a long pass phrase", "owner", by=Maintainer())
    await log_in(court)
    assert (await on_account(court, action="money.sell", amount="10", key="k0")).headers["Location"] != "/cases"
    for _ in range(2):
        assert (await on_account(court, action="money.sell", amount="10.01", key="k1")).headers["Location"] == "/cases"
    html = await page(court, "/cases")
    assert html.count("10.01") == 1 and "somebody else has to approve" in html
    own = await approve(court, "approve")
    assert own.status == 400 and "a second person has to approve this" in await own.text()
    assert len(await court.hub.store.query("select no from orders")) == 1
    await log_in(court, "wang")
    assert (await approve(court, "approve")).status == 303
    orders = await court.hub.store.query("select * from orders order by amount_fen")
    assert [(one["amount_fen"], one["created_by"]) for one in orders] == [(1000, "user:boss"), (1001, "user:boss")]
    await until(court, orders[1]["no"], "Done. Thank you.")
    again = await court.hub.act("money.approve", params={"approval": 1, "decision": "approve"})
    assert "approved already" in again.error["message"]
    assert len(await court.hub.store.query("select no from orders")) == 2
    assert (await court.hub.people.audit.verify()).problem == ""


async def test_a_refund_over_the_limit_can_be_refused_by_the_second_person(court):
    court.hub.money.policy = replace(court.hub.money.policy, two_people_fen=1000)
    await court.hub.people.users.add("wang", "a long pass phrase", "owner", by=Maintainer())
    no, _ = await ordered(court)
    court.company.pay(f"{no}00", court.clock.now())
    await notify(court, f"paid {no}00")
    await until(court, no, "Done. Thank you.")
    await log_in(court)
    answer = await act(court, no, action="money.refund", payment="1", amount="20.00", reason="moved out", key="k")
    assert answer.headers["Location"] == "/cases"
    await log_in(court, "wang")
    assert "moved out" in await page(court, "/cases")
    assert (await approve(court, "refuse")).status == 303
    assert "moved out" not in await page(court, "/cases")
    assert await court.hub.money.all("money.withdrawals_of_order", order_no=no) == []


async def test_a_tenant_has_the_meter_read_and_sees_value_source_and_age(court):
    html = await page(court, court.links["a-101"])
    assert "not read yet" in html and "Read now" in html
    asked = await form(court, court.links["a-101"] + "/now", csrf="")
    assert asked.headers["Location"] == court.links["a-101"] + "?now=read#now"
    html = await page(court, asked.headers["Location"].partition("#")[0])
    assert "The meter has answered." in html and "As the meter says" in html and "kWh" in html
    assert (await form(court, court.links["a-101"] + "/now", csrf="")).status == 303
    often = await form(court, court.links["a-101"] + "/now", csrf="")
    assert "now=often" in often.headers["Location"]
    assert "half a minute" in await page(court, often.headers["Location"].partition("#")[0])
    assert (await form(court, "/pay/a-101/now", csrf="")).status == 404
    assert "Read now" not in await page(court, "/pay/a-101")


async def test_a_meter_that_is_silent_shows_its_last_value_and_says_so(court):
    await form(court, court.links["a-101"] + "/now", csrf="")
    shown = re.search(r"<b>([0-9.,]+)</b> kWh", await page(court, court.links["a-101"]))[1]
    court.hub.estate.set_status(court.hub.estate["a-101"], Status.NO_ANSWER)
    court.hub.reader.lines.clear()
    asked = await form(court, court.links["a-101"] + "/now", csrf="")
    html = await page(court, asked.headers["Location"].partition("#")[0])
    assert "does not answer now" in html and f"<b>{shown}</b> kWh" in html


def at(zone, *when):
    return int(datetime(*when, tzinfo=zone).timestamp() * 1000)


async def remember(court, rows):
    """Readings of the past of a-101; its account was opened on 2025-03-10."""
    zone, store = court.hub.site.hub.time_zone, court.hub.store
    entity = main_register(court.hub.estate["a-101"])
    (series,) = (await store.series([entity.id])).values()
    await store.record([(series, at(zone, *when), value, 0) for when, value in rows])
    opened = {"opened_ms": at(zone, 2025, 3, 10, 9)}
    await store.transact(lambda tx: tx.update("money_accounts", {"meter": "a-101"}, opened))
    return entity, zone


PAST = [((2025, 2, 1), 0), ((2025, 3, 1), 90_000), ((2025, 3, 9, 23, 59), 91_000), ((2025, 3, 10, 12), 91_233),
        ((2025, 3, 31, 23), 95_001), ((2025, 4, 1, 1), 95_012), ((2025, 4, 1, 13), 95_100), ((2025, 4, 30, 12), 99_999),
        ((2025, 12, 31, 12), 123_457)]  # fmt: skip


async def test_the_days_months_and_years_of_a_tenant_add_up_to_the_meters_own_difference(court):
    entity, zone = await remember(court, PAST)
    store, today, now_ms = court.hub.store, date(2026, 1, 5), at(zone, 2026, 1, 5)
    opened = at(zone, 2025, 3, 10, 9)

    async def parts(span, name):
        return await used(store, entity, Period.of(span, name, today), opened, now_ms, zone)

    year = await parts("year", "2025")
    assert year[:2] == [None, None]  # somebody else lived there
    assert sum(one or 0 for one in year) == 123_457 - 91_000
    march, april = await parts("month", "2025-03"), await parts("month", "2025-04")
    assert march[:9] == [None] * 9 and sum(one or 0 for one in march) == year[2] == 95_001 - 91_000
    assert sum(one or 0 for one in april) == year[3] == 99_999 - 95_001
    hours = await parts("day", "2025-04-01")
    assert len(hours) == 24 and sum(one or 0 for one in hours) == april[0] == 95_100 - 95_001
    assert await parts("year", "2024") == [None] * 12
    assert Period.of("month", "9999-99", today).name == "2026-01" and Period.of("x", "", today).span == "month"


async def test_the_history_is_the_tenants_alone_and_leads_from_year_to_day(court):
    await remember(court, PAST)
    link = court.links["a-101"]
    html = await page(court, f"{link}/use?by=year&at=2025")
    assert "Total 324.57 kWh" in html and 'data-v="39.' not in html and "at=2024" not in html
    assert "by=month&amp;at=2025-12" in html and "by=day&amp;at=2025-12-31" in html
    assert "Total 40.01 kWh" in await page(court, f"{link}/use?by=month&at=2025-03")
    await page(court, "/pay/a-101/use", 404)
    for language in LANGUAGES:
        await page(court, f"{link}/use", **{"Accept-Language": language})


async def test_the_money_of_a_month_is_that_of_the_ledger(court):
    opened = await court.hub.act("money.open_account", "a-103", {"mode": "server"})
    link = opened.result["link"]
    await log_in(court)
    for amount in ("30", "12.34"):
        sold = await court.hub.act("money.sell", "a-103", {"amount": amount})
    await court.hub.act("money.charge", params={"account": "a-103-1", "amount": "40.01", "reason": "november"})
    (last,) = await court.hub.money.all("money.payments_of_order", order_no=sold.result["order"])
    given = {"payment": last["id"], "amount": "2.33", "reason": "too much"}
    await court.hub.act("money.refund", params=given)
    html = await page(court, f"{link}/use")
    month = utc(court.clock.now()).astimezone(court.hub.site.hub.time_zone).strftime("%Y-%m")
    row = re.search(rf"<td>{month}</td>(.*?)</tr>", html)[1]
    assert re.findall(r"[0-9]+[.][0-9]{2}", row) == ["42.34", "2.33", "40.01"]
    assert html.count("/pay/order/") == 2


async def api(court, method, path, **more):
    if not hasattr(court, "token"):
        court.token = await court.hub.people.tokens.create(court.hub.people.users.get("boss"), "t", by=Maintainer())
    headers = {"Authorization": f"Bearer {court.token}"}
    async with court.client.request(method, f"/api/v1{path}", headers=headers, **more) as answer:
        return answer.status, await answer.json()


async def test_what_a_caller_asks_wrongly_is_a_400_that_names_what_there_is(court):
    for action, params, hint in (
        ("meter.read", {"entities": ["colour"]}, "energy_total"),
        ("meter.write", {"entity": "colour", "value": "1"}, "settings: "),
        ("meter.write", {"setting": "colour", "value": "1"}, "known: entity, value"),
    ):
        body = {"target": "a-101", "params": params, "reason": "a test"}
        status, answer = await api(court, "POST", f"/actions/{action}?wait=5", json=body)
        assert (status, answer["error"]["code"]) == (400, "bad_input") and hint in answer["error"]["hint"], answer
    status, answer = await api(court, "GET", "/devices?kind=zzz")
    assert status == 400 and "collector, meter" in answer["error"]["message"]
    status, answer = await api(court, "GET", "/devices/c1-a")
    assert status == 404 and "is a line of the collector c1" in answer["error"]["message"]
    assert (await api(court, "GET", "/devices/c1"))[0] == 200


async def test_a_meter_of_the_database_is_changed_by_the_api_with_the_words_of_the_site_file(court):
    new = {"id": "b-1", "line": "c1-a", "profile": "dial-in-2007-prepaid", "address": "201"}
    assert (await api(court, "POST", "/collections/meters", json=new))[0] == 201
    status, row = await api(court, "PATCH", "/collections/meters/b-1", json={"name": "Kitchen", "place": "Block B / 1"})
    assert (status, row["name"], row["place"], row["profile"]) == (200, "Kitchen", "Block B / 1", new["profile"])
    assert (await api(court, "GET", "/devices/b-1"))[1]["name"] == "Kitchen"
    status, answer = await api(court, "PATCH", "/collections/meters/a-101", json={"name": "Mine"})
    assert status == 400 and "is set up in" in answer["error"]["message"]

"""What may go wrong with a payment, at both companies, over real sockets: each ends in the state that has its name."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import pytest
from court import SITE, SYSTEM, Court
from Crypto.PublicKey import RSA

from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import Hub
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.testing.company import ShiftedClock
from meterhub.testing.conformance_payment import until
from meterhub.twins import run_twins
from meterhub.web.app import build_app, start
from meterhub.web.pages import setup_pages
from meterhub_alipay import crypto as alipay
from meterhub_alipay.schema import sandbox_key as alipay_key
from meterhub_wechat import crypto as wechat
from meterhub_wechat.schema import (
    SANDBOX_APIV3_KEY,
    SANDBOX_APP,
    SANDBOX_MERCHANT,
    SANDBOX_PUBLIC_KEY_ID,
)
from meterhub_wechat.schema import sandbox_key as wechat_key

COMPANIES = ["by-alipay", "by-wechat"]
FORGER = RSA.generate(2048)
TURNED_AWAY = {
    "by-alipay": ("signature", "merchant", "form"),
    "by-wechat": ("signature", "stale", "probe", "merchant"),
}
REFUSED = {
    "by-alipay": (200, b"fail"),
    "by-wechat": (400, b'{"code": "FAIL", "message": "not taken"}'),
}


class PassingClock(ShiftedClock):
    """Time that was shifted has passed: nobody set the clock."""

    def monotonic(self):
        return super().monotonic() + self.shift_ms / 1000

    def call_at(self, when_s, callback, *args):
        return super().call_at(when_s - self.shift_ms / 1000, callback, *args)


class Bank(Court):
    """A court whose clock can be set on, with a slow wire, and what its companies' sandboxes can be asked to do."""

    async def __aenter__(self):
        # Heartbeats rarely: a quarter of an hour that passes at once is no silence.
        text = SITE.format(*self.ports).replace("9600", "1200").replace("every: 5s", "every: 3600s")
        self.file.write_text(text, encoding="utf-8")
        self.clock = PassingClock()
        self.hub = Hub(load_site(self.file), self.clock)
        await self.hub.start()
        rooms = self.hub.rooms()
        self.web = await start(build_app(rooms, lambda app: setup_pages(app, rooms)), f"127.0.0.1:{self.ports[0]}")
        self.twins = asyncio.ensure_future(run_twins(load_site(self.file), self.clock))
        self.session = aiohttp.ClientSession()
        await until(lambda: self.hub.estate["c1"].status == "online")
        self.money = self.hub.money
        return self

    def at(self, company):
        self.company = company
        self.url = f"http://127.0.0.1:{self.ports[2 if company == 'by-alipay' else 3]}"
        self.notify = f"http://127.0.0.1:{self.ports[0]}/pay/notify/{company.removeprefix('by-')}/{company}"
        return self

    async def post(self, path, **content):
        async with self.session.post(f"{self.url}{path}", json=content) as answer:
            return await answer.json()

    async def account(self, mode="server"):
        self.opening = Decimal((await self.act("meter.balance", "a-101"))["balance"])
        return (await self.act("money.open_account", "a-101", mode=mode))["account"]

    async def attempt(self, account, key="k", amount_fen=5000):
        """An order with an open attempt, of which the hub will not ask by itself; its numbers."""
        order = await self.money.order(Wish(account, amount_fen, key, "tenant"))
        return order["no"], await self.open(order["no"])

    async def open(self, order_no):
        query = "alipay.trade.query" if self.company == "by-alipay" else "query"
        await self.post("/sandbox/faults", kind="error", operation=query, times=1000)
        await self.money.paying.open(order_no, self.money.merchants.get(self.company), "qr", "Test", Browser())
        attempts = await self.money.all("money.attempts_of_order", order_no=order_no)
        return next(one["no"] for one in attempts if one["payment_account"] == self.company)

    async def forget_faults(self):
        async with self.session.delete(f"{self.url}/sandbox/faults"):
            pass

    async def pays(self, no, notice=True, late=False):
        if not notice:
            await self.post("/sandbox/faults", kind="dropped", operation="payment")
        assert (await self.post("/sandbox/pay", out_trade_no=no, late=late))["paid"]

    async def tell(self, no, **change):
        return (await self.post("/sandbox/notice", out_trade_no=no, change=change))["taken"]

    async def payments(self):
        return await self.hub.store.query("select kind, amount_fen from payments order by id")

    async def cases(self):
        rows = await self.money.all("cases.open", operator="main", most=100)
        return sorted(one["kind"] for one in rows)

    async def stands(self):
        """All books that are not empty, and what the meter itself says: its count, and whole yuan it was given."""
        rows = await self.hub.store.query("select book, fen from book_balances where fen <> 0")
        meter = await self.act("meter.balance", "a-101")
        given = round(Decimal(meter["balance"]) - self.opening)  # it is used up meanwhile, by less than a fen a second
        return {row["book"]: row["fen"] for row in rows}, (meter["count"], given)

    def merchant(self):
        """The book of what the company holds."""
        company = self.company.removeprefix("by-")
        return f"clearing/{company}/{self.money.merchants.get(self.company).account.merchant}"

    async def order_state(self, no):
        return (await self.money.one("money.order", no=no))["state"]

    async def eventually(self, ask, wanted):
        for _ in range(700):  # tries, not time: this process may be the one that is held up
            if (last := await ask()) == wanted:
                return
            await Clock().sleep(0.03)
        raise AssertionError(f"not {wanted!r} but {last!r}")

    async def under_way(self):
        """Whether something is due that is not done."""
        due = "select 1 from outbox where state = 'waiting' and next_ms <= ?"
        return await self.hub.store.query(due, [self.clock.now()]) != []

    async def refusal(self, name, **params):
        run = await self.hub.actions.call(name, "", params, actor=SYSTEM)
        if run.done is not None:
            await run.done
        return run.error


def wrongs(company):
    """Changes of a notice by kind of mistake, in the company's own fields."""
    if company == "by-alipay":
        return {
            "merchant": {"app_id": "2021999"},
            "seller": {"seller_id": "2088999"},
            "amount": {"total_amount": "0.01"},
        }
    return {
        "merchant": {"mchid": "1999"},
        "app": {"appid": "wx999"},
        "amount": {"amount": {"total": 1}},
        "currency": {"amount": {"currency": "USD"}},
    }


def forged(company, no, clock, key=FORGER):
    """A notice that says everything right and is signed with the wrong key: body and headers."""
    if company == "by-alipay":
        fields = {
            "notify_type": "trade_status_sync", "app_id": "2021000000000000", "seller_id": "2088000000000000",
            "out_trade_no": no, "trade_no": "1", "trade_status": "TRADE_SUCCESS", "total_amount": "50.00",
        }  # fmt: skip
        signed = {**fields, "sign_type": "RSA2", "sign": alipay.sign_notice(fields, key)}
        return urlencode(signed).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    paid = {
        "mchid": SANDBOX_MERCHANT, "appid": SANDBOX_APP, "out_trade_no": no, "transaction_id": "1",
        "trade_state": "SUCCESS", "amount": {"total": 5000, "currency": "CNY"},
    }  # fmt: skip
    sealed = wechat.encrypt(json.dumps(paid).encode(), SANDBOX_APIV3_KEY, nonce="n" * 12, associated_data="transaction")
    head = {"id": no, "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource"}
    body = json.dumps({**head, "resource": sealed}).encode()
    signed_at = {"timestamp": str(clock.now() // 1000), "nonce": "n" * 32}
    return body, wechat.sign_answer(body, key=key, serial=SANDBOX_PUBLIC_KEY_ID, **signed_at)


def test_the_forgeries_lack_nothing_but_the_right_key():
    body, _ = forged("by-alipay", "W1", Clock(), alipay_key("alipay"))
    assert alipay.read_notice(body, {alipay.KEY_MODE: alipay_key("alipay").public_key()})["total_amount"] == "50.00"
    body, headers = forged("by-wechat", "W1", Clock(), wechat_key("wechat"))
    keys = {SANDBOX_PUBLIC_KEY_ID: wechat_key("wechat").public_key()}
    small = {name.lower(): value for name, value in headers.items()}
    told = wechat.read_notice(small, body, keys, SANDBOX_APIV3_KEY, Clock().now() // 1000)
    assert told.resource["amount"]["total"] == 5000


@pytest.mark.parametrize("company", COMPANIES)
async def test_nothing_but_the_right_notice_pays_and_it_pays_once(tmp_path, company):
    async with Bank(tmp_path) as bank:
        bank.at(company)
        order, no = await bank.attempt(await bank.account("meter"))
        body, headers = forged(company, no, bank.clock)
        unsigned = {name: value for name, value in headers.items() if not name.startswith("Wechatpay")}
        probe = {**headers, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + base64.b64encode(b"x" * 256).decode()}
        bare = body.partition(b"&sign=")[0] if company == "by-alipay" else body
        wrong = [(body, headers), (bare, unsigned), (b"", headers), (body, probe), (b"x" * 60_000, headers)]
        for sent, told in wrong:
            async with bank.session.post(bank.notify, data=sent, headers=told) as answer:
                assert (answer.status, await answer.read()) == REFUSED[company]
        bank.clock.shift_ms += -400_000  # a notice of WeChat Pay from the future is as wrong as an old one
        signer = alipay_key("alipay") if company == "by-alipay" else wechat_key("wechat")
        right, signed = forged(company, no, Clock(), signer)
        if company == "by-wechat":
            async with bank.session.post(bank.notify, data=right, headers=signed) as answer:
                assert (answer.status, await answer.read()) == REFUSED[company]
        bank.clock.shift_ms += 400_000
        async with bank.session.post(bank.notify, data=b"x" * 70_000) as answer:
            assert answer.status == 413
        await bank.pays(no, notice=False)
        for change in wrongs(company).values():
            assert not await bank.tell(no, **change)
        assert not await bank.tell(no, out_trade_no="E20991231000000000001")
        assert await bank.payments() == [] and await bank.order_state(order) == "paying"
        assert await bank.stands() == ({}, (0, 0))
        kinds = {"unknown_order", "wrong_amount"} | ({"wrong_currency"} if company == "by-wechat" else set())
        assert set(await bank.cases()) == kinds
        assert await bank.tell(no) and await bank.tell(no)  # the second one is a repetition
        assert [one["kind"] for one in await bank.payments()] == ["first"]
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        stands = {bank.merchant(): -5000, "meter/a-101-1": 5000}, (1, 50)
        assert await bank.stands() == stands
        assert not await bank.tell(no, **wrongs(company)["amount"])  # now it contradicts what is known
        async with bank.session.get(f"{bank.notify.partition('/pay')[0]}/metrics") as answer:
            figures = await answer.text()
        for why in TURNED_AWAY[company]:
            assert f'meterhub_notices_turned_away_total{{why="{why}"}}' in figures
        assert "contradiction" in await bank.cases() and len(await bank.payments()) == 1
        assert await bank.stands() == stands


@pytest.mark.parametrize("company", COMPANIES)
async def test_a_replayed_notice_is_taken_and_does_nothing(tmp_path, company):
    async with Bank(tmp_path) as bank:
        bank.at(company)
        order, no = await bank.attempt(await bank.account("meter"))
        for kind in ("forged", "replayed"):
            await bank.post("/sandbox/faults", kind=kind, operation="payment", seconds=0.05)
        await bank.pays(no)
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        await Clock().sleep(0.2)
        assert [one["kind"] for one in await bank.payments()] == ["first"] and await bank.cases() == []
        assert await bank.stands() == ({bank.merchant(): -5000, "meter/a-101-1": 5000}, (1, 50))


async def test_an_order_paid_at_both_companies_is_credited_once_and_the_second_money_goes_back(tmp_path):
    async with Bank(tmp_path) as bank:
        account = await bank.account("meter")
        order, first = await bank.at("by-alipay").attempt(account)
        second = await bank.at("by-wechat").open(order)
        await bank.at("by-alipay").pays(first)
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        await bank.at("by-wechat").pays(second)

        async def refunds():
            return [one["state"] for one in await bank.money.all("money.refunds_of_order", order_no=order)]

        await bank.eventually(refunds, ["done"])
        assert [one["kind"] for one in await bank.payments()] == ["first", "second"]
        assert await bank.order_state(order) == "fulfilled"
        await bank.eventually(bank.cases, [])
        held = bank.at("by-alipay").merchant()
        assert await bank.stands() == ({held: -5000, "meter/a-101-1": 5000}, (1, 50))


@pytest.mark.parametrize("company", COMPANIES)
async def test_money_after_the_end_is_kept_for_a_person(tmp_path, company):
    async with Bank(tmp_path) as bank:
        bank.at(company)
        order, no = await bank.attempt(await bank.account("meter"))
        await bank.forget_faults()
        bank.clock.shift_ms += 15 * 60_000
        bank.money.outbox.wake()

        async def a_minute_later():
            # Not while something is said to the company: an answer of minutes ago proves nothing.
            if not await bank.under_way():
                bank.clock.shift_ms += 61_000
                bank.money.outbox.wake()
            return await bank.order_state(order)

        await bank.eventually(a_minute_later, "expired")
        await bank.pays(no, late=True)
        await bank.eventually(bank.cases, ["late_payment"])
        assert [one["kind"] for one in await bank.payments()] == ["late"]
        assert await bank.order_state(order) == "expired"
        assert await bank.stands() == ({bank.merchant(): -5000, "suspense": 5000}, (0, 0))
        (payment,) = await bank.hub.store.query("select id from payments")
        await bank.act("money.apply_late", payment=payment["id"])
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        assert await bank.cases() == []
        assert await bank.stands() == ({bank.merchant(): -5000, "meter/a-101-1": 5000}, (1, 50))


@pytest.mark.parametrize("company", COMPANIES)
async def test_credit_that_was_used_is_not_given_back_and_the_rest_is(tmp_path, company):
    async with Bank(tmp_path) as bank:
        bank.at(company)
        account = await bank.account()
        order, no = await bank.attempt(account)
        await bank.pays(no)
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        await bank.money.counter.charge(account, "november", 3000)
        (payment,) = await bank.hub.store.query("select id from payments")
        refused = await bank.refusal("money.refund", payment=payment["id"], amount="50.00", reason="moves out")
        assert refused["code"] == "conflict" and await bank.order_state(order) == "fulfilled"
        done = await bank.act("money.refund", payment=payment["id"], amount="20.00", reason="moves out")

        async def state():
            return (await bank.money.one("money.refund", no=done["refund"]))["state"]

        await bank.eventually(state, "done")
        assert await bank.cases() == []
        books, _ = await bank.stands()
        assert books == {bank.merchant(): -3000, "revenue/energy": 3000}


@pytest.mark.parametrize("company", COMPANIES)
async def test_nothing_goes_back_while_the_meter_is_being_credited(tmp_path, company):
    async with Bank(tmp_path) as bank:
        bank.at(company)
        order, no = await bank.attempt(await bank.account("meter"))
        await bank.pays(no)

        async def delivery():
            rows = await bank.money.all("money.delivery_of_order", order_no=order)
            return rows[0]["state"] if rows else ""

        await bank.eventually(delivery, "sending")
        (payment,) = await bank.hub.store.query("select id from payments")
        refused = await bank.refusal("money.refund", payment=payment["id"], amount="50.00", reason="changed mind")
        assert refused["code"] == "conflict" and "nobody knows yet" in refused["message"]
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        assert await bank.money.all("money.refunds_of_order", order_no=order) == []
        assert await bank.stands() == ({bank.merchant(): -5000, "meter/a-101-1": 5000}, (1, 50))


async def test_a_refund_that_cannot_reach_the_payer_is_sent_to_a_card_by_a_person(tmp_path):
    async with Bank(tmp_path) as bank:
        bank.at("by-wechat")
        order, no = await bank.attempt(await bank.account())
        await bank.pays(no)
        await bank.eventually(lambda: bank.order_state(order), "fulfilled")
        await bank.post("/sandbox/faults", kind="abnormal", operation="refund")
        (payment,) = await bank.hub.store.query("select id from payments")
        done = await bank.act("money.refund", payment=payment["id"], amount="50.00", reason="moves out")
        await bank.eventually(bank.cases, ["refund_abnormal"])
        half = await bank.refusal("money.redirect_refund", refund=done["refund"], card="6222020000001234567")
        assert half["code"] == "bad_input"
        card = {"bank": "ICBC_DEBIT", "card": "6222020000001234567", "holder": "李雷"}
        assert (await bank.act("money.redirect_refund", refund=done["refund"], **card))["state"] == "processing"
        await bank.eventually(lambda: bank.order_state(order), "refunded")
        assert await bank.cases() == []
        assert (await bank.refusal("money.redirect_refund", refund=done["refund"]))["code"] == "conflict"
        tables = await bank.hub.store.query("select sql, name from sqlite_master where type = 'table'")
        for table in tables:
            rows = await bank.hub.store.query(f"select * from {table['name']}")
            assert card["card"] not in str(rows) and card["holder"] not in str(rows), table["name"]

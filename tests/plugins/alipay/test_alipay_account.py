"""What is special about Alipay: the traps of its answers, notices, states and bills, against the sandbox and alone."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_asyncio
from alipay_company import LOOPBACK, AlipayCompany
from alipay_samples import private, public, samples

from meterhub.checking import check_site
from meterhub.clock import Clock
from meterhub.config.types import HostPort
from meterhub.errors import ConfigError, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.provider import Attempt, Notice, RefundRequest
from meterhub.money.statements import PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.sim.world import World
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_alipay import bill, crypto, outcomes, simulate, statements
from meterhub_alipay.account import AlipayAccount
from meterhub_alipay.sandbox_trades import Refusal, Trades
from meterhub_alipay.schema import Account, Keys, read_account, sandbox_key

ATTEMPT = Attempt("E20261122000000000001", "qr", 5000, 0, 1)


@pytest_asyncio.fixture
async def company():
    one = AlipayCompany()
    await one.start()
    yield one
    await one.stop()


# What notices mean. The core compares the amount with the order; the plugin says what was paid.


MEANINGS = {"credit": PaymentState.PAID, "late_payment": PaymentState.PAID}


def meaning_of(sample):
    account = AlipayAccount.__new__(AlipayAccount)
    merchant = sample["in"]["merchant"]
    keys = Keys(private("alipay_app"), {crypto.KEY_MODE: public("alipay_platform")})
    account._account = Account(merchant["app_id"], merchant["seller_id"], "https://x", keys)
    account._client = SimpleNamespace(keys=keys)
    return account.parse_notice(Notice({}, sample["in"]["body"].encode(), 0))


@pytest.mark.parametrize("sample", samples("alipay.notify_policy"), ids=lambda one: one["why"][:60])
def test_a_notice_means_what_it_says(sample):
    wanted, orders = sample["out"], sample["in"]["orders"]
    try:
        statement = meaning_of(sample)
    except NoticeRejected as error:
        assert wanted["reply"] == "fail"
        assert (error.why == "signature") == (wanted["action"] == "none")
        return
    if wanted["action"] in MEANINGS:
        assert statement.state is MEANINGS[wanted["action"]] and statement.amount_fen == orders[0]["amount_fen"]
    elif wanted["action"] == "refund_record":
        assert isinstance(statement, RefundStatement) and statement.state is RefundState.DONE and statement.total_fen
    elif wanted["reply"] == "fail":  # the core finds no such order, or another amount or company
        known = {one["out_trade_no"]: one for one in orders if one["channel"] == "alipay"}
        order = known.get(statement.no)
        assert order is None or order["amount_fen"] != statement.amount_fen
    elif wanted["action"] == "alarm":  # a second payment: another transaction
        assert statement.state is PaymentState.PAID and statement.transaction_id != orders[0]["trade_no"]
    else:
        repeated = statement is not None and statement.state is PaymentState.PAID
        assert not repeated or statement.transaction_id == orders[0]["trade_no"]


def test_a_notice_without_a_trade_number_or_about_nothing_is_no_payment():
    fields = {"app_id": "a", "seller_id": "s", "notify_type": "trade_status_sync", "out_trade_no": "n1"}
    paid = {**fields, "trade_status": "TRADE_SUCCESS", "total_amount": "1.00"}
    with pytest.raises(NoticeRejected, match="trade_no"):
        statements.statement_of_notice(paid, "a", "s")
    assert statements.statement_of_notice({**fields, "trade_status": "NEW_STATE"}, "a", "s") is None
    assert statements.statement_of_notice({**paid, "out_trade_no": ""}, "a", "s") is None
    zero = statements.statement_of_notice({**paid, "trade_no": "t", "refund_fee": "0.00"}, "a", "s")
    assert isinstance(zero, PaymentStatement)


# What answers mean.


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"code": "10000"}, None),
        ({"code": "10003"}, ProviderUnknown),
        ({"code": "10000", "sub_code": "ACQ.SYSTEM_ERROR"}, ProviderUnknown),
        ({"code": "20000"}, ProviderUnknown),
        ({"code": "20000", "sub_code": "isp.unknow-error"}, ProviderUnknown),
        ({"code": "20001", "sub_code": "aop.invalid-auth-token"}, ProviderRefused),
        ({"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"}, ProviderUnknown),
        ({"code": "40004", "sub_code": "AQC.SYSTEM_ERROR"}, ProviderUnknown),
        ({"code": "40004", "sub_code": "ACQ.TRADE_HAS_SUCCESS"}, ProviderUnknown),
        ({"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}, ProviderRefused),
        ({"code": "40004", "sub_code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"}, ProviderRefused),
        ({"code": "40005", "sub_code": "isv.app-call-limited"}, ProviderUnknown),
        ({"code": "40001"}, ProviderRefused),
        ({"code": "40006"}, ProviderRefused),
        ({"code": "100"}, ProviderUnknown),
        ({}, ProviderUnknown),
    ],
)
def test_only_10000_is_success_and_doubt_is_unknown(content, kind):
    error = outcomes.error_of(content, "E1")
    assert type(error) is (kind or type(None))
    assert not error or error.where == "E1"


QUERY = {"out_trade_no": ATTEMPT.no, "trade_no": "2026", "total_amount": "50.00", "trade_status": "TRADE_SUCCESS"}


def test_a_closed_trade_that_was_paid_is_paid_only_for_whom_took_the_money():
    given_back = {**QUERY, "trade_status": "TRADE_CLOSED", "send_pay_date": "2026-11-24 10:00:00"}
    assert statements.payment_of_query(given_back, ATTEMPT).state is PaymentState.CLOSED
    assert statements.payment_of_query(given_back, replace(ATTEMPT, transaction_id="2026")).state is PaymentState.PAID
    never = {**QUERY, "trade_status": "TRADE_CLOSED"}
    assert statements.payment_of_query(never, replace(ATTEMPT, transaction_id="2026")).state is PaymentState.CLOSED


@pytest.mark.parametrize(
    "change", [{"out_trade_no": "other"}, {"trade_status": "NEW"}, {"total_amount": "1e2"}, {"total_amount": "50.001"}]
)
def test_an_answer_that_does_not_fit_is_unknown(change):
    with pytest.raises(ProviderUnknown):
        statements.payment_of_query({**QUERY, **change}, ATTEMPT)


def test_asking_after_a_refund_works_before_it_is_done():
    wanted = RefundRequest(ATTEMPT, "R1", 100, "", "")
    assert statements.refund_of_query({"code": "10000"}, wanted).state is RefundState.MISSING
    done = statements.refund_of_query({"refund_status": "REFUND_SUCCESS", "refund_amount": "1.00"}, wanted)
    assert (done.state, done.amount_fen) == (RefundState.DONE, 100)
    assert statements.refund_of_query({"refund_amount": "1.00"}, wanted).state is RefundState.DONE
    assert statements.refund_of_query({"refund_status": "REFUND_PROCESSING"}, wanted).state is RefundState.PROCESSING


async def test_cumulative_refund_fees_are_not_taken_for_the_refund(company):
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    for number, amount, total in (("R1", 1000, 1000), ("R2", 500, 1500)):
        said = await company.account.refund(RefundRequest(attempt_of(request), number, amount, "", company.desk.url))
        assert (said.state, said.amount_fen, said.total_fen) == (RefundState.DONE, amount, total)
    await until(lambda: len(company.desk.statements) == 3)
    assert sorted(one.total_fen for one in company.desk.statements[1:]) == [1000, 1500]


async def test_a_qr_code_that_nobody_scanned_is_cancelled_and_dead(company):
    request = company.request("qr")
    shown = await company.account.create(request)
    await company.account.close(attempt_of(request))
    async with company.http().get(shown.qr) as page:
        assert "Pay" not in await page.text()
    assert (await company.account.query(attempt_of(request))).state is PaymentState.MISSING


async def test_money_that_comes_while_a_code_is_cancelled_goes_back(company):
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    await company.account._cancel(attempt_of(request))
    assert (await company.account.query(attempt_of(request))).state is PaymentState.CLOSED


async def test_cancelling_again_when_alipay_asks_for_it(company):
    request = company.request("qr")
    await company.account.create(request)
    company.sandbox.faults.add("again", "alipay.trade.cancel", times=2)
    await company.account.close(attempt_of(request))
    company.sandbox.faults.add("again", "alipay.trade.cancel", times=3)
    with pytest.raises(ProviderUnknown, match="again"):
        await company.account.close(attempt_of(request))


# The cashier page.


@pytest.mark.parametrize(("way", "product"), [("h5", "QUICK_WAP_WAY"), ("page", "FAST_INSTANT_TRADE_PAY")])
async def test_the_page_is_opened_paid_and_left_again(company, way, product):
    request = company.request(way)
    shown = await company.account.create(request)
    params = dict(parse_qsl(urlsplit(shown.url).query))
    content = json.loads(params["biz_content"])
    assert content["product_code"] == product and content["total_amount"] == "50.00"
    assert params["notify_url"] == request.notify_url and params["return_url"] == request.return_url
    async with company.http().get(shown.url) as page:
        cashier, text = page.url, await page.text()
    assert "¥50.00" in text and "Pay" in text
    assert (await company.account.query(attempt_of(request))).state is PaymentState.MISSING
    async with company.http().post(cashier, data={"approve": "1"}, allow_redirects=False) as answer:
        back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert back["out_trade_no"] == request.no
    await until(lambda: company.desk.statements)
    assert company.desk.statements[0].state is PaymentState.PAID


async def test_a_payer_who_refuses_has_not_paid(company):
    request = company.request("qr")
    shown = await company.account.create(request)
    async with company.http().get(shown.qr):
        pass
    async with company.http().post(shown.qr, data={"approve": ""}) as answer:
        assert "Not paid" in await answer.text()
    assert (await company.account.query(attempt_of(request))).state is PaymentState.CLOSED


async def test_subjects_lose_what_alipay_refuses(company):
    request = replace(company.request("qr"), subject="A/B=C&D,E <f>\n" * 40)
    await company.account.create(request)
    subject = next(iter(company.sandbox.trades)).subject
    assert len(subject) <= 256 and not set(subject) & set("/=&,<>\n")


async def test_the_time_of_a_request_is_beijings(company, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    company.clock.shift_ms = 1_795_500_000_500 - company.clock.now()  # 2026-11-24T06:00:00Z
    assert company.account._client.params("m", {})["timestamp"].startswith("2026-11-24 14:00:0")


# Whoever is not known gets no signature, and that is no answer.


async def test_an_unsigned_answer_says_why_but_decides_nothing(company):
    stranger = company.strangers_account()
    with pytest.raises(ProviderUnknown, match="invalid-app-id"):
        await stranger.query(ATTEMPT)
    with pytest.raises(ProviderUnknown):
        await stranger.test()


async def test_the_sandbox_refuses_what_it_cannot_prove(company):
    client = company.account._client
    good = client.params("alipay.trade.query", {"out_trade_no": "x"})
    for change, reason in (
        ({"sign": "x"}, "isv.invalid-signature"),
        ({"app_id": "2"}, "isv.invalid-app-id"),
        ({"sign_type": "RSA"}, "isv.invalid-signature"),
        ({"timestamp": "2020-01-01 00:00:00"}, "isv.invalid-timestamp"),
        ({"biz_content": "[]"}, "isv.invalid-parameter"),
        ({"biz_content": "{"}, "isv.invalid-parameter"),
        ({"app_cert_sn": "1"}, "isv.app-cert-not-exist"),
    ):
        params = {**good, **change}
        if "sign" not in change:
            params["sign"] = crypto.sign_request(params, client.keys.private)
        async with company.http().post(company.sandbox.base_url + "/gateway.do", data=params) as answer:
            text = await answer.text()
        assert reason in text and '"sign"' not in text
    params = {**good, "method": "alipay.no.such"}
    params["sign"] = crypto.sign_request(params, client.keys.private)
    async with company.http().get(f"{company.sandbox.base_url}/gateway.do?{urlencode(params)}") as answer:
        assert "isv.invalid-method" in await answer.text()


async def test_faults_are_planned_over_http(company):
    url = company.sandbox.base_url + "/sandbox/faults"
    async with company.http().post(url, json={"kind": "limit", "operation": "alipay.trade.query"}) as answer:
        assert answer.status == 200
    with pytest.raises(ProviderUnknown, match="limited"):
        await company.account.query(ATTEMPT)
    for wrong in ({"kind": "nonsense"}, [], {"kind": "hang", "times": "x"}):
        async with company.http().post(url, json=wrong) as answer:
            assert answer.status == 400
    async with company.http().post(url, json={"kind": "error"}):
        pass
    async with company.http().delete(url):
        pass
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING


# Notices.


async def test_a_notice_that_is_not_taken_comes_again_by_the_schedule():
    company = AlipayCompany()
    company.speed = 20_000  # four minutes in 12 ms
    await company.start()
    request = company.request("qr")
    await company.account.create(request)
    company.desk.deaf = 2
    await company.pay(request.no)
    await until(lambda: len(company.sandbox.courier.log) == 3)
    assert [one.taken for one in company.sandbox.courier.log] == [False, False, True]
    await company.stop()


async def test_time_closes_and_finishes_trades(company):
    unpaid, paid = company.request("qr"), company.request("qr")
    for one in (unpaid, paid):
        await company.account.create(one)
    trade = company.sandbox.trades.named("2021000000000000", {"out_trade_no": unpaid.no})
    company.sandbox.trades.scan(trade, company.clock.now())
    await company.pay(paid.no)
    company.clock.shift_ms += 91 * 24 * 3_600_000
    assert (await company.account.query(attempt_of(unpaid))).state is PaymentState.CLOSED
    assert (await company.account.query(attempt_of(paid))).state is PaymentState.PAID
    with pytest.raises(ProviderRefused, match="FINISHED"):
        await company.account.refund(RefundRequest(attempt_of(paid), "R1", 100, "", ""))
    with pytest.raises(ProviderRefused, match="EXPIRE"):
        late = company.request("qr")
        await company.account.create(replace(late, expires_ms=late.created_ms - 1000))


# Keys and configuration.


GOOD = {
    "app_id": "2021001", "seller_id": "2088001", "gateway": "https://openapi.alipay.com/gateway.do",
    "private_key": private("alipay_app").export_key().decode(),
    "alipay_public_key": public("alipay_platform").export_key().decode(),
}  # fmt: skip


def test_a_complete_account_is_read():
    account = read_account(GOOD)
    assert account.keys.private == private("alipay_app") and list(account.keys.alipay) == [crypto.KEY_MODE]


def test_a_company_on_this_machine_needs_no_https_and_proves_itself_with_its_own_keys():
    assert (
        read_account({**GOOD, "gateway": "http://127.0.0.1:8701/gateway.do"}).gateway
        == "http://127.0.0.1:8701/gateway.do"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"app_id": None}, "app_id is missing"),
        ({"private_key": None}, "private_key is missing"),
        ({"private_key": "nonsense"}, "private_key: this is no RSA key"),
        ({"private_key": public("alipay_app").export_key().decode()}, "private_key: this is a public key"),
        ({"alipay_public_key": public("alipay_app").export_key().decode()}, "your own private_key"),
        ({"gateway": "http://openapi.alipay.com/gateway.do"}, "https"),
        ({"private_key": sandbox_key("application").export_key().decode()}, "everybody knows"),
        ({"certificates": {}}, "either"),
    ],
)
def test_a_wrong_account_is_refused_in_words_without_its_keys(change, words):
    with pytest.raises(ConfigError, match=words) as caught:
        read_account({**GOOD, **change})
    assert GOOD["private_key"][40:80] not in str(caught.value)


# The bill.


HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "退款批次号/请求号,服务费（元）"
)


def archive(rows, name="20880_20261124_业务明细.csv", encoding="gbk"):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("20880_20261124_业务明细(汇总).csv", "#汇总")
        files.writestr(name, "\r\n".join(["#支付宝业务明细查询", HEADER, *rows, "#结束"]).encode(encoding))
    return packed.getvalue()


def row(**changes):
    cells = dict.fromkeys(HEADER.split(","), "")
    cells |= {
        "支付宝交易号": "2026\t", "商户订单号": "E1\t", "业务类型": "交易", "商品名称": "电费",
        "订单金额（元）": "50.00", "完成时间": "2026-11-24 10:00:00", "服务费（元）": "-0.30",
    }  # fmt: skip
    return ",".join({**cells, **changes}.values())


def test_a_bill_is_read_by_the_names_of_its_columns():
    refund = row(业务类型="退款", **{"订单金额（元）": "-20.00", "服务费（元）": "0.12", "退款批次号/请求号": "R1\t"})
    found = bill.read(archive([row(), refund, row(业务类型="转账")]), date(2026, 11, 24))
    paid, back = found.rows
    assert (paid.statement.no, paid.statement.amount_fen, paid.fee_fen) == ("E1", 5000, 30)
    assert (back.statement.refund_no, back.statement.amount_fen, back.fee_fen) == ("R1", 2000, -12)


def test_a_coupon_at_the_merchants_cost_is_told_apart_from_one_that_alipay_pays():
    received = "商家实收（元）"
    refund = row(业务类型="退款", **{"订单金额（元）": "-20.00", received: "-18.00"})
    rows = [row(**{received: "45.00"}), refund, row(**{received: "50.00"}), row()]
    found = bill.read(archive(rows), date(2026, 11, 24))
    assert [one.booked_fen for one in found.rows] == [4500, 1800, 5000, None]
    assert [one.discount_fen for one in found.rows] == [500, -200, 0, 0]


def test_commas_in_a_subject_do_not_shift_the_amounts():
    found = bill.read(archive([row(商品名称="电费,一号楼,101")]), date(2026, 11, 24))
    assert found.rows[0].statement.amount_fen == 5000


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04", archive([row()])[:-40], archive([row(**{"订单金额（元）": "x"})]), archive(["a,b"]),
     archive([row()], name="other.txt"), archive([row()], encoding="utf-16")],
    ids=range(7),
)  # fmt: skip
def test_a_damaged_bill_is_not_read_by_half(data):
    with pytest.raises(ProviderUnknown, match="bill"):
        bill.read(data, date(2026, 11, 24))


@pytest.mark.parametrize(
    "address",
    ["http://evil.example/x", "https://alipay.com.evil.example/x", "file:///etc/passwd", "https://10.0.0.1/x", ""],
)
async def test_a_bill_is_fetched_from_alipay_alone(company, address):
    with pytest.raises(ProviderUnknown, match="address"):
        await company.account._download(address)


def test_an_account_of_the_sandbox_is_read_without_any_key():
    account = read_account({"sandbox": LOOPBACK})
    assert account.gateway.startswith("http://127.0.0.1:") and account.app_id


def test_the_sandbox_keeps_the_rules_of_refunds():
    trades = Trades()
    content = {"out_trade_no": "n1", "total_amount": "10.00", "subject": "s", "timeout_express": "15m"}
    trade = trades.open("a", content, ("", ""), 0)
    assert trade.expires_ms == 15 * 60_000
    for wrong, reason in (
        ({}, "ACQ.INVALID_PARAMETER"),
        ({"refund_amount": "1.00"}, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_amount": "1.00", "out_request_no": "r"}, "ACQ.TRADE_STATUS_ERROR"),
    ):
        with pytest.raises(Refusal, match=reason):
            trades.refund(trade, wrong, 1)
    trades.pay(trade, 1)
    assert trades.refund(trade, {"refund_amount": "10.00"}, 2) and trade.status == "TRADE_CLOSED"
    with pytest.raises(Refusal, match=r"ACQ\.TRADE_HAS_CLOSE"):
        trades.open("a", content, ("", ""), 3)
    for wrong in ({"total_amount": "0.00"}, {"subject": ""}, {"out_trade_no": "x" * 65}, {"total_amount": "-1"}):
        with pytest.raises(Refusal, match="INVALID_PARAMETER"):
            trades.open("a", {**content, **wrong}, ("", ""), 0)


async def test_accounts_of_one_address_share_a_sandbox(monkeypatch):
    made = []

    class Played:
        def __init__(self, world, merchants):
            made.append(merchants)

        async def play(self, listen):
            pass

    monkeypatch.setattr("meterhub_alipay.sandbox_accounts.AlipaySandbox", Played)
    there = HostPort("127.0.0.1", 1)
    other = {"sandbox": there, "app_id": "2", "mchid": "2"}
    await simulate({"a": {"sandbox": there}, "b": other, "c": {}}, World(Clock()))
    assert [len(merchants) for merchants in made] == [2]


# Answers that are proved and yet not what was asked for.


class Scripted:
    """In place of the client: gives what it is told to, an answer or an error."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    async def call(self, method, content, **more):
        self.calls.append(method)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def no(reason):
    return ProviderRefused("no", reply=reason)


@pytest.mark.parametrize("answer", [{"out_trade_no": "other", "qr_code": "x"}, {"qr_code": ""}, {}])
async def test_a_code_for_something_else_is_not_shown(company, answer):
    company.account._client = Scripted(answer)
    with pytest.raises(ProviderUnknown, match="QR code"):
        await company.account.create(company.request("qr"))


async def test_a_refusal_that_is_not_of_the_payment_stays_one(company):
    wanted = RefundRequest(ATTEMPT, "R1", 100, "", "")
    for call in (
        lambda: company.account.query(ATTEMPT),
        lambda: company.account.close(ATTEMPT),
        lambda: company.account.query_refund(wanted),
        company.account.test,
    ):
        company.account._client = Scripted(no("ACCESS_FORBIDDEN"))
        with pytest.raises(ProviderRefused):
            await call()
    company.account._client = Scripted(no("TRADE_NOT_EXIST"))
    assert (await company.account.query_refund(wanted)).state is RefundState.MISSING
    company.account._client = Scripted(no("TRADE_NOT_EXIST"))
    await company.account.close(replace(ATTEMPT, way="h5"))
    assert company.account._client.calls == ["alipay.trade.close"]


async def test_a_refund_whose_answer_moved_no_money_is_at_work_and_asked_after_ten_seconds_at_the_soonest(company):
    wanted = RefundRequest(ATTEMPT, "R1", 100, "", "")
    company.account._client = Scripted({"fund_change": "N", "refund_fee": "1.00"})
    assert (await company.account.refund(wanted)).state is RefundState.PROCESSING
    assert company.account._client.calls == ["alipay.trade.refund"] and company.account.refund_known_after_s == 10


@pytest.mark.parametrize(
    ("answer", "rows"),
    [(no("NO_BILL_DATA"), ()), ({"bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"}, ()), (no("BILL_NOT_EXIST"), None)],
)
async def test_a_day_without_trades_is_not_a_bill_that_is_missing(company, answer, rows):
    company.account._client = Scripted(answer)
    if rows is None:
        with pytest.raises(ProviderUnknown, match="no bill"):
            await company.account.bill(date(2026, 11, 24))
    else:
        assert (await company.account.bill(date(2026, 11, 24))).rows == rows


async def test_a_bill_that_is_not_delivered_is_asked_for_again(company):
    with pytest.raises(ProviderUnknown, match="HTTP 403"):
        await company.account._download(f"{company.sandbox.base_url}/bill/none")
    await company.sandbox.stop()
    with pytest.raises(ProviderUnknown, match="not delivered"):
        await company.account._download(f"{company.sandbox.base_url}/bill/none")


def test_a_wrong_account_is_found_before_the_hub_starts(tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text(
        "hub: {name: T, time_zone: Asia/Shanghai, data: ./data}\nplugins: {alipay: }\npayments:\n"
        '  - {id: main, type: alipay, app_id: "1", seller_id: "2", private_key: nonsense, alipay_public_key: x}\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=r"site\.yaml:4.*private_key: this is no RSA key") as caught:
        check_site(site)
    assert "nonsense" not in str(caught.value)

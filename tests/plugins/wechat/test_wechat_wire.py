"""WeChat Pay's wire: clocks, keys of both kinds, refunds to a bank card, bills of funds, wrong notices."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import date

import pytest
import pytest_asyncio
from wechat_company import CERTIFICATES, CertificateCompany, SwitchingCompany, WechatCompany

from meterhub import beijing
from meterhub.errors import NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.amount import yuan
from meterhub.money.funds import differences
from meterhub.money.provider import Attempt, BankCard, RefundRequest
from meterhub.money.statements import Movement, PaymentState, RefundState, RefundStatement
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_wechat import funds
from meterhub_wechat.account import WechatAccount
from meterhub_wechat.sandbox_orders import CLOSED_AFTER_MS, LONGEST_MS, Orders
from meterhub_wechat.schema import SANDBOX_PUBLIC_KEY_ID

ATTEMPT = Attempt("W20261122000000000001", "qr", 5000, 0, 1)
CARD = BankCard("ICBC_DEBIT", "6222020000001234567", "李雷")
DAY_MS = 86_400_000


@pytest_asyncio.fixture(params=[WechatCompany, CertificateCompany], ids=["public key", "certificates"])
async def company(request):
    one = request.param()
    await one.start()
    yield one
    await one.stop()


async def paid(company):
    request = company.request("qr")
    await company.account.create(request)
    assert await company.pay(request.no)
    await until(lambda: any(one.no == request.no for one in company.desk.statements))
    return request


# Refunds that cannot reach the payer.


async def stranded(company):
    """A refund whose payer's card is no more, and the company's number of it."""
    request = await paid(company)
    company.sandbox.faults.add("abnormal", "refund")
    wanted = RefundRequest(attempt_of(request), f"R{request.no[-12:]}", 100, "", company.desk.url)
    await company.account.refund(wanted)
    await until(lambda: any(getattr(one, "state", "") == RefundState.ABNORMAL for one in company.desk.statements))
    return wanted, company.desk.statements[-1].refund_id


@pytest.mark.parametrize("card", [CARD, None], ids=["the payer's", "the merchant's"])
async def test_a_refund_that_cannot_reach_the_payer_goes_to_a_bank_card(company, card):
    wanted, refund_id = await stranded(company)
    assert (await company.account.redirect_refund(wanted, refund_id, card)).state is RefundState.PROCESSING
    await until(lambda: company.desk.statements[-1].state is RefundState.DONE)
    assert isinstance(company.desk.statements[-1], RefundStatement)
    assert (await company.account.query_refund(wanted)).state is RefundState.DONE
    order = next(iter(company.sandbox.orders))
    shown = order.refunds[wanted.refund_no].received_account
    assert shown == ("商户银行账户" if card is None else "ICBC_DEBIT4567")


async def test_only_a_stranded_refund_is_sent_elsewhere(company):
    wanted, refund_id = await stranded(company)
    for number, wrong_id in ((wanted.refund_no, "50300x"), ("R404", refund_id)):
        with pytest.raises(ProviderRefused, match="RESOURCE_NOT_EXISTS"):
            await company.account.redirect_refund(replace(wanted, refund_no=number), wrong_id, CARD)
    for wrong in (replace(CARD, bank=""), replace(CARD, number="card"), replace(CARD, holder="")):
        with pytest.raises(ProviderRefused, match="PARAM_ERROR"):
            await company.account.redirect_refund(wanted, refund_id, wrong)
    await company.account.redirect_refund(wanted, refund_id, CARD)
    again = await company.account.redirect_refund(wanted, refund_id, CARD)  # after a lost answer
    assert again.state in (RefundState.PROCESSING, RefundState.DONE)
    other = RefundRequest(wanted.attempt, "R2", 100, "", company.desk.url)
    said = await company.account.refund(other)
    with pytest.raises(ProviderRefused, match="INVALID_REQUEST"):
        await company.account.redirect_refund(other, said.refund_id, CARD)


async def test_a_card_travels_encrypted_and_is_shown_nowhere(company, caplog):
    caplog.set_level("DEBUG")
    wanted, refund_id = await stranded(company)
    sent, send = [], company.account._client.send

    async def seen(method, path, body=b"", serial=""):
        sent.append((body, serial))
        return await send(method, path, body, serial)

    company.account._client.send = seen
    await company.account.redirect_refund(wanted, refund_id, CARD)
    ((body, serial),) = sent
    assert CARD.number.encode() not in body and CARD.holder.encode() not in body
    assert serial in company.account._client.keys
    assert CARD.number not in caplog.text + repr(CARD) and CARD.holder not in caplog.text + repr(CARD)


async def test_without_a_key_of_wechat_pays_nothing_can_be_encrypted(company):
    company.account._client.keys.clear()
    with pytest.raises(ProviderUnknown, match="no key"):
        company.account._client.key_to_encrypt()


# Keys of both kinds.


async def test_a_merchant_with_a_public_key_takes_notices_signed_with_certificates_too():
    company = SwitchingCompany()
    await company.start()
    account = WechatAccount(company.context(), {"sandbox": company.listen})
    assert set(account._client.keys) == {SANDBOX_PUBLIC_KEY_ID}
    await until(lambda: len(account._client.keys) == 3)
    company.account = account
    for _ in range(3):
        await paid(company)
    assert {one.headers["wechatpay-serial"] for one in company.desk.notices} == set(account._client.keys)
    assert not company.desk.rejected
    await company.stop()


async def test_that_a_merchant_with_a_public_key_has_no_certificates_is_no_warning(caplog):
    caplog.set_level("INFO")
    company = WechatCompany()
    await company.start()
    await until(lambda: "could not be fetched" in caplog.text)
    assert [one.levelname for one in caplog.records if "fetched" in one.message] == ["INFO"]
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING
    await company.stop()


async def test_answers_are_signed_with_the_key_that_is_named():
    company = SwitchingCompany()
    await company.start()
    path = "/v3/certificates"
    for serial in (CERTIFICATES[1].serial, SANDBOX_PUBLIC_KEY_ID):
        _, headers, _ = await company.account._client.send("GET", path, b"", serial)
        assert headers["wechatpay-serial"] == serial
    await company.stop()


# Clocks, replays, and what somebody with WeChat Pay's own key would say.


async def test_a_notice_with_an_old_time_is_refused_and_comes_again(company):
    company.sandbox.faults.add("skewed", "payment", seconds=-400)
    company.sandbox.world.speed = 1000  # the next try in 15 ms
    await paid(company)
    assert [error.why for error in company.desk.rejected] == ["stale"]
    assert len(company.desk.statements) == 1


async def test_a_gateway_with_a_wrong_clock_is_not_believed(company):
    await company.account.query(ATTEMPT)
    company.sandbox.faults.add("skewed", "query", seconds=400)
    with pytest.raises(ProviderRefused, match="SIGN_ERROR"):
        await company.account.query(ATTEMPT)


async def test_a_replay_within_five_minutes_says_the_same_and_later_nothing(company):
    company.sandbox.faults.add("replayed", "payment", seconds=0.01)
    await paid(company)
    await until(lambda: len(company.desk.notices) == 2)
    first, second = company.desk.notices
    assert first.body == second.body and company.desk.statements[0] == company.desk.statements[1]
    with pytest.raises(NoticeRejected) as caught:
        company.account.parse_notice(replace(first, received_ms=first.received_ms + 3_600_000))
    assert caught.value.why == "stale"


async def told(company, no, **change):
    url = f"{company.sandbox.base_url}/sandbox/notice"
    async with company.http().post(url, json={"out_trade_no": no, "change": change}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mchid": "1999999999"}, "merchant"),
        ({"appid": "wxother"}, "merchant"),
        ({"amount": {"total": "5000"}}, "amount"),
        ({"amount": {"total": None}}, "amount"),
        ({"transaction_id": None}, "form"),
        ({"event_type": "REFUND.SUCCESS"}, "form"),
    ],
)
async def test_a_rightly_signed_notice_with_something_wrong_is_not_taken(company, change, why):
    request = await paid(company)
    assert await told(company, request.no, **change) == (200, {"status": 400, "taken": False})
    assert [error.why for error in company.desk.rejected] == [why]


async def test_a_notice_can_be_asked_for_over_http(company):
    request = await paid(company)
    assert await told(company, request.no) == (200, {"status": 204, "taken": True})
    assert await told(company, request.no, event_type="COUPON.USE") == (200, {"status": 204, "taken": True})
    assert company.desk.statements[2:] == [None] and (await told(company, "NONE"))[0] == 404


@pytest.mark.parametrize("name", ["timestamp", "nonce", "serial", "signature"])
async def test_a_notice_without_one_of_its_headers_is_refused(company, name):
    await paid(company)
    notice = company.desk.notices[-1]
    headers = {key: value for key, value in notice.headers.items() if key != f"wechatpay-{name}"}
    for changed in (headers, {**headers, f"wechatpay-{name}": ""}):
        with pytest.raises(NoticeRejected, match="missing"):
            company.account.parse_notice(replace(notice, headers=changed))


# Bills.


async def bill_of(company, path):
    answer = await company.account._client.call("GET", path)
    return answer, await company.account._download(answer["download_url"])


async def test_the_bill_of_funds_has_every_movement_with_its_fee(company):
    request = await paid(company)
    wanted = RefundRequest(attempt_of(request), "R1", 2000, "", company.desk.url)
    await company.account.refund(wanted)
    await until(lambda: company.desk.statements[-1].state is RefundState.DONE)
    today = beijing.day(company.clock.now())
    path = f"/v3/bill/fundflowbill?bill_date={today[:4]}-{today[4:6]}-{today[6:]}"
    with pytest.raises(ProviderRefused, match="STATEMENT_CREATING"):
        await bill_of(company, path)
    company.clock.shift_ms += 3 * DAY_MS
    answer, packed = await bill_of(company, f"{path}&account_type=BASIC&tar_type=GZIP")
    text = gzip.decompress(packed)
    assert hashlib.sha1(text).hexdigest() == answer["hash_value"]
    _, plain = await bill_of(company, path)
    assert plain == text
    rows = [line[1:].split(",`") for line in text.decode("utf-8-sig").splitlines() if line.startswith("`")]
    assert [(row[3], row[5], row[6]) for row in rows[:-1]] == [
        ("交易", "收入", "50.00"), ("扣除交易手续费", "支出", "0.30"),
        ("退款", "支出", "20.00"), ("扣除交易手续费", "收入", "0.12"),
    ]  # fmt: skip
    assert rows[-1] == ["4", "2", "50.12", "2", "20.30"] and rows[-2][7] == "29.82"
    with pytest.raises(ProviderRefused, match="NO_STATEMENT_EXIST"):
        await bill_of(company, f"{path}&account_type=FEES")


@pytest.mark.parametrize(
    "query", ["bill_date=yesterday", "bill_date=2001-01-01", "bill_date=2026-11-24&account_type=X", "bill_date="]
)
async def test_a_bill_that_cannot_be_is_refused(company, query):
    with pytest.raises(ProviderRefused, match="PARAM_ERROR"):
        await company.account._client.call("GET", f"/v3/bill/fundflowbill?{query}")


async def test_bills_of_payments_or_refunds_alone(company):
    await paid(company)
    today = beijing.day(company.clock.now())
    company.clock.shift_ms += 3 * DAY_MS
    path = f"/v3/bill/tradebill?bill_date={today[:4]}-{today[4:6]}-{today[6:]}&bill_type="
    assert (await bill_of(company, f"{path}SUCCESS"))[1]
    for kind, reason in (("REFUND", "NO_STATEMENT"), ("OTHER", "PARAM_ERROR")):
        with pytest.raises(ProviderRefused, match=reason):
            await bill_of(company, path + kind)


# Times of orders.


def test_an_order_can_be_paid_for_a_minute_at_least_and_ninety_days_at_most():
    orders = Orders()
    content = {
        "appid": "a", "mchid": "m", "description": "d", "notify_url": "https://x/y", "amount": {"total": 1},
    }  # fmt: skip
    for number, expires_ms, wanted_ms in ((1, 1000, 60_000), (2, 200 * DAY_MS, LONGEST_MS), (3, None, CLOSED_AFTER_MS)):
        times = {} if expires_ms is None else {"time_expire": beijing.rfc3339(expires_ms)}
        order = orders.open("native", {**content, "out_trade_no": f"W0000{number}", **times}, 0)
        assert order.expires_ms == wanted_ms
        orders.let_time_pass(order, max(wanted_ms, CLOSED_AFTER_MS) - 1)
        assert order.state == "NOTPAY"
        orders.let_time_pass(order, max(wanted_ms, CLOSED_AFTER_MS))
        assert order.state == "CLOSED"


FUNDS_TOP = (
    "\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FUNDS_END = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`4,`1,`50.00,`2,`20.30\r\n"


def moved(number, kind, way, amount, note=""):
    """A row of a fund-flow bill."""
    return f"`2026-11-24 10:00:00,`{number},`{number},`{kind},`{kind},`{way},`{amount},`9.00,`system,`{note},`W1"


def funds_text(*rows):
    return "\r\n".join([FUNDS_TOP, *rows, FUNDS_END]).encode()


def test_a_bill_of_funds_is_read_by_payment_and_refund_and_the_rest_is_left_out():
    text = funds_text(
        moved("42", "交易", "收入", "50.00", "one, two\u2028three"), moved("42", "扣除交易手续费", "支出", "0.30"),
        moved("503", "退款", "支出", "20.00"), moved("503", "退还交易手续费", "收入", "0.12"),
        moved("9", "提现", "支出", "1000.00"),
    )  # fmt: skip
    assert funds.read(text, date(2026, 11, 24)).movements == (Movement("42", 5000, 30), Movement("503", -2000, -12))


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff", b"a,b\r\n", funds_text(moved("42", "交易", "x", "1.00")), funds_text(moved("4", "交易", "收入", "")),
     funds_text(moved("42", "交易", "收入", "50.00"))[:-60]],
    ids=range(6),
)  # fmt: skip
def test_a_bill_of_funds_that_is_damaged_is_not_read_by_half(text):
    with pytest.raises(ProviderUnknown, match="bill"):
        funds.read(text, date(2026, 11, 24))


async def test_a_merchant_who_may_not_fetch_the_bill_of_funds_can_leave_it_out(company):
    account = company.make_account(fund_flow=False)
    assert await account.funds(date(2026, 11, 24)) is None


# Coupons at the merchant's own cost.


async def test_a_coupon_at_the_merchants_cost_is_in_the_bill_and_not_in_what_was_paid_for(company):
    request = company.request("qr")
    await company.account.create(request)
    url, wanted = f"{company.sandbox.base_url}/sandbox/pay", {"out_trade_no": request.no}
    for coupon in ("x", "1.005", "-1"):
        async with company.http().post(url, json={**wanted, "coupon": coupon}) as answer:
            assert answer.status == 400
    for coupon, is_paid in ((yuan(request.amount_fen), False), ("3.33", True)):
        async with company.http().post(url, json={**wanted, "coupon": coupon}) as answer:
            assert (await answer.json())["paid"] is is_paid
    await until(lambda: company.desk.statements)
    attempt = attempt_of(request)
    told = await company.account.query(attempt)
    assert told.amount_fen == company.desk.statements[0].amount_fen == request.amount_fen
    attempt = replace(attempt, transaction_id=told.transaction_id)
    for number, fen in enumerate((1777, 1, request.amount_fen - 1778)):
        back = RefundRequest(attempt, f"R{number}{request.no[-12:]}", fen, "moved out", company.desk.url)
        await company.account.refund(back)
        await until(
            lambda no=back.refund_no: any(getattr(one, "refund_no", "") == no for one in company.desk.statements)
        )
    day = date.fromisoformat(beijing.text(company.clock.now())[:10])
    company.clock.shift_ms += 3 * DAY_MS
    bill = await company.account.bill(day)
    paid, *backs = bill.rows
    assert (paid.statement.amount_fen, paid.booked_fen) == (request.amount_fen, request.amount_fen - 333)
    assert [row.statement.amount_fen for row in backs] == [1777, 1, request.amount_fen - 1778]
    assert sum(row.discount_fen for row in bill.rows) == 0
    assert differences(bill, await company.account.funds(day)) == []

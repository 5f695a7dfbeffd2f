"""Alipay's wire: charsets, encrypted content, clocks, bills of months, and notices with something wrong in them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date
from urllib.parse import parse_qsl, urlencode

import pytest
import pytest_asyncio
from alipay_company import LOOPBACK, AlipayCompany
from alipay_samples import private, public, samples

from meterhub import beijing, rsa_keys
from meterhub.config.nodes import Secret
from meterhub.errors import ConfigError, NotGenuine, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.amount import yuan
from meterhub.money.provider import Attempt, Notice, RefundRequest
from meterhub.money.statements import PaymentState, RefundState
from meterhub.testing.conformance_payment import PaymentConformance, attempt_of, until
from meterhub_alipay import crypto
from meterhub_alipay.account import AlipayAccount
from meterhub_alipay.sandbox_accounts import merchant_of
from meterhub_alipay.schema import SANDBOX_APP, read_account, sandbox_key

PLATFORM = {crypto.KEY_MODE: public("alipay_platform")}
AES_KEY = Secret(base64.b64encode(b"sixteen secrets!").decode())
ATTEMPT = Attempt("E20261122000000000001", "qr", 5000, 0, 1)
DAY_MS = 86_400_000


@pytest_asyncio.fixture
async def company():
    one = AlipayCompany()
    await one.start()
    yield one
    await one.stop()


async def paid(company):
    request = company.request("qr")
    await company.account.create(request)
    assert await company.pay(request.no)
    await until(lambda: any(one.no == request.no for one in company.desk.statements))
    return request


# Charsets: the signature covers the bytes of the notice, whatever characters they stand for.


@pytest.mark.parametrize("charset", ["GBK", "gb2312", "GB18030", "utf-8", "UTF-8"])
def test_a_notice_is_read_in_the_charset_that_it_names(charset):
    fields = {"app_id": "1", "charset": charset, "subject": "电费 一号楼", "total_amount": "1.00"}
    fields["sign"] = crypto.sign_notice(fields, private("alipay_platform"))
    body = urlencode(fields, encoding=crypto.charset_of(fields)).encode()
    assert crypto.read_notice(body, PLATFORM)["subject"] == "电费 一号楼"
    with pytest.raises(NotGenuine, match="wrong"):
        crypto.read_notice(body.replace(b"1.00", b"9.00"), PLATFORM)


def test_a_notice_in_gbk_that_another_program_signed_is_read():
    (sample,) = (one for one in samples("alipay.notify_verify") if one.get("why", "").startswith("GBK"))
    fields = crypto.read_notice(sample["in"]["body"].encode(), PLATFORM)
    assert any("\u4e00" <= character <= "\u9fff" for value in fields.values() for character in value)


def test_a_notice_that_lies_about_its_charset_is_refused_in_words():
    fields = {"app_id": "1", "charset": "utf-8", "subject": "x"}
    text = b"app_id=1&charset=utf-8&subject=\xb5\xe7"
    sign = rsa_keys.sign(private("alipay_platform"), text)
    body = urlencode({**fields, "subject": b"\xb5\xe7", "sign": sign}).encode()
    with pytest.raises(NotGenuine, match="charset"):
        crypto.read_notice(body, PLATFORM)
    assert crypto.charset_of({"charset": "EBCDIC-CP-US"}) == "utf-8"


async def test_who_orders_in_gbk_is_told_in_gbk(company):
    client = company.account._client
    content = '{"out_trade_no":"G1","total_amount":"1.00","subject":"水费"}'
    params = client.params("alipay.trade.precreate", {}, notify_url=company.desk.url)
    params |= {"charset": "GBK", "biz_content": content}
    params["sign"] = rsa_keys.sign(client.keys.private, crypto.sign_content(params).encode("gbk"))
    async with company.http().post(
        f"{company.sandbox.base_url}/gateway.do", data=urlencode(params, encoding="gbk").encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ) as answer:  # fmt: skip
        assert '"code":"10000"' in (await answer.read()).decode("gbk")
    assert next(iter(company.sandbox.trades)).subject == "水费"
    await company.pay("G1")
    await until(lambda: company.desk.statements)
    fields = dict(parse_qsl(company.desk.notices[-1].body.decode(), encoding="gbk"))
    assert (fields["charset"], fields["subject"]) == ("GBK", "水费")


# Encrypted content.


class EncryptedCompany(AlipayCompany):
    """Both sides have the key of content encryption."""

    secrets = (*AlipayCompany.secrets, AES_KEY.reveal(), "sixteen secrets!")

    async def open(self):
        await super().open()
        options = {"sandbox": self.listen, "aes_key": AES_KEY}
        self.sandbox.merchants[SANDBOX_APP] = merchant_of(options)
        self.account = AlipayAccount(self.context(), options)

    def strangers_account(self):
        return AlipayAccount(self.context(), {"sandbox": self.listen, "app_id": "2021999999999999", "aes_key": AES_KEY})


class TestAlipayEncrypted(PaymentConformance):
    """Whoever encrypts pays by the same rules."""

    make_company = EncryptedCompany


async def test_the_content_goes_encrypted_and_comes_back_so():
    company = EncryptedCompany()
    await company.start()
    sent = company.account._client.params("alipay.trade.query", {"out_trade_no": "E1"})
    assert sent["encrypt_type"] == "AES" and "E1" not in sent["biz_content"]
    assert crypto.decrypt_content(sent["biz_content"], base64.b64decode(AES_KEY)) == '{"out_trade_no":"E1"}'
    company.sandbox.merchants[SANDBOX_APP] = replace(
        company.sandbox.merchants[SANDBOX_APP], aes_key=b"another key !!!!"
    )
    with pytest.raises(ProviderUnknown, match="signature") as caught:
        await company.account.query(ATTEMPT)
    assert "decryption-error" in str(caught.value.hint)
    await company.stop()


def test_encrypted_answers_are_proved_with_their_quotes_and_opened_after():
    key, sealed = base64.b64decode(AES_KEY), crypto.encrypt_content('{"code":"10000"}', base64.b64decode(AES_KEY))

    def answer(text):
        return f'{{"a_response":{text},"sign":"{rsa_keys.sign(private("alipay_platform"), text.encode())}"}}'.encode()

    assert crypto.read_answer(answer(f'"{sealed}"'), "a_response", PLATFORM, key) == {"code": "10000"}
    for wrong_key in (b"", b"another key !!!!"):
        with pytest.raises(NotGenuine, match="crypted"):
            crypto.read_answer(answer(f'"{sealed}"'), "a_response", PLATFORM, wrong_key)
    for damaged in ("", "x", sealed[:-8], "A" * 24):
        with pytest.raises(NotGenuine):
            crypto.read_answer(answer(f'"{damaged}"'), "a_response", PLATFORM, key)
    forged = f'{{"a_response":"{sealed}","sign":"{rsa_keys.sign(private("alipay_platform"), sealed.encode())}"}}'
    with pytest.raises(NotGenuine, match="signature"):
        crypto.read_answer(forged.encode(), "a_response", PLATFORM, key)


@pytest.mark.parametrize("words", ["short", "!!!!", base64.b64encode(b"x" * 32).decode()])
def test_a_wrong_key_of_the_content_is_refused_in_words(words):
    with pytest.raises(ConfigError, match="aes_key: this is no AES key") as caught:
        read_account({"sandbox": LOOPBACK, "aes_key": Secret(words)})
    assert words not in str(caught.value)


# Clocks, replays, and what a forger with Alipay's own key would say.


async def test_a_wrong_clock_at_alipay_is_told_in_its_words(company):
    company.sandbox.faults.add("skewed", "alipay.trade.query", seconds=2 * 86_400)
    with pytest.raises(ProviderUnknown) as caught:
        await company.account.query(ATTEMPT)
    assert "invalid-timestamp" in str(caught.value.hint)
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING


async def test_a_notice_of_yesterday_is_as_good_as_new(company):
    company.sandbox.faults.add("skewed", "payment", seconds=-25 * 3600)
    request = await paid(company)
    assert company.desk.statements[-1].no == request.no and not company.desk.rejected


async def test_a_replayed_notice_says_the_same_once_more(company):
    company.sandbox.faults.add("replayed", "payment", seconds=0.01)
    await paid(company)
    await until(lambda: len(company.desk.notices) == 2)
    first, second = company.desk.notices
    assert first.body == second.body and company.desk.statements[0] == company.desk.statements[1]


async def told(company, no, **change):
    url = f"{company.sandbox.base_url}/sandbox/notice"
    async with company.http().post(url, json={"out_trade_no": no, "change": change}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"app_id": "2021999"}, "merchant"),
        ({"seller_id": "2088999"}, "merchant"),
        ({"seller_id": None}, "merchant"),
        ({"app_id": None}, "merchant"),
        ({"total_amount": "1e2"}, "amount"),
        ({"total_amount": None}, "amount"),
        ({"trade_no": None}, "form"),
    ],
)
async def test_a_rightly_signed_notice_with_something_wrong_is_not_taken(company, change, why):
    request = await paid(company)
    assert await told(company, request.no, **change) == (200, {"status": 200, "taken": False})
    assert [error.why for error in company.desk.rejected] == [why]


async def test_a_notice_can_be_asked_for_over_http(company):
    request = await paid(company)
    assert await told(company, request.no) == (200, {"status": 200, "taken": True})
    assert len(company.desk.statements) == 2
    assert (await told(company, "NONE"))[0] == 404
    for wrong in (b"[]", b"{", b'{"out_trade_no": "x", "change": 1}'):
        async with company.http().post(f"{company.sandbox.base_url}/sandbox/notice", data=wrong) as answer:
            assert answer.status in (400, 404)


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded; charset=EBCDIC"},
     {"content-type": "application/json"}],
)  # fmt: skip
async def test_what_the_headers_say_changes_nothing(company, headers):
    await paid(company)
    notice = company.desk.notices[-1]
    assert company.account.parse_notice(Notice(headers, notice.body, 0)) == company.desk.statements[-1]


@pytest.mark.parametrize(
    "change",
    [lambda body: body + b"&total_amount=0.01", lambda body: b"total_amount=0.01&" + body,
     lambda body: body.replace(b"sign_type=RSA2", b"sign_type=RSA"), lambda body: b"\xef\xbb\xbf" + body,
     lambda body: body + b"&" + b"&".join(b"f%d=" % number for number in range(300)),
     lambda body: body + b"\n", lambda body: body.replace(b"&", b";"), lambda body: body + b"&body=" + b"%41" * 9000],
    ids=["twice", "twice first", "sha1", "bom", "many", "newline", "semicolons", "long"],
)  # fmt: skip
async def test_a_notice_of_another_form_is_refused(company, change):
    await paid(company)
    notice = company.desk.notices[-1]
    with pytest.raises(NoticeRejected):
        company.account.parse_notice(replace(notice, body=change(notice.body)))


# Bills of months, and days that have none.


async def bill_of(company, **content):
    client = company.account._client
    return await client.call("alipay.data.dataservice.bill.downloadurl.query", content)


async def test_bills_of_days_and_months_are_there_when_alipay_has_them(company):
    await paid(company)
    today = beijing.day(company.clock.now())
    month = f"{today[:4]}-{today[4:6]}"
    with pytest.raises(ProviderRefused, match="BILL_NOT_EXIST"):
        await bill_of(company, bill_type="trade", bill_date=month)
    company.clock.shift_ms += 35 * 86_400_000
    assert (await bill_of(company, bill_type="trade", bill_date=month))["bill_download_url"]
    for wrong, reason in (
        ({"bill_type": "signcustomer", "bill_date": month}, "TYPE_NOT_SUPPORTED"),
        ({"bill_type": "trade", "bill_date": "yesterday"}, "INVAILID_ARGUMENTS"),
        ({"bill_type": "trade", "bill_date": "2001-01-01"}, "INVAILID_ARGUMENTS"),
    ):
        with pytest.raises(ProviderRefused, match=reason):
            await bill_of(company, **wrong)


@pytest.mark.parametrize(("way", "life_ms"), [("qr", 2 * 3_600_000), ("h5", 600_000), ("page", 600_000)])
async def test_codes_and_addresses_live_shorter_than_a_day_and_are_asked_for_again(company, way, life_ms):
    request = company.request(way)
    request = replace(request, expires_ms=request.created_ms + 86_400_000)
    shown = await company.account.create(request)
    assert abs(shown.expires_ms - company.clock.now() - life_ms) < 5000
    soon = replace(company.request(way), expires_ms=company.clock.now() + 60_000)
    assert (await company.account.create(soon)).expires_ms == soon.expires_ms
    if way == "qr":
        company.clock.shift_ms += life_ms
        async with company.http().get(shown.qr) as page:
            assert page.status == 404
        again = await company.account.create(request)
        async with company.http().get(again.qr) as page:
            assert page.status == 200 and again.qr != shown.qr


async def test_a_refund_asked_for_over_again_moves_nothing_and_is_found_by_asking_after_it(company):
    request = await paid(company)
    wanted = RefundRequest(attempt_of(request), "R1", 100, "", "")
    assert (await company.account.refund(wanted)).state is RefundState.DONE
    again = await company.account.refund(wanted)
    assert (again.state, again.total_fen) == (RefundState.PROCESSING, 100)
    assert (await company.account.query_refund(wanted)).state is RefundState.DONE


async def test_a_request_must_name_the_root_certificates_it_was_made_for(company):
    merchant = replace(company.sandbox.merchants[SANDBOX_APP], app_number="", root_number="1_2", bare_keys=False)
    company.sandbox.merchants[SANDBOX_APP] = merchant
    with pytest.raises(ProviderUnknown) as caught:
        await company.account.query(ATTEMPT)
    assert "root-cert-sn" in str(caught.value.hint)
    assert sandbox_key("alipay").export_key().decode()[40:100] not in repr(merchant)


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

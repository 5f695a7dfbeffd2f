"""WeChat Pay at its edges: what is sent to the gateway to the letter, and answers, keys and bills that nearly fit."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from test_wechat_account import COLUMNS, PAID, line, text_of
from test_wechat_wire import funds_text, moved
from wechat_company import CERTIFICATES, CertificateCompany, WechatCompany
from wechat_samples import CONFIG, PLATFORM, private, public

from meterhub import certificates
from meterhub.errors import NotGenuine, ProviderRefused, ProviderUnknown
from meterhub.money.provider import Attempt, RefundRequest
from meterhub.money.statements import Bill, Funds, Movement, PaymentState, RefundState
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_wechat import bill, crypto, funds, outcomes, statements
from meterhub_wechat.sandbox import PlatformKey

APIV3 = CONFIG["wx_apiv3_key"]
ATTEMPT = Attempt("W20261122000000000001", "qr", 5000, 0, 1)
REFUND = RefundRequest(ATTEMPT, "R1", 1000, "moved out", "https://pay.example.org/x")
DAY = date(2026, 11, 24)
RETRY_S = 600


@pytest_asyncio.fixture
async def company():
    one = WechatCompany()
    await one.start()
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def certified():
    """An account in certificate mode that has both certificates by now."""
    one = CertificateCompany()
    await one.start()
    await until(lambda: len(one.account._client.keys) == 2)
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def gateway(company):
    """In the place of WeChat Pay's gateway: ``heard`` are the requests, ``say(request)`` gives the answer."""
    heard = []
    one = SimpleNamespace(heard=heard, say=lambda request: web.Response(status=500))

    async def take(request):
        body = await request.read()
        heard.append(SimpleNamespace(path=request.path_qs, headers=request.headers, body=body, method=request.method))
        return one.say(request)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


def turn_to(company, **changes):
    """Let the account ask elsewhere."""
    account = replace(company.account._account, **changes)
    company.account._account = company.account._client._account = account


def later(company, seconds):
    """The clock that never goes back is so much on."""
    real = company.clock.monotonic
    company.clock.monotonic = lambda: real() + seconds


# What is sent.


async def test_a_call_has_the_headers_without_which_wechat_pay_turns_it_away(company, gateway):
    turn_to(company, gateway=gateway.url, backup="")
    for call in (company.account.query(ATTEMPT), company.account.close(ATTEMPT)):
        with pytest.raises(ProviderUnknown):
            await call
    query, close = gateway.heard
    assert {one.headers["Accept"] for one in gateway.heard} == {"application/json"}
    assert {one.headers["User-Agent"] for one in gateway.heard} == {"MeterHub"}
    assert close.headers["Content-Type"] == "application/json" and json.loads(close.body) == {
        "mchid": company.account.merchant
    }
    assert query.body == b"" and query.headers.get("Content-Type") != "application/json"


async def test_what_is_sent_follows_nobody_elsewhere(company, gateway):
    gateway.say = lambda request: web.Response(status=307, headers={"Location": "/elsewhere"})
    turn_to(company, gateway=gateway.url, backup="", tokens=f"{gateway.url}/token")
    with pytest.raises(ProviderUnknown, match="answered 307"):
        await company.account.query(ATTEMPT)
    with pytest.raises(ProviderUnknown, match="HTTP 307"):
        await company.account._download(f"{gateway.url}/bill")
    with pytest.raises(ProviderUnknown, match="who pays"):
        await company.account.identify({"code": "c"})
    assert [urlsplit(one.path).path for one in gateway.heard if "elsewhere" in one.path] == []


async def test_a_site_that_was_reached_and_does_not_answer_is_the_only_one_that_is_asked(company, gateway):
    turn_to(company, backup=gateway.url)
    company.sandbox.faults.add("hang", "query")
    with pytest.raises(ProviderUnknown, match="no answer"):
        await company.account.query(ATTEMPT)
    assert gateway.heard == []
    turn_to(company, gateway="http://127.0.0.1:1", backup="")
    with pytest.raises(ProviderUnknown, match="ClientConnectorError"):
        await company.account.query(ATTEMPT)


async def test_a_refund_tells_its_reason_in_so_many_bytes_as_wechat_pay_takes(company, gateway):
    turn_to(company, gateway=gateway.url, backup="")
    with pytest.raises(ProviderUnknown):
        await company.account.refund(replace(REFUND, reason="退" * 40))
    assert json.loads(gateway.heard[0].body) == {
        "out_trade_no": ATTEMPT.no, "out_refund_no": "R1", "reason": "退" * 26, "notify_url": REFUND.notify_url,
        "amount": {"refund": 1000, "total": 5000, "currency": "CNY"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "ways"),
    [
        ("Mozilla/5.0 (Linux; Android 14) Mobile", ["h5", "qr"]),
        ("Mozilla/5.0 (iPhone)", ["h5", "qr"]),
        ("Mozilla/5.0 (X11; Linux x86_64)", ["qr"]),
        ("Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8", ["jsapi", "qr"]),
    ],
)
async def test_each_browser_is_offered_what_works_in_it(company, agent, ways):
    assert [one.name for one in company.account.ways(agent)] == ways


async def test_who_pays_inside_wechat_is_asked_for_as_wechat_wants_it(company, gateway):
    turn_to(company, tokens=f"{gateway.url}/token")
    asked = urlsplit(company.account.identify_url("jsapi", "https://pay.example.org/back?a=1"))
    appid = company.account._account.appid
    assert asked.fragment == "wechat_redirect" and dict(parse_qsl(asked.query)) == {
        "appid": appid, "redirect_uri": "https://pay.example.org/back?a=1", "response_type": "code",
        "scope": "snsapi_base", "state": "pay",
    }  # fmt: skip
    gateway.say = lambda request: web.json_response({"openid": "o1"})
    assert await company.account.identify({"code": "c" * 300}) == "o1"
    query = dict(parse_qsl(urlsplit(gateway.heard[0].path).query))
    assert query == {
        "appid": appid, "secret": company.account._account.app_secret[:], "code": "c" * 200,
        "grant_type": "authorization_code",
    }  # fmt: skip
    gateway.say = lambda request: web.json_response({"errcode": "4" * 30})
    with pytest.raises(ProviderRefused) as caught:
        await company.account.identify({"code": "c"})
    assert caught.value.reply == "4" * 20


async def test_who_pays_matters_only_inside_wechat(company, gateway):
    request = replace(company.request("qr"), payer="")
    assert (await company.account.create(request)).qr
    turn_to(company, gateway=gateway.url, backup="")
    with pytest.raises(ProviderRefused) as caught:
        await company.account.create(replace(company.request("jsapi"), payer=""))
    assert (caught.value.reply, gateway.heard) == ("NO_OPENID", [])


@pytest.mark.parametrize(("way", "life_ms"), [("qr", 3_600_000), ("h5", 300_000), ("jsapi", 3_600_000)])
async def test_what_is_shown_says_until_when_it_serves(company, way, life_ms):
    request, before_ms = company.request(way), company.clock.now()
    shown = await company.account.create(request)
    assert min(request.expires_ms, before_ms + life_ms) <= shown.expires_ms
    assert shown.expires_ms <= min(request.expires_ms, company.clock.now() + life_ms)
    order = next(iter(company.sandbox.orders))
    assert order.content["amount"] == {"total": 5000, "currency": "CNY"}
    if way == "jsapi":
        assert abs(int(shown.params["timeStamp"]) - company.clock.now() // 1000) < 60


# What comes back.


async def test_wechat_pay_is_told_in_its_words_whether_a_notice_was_taken(company):
    taken, refused = company.account.notice_answer(True), company.account.notice_answer(False)
    assert (taken.status, taken.body, refused.status) == (204, b"", 400)
    assert json.loads(refused.body) == {"code": "FAIL", "message": "not taken"}


class Refusing:
    """In place of the client: refuses every call with this word."""

    def __init__(self, reply):
        self.reply = reply

    async def call(self, method, path, content=None, where="", serial=""):
        raise ProviderRefused("no", reply=self.reply)


@pytest.mark.parametrize(
    ("reply", "hours", "there"),
    [("NO_STATEMENT_EXIST", 34, True), ("NO_STATEMENT_EXIST", 33.9, False), ("NO_RIGHT", 40, False)],
)
async def test_a_day_without_a_bill_is_an_empty_one_from_ten_oclock_the_next_morning(company, reply, hours, there):
    company.account._client = Refusing(reply)
    company.clock.now = lambda: 1_795_449_600_000 + round(hours * 3_600_000)
    for kind, ask in ((Bill, company.account.bill), (Funds, company.account.funds)):
        if there:
            assert await ask(DAY) == kind(DAY, ())
        else:
            with pytest.raises(ProviderUnknown, match="no bill of 2026-11-24 yet"):
                await ask(DAY)


async def test_the_file_of_a_bill_is_asked_for_with_the_headers_of_every_call(company, gateway):
    turn_to(company, gateway=gateway.url, backup="")
    with pytest.raises(ProviderUnknown, match="HTTP 500"):
        await company.account._download(f"{gateway.url}/file?token=a%2Fb")
    (asked,) = gateway.heard
    assert asked.path == "/file?token=a%2Fb" and asked.headers["User-Agent"] == "MeterHub"
    assert asked.headers["Authorization"].startswith("WECHATPAY2-SHA256-RSA2048 ")


@pytest.mark.parametrize(
    ("status", "kind"), [(399, ProviderUnknown), (400, ProviderRefused), (499, ProviderRefused), (500, ProviderUnknown)]
)
def test_a_no_comes_with_a_status_of_its_own(status, kind):
    error = outcomes.error_of(status, json.dumps({"code": "NO" * 50, "message": "why " * 99}).encode(), "W1")
    assert type(error) is kind and error.hint == ("why " * 99)[:200] and error.where == "W1"
    assert error.message == f"WeChat Pay answered {status} {('NO' * 50)[:64]}"


def test_who_asks_too_often_was_not_told_no():
    assert type(outcomes.error_of(429, b'{"code":"ANY_OTHER_WORD"}', "W1")) is ProviderUnknown
    assert type(outcomes.error_of(430, b'{"code":"ANY_OTHER_WORD"}', "W1")) is ProviderRefused


@pytest.mark.parametrize("fen", [1, 10_000_000_000])
def test_the_least_and_the_most_that_can_be_paid_are_read(fen):
    said = statements.payment_of_query({**PAID, "amount": {"total": fen}}, "W1", "m")
    assert (said.amount_fen, said.transaction_id, said.state) == (fen, "42", PaymentState.PAID)


def test_a_payment_that_is_not_made_yet_has_no_number():
    waiting = {name: value for name, value in PAID.items() if name != "transaction_id"}
    said = statements.payment_of_query({**waiting, "trade_state": "NOTPAY"}, "W1", "m")
    assert (said.state, said.transaction_id) == (PaymentState.PENDING, "")


@pytest.mark.parametrize(("status", "reason"), [("SUCCESS", ""), ("ABNORMAL", "招" * 100)])
def test_a_refund_says_where_it_went_when_it_did_not_arrive(status, reason):
    told = {
        "out_trade_no": "W1", "out_refund_no": "R1", "status": status, "amount": {"refund": 100},
        "transaction_id": "42", "refund_id": "503", "user_received_account": "招" * 120,
    }  # fmt: skip
    said = statements.refund_of_answer(told, "R1")
    assert (said.transaction_id, said.refund_id, said.reason) == ("42", "503", reason)
    bare = statements.refund_of_answer({"out_refund_no": "R1", "status": "PROCESSING"}, "R1")
    assert (bare.transaction_id, bare.refund_id, bare.state) == ("", "", RefundState.PROCESSING)


# Signatures, keys and what is encrypted.


def test_a_time_has_fifteen_digits_at_most():
    headers = crypto.sign_answer(b"{}", key=private("wx_platform"), serial="s", timestamp="1", nonce="n")
    assert headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
    for digits, why in ((15, "stale"), (16, "signature")):
        with pytest.raises(NotGenuine) as caught:
            crypto.verify({**headers, "Wechatpay-Timestamp": "1" * digits}, b"{}", PLATFORM, 1)
        assert caught.value.why == why


def test_what_is_encrypted_is_base64_and_nothing_else():
    sealed = crypto.encrypt(b"{}", APIV3, nonce="abcdefghijkl", associated_data="x")
    assert crypto.decrypt(sealed, APIV3) == b"{}"
    text = sealed["ciphertext"]
    with pytest.raises(NotGenuine):
        crypto.decrypt({**sealed, "ciphertext": f"{text[:4]}*{text[4:]}"}, APIV3)
    field = crypto.encrypt_field("张三", public("wx_merchant"))
    assert crypto.decrypt_field(field, private("wx_merchant")) == "张三"
    with pytest.raises(NotGenuine):
        crypto.decrypt_field(f"{field[:4]}*{field[4:]}", private("wx_merchant"))


@pytest.mark.parametrize(
    "content",
    [{"data": 5}, {"data": "x"}, {"data": [5]}, {"data": [{"encrypt_certificate": 1}]}, {"data": {"a": 1}}],
    ids=range(5),
)
def test_what_is_no_list_of_certificates_is_refused_in_words(content):
    with pytest.raises(NotGenuine):
        crypto.read_certificates(json.dumps(content).encode(), APIV3)


@pytest.mark.parametrize("plain", [b"\xff\xfe", b"nonsense", b""], ids=range(3))
def test_an_encrypted_certificate_that_is_none_is_refused_in_words(plain):
    sealed = crypto.encrypt(plain, APIV3, nonce="abcdefghijkl", associated_data="certificate")
    body = json.dumps({"data": [{"serial_no": "1", "encrypt_certificate": sealed}]}).encode()
    with pytest.raises(NotGenuine, match="certificate"):
        crypto.read_certificates(body, APIV3)


async def test_a_new_certificate_is_looked_for_when_an_answer_names_it_but_seldom(certified):
    client = certified.account._client
    new = CERTIFICATES[0]
    merchant = next(iter(certified.sandbox.merchants.values()))
    request = certified.request("qr")
    await certified.account.create(request)
    asked = attempt_of(request)
    later(certified, RETRY_S + 1)
    del client.keys[new.serial]
    certified.sandbox.merchants[merchant.mchid] = replace(merchant, platform=(new,))
    with pytest.raises(ProviderUnknown, match="proves nothing"):
        await certified.account.query(asked)
    await until(lambda: new.serial in client.keys)
    assert (await certified.account.query(asked)).state is PaymentState.PENDING
    del client.keys[new.serial]  # soon after it is not asked for once more
    with pytest.raises(ProviderUnknown, match="proves nothing"):
        await certified.account.query(asked)
    await client.look_for_certificates()
    assert new.serial not in client.keys
    later(certified, RETRY_S - 1)
    await client.look_for_certificates()
    assert new.serial not in client.keys
    later(certified, 2)
    await client.look_for_certificates()
    assert new.serial in client.keys


async def test_an_answer_that_proves_nothing_under_a_known_key_asks_for_no_certificate(certified):
    later(certified, RETRY_S + 1)
    certified.sandbox.faults.add("probe", "query")
    certified.sandbox.faults.add("error", "certificates")
    with pytest.raises(ProviderUnknown, match="probe"):
        await certified.account.query(ATTEMPT)
    assert (await certified.account.query(ATTEMPT)).state is PaymentState.MISSING
    assert certified.sandbox.faults.planned("certificates", "error")


@pytest.mark.parametrize(("fault", "words"), [("forged", "signature"), ("unsigned", "signature"), ("error", "500")])
async def test_certificates_that_nobody_signed_are_not_taken(certified, caplog, fault, words):
    caplog.set_level(logging.WARNING)
    client = certified.account._client
    later(certified, RETRY_S + 1)
    known = dict(client.keys)
    stranger = PlatformKey("0" * 40, private("wx_wrong"), None)
    assert stranger.serial not in known
    del client.keys[CERTIFICATES[1].serial]
    certified.sandbox.faults.add(fault, "certificates")
    await client.look_for_certificates()
    assert set(client.keys) == {CERTIFICATES[0].serial}
    assert any("could not be fetched" in one and words in one for one in caplog.messages)


async def test_a_certificate_with_a_key_of_another_kind_leaves_the_known_ones(certified, caplog):
    keys = json.loads((Path(__file__).parents[1] / "alipay" / "alipay_keys.json").read_text(encoding="utf-8"))
    other = certificates.load(keys["chain"]["ec"])
    merchant = next(iter(certified.sandbox.merchants.values()))
    client, platform = certified.account._client, PlatformKey(other.serial_hex, private("wx_platform"), other)
    certified.sandbox.merchants[merchant.mchid] = replace(merchant, platform=(CERTIFICATES[0], platform))
    known = dict(client.keys)
    later(certified, RETRY_S + 1)
    await client.look_for_certificates()
    assert client.keys == known and any("could not be fetched" in one for one in caplog.messages)


# Bills.


def test_a_row_of_a_bill_is_read_whole_whatever_its_name_holds():
    rows = [line(商品名称="电费,`101,`2"), line(), line(商品名称="a", 微信订单号="43")]
    found = bill.read(text_of(*rows), DAY).rows
    assert [one.statement.transaction_id for one in found] == ["42", "42", "43"]
    assert {(one.statement.amount_fen, one.fee_fen, one.booked_fen) for one in found} == {(5000, 30, 4900)}
    assert {one.statement.paid_ms for one in found} == {1_795_485_600_000}


def test_a_row_of_a_bill_that_is_too_short_or_of_another_file_is_not_read():
    short = ",`".join(line().split(",`")[:-3])
    for text in (text_of(short), text_of(columns="a,b"), funds_text(moved("42", "交易", "收入", "50.00"))):
        with pytest.raises(ProviderUnknown, match="bill"):
            bill.read(text, DAY)
    assert "商品名称" in COLUMNS


def test_more_notes_than_columns_do_not_shift_what_was_moved():
    text = funds_text(moved("42", "交易", "收入", "50.00", "a,`b,`c"), moved("43", "扣除交易手续费", "支出", "0.30"))
    assert funds.read(text, DAY).movements == (Movement("42", 5000, 0), Movement("43", 0, 30))


def test_a_bill_is_packed_alike_each_time():
    assert bill.packed(b"x") == bill.packed(b"x") and base64.b64encode(bill.packed(b""))


@pytest.mark.parametrize(
    "word",
    [
        "SYSTEM_ERROR",
        "BANKERROR",
        "FREQUENCY_LIMITED",
        "RATELIMIT_EXCEEDED",
        "SERVICE_UNAVAILABLE",
        "BIZERR_NEED_RETRY",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_trouble_of_wechat_pays_own_is_no_answer_whatever_its_status(word, status):
    assert type(outcomes.error_of(status, json.dumps({"code": word}).encode(), "W1")) is ProviderUnknown

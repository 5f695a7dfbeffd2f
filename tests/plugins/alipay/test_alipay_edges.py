"""Alipay at its edges: what is sent to the gateway to the letter, and answers, notices and bills that nearly fit."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from alipay_company import AlipayCompany
from alipay_samples import private, public
from test_alipay_account import HEADER, Scripted, archive, row

from meterhub import rsa_keys
from meterhub.errors import NotGenuine, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.provider import Attempt, Notice, RefundRequest
from meterhub_alipay import bill, crypto, json_slices, outcomes
from meterhub_alipay.schema import Keys

PLATFORM = {crypto.KEY_MODE: public("alipay_platform")}
ATTEMPT = Attempt("E20261122000000000001", "qr", 5000, 0, 1)
REFUND = RefundRequest(ATTEMPT, "R1", 1000, "moved out", "")
DAY = date(2026, 11, 24)


def signature(text):
    return rsa_keys.sign(private("alipay_platform"), text.encode())


def answer(node, content, more=""):
    """An answer of the gateway: the content as text, signed, and what else stands in it."""
    return f'{{"{node}":{content},{more}"sign":"{signature(content)}"}}'.encode()


@pytest_asyncio.fixture
async def company():
    one = AlipayCompany()
    await one.start()
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def gateway(company):
    """In the place of Alipay's gateway: ``heard`` are the requests, ``say(request)`` gives the answer."""
    heard = []
    one = SimpleNamespace(heard=heard, say=lambda request: web.Response(body=b"{}"))

    async def take(request):
        heard.append(SimpleNamespace(path=request.path, query=dict(request.query), form=dict(await request.post())))
        return one.say(request)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = replace(company.account._account, gateway=f"{one.url}/gateway.do")
    keys = Keys(account.keys.private, PLATFORM)
    company.account._account = company.account._client._account = replace(account, keys=keys)
    company.account._client.keys = keys
    yield one
    await runner.cleanup()


# What is sent.


async def test_a_call_has_all_that_alipay_wants_of_every_call(company, gateway):
    with pytest.raises(ProviderUnknown):
        await company.account.query(ATTEMPT)
    (asked,) = gateway.heard
    named = {name: asked.query[name] for name in ("method", "format", "charset", "sign_type", "version")}
    assert named == {
        "method": "alipay.trade.query", "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0",
    }  # fmt: skip
    assert json.loads(asked.form["biz_content"]) == {"out_trade_no": ATTEMPT.no}
    whole = {**asked.query, **asked.form}
    assert crypto.request_verified(whole, company.account._account.keys.private.public_key())


def test_in_certificate_mode_a_call_names_the_roots(company_params):
    assert company_params["alipay_root_cert_sn"] == "roots" and company_params["app_cert_sn"] == "app"


@pytest.fixture
def company_params():
    from meterhub_alipay.client import Client

    keys = Keys(private("alipay_app"), {"x": public("alipay_platform")}, app_number="app", root_number="roots")
    account = SimpleNamespace(keys=keys, app_id="1", gateway="https://x")
    return Client(SimpleNamespace(clock=AlipayCompany().clock), account).params("m", {})


async def test_a_refund_tells_its_reason_and_a_question_after_it_wants_the_time(company, gateway):
    for call in (company.account.refund, company.account.query_refund):
        with pytest.raises(ProviderUnknown):
            await call(replace(REFUND, reason="y" * 300))
    refund, query = (json.loads(one.form["biz_content"]) for one in gateway.heard)
    whole = {"out_trade_no": ATTEMPT.no, "out_request_no": "R1"}
    assert refund == {**whole, "refund_amount": "10.00", "refund_reason": "y" * 256}
    assert query == {**whole, "query_options": ["gmt_refund_pay"]}


@pytest.mark.parametrize(("way", "back"), [("h5", True), ("page", False)])
async def test_the_page_of_the_phone_can_be_left(company, way, back):
    request = company.request(way)
    content = json.loads(dict(parse_qsl(urlsplit((await company.account.create(request)).url).query))["biz_content"])
    assert content.get("quit_url") == (request.return_url if back else None)


@pytest.mark.parametrize(
    ("agent", "ways"),
    [
        ("Mozilla/5.0 (Linux; Android 14) Mobile", ["h5", "qr"]),
        ("Mozilla/5.0 (iPhone)", ["h5", "qr"]),
        ("Mozilla/5.0 (X11; Linux x86_64)", ["qr", "page"]),
        ("Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8", ["qr"]),
    ],
)
async def test_each_browser_is_offered_what_works_in_it(company, agent, ways):
    assert [one.name for one in company.account.ways(agent)] == ways
    assert company.account.merchant == company.account._account.seller_id


# What comes back.


async def test_a_signed_answer_under_an_error_of_the_server_is_no_answer(company, gateway):
    content = f'{{"code":"10000","out_trade_no":"{ATTEMPT.no}","trade_status":"TRADE_SUCCESS","total_amount":"50.00"}}'
    body = answer("alipay_trade_query_response", content)
    gateway.say = lambda request: web.Response(body=body)
    assert (await company.account.query(ATTEMPT)).amount_fen == 5000
    gateway.say = lambda request: web.Response(body=body, status=502)
    with pytest.raises(ProviderUnknown, match="HTTP 502"):
        await company.account.query(ATTEMPT)


async def test_what_is_sent_to_alipay_follows_nobody_elsewhere(company, gateway):
    def away(request):
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    gateway.say = away
    with pytest.raises(ProviderUnknown, match="HTTP 307"):
        await company.account.query(ATTEMPT)
    with pytest.raises(ProviderUnknown, match="HTTP 307"):
        await company.account._download(f"{gateway.url}/bill")
    assert [one.path for one in gateway.heard] == ["/gateway.do", "/bill"]


async def test_an_error_names_what_was_asked_about(company, gateway):
    no = '{"code":"40004","sub_code":"ACQ.NO_RIGHT"}'
    gateway.say = lambda request: web.Response(body=answer(crypto.node_of(request.query["method"]), no))
    with pytest.raises(ProviderRefused) as caught:
        await company.account.query(ATTEMPT)
    assert caught.value.where == ATTEMPT.no
    gateway.say = lambda request: web.Response(body=b"{}")
    with pytest.raises(ProviderUnknown) as caught:
        await company.account.bill(DAY)
    assert caught.value.where == "alipay.data.dataservice.bill.downloadurl.query"


async def test_why_a_caller_is_not_known_is_told_in_few_words(company, gateway):
    words = json.dumps({"error_response": {"code": "40002", "sub_code": "x" * 300}}).encode()
    gateway.say = lambda request: web.Response(body=words)
    with pytest.raises(ProviderUnknown) as caught:
        await company.account.query(ATTEMPT)
    assert caught.value.hint == "x" * 100


def test_an_error_says_the_nearest_word_that_alipay_has_for_it():
    both = outcomes.error_of({"code": "40004", "msg": "Failed", "sub_code": "ACQ.NO", "sub_msg": "why " * 99}, "E1")
    assert both.message == "Alipay answered ACQ.NO" and both.hint == ("why " * 99)[:200]
    bare = outcomes.error_of({"code": "40001", "msg": "Missing"}, "E1")
    assert (bare.message, bare.hint, bare.reply) == ("Alipay answered 40001", "Missing", "40001")
    assert outcomes.error_of({"code": "40001"}, "E1").hint == ""


def test_an_error_that_alipay_signed_is_read_and_one_beside_a_content_is_not():
    refusal = '{"code":"40002","sub_code":"isv.no"}'
    assert crypto.read_answer(answer("error_response", refusal), "a_response", PLATFORM)["sub_code"] == "isv.no"
    assert crypto.read_answer(answer("error_response", refusal), "error_response", PLATFORM)["code"] == "40002"
    with pytest.raises(NotGenuine, match="two contents"):
        crypto.read_answer(answer("a_response", "{}", '"error_response":{},'), "a_response", PLATFORM)


def test_an_answer_is_one_plain_object_and_nothing_beside_it():
    good = answer("a_response", "{}").decode()
    assert crypto.read_answer(good.encode(), "a_response", PLATFORM) == {}
    rest = good.removeprefix('{"a_response":{}')
    for strange, words in (
        (good + "{}", "follows"),
        (f'{{"a_response":{{}},"a_response":{{}}{rest}', "twice"),
        ("{a_response:{}" + rest, "name is missing"),
        ('{"a_response" {}' + rest, ": is missing"),
        ('{"a_response":{} ' + rest[1:], ", is missing"),
        (good.replace("{}", '{"a":NaN}'), "NaN"),
        (good.replace("{}", '{"a":1,"a":2}'), "twice"),
    ):
        with pytest.raises(NotGenuine, match=words):
            crypto.read_answer(strange.encode(), "a_response", PLATFORM)


def test_an_object_may_have_a_million_characters_and_no_more():
    text = '{"x":"' + "a" * (json_slices.LARGEST - 8) + '"}'
    assert len(json_slices.members(text)["x"]) == json_slices.LARGEST - 6
    with pytest.raises(ValueError, match="too long"):
        json_slices.members(text + " ")


def test_encrypted_content_with_other_characters_in_it_is_refused():
    key = b"sixteen secrets!"
    sealed = crypto.encrypt_content('{"code":"10000"}', key)
    assert crypto.decrypt_content(sealed, key) == '{"code":"10000"}'
    with pytest.raises(NotGenuine, match="decrypted"):
        crypto.decrypt_content(f"{sealed[:4]}*{sealed[4:]}", key)


# Notices.


def signed_notice(fields):
    return urlencode({**fields, "sign": crypto.sign_notice(fields, private("alipay_platform"))}).encode()


def test_a_notice_has_no_field_without_a_value_and_no_more_than_a_notice_can_have():
    body = signed_notice({"app_id": "1"})
    assert crypto.read_notice(body, PLATFORM)["app_id"] == "1"
    with pytest.raises(NotGenuine, match="no form"):
        crypto.read_notice(body + b"&junk", PLATFORM)
    short = len(signed_notice({"subject": ""}))
    lengths = {}
    for more in range(crypto.LARGEST_NOTICE - short - 40, crypto.LARGEST_NOTICE - short + 40):
        one = signed_notice({"subject": "x" * more})
        lengths[len(one)] = one
    longest = max(length for length in lengths if length <= crypto.LARGEST_NOTICE)
    if longest == crypto.LARGEST_NOTICE:
        assert crypto.read_notice(lengths[longest], PLATFORM)
    with pytest.raises(NotGenuine, match="too long"):
        crypto.read_notice(lengths[min(length for length in lengths if length > longest)], PLATFORM)


async def test_money_that_came_while_a_code_was_cancelled_is_told_to_the_log(company, caplog):
    caplog.set_level(logging.WARNING)
    company.account._client = Scripted({"action": "close"})
    await company.account._cancel(ATTEMPT)
    assert caplog.messages == []
    company.account._client = Scripted({"action": "refund"})
    await company.account._cancel(ATTEMPT)
    assert [ATTEMPT.no in words and "gave the money back" in words for words in caplog.messages] == [True]


# The bill.


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://dwbillcenter.alipay.com/download?x=%2F1", True),
        ("https://dwbillcenter.alipaydev.com/download", True),
        ("http://dwbillcenter.alipay.com/download", False),
        ("https://alipay.com.evil.example/download", False),
        ("https://", False),
    ],
)
async def test_a_bill_comes_from_alipays_own_hosts_and_in_secret(company, address, asked):
    wanted = []

    class Session:
        def get(self, url, **options):
            wanted.append(str(url))
            raise aiohttp.ClientConnectionError

    company.account._ctx.http = Session
    with pytest.raises(ProviderUnknown, match="delivered" if asked else "address"):
        await company.account._download(address)
    assert wanted == ([address] if asked else [])


def test_a_row_of_a_bill_is_read_whole_when_its_subject_has_commas():
    rows = [row(商品名称="电费,一号楼,101"), row(), row(商品名称="a,b", 支付宝交易号="2027\t")]
    found = bill.read(archive(rows), DAY).rows
    assert [one.statement.transaction_id for one in found] == ["2026", "2026", "2027"]
    assert [(one.statement.no, one.statement.amount_fen, one.fee_fen) for one in found] == [("E1", 5000, 30)] * 3
    assert {one.statement.paid_ms for one in found} == {1_795_485_600_000}


def packed(text, **header):
    """A bill as a ZIP, with some of its header changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as files:
        files.writestr("20880_20261124_业务明细.csv", text.encode("gbk"))
    raw = out.getvalue()
    for signature_, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        begin = raw.index(signature_)
        flags, method = begin + at, begin + at + 2
        raw = raw[:flags] + bytes([raw[flags] | header.get("flag", 0)]) + raw[flags + 1 :]
        raw = raw[:method] + bytes([header.get("method", raw[method])]) + raw[method + 1 :]
    return raw


def test_a_bill_that_is_packed_as_no_bill_is_is_not_read():
    text = "\r\n".join([HEADER, row()])
    assert len(bill.read(packed(text), DAY).rows) == 1
    for strange in (packed(text, flag=1), packed(text, method=99)):
        with pytest.raises(ProviderUnknown, match="bill cannot be read"):
            bill.read(strange, DAY)


def test_a_row_of_a_bill_that_has_more_cells_than_its_header_and_no_subject_is_not_guessed():
    header = HEADER.replace("商品名称", "名称")
    assert len(bill.read(packed("\r\n".join([header, row()])), DAY).rows) == 1
    with pytest.raises(ProviderUnknown, match="bill cannot be read"):
        bill.read(packed("\r\n".join([header, row(商品名称="a,b")])), DAY)


def test_a_bill_may_be_as_large_as_it_may_be(monkeypatch):
    text = "\r\n".join([HEADER, row()])
    monkeypatch.setattr(bill, "LARGEST_FILE", len(text.encode("gbk")))
    assert len(bill.read(packed(text), DAY).rows) == 1
    with pytest.raises(ProviderUnknown, match="too large"):
        bill.read(packed(text + " "), DAY)


def test_a_forged_notice_says_why_it_is_refused(company_params):
    from meterhub_alipay.account import AlipayAccount

    account = AlipayAccount.__new__(AlipayAccount)
    account._client = SimpleNamespace(keys=SimpleNamespace(alipay=PLATFORM))
    with pytest.raises(NoticeRejected) as caught:
        account.parse_notice(Notice({}, b"a=1&sign=x", 0))
    assert caught.value.why == "signature"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("40004", "ACQ.SYSTEM_ERROR"), ("40004", "AQC.SYSTEM_ERROR"), ("40004", "UNKNOWN_ERROR"),
        ("40004", "isp.unknow-error"), ("40004", "ACQ.TRADE_CANCEL_TIME_OUT"), ("40004", "isv.app-call-limited"),
        ("40004", "isv.method-call-limited"), ("40004", "ACQ.TRADE_HAS_SUCCESS"), ("40005", "isv.anything"),
        ("20000", "isp.anything"), ("10003", "ACQ.ANYTHING"),
    ],
)  # fmt: skip
def test_trouble_of_alipays_own_is_no_answer(code, reason):
    assert type(outcomes.error_of({"code": code, "sub_code": reason}, "E1")) is ProviderUnknown


@pytest.mark.parametrize("reply", ["NO_BILL_DATA", "EMPTY_DATA_WITH_BILL_FILE"])
async def test_a_day_without_trades_has_two_names(company, reply):
    for answer in (ProviderRefused("no", reply=reply), {"bill_file_code": reply}):
        company.account._client = Scripted(answer)
        assert (await company.account.bill(DAY)).rows == ()

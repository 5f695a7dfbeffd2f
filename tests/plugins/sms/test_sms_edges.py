"""What the companies are sent and told, to the letter, and what their answers mean at the edges."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import pytest_asyncio
from aiohttp import web
from sms_house import House

from meterhub import beijing
from meterhub.clock import iso
from meterhub.config.nodes import Secret
from meterhub.errors import NoticeRejected, ProviderBusy, ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState
from meterhub.money.provider import Notice

NO = "M0123456789ABCDEF0123"
MESSAGE = Message(NO, "+8613800000000", "credited", {"amount": "50.00", "meter": "一号楼 101", "order": "E1"})
NOTHING = {"Code": "OK", "BizId": "1^0", "Response": {"SendStatusSet": [{"Code": "Ok", "SerialNo": "9"}]}}


@pytest_asyncio.fixture
async def gateway():
    """In the place of a company: ``heard`` are the requests, ``say`` the answer and ``status`` its status."""
    one = SimpleNamespace(heard=[], say=NOTHING, status=200, headers={})

    async def take(request):
        body = await request.read()
        one.heard.append(SimpleNamespace(path=request.path, query=request.query, headers=request.headers, body=body))
        return web.json_response(one.say, status=one.status, headers=one.headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.host = f"127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


@pytest_asyncio.fixture
async def account(gateway):
    """``account(company, **options)``: an account of a company that is played by ``gateway``."""
    houses = []

    async def open_(provider, **options):
        house = await House(provider, **options).start()
        houses.append(house)
        house.notifier._account = replace(house.notifier._account, endpoint=f"http://{gateway.host}")
        return house

    yield open_
    for house in houses:
        await house.stop()


def seconds(house):
    return house.clock.now() // 1000


async def test_aliyun_is_told_all_that_it_wants_to_know(gateway, account):
    house = await account("aliyun", key_id="LTAI5t", sign="某某物业")
    assert await house.notifier.send(MESSAGE) == "1^0"
    (one,) = gateway.heard
    assert (one.path, one.body) == ("/", b"")
    params = json.dumps(dict(MESSAGE.params), ensure_ascii=False)
    assert dict(one.query) == {
        "PhoneNumbers": "13800000000", "SignName": "某某物业", "TemplateCode": "SMS_1", "TemplateParam": params,
        "OutId": NO,
    }  # fmt: skip
    told = {name: one.headers[name] for name in ("x-acs-action", "x-acs-version", "host")}
    assert told == {"x-acs-action": "SendSms", "x-acs-version": "2017-05-25", "host": gateway.host}
    assert abs(beijing.ms(one.headers["x-acs-date"].replace("Z", "+00:00")) - house.clock.now()) < 5000
    assert len(one.headers["x-acs-signature-nonce"]) == 32
    assert one.headers["Authorization"].startswith(
        "ACS3-HMAC-SHA256 Credential=LTAI5t,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature="
    )


async def test_aliyun_is_told_so_in_the_older_way(gateway, account):
    house = await account("aliyun", key_id="LTAI5t", older_signature="true")
    await house.notifier.send(MESSAGE)
    (one,) = gateway.heard
    expected = {
        "Action": "SendSms", "Version": "2017-05-25", "Format": "JSON", "AccessKeyId": "LTAI5t",
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "PhoneNumbers": "13800000000",
    }  # fmt: skip
    assert {name: one.query.get(name) for name in expected} == expected
    assert one.query["Timestamp"] == f"{iso(house.clock.now())[:17]}{one.query['Timestamp'][17:19]}Z"
    assert len(one.query["SignatureNonce"]) == 32 and "Authorization" not in one.headers


@pytest.mark.parametrize(("number", "asked"), [("1^0", {"BizId": "1^0"}), ("", {})])
async def test_aliyun_is_asked_for_the_details_of_one_message(gateway, account, number, asked):
    house = await account("aliyun")
    day_ms = 1_796_011_200_000  # 2026-11-30T12:00:00+08:00
    assert await house.notifier.query(MESSAGE, number, day_ms) is None
    (one,) = gateway.heard
    expected = {"PhoneNumber": "13800000000", "SendDate": "20261130", "PageSize": "50", "CurrentPage": "1"}
    assert dict(one.query) == expected | asked
    assert one.headers["x-acs-action"] == "QuerySendDetails"


async def test_tencent_is_told_all_that_it_wants_to_know(gateway, account):
    house = await account("tencent", key_id="AKID", sign="某某物业", app_id="1400621731", region="ap-beijing")
    assert await house.notifier.send(MESSAGE) == "9"
    (one,) = gateway.heard
    assert one.path == "/" and json.loads(one.body) == {
        "PhoneNumberSet": [MESSAGE.to], "SmsSdkAppId": "1400621731", "SignName": "某某物业", "TemplateId": "SMS_1",
        "TemplateParamSet": ["50.00", "一号楼 101", "E1"], "SessionContext": NO,
    }  # fmt: skip
    assert "某某物业".encode() in one.body
    expected = {
        "Host": gateway.host, "Content-Type": "application/json", "X-TC-Action": "SendSms",
        "X-TC-Version": "2021-01-11", "X-TC-Region": "ap-beijing",
    }  # fmt: skip
    assert {name: one.headers.get(name) for name in expected} == expected
    assert abs(int(one.headers["X-TC-Timestamp"]) - seconds(house)) < 5
    assert one.headers["Authorization"].startswith("TC3-HMAC-SHA256 Credential=AKID/20")


async def test_tencent_is_asked_for_the_states_of_one_number(gateway, account):
    house = await account("tencent", app_id="1400621731")
    gateway.say = {"Response": {"PullSmsSendStatusSet": None}}
    assert await house.notifier.query(MESSAGE, "9", 1_796_011_200_999) is None
    (one,) = gateway.heard
    assert one.headers["X-TC-Action"] == "PullSmsSendStatusByPhoneNumber"
    assert json.loads(one.body) == {
        "PhoneNumber": MESSAGE.to, "SmsSdkAppId": "1400621731", "BeginTime": 1_796_011_140, "Offset": 0, "Limit": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "state"),
    [
        ({"SerialNo": "9", "ReportStatus": "SUCCESS"}, MessageState.DELIVERED),
        ({"SerialNo": "8", "SessionContext": NO, "ReportStatus": "FAIL"}, MessageState.FAILED),
        ({"SerialNo": "8", "ReportStatus": "SUCCESS"}, None), ({"SerialNo": "9", "ReportStatus": "X"}, None),
        (7, None),
    ],
)  # fmt: skip
async def test_states_at_tencent_are_of_one_message(gateway, account, one, state):
    house = await account("tencent")
    more = {"UserReceiveTime": 1_796_011_200, "Description": "D" * 99} if isinstance(one, dict) else {}
    gateway.say = {"Response": {"PullSmsSendStatusSet": [{**one, **more} if more else one]}}
    told = await house.notifier.query(MESSAGE, "9", house.clock.now())
    assert (told and told.state) == state
    if told:
        assert (told.no, told.to, told.reason, told.at_ms) == (NO, MESSAGE.to, "D" * 80, 1_796_011_200_000)
        assert told.provider_id == one["SerialNo"]


async def test_without_a_number_of_the_company_only_ours_counts_at_tencent(gateway, account):
    house = await account("tencent")
    gateway.say = {"Response": {"PullSmsSendStatusSet": [{"SerialNo": "", "ReportStatus": "SUCCESS"}]}}
    assert await house.notifier.query(MESSAGE, "", house.clock.now()) is None


@pytest.mark.parametrize(
    ("company", "status", "say", "kind"),
    [
        ("aliyun", 500, {"Code": "Throttling"}, ProviderUnknown), ("aliyun", 499, {"Code": "Throttling"}, ProviderBusy),
        ("aliyun", 400, {"Code": "X" * 200, "Message": "m" * 300}, ProviderRefused),
        ("aliyun", 200, {"Code": "OK"}, ProviderUnknown), ("aliyun", 302, {"Code": "OK"}, ProviderUnknown),
        ("tencent", 201, NOTHING, ProviderUnknown), ("tencent", 200, {"Response": []}, ProviderUnknown),
        ("tencent", 200, {"Response": {"Error": {"Code": "FailedOperation.X"}}}, ProviderRefused),
        ("tencent", 200, {"Response": {"Error": {}}}, ProviderUnknown),
        ("tencent", 200, {"Response": {"Error": "x"}}, ProviderUnknown),
        ("tencent", 200, {"Response": {"SendStatusSet": [{"Code": ""}]}}, ProviderUnknown),
        ("tencent", 200, {"Response": {"SendStatusSet": [7]}}, ProviderUnknown),
        ("tencent", 200, {"Response": {"SendStatusSet": []}}, ProviderUnknown),
        ("tencent", 200, {"Response": {"SendStatusSet": [{"Code": "LimitExceeded.X", "Message": "m"}]}}, ProviderBusy),
    ],
)  # fmt: skip
async def test_what_an_answer_means(gateway, account, company, status, say, kind):
    house = await account(company)
    gateway.status, gateway.say = status, say
    with pytest.raises((ProviderRefused, ProviderUnknown)) as caught:
        await house.notifier.send(MESSAGE)
    assert type(caught.value) is kind and caught.value.where == NO
    assert len(caught.value.message) < 200 and len(caught.value.hint) <= 200


@pytest.mark.parametrize("company", ["aliyun", "tencent"])
async def test_what_is_sent_follows_nobody_elsewhere(gateway, account, company):
    house = await account(company)
    gateway.status, gateway.headers = 307, {"Location": "/elsewhere"}
    with pytest.raises(ProviderUnknown):
        await house.notifier.send(MESSAGE)
    assert [one.path for one in gateway.heard] == ["/"]


@pytest.mark.parametrize(
    ("company", "taken", "refused"),
    [
        ("aliyun", {"code": 0, "msg": "接收成功"}, {"code": 1, "msg": "rejected"}),
        ("tencent", {"result": 0, "errmsg": "OK"}, {"result": 1, "errmsg": "rejected"}),
    ],
)
async def test_receipts_are_answered_in_the_companys_words(account, company, taken, refused):
    notifier = (await account(company, receipts_secret=Secret("s3cret"))).notifier
    good, bad = notifier.receipt_answer(True), notifier.receipt_answer(False)
    assert (json.loads(good.body), good.content_type) == (taken, "application/json")
    assert (json.loads(bad.body), bad.status) == (refused, 400)
    assert "接收成功".encode() in good.body or company == "tencent"
    assert notifier.receipts_secret == "s3cret" and notifier.name == company


@pytest.mark.parametrize(
    ("company", "one"),
    [
        ("aliyun", {"phone_number": "13800000000", "success": False, "biz_id": 1, "out_id": NO, "err_code": "E" * 99}),
        ("tencent", {"mobile": "13800000000", "report_status": "FAIL", "sid": 1, "errmsg": "E" * 99}),
    ],
)
async def test_a_receipt_names_the_message_and_says_why_in_few_words(account, company, one):
    notifier = (await account(company)).notifier
    (found,) = notifier.parse_receipts(Notice({}, json.dumps([one]).encode(), 0))
    assert (found.no, found.provider_id) == (NO if company == "aliyun" else "", "1")
    assert (found.to, found.reason, found.state) == (MESSAGE.to, "E" * 80, MessageState.FAILED)
    assert len(notifier.parse_receipts(Notice({}, json.dumps([one] * 1000).encode(), 0))) == 1000
    with pytest.raises(NoticeRejected):
        notifier.parse_receipts(Notice({}, json.dumps([one] * 1001).encode(), 0))


@pytest.mark.parametrize("company", ["aliyun", "tencent"])
async def test_a_no_is_told_in_the_companys_words_and_few_of_them(gateway, account, company):
    house = await account(company)
    said = {"Code": "FailedOperation." + "X" * 200, "Message": "签名" * 150}
    gateway.say = {"Response": {"Error": said}} if company == "tencent" else said
    with pytest.raises(ProviderRefused) as caught:
        await house.notifier.send(MESSAGE)
    assert (caught.value.reply, caught.value.hint) == (said["Code"][:80], said["Message"][:200])
    gateway.say = {"Response": {"Error": {"Code": "FailedOperation", "Message": None}}, "Code": "isv.X"}
    with pytest.raises(ProviderRefused) as caught:
        await house.notifier.send(MESSAGE)
    assert caught.value.hint == ""

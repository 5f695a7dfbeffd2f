"""What programs of others ask of the sandboxes, and what the companies may answer in other shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from sms_house import House

from meterhub import beijing
from meterhub.errors import NoticeRejected, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState
from meterhub.money.provider import Notice
from meterhub.testing.conformance_payment import until
from meterhub_sms import crypto, telephone
from meterhub_sms.aliyun import AliyunSms
from meterhub_sms.tencent import TencentSms

NO, TO = "M0123456789ABCDEF0123", "+8613800000000"
MESSAGE = Message(NO, TO, "credited", {"amount": "50.00", "meter": "A 101", "order": "E1"})
NOON_MS = 1_796_011_200_000  # 2026-11-30T12:00:00+08:00
DAY_MS = 86_400_000


@pytest_asyncio.fixture
async def aliyun():
    one = await House("aliyun").start()
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def tencent():
    one = await House("tencent").start()
    yield one
    await one.stop()


# Numbers.


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800000000", TO), ("8613800000000", TO), ("+8613800000000", TO), ("008613800000000", TO),
        ("85212345678", "+85212345678"), ("0085212345678", "+85212345678"), ("+85212345678", "+85212345678"),
    ],
)  # fmt: skip
def test_numbers_are_the_same_however_they_are_written(text, number):
    assert telephone.international(text) == number
    assert telephone.international(telephone.bare(number)) == number


async def test_messages_go_to_other_countries_and_their_receipts_are_known(aliyun):
    abroad = replace(MESSAGE, to="+85212345678")
    await aliyun.notifier.send(abroad)
    await until(lambda: aliyun.receipts)
    assert aliyun.receipts[0].to == abroad.to
    told = await aliyun.notifier.query(abroad, "", aliyun.clock.now())
    assert told.state is MessageState.DELIVERED


# Receipts: what one of them is like costs the others nothing.


def of_aliyun(**change):
    one = {"phone_number": "13800000000", "success": True, "biz_id": "1^0", "out_id": NO, "err_code": "DELIVERED"}
    return {**one, "report_time": "2026-11-30 12:00:00", **change}


def of_tencent(**change):
    return {"mobile": "13800000000", "nationcode": "86", "report_status": "SUCCESS", "sid": "9", **change}


def read(kind, *receipts):
    body = json.dumps(receipts).encode()
    return kind.parse_receipts(object.__new__(kind), Notice({}, body, 0))


@pytest.mark.parametrize(
    ("kind", "receipt"),
    [
        (AliyunSms, of_aliyun(success="true")), (AliyunSms, of_aliyun(phone_number=13800000000)),
        (AliyunSms, of_aliyun(phone_number="8613800000000", out_id=None)), (AliyunSms, of_aliyun(report_time=None)),
        (AliyunSms, of_aliyun(sms_size="1", added_later={"x": 1})),
        (TencentSms, of_tencent(nationcode="+86")), (TencentSms, of_tencent(mobile=TO)),
        (TencentSms, of_tencent(nationcode=86, mobile=13800000000)), (TencentSms, of_tencent(added_later=[])),
    ],
)  # fmt: skip
def test_receipts_in_other_shapes_say_the_same(kind, receipt):
    (found,) = read(kind, receipt)
    assert (found.to, found.state) == (TO, MessageState.DELIVERED)


@pytest.mark.parametrize(("kind", "good"), [(AliyunSms, of_aliyun()), (TencentSms, of_tencent())])
def test_a_receipt_that_cannot_be_read_costs_the_others_nothing(kind, good):
    failed = {**good, "success": False, "report_status": "FAIL"}
    found = read(kind, {}, good, {"success": "perhaps"}, 7, failed)
    assert [one.state for one in found] == [MessageState.DELIVERED, MessageState.FAILED]
    assert read(kind) == []
    with pytest.raises(NoticeRejected):
        read(kind, {}, 7)


# Details at Aliyun.


class Answers(AliyunSms):
    """An account that is told what the company answers to each question for details."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def _call(self, action, params, where):
        self.asked.append((params["SendDate"], params["CurrentPage"]))
        return {"SmsSendDetailDTOs": self.answers.pop(0) if self.answers else {}}


def detail(**change):
    return {"OutId": NO, "SendStatus": 3, "ErrCode": "DELIVERED", "ReceiveDate": "2026-11-30 12:00:01", **change}


def page(*details):
    return {"SmsSendDetailDTO": list(details)}


@pytest.mark.parametrize(
    ("provider_id", "one"),
    [("1", detail(SendStatus="3")), ("1", detail(OutId="")), ("1", {"SendStatus": 3}), ("", detail(ReceiveDate=None))],
)
async def test_details_in_other_shapes_say_the_same(provider_id, one):
    told = await Answers(page(one)).query(MESSAGE, provider_id, NOON_MS)
    assert told.state is MessageState.DELIVERED


@pytest.mark.parametrize(
    "one", [detail(OutId="M9"), detail(OutId=""), detail(SendStatus=7), detail(SendStatus=None), 7]
)
async def test_details_of_another_message_say_nothing(one):
    assert await Answers(page(one)).query(MESSAGE, "", NOON_MS) is None


@pytest.mark.parametrize("answer", [None, [], {"SmsSendDetailDTO": None}, {"SmsSendDetailDTO": {}}])
async def test_no_details_say_nothing(answer):
    assert await Answers(answer).query(MESSAGE, "1", NOON_MS) is None


async def test_a_message_is_found_among_all_of_a_day():
    others = [detail(OutId="M9")] * 50
    account = Answers(page(*others), page(*others[:3], detail()))
    assert (await account.query(MESSAGE, "", NOON_MS)).state is MessageState.DELIVERED
    assert account.asked == [("20261130", "1"), ("20261130", "2")]
    account = Answers(*[page(*others)] * 9)
    assert await account.query(MESSAGE, "", NOON_MS) is None and len(account.asked) == 4


async def test_a_message_of_midnight_may_be_of_the_next_day_at_the_company():
    midnight_ms = beijing.ms("2026-12-01 00:00:00")
    for sent_ms, days in (
        (midnight_ms - 1000, ["20261130", "20261201"]),
        (midnight_ms + 1000, ["20261201", "20261130"]),
        (midnight_ms - 600_000, ["20261130"]),
    ):
        account = Answers()
        await account.query(MESSAGE, "1", sent_ms)
        assert [day for day, _ in account.asked] == days


async def test_the_sandbox_shows_details_by_pages(aliyun):
    for number in range(5):
        aliyun.sandbox.accept("13800000000", "SMS_1", {}, f"M{number}")
    asked = {"PhoneNumber": "+8613800000000", "SendDate": beijing.day(aliyun.clock.now()), "PageSize": "2"}
    seen = []
    for number in ("1", "2", "3", "4"):
        answer = await aliyun.notifier._call("QuerySendDetails", {**asked, "CurrentPage": number}, "")
        seen.append([one["OutId"] for one in answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"]])
        assert answer["TotalCount"] == "5"
    assert seen == [["M0", "M1"], ["M2", "M3"], ["M4"], []]
    for wrong in ({"PageSize": "0"}, {"PageSize": "51"}, {"CurrentPage": "0"}, {"CurrentPage": "x"}):
        with pytest.raises(Exception, match="INVALID_PARAMETERS"):
            await aliyun.notifier._call("QuerySendDetails", {**asked, "CurrentPage": "1", **wrong}, "")


async def test_all_numbers_of_a_call_have_one_number_at_aliyun(aliyun):
    asked = {"PhoneNumbers": "13800000000,+8613900000000,85212345678", "SignName": "MeterHub", "TemplateCode": "SMS_1"}
    answer = await aliyun.notifier._call("SendSms", asked, "")
    await until(lambda: len(aliyun.receipts) == 3)
    assert {one.provider_id for one in aliyun.receipts} == {answer["BizId"]}
    assert {one.to for one in aliyun.receipts} == {TO, "+8613900000000", "+85212345678"}
    with pytest.raises(Exception, match="BLACK_KEY"):
        await aliyun.notifier._call("SendSms", {**asked, "PhoneNumbers": "13800000000,13800000002"}, "")


async def test_ok_with_another_status_decides_nothing(aliyun):
    answer = aliyun.sandbox._written
    aliyun.sandbox._written = lambda content, status=200: answer(content, 400)
    with pytest.raises(ProviderUnknown):
        await aliyun.notifier.send(MESSAGE)


# Signatures at Tencent: over the headers that are named, and with GET.


def signed(house, method, query, headers, signed_names, body=b"", *, secret=None, lower=False):
    account, timestamp = house.notifier._account, house.clock.now() // 1000
    every = {name.lower(): value.lower() if lower else value for name, value in headers.items()}
    canonical = crypto.tc3_request(method, query, every, signed_names, crypto.payload_hash(body))
    scope, signature = crypto._tc3(canonical, "sms", timestamp, secret or account.secret)
    told = f"TC3-HMAC-SHA256 Credential={account.key_id}/{scope}, SignedHeaders={signed_names}, Signature={signature}"
    return {**headers, "X-TC-Timestamp": str(timestamp), "Authorization": told}


def headers_of(house, kind="application/json", action="PullSmsSendStatusByPhoneNumber"):
    host = house.sandbox.base_url.removeprefix("http://")
    return {"Host": host, "Content-Type": kind, "X-TC-Action": action}


async def code_of(answer):
    error = (await answer.json())["Response"].get("Error")
    return error["Code"] if error else None


BODY = json.dumps({"SmsSdkAppId": "1400000000", "PhoneNumber": TO, "Limit": 10}).encode()


@pytest.mark.parametrize("names", ["content-type;host", "content-type;host;x-tc-action"])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=UTF-8"])
@pytest.mark.parametrize("lower", [False, True])
async def test_tencent_proves_the_headers_that_are_named(tencent, names, kind, lower):
    url = tencent.sandbox.base_url
    headers = signed(tencent, "POST", "", headers_of(tencent, kind), names, BODY, lower=lower)
    async with tencent.http().post(url, data=BODY, headers=headers) as answer:
        assert await code_of(answer) is None
    async with tencent.http().post(url, data=BODY + b" ", headers=headers) as answer:
        assert await code_of(answer) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(("names", "secret"), [("host", None), ("content-type", None), ("content-type;host", "wrong")])
async def test_tencent_wants_kind_and_host_covered(tencent, names, secret):
    headers = signed(tencent, "POST", "", headers_of(tencent), names, BODY, secret=secret)
    async with tencent.http().post(tencent.sandbox.base_url, data=BODY, headers=headers) as answer:
        assert await code_of(answer) == "AuthFailure.SignatureFailure"
    headers["Authorization"] = headers["Authorization"].replace(names, f"{names};x-not-there")
    async with tencent.http().post(tencent.sandbox.base_url, data=BODY, headers=headers) as answer:
        assert await code_of(answer) == "AuthFailure.SignatureFailure"


async def test_tencent_is_asked_with_get_too(tencent):
    query = urlencode(
        {"PhoneNumberSet.0": TO, "SmsSdkAppId": "1400000000", "SignName": "MeterHub", "TemplateId": "1",
         "TemplateParamSet.0": "5 0", "TemplateParamSet.1": "é"}
    )  # fmt: skip
    headers = headers_of(tencent, "application/x-www-form-urlencoded", "SendSms")
    headers = signed(tencent, "GET", query, headers, "content-type;host")
    async with tencent.http().get(f"{tencent.sandbox.base_url}/?{query}", headers=headers) as answer:
        assert await code_of(answer) is None
    assert tencent.sandbox.sent[-1].params == ["5 0", "é"]
    async with tencent.http().get(f"{tencent.sandbox.base_url}/?{query}&x=1", headers=headers) as answer:
        assert await code_of(answer) == "AuthFailure.SignatureFailure"


async def test_what_became_of_messages_is_told_by_pieces_at_tencent(tencent):
    for number in range(3):
        tencent.sandbox.accept(TO, str(number), [], f"M{number}")
    await until(lambda: len(tencent.receipts) == 3)
    asked = {"PhoneNumber": TO, "SmsSdkAppId": "1400000000", "BeginTime": 0}
    ask = tencent.notifier._call
    for offset, limit, found in ((0, 2, ["M0", "M1"]), (2, 2, ["M2"]), (3, 2, []), (0, 100, ["M0", "M1", "M2"])):
        answer = await ask("PullSmsSendStatusByPhoneNumber", {**asked, "Offset": offset, "Limit": limit}, "")
        assert [one["SessionContext"] for one in answer["PullSmsSendStatusSet"]] == found
    for name in ("BeginTime", "Offset", "Limit"):
        with pytest.raises(Exception, match=f"InvalidParameterValue.{name}"):
            await ask("PullSmsSendStatusByPhoneNumber", {**asked, name: "soon"}, "")
    for wrong in (b"[]", b"{", b"[" * 100_000):
        headers = signed(tencent, "POST", "", headers_of(tencent), "content-type;host", wrong)
        async with tencent.http().post(tencent.sandbox.base_url, data=wrong, headers=headers) as answer:
            assert await code_of(answer) == "InvalidParameter"

"""Both companies: sent once, told what became of it, refused in words, in doubt when in doubt."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import pytest_asyncio
from sms_house import House

from meterhub.config.schema import check
from meterhub.errors import ConfigError, NoticeRejected, ProviderBusy, ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState
from meterhub.money.provider import Notice
from meterhub.testing.conformance_payment import until
from meterhub_sms import crypto, outcomes, register_notifiers
from meterhub_sms.schema import SANDBOX_SECRET, SCHEMA, read_account

MESSAGE = Message(
    "M0123456789ABCDEF0123", "+8613800000000", "credited", {"amount": "50.00", "meter": "A 101", "order": "E1"}
)
MODES = [("aliyun", {}), ("aliyun", {"older_signature": "true"}), ("tencent", {})]


@pytest_asyncio.fixture(params=MODES, ids=["aliyun", "aliyun-older", "tencent"])
async def house(request):
    provider, options = request.param
    one = await House(provider, **options).start()
    yield one
    await one.stop()


@pytest.mark.parametrize(("provider", "options"), MODES)
async def test_secrets_of_the_configuration_sign_with_their_real_value(provider, options):
    house = await House(provider, key="an-id:a-secret-of-the-deployer", **options).start()
    assert house.notifier._account.secret.reveal() == "a-secret-of-the-deployer"
    assert "a-secret" not in repr(house.notifier._account)
    assert await house.notifier.test()
    house.sandbox.account = replace(house.sandbox.account, secret="another")
    with pytest.raises(ProviderRefused, match="Signature"):
        await house.notifier.test()
    await house.stop()


async def test_a_message_is_sent_and_its_receipt_comes(house):
    number = await house.notifier.send(MESSAGE)
    sent = house.sandbox.sent[-1]
    assert sent.number == number and sent.ours == MESSAGE.no
    filled = list(sent.params.values()) if isinstance(sent.params, dict) else sent.params
    assert filled == ["50.00", "A 101", "E1"]
    await until(lambda: house.receipts)
    (receipt,) = house.receipts
    assert (receipt.provider_id, receipt.to, receipt.state) == (number, MESSAGE.to, MessageState.DELIVERED)
    assert receipt.at_ms
    async with house.http().get(house.sandbox.base_url + "/sandbox/messages") as page:
        assert len(await page.json()) == 1


async def test_what_became_of_a_message_can_be_asked(house):
    assert await house.notifier.query(MESSAGE, "", house.clock.now()) is None
    number = await house.notifier.send(MESSAGE)
    await until(lambda: house.receipts)
    for known in (number, ""):  # after a lost answer the company's number is not known
        told = await house.notifier.query(MESSAGE, known, house.clock.now())
        assert (told.no, told.state) == (MESSAGE.no, MessageState.DELIVERED)
    other = replace(MESSAGE, no="M9999999999999999999")
    assert await house.notifier.query(other, "", house.clock.now()) is None


async def test_a_number_that_is_nobodys_is_told_as_failed(house):
    await house.notifier.send(replace(MESSAGE, to="+8613800000001"))
    await until(lambda: house.receipts)
    assert house.receipts[0].state is MessageState.FAILED and house.receipts[0].reason


@pytest.mark.parametrize("fault", ["hang", "error", "busy", "lost", "stuck", "torn"])
async def test_no_good_answer_means_unknown(house, fault):
    house.sandbox.faults.add(fault, "send")
    with pytest.raises(ProviderUnknown):
        await house.notifier.send(MESSAGE)
    sent = len(house.sandbox.sent)
    assert sent == (fault in ("lost", "stuck", "torn"))


@pytest.mark.parametrize(
    "message",
    [replace(MESSAGE, to="+8613800000002"), replace(MESSAGE, to="nonsense"), replace(MESSAGE, template="none")],
)
async def test_a_definite_no_has_its_reason(house, message):
    with pytest.raises(ProviderRefused) as caught:
        await house.notifier.send(message)
    assert caught.value.reply and message.to[-8:] not in str(caught.value)


async def test_being_asked_too_often_is_a_no(house):
    house.sandbox.faults.add("limit", "send")
    with pytest.raises(ProviderBusy, match=r"LIMIT|Limit"):
        await house.notifier.send(MESSAGE)
    await house.notifier.send(MESSAGE)
    if house.provider == "tencent":
        with pytest.raises(ProviderRefused, match="ThirtySecond"):
            await house.notifier.send(MESSAGE)
    else:
        for _ in range(49):
            house.sandbox.accept("13800000000", "SMS_1", {}, "x")
        with pytest.raises(ProviderRefused, match="BUSINESS_LIMIT_CONTROL"):
            await house.notifier.send(MESSAGE)


@pytest.mark.parametrize("fault", ["hang", "error", "busy", "limit", "lost", "torn", None])
async def test_neither_numbers_nor_what_fills_a_text_nor_secrets_are_logged_or_told(house, fault, caplog):
    caplog.set_level("DEBUG")
    for operation in ("send", "query") if fault else ():
        house.sandbox.faults.add(fault, operation)
    told = []
    for call in (house.notifier.send(MESSAGE), house.notifier.query(MESSAGE, "", house.clock.now())):
        try:
            await call
        except (ProviderRefused, ProviderUnknown) as error:
            told.append(f"{error} {error.hint}")
    assert bool(told) == bool(fault)
    for secret in ("13800000000", "50.00", "A 101", SANDBOX_SECRET, "Signature="):
        assert secret not in caplog.text and secret not in " ".join(told)


async def test_without_a_way_another_company_may_be_tried(house):
    await house.sandbox.stop()
    with pytest.raises(ProviderRefused, match="no way"):
        await house.notifier.send(MESSAGE)


async def test_receipts_come_until_they_are_taken():
    house = await House("aliyun", speed=5000).start()
    house.deaf = 2
    house.sandbox.faults.add("twice", "receipt")
    await house.notifier.send(MESSAGE)
    await until(lambda: house.receipts)
    assert len(house.bodies) >= 3
    await house.stop()


async def test_the_test_button_tells_good_from_bad(house):
    assert await house.notifier.test()
    wrong = replace(house.notifier._account, secret="wrong")
    house.notifier._account = wrong
    with pytest.raises(ProviderRefused, match="Signature"):
        await house.notifier.test()
    house.notifier._account = replace(wrong, sign="")
    with pytest.raises(ProviderRefused, match="not set: sign"):
        await house.notifier.send(MESSAGE)


async def test_a_clock_that_is_wrong_is_told(house):
    house.sandbox.world.clock = type(house.clock)()
    house.clock.shift_ms = -3_600_000
    with pytest.raises(ProviderRefused, match="Expire"):
        await house.notifier.test()


async def test_a_signature_serves_once_at_aliyun():
    house = await House("aliyun").start()
    url, headers = house.notifier._signed("QuerySendDetails", {"PhoneNumber": "1"}, "nonce")
    codes = []
    for _ in range(2):
        async with house.http().post(url, headers=headers) as answer:
            codes.append((await answer.json())["Code"])
    assert codes == ["OK", "SignatureNonceUsed"]
    await house.stop()


async def test_tencent_takes_a_host_that_was_signed_without_its_port():
    house = await House("tencent").start()
    account, body = house.notifier._account, json.dumps({"SmsSdkAppId": "1400000000", "PhoneNumber": "+861"}).encode()
    timestamp = house.clock.now() // 1000
    wrong = "AuthFailure.SignatureFailure"
    for host, service, code in (
        ("127.0.0.1", "sms", None),
        ("127.0.0.1", "127", None),
        ("another.example", "sms", wrong),
    ):
        signed = crypto.tc3_authorization(
            body, host=host, content_type="application/json", service=service, timestamp=timestamp,
            secret_id=account.key_id, secret=account.secret,
        )  # fmt: skip
        headers = {
            "Content-Type": "application/json", "X-TC-Action": "PullSmsSendStatusByPhoneNumber",
            "X-TC-Timestamp": str(timestamp), "Authorization": signed,
        }  # fmt: skip
        async with house.http().post(house.sandbox.base_url, data=body, headers=headers) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            error = (await answer.json())["Response"].get("Error")
        assert (error["Code"] if error else None) == code
    await house.stop()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"[{}]", b"\xff", b"[" * 100_000, b'[{"success":"yes","phone_number":"1"}]']
)
async def test_receipts_that_are_none_are_refused(house, body):
    with pytest.raises(NoticeRejected):
        house.notifier.parse_receipts(Notice({}, body, 0))
    refused, taken = house.notifier.receipt_answer(False), house.notifier.receipt_answer(True)
    assert refused.status == 400 and taken.status == 200
    numbers = [value for value in json.loads(taken.body).values() if not isinstance(value, str)]
    assert numbers == [0]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("isv.AMOUNT_NOT_ENOUGH", ProviderRefused), ("isp.SYSTEM_ERROR", ProviderUnknown), ("", ProviderUnknown),
     ("InternalError.RequestTimeException", ProviderUnknown), ("FailedOperation.ContainSensitiveWord", ProviderRefused),
     ("Throttling.User", ProviderBusy), ("isv.BUSINESS_LIMIT_CONTROL", ProviderBusy),
     ("LimitExceeded.PhoneNumberDailyLimit", ProviderBusy), ("RequestLimitExceeded", ProviderBusy),
     ("LimitExceeded.PhoneNumberCountLimit", ProviderRefused)],
)  # fmt: skip
def test_what_codes_mean(code, kind):
    assert type(outcomes.error_of(code, "", "M1")) is kind


# Settings.


def read(**options):
    return read_account(check({"provider": "aliyun", **options}, SCHEMA))


def test_one_secret_may_hold_id_and_secret():
    account = read(key="LTAI5t:topsecret", sign="某某物业", templates={"credited": "SMS_1"})
    assert (account.key_id, account.secret.reveal(), account.missing) == ("LTAI5t", "topsecret", "")
    assert account.endpoint == "https://dysmsapi.aliyuncs.com"
    assert read(key="topsecret").missing == "key_id, sign"
    assert read_account(check({"provider": "tencent", "key": "a:b", "sign": "x"}, SCHEMA)).missing == "app_id"


def test_a_company_on_this_machine_needs_no_https():
    assert read(endpoint="http://127.0.0.1:8703").endpoint == "http://127.0.0.1:8703"


def test_an_empty_section_is_right_and_sends_nothing():
    account = read_account(check({}, SCHEMA))
    assert (account.provider, account.missing) == ("aliyun", "key_id, key, sign")


def test_templates_name_what_fills_them():
    account = read(templates={"credited": {"id": "SMS_1", "params": ["amount"]}, "refunded": "SMS_2"})
    assert account.template("credited", "").params == ("amount",) and account.template("refunded", "").params == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "other"}, "provider"),
        ({"endpoint": "http://x"}, "https"),
        ({"key": f"id:{SANDBOX_SECRET}"}, "everybody knows"),
        ({"templates": {"credited": {"params": ["x"]}}}, "templates.credited"),
        ({"keyid": "x"}, "key_id"),
    ],
)
def test_wrong_settings_are_refused_in_words(options, words):
    with pytest.raises(ConfigError, match=words):
        read(**options)


def test_the_plugin_brings_the_account_and_its_fallback():
    from types import SimpleNamespace

    warned = []
    ctx = SimpleNamespace(log=SimpleNamespace(warning=lambda *words: warned.append(words)))
    section = {"provider": "aliyun", "key": "x", "fallback": {"provider": "tencent", "sandbox": "127.0.0.1:8703"}}
    first, second = register_notifiers(ctx, check(section, SCHEMA))
    assert (first.name, second.name) == ("aliyun", "tencent-2") and len(warned) == 1
    assert first.simulate is None and second.simulate is not None

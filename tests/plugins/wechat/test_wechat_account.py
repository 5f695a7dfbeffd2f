"""What is special about WeChat Pay: the traps of its answers, notices, keys and bills."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from wechat_company import CERTIFICATES, CertificateCompany, SwitchingCompany, WechatCompany
from wechat_samples import CONFIG, PLATFORM, private, public, samples

from meterhub.clock import Clock
from meterhub.config.types import HostPort
from meterhub.errors import ConfigError, NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.provider import Attempt, Notice, RefundRequest
from meterhub.money.statements import PaymentState, RefundState, RefundStatement
from meterhub.sim.world import World
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_wechat import bill, crypto, outcomes, simulate, statements
from meterhub_wechat.account import WechatAccount
from meterhub_wechat.sandbox_orders import Orders, Refusal
from meterhub_wechat.schema import GATEWAY, read_account, sandbox_key

ATTEMPT = Attempt("W20261122000000000001", "qr", 5000, 0, 1)


@pytest_asyncio.fixture
async def company():
    one = WechatCompany()
    await one.start()
    yield one
    await one.stop()


# What notices mean. The core compares the amount with the order; the plugin says what was paid.


def meaning_of(sample):
    one = sample["in"]
    account = WechatAccount.__new__(WechatAccount)
    account.merchant = one["merchant"]["mchid"]
    account._account = SimpleNamespace(appid=one["merchant"]["appid"], apiv3_key=one["apiv3_key"])
    account._client = SimpleNamespace(keys=PLATFORM)
    headers = {name.lower(): value for name, value in one["headers"].items()}
    return account.parse_notice(Notice(headers, one["body"].encode(), one["now"] * 1000))


@pytest.mark.parametrize("sample", samples("wechat.notify_policy"), ids=lambda one: one["why"][:60])
def test_a_notice_means_what_it_says(sample):
    wanted, orders = sample["out"], sample["in"]["orders"]
    try:
        statement = meaning_of(sample)
    except NoticeRejected:
        assert not wanted["http_ok"]
        return
    if isinstance(statement, RefundStatement):
        assert wanted["http_ok"]
        assert (wanted["action"] == "refund_alarm") == (statement.state is RefundState.ABNORMAL)
    elif not wanted["http_ok"]:  # the core finds no such order, or another amount, currency or company
        known = {one["out_trade_no"]: one for one in orders if one["channel"] == "wechat"}
        order = known.get(statement.no)
        assert order is None or (order["amount_fen"], "CNY") != (statement.amount_fen, statement.currency)
    elif wanted["action"] in ("credit", "late_payment"):
        assert statement.state is PaymentState.PAID and statement.amount_fen == orders[0]["amount_fen"]
    elif wanted["action"] == "alarm":  # a second payment: another transaction
        assert statement.transaction_id != orders[0]["trade_no"]
    else:
        assert statement is None or statement.transaction_id == orders[0]["trade_no"]


PAID = {
    "mchid": "m", "appid": "a", "out_trade_no": "W1", "transaction_id": "42", "trade_state": "SUCCESS",
    "amount": {"total": 5000, "currency": "CNY"}, "success_time": "2026-11-24T10:00:00+08:00",
}  # fmt: skip


@pytest.mark.parametrize("total", ["5000", 5000.0, True, 0, -1, None, 10**12])
def test_an_amount_is_a_whole_number_of_fen_and_nothing_like_it(total):
    with pytest.raises(NoticeRejected, match="amount"):
        statements.statement_of_notice("TRANSACTION.SUCCESS", {**PAID, "amount": {"total": total}}, "m", "a")
    with pytest.raises(ProviderUnknown):
        statements.payment_of_query({**PAID, "amount": {"total": total}}, "W1", "m")


@pytest.mark.parametrize(
    "change", [{"out_trade_no": "W2"}, {"mchid": "x"}, {"trade_state": "NEW"}, {"transaction_id": ""}]
)
def test_an_answer_about_something_else_is_unknown(change):
    with pytest.raises(ProviderUnknown):
        statements.payment_of_query({**PAID, **change}, "W1", "m")


@pytest.mark.parametrize(
    ("state", "meaning"),
    [("SUCCESS", "paid"), ("REFUND", "paid"), ("NOTPAY", "pending"), ("USERPAYING", "pending"), ("ACCEPT", "pending"),
     ("CLOSED", "closed"), ("REVOKED", "closed"), ("PAYERROR", "closed")],
)  # fmt: skip
def test_a_refunded_payment_was_paid_and_only_closed_ones_are_closed(state, meaning):
    assert statements.payment_of_query({**PAID, "trade_state": state}, "W1", "m").state == meaning


def test_notices_of_refunds_call_their_state_by_another_name():
    told = {
        "mchid": "m",
        "out_trade_no": "W1",
        "out_refund_no": "R1",
        "refund_status": "ABNORMAL",
        "amount": {"refund": 100},
    }
    said = statements.statement_of_notice("REFUND.ABNORMAL", told, "m", "a")
    assert (said.state, said.amount_fen) == (RefundState.ABNORMAL, 100)
    with pytest.raises(NoticeRejected, match="name"):
        statements.statement_of_notice("REFUND.SUCCESS", {**told, "refund_status": None, "status": "SUCCESS"}, "m", "a")
    assert statements.statement_of_notice("COUPON.USE", {}, "m", "a") is None
    with pytest.raises(ProviderUnknown):
        statements.refund_of_answer({"out_refund_no": "R2", "status": "SUCCESS"}, "R1")


# What answers mean.


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"{}", None),
        (204, b"", None),
        (202, b"", ProviderUnknown),
        (400, b'{"code":"PARAM_ERROR"}', ProviderRefused),
        (401, b'{"code":"SIGN_ERROR"}', ProviderRefused),
        (403, b'{"code":"NOT_ENOUGH"}', ProviderRefused),
        (404, b"<html>no such page</html>", ProviderUnknown),
        (403, b"", ProviderUnknown),
        (403, b'{"code":"FREQUENCY_LIMITED"}', ProviderUnknown),
        (429, b'{"code":"RATELIMIT_EXCEEDED"}', ProviderUnknown),
        (500, b'{"code":"SYSTEM_ERROR"}', ProviderUnknown),
        (503, b"", ProviderUnknown),
        (302, b"", ProviderUnknown),
    ],
)
def test_only_a_no_of_wechat_pays_own_is_a_no(status, body, kind):
    assert type(outcomes.error_of(status, body, "W1")) is (kind or type(None))


async def test_accepted_is_not_done(company):
    company.sandbox.faults.add("accepted", "refund")
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    with pytest.raises(ProviderUnknown, match="not carried it out"):
        await company.account.refund(RefundRequest(attempt_of(request), "R1", 100, "", company.desk.url))


async def test_a_refund_is_first_accepted_and_may_not_reach_the_payer(company):
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    company.sandbox.faults.add("abnormal", "refund")
    wanted = RefundRequest(attempt_of(request), "R1", 100, "", company.desk.url)
    assert (await company.account.refund(wanted)).state is RefundState.PROCESSING
    await until(lambda: any(isinstance(one, RefundStatement) for one in company.desk.statements))
    assert company.desk.statements[-1].state is RefundState.ABNORMAL
    assert (await company.account.query_refund(wanted)).state is RefundState.ABNORMAL


async def test_a_probe_on_an_answer_proves_nothing_and_asking_again_does(company):
    company.sandbox.faults.add("probe", "query")
    with pytest.raises(ProviderUnknown, match="probe"):
        await company.account.query(ATTEMPT)
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING


async def test_a_probe_among_notices_is_refused_and_counted_apart(company):
    company.sandbox.faults.add("probe", "payment")
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    await until(lambda: company.desk.statements)
    assert [error.why for error in company.desk.rejected] == ["probe"]


async def test_opening_a_paid_order_again_means_asking(company):
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    with pytest.raises(ProviderUnknown, match="paid already"):
        await company.account.create(request)


async def test_the_end_of_its_time_does_not_close_an_order(company):
    request = company.request("qr")
    await company.account.create(request)
    company.clock.shift_ms += 2 * 3_600_000
    assert not await company.pay(request.no)
    assert (await company.account.query(attempt_of(request))).state is PaymentState.PENDING
    company.clock.shift_ms += 7 * 24 * 3_600_000
    assert (await company.account.query(attempt_of(request))).state is PaymentState.CLOSED
    with pytest.raises(ProviderRefused, match="ORDER_CLOSED"):
        await company.account.create(request)


async def test_codes_live_shorter_than_orders(company):
    request = company.request("h5")
    shown = await company.account.create(request)
    assert shown.expires_ms <= company.clock.now() + 5 * 60_000
    query = dict(parse_qsl(urlsplit(shown.url).query))
    assert query["redirect_url"] == request.return_url
    order = next(iter(company.sandbox.orders))
    assert order.content["scene_info"] == {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Android"}}
    async with company.http().post(shown.url, data={"approve": "1"}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == request.return_url
    await until(lambda: company.desk.statements)


async def test_the_cashier_shows_the_amount_and_takes_a_no(company):
    request = company.request("qr")
    shown = await company.account.create(request)
    async with company.http().get(shown.qr) as page:
        assert "¥50.00" in await page.text()
    async with company.http().post(shown.qr, data={"approve": ""}) as page:
        assert "Not paid" in await page.text()
    await company.account.close(attempt_of(request))
    async with company.http().get(shown.qr) as page:
        assert "CLOSED" in await page.text()


async def test_inside_wechat_the_page_gets_parameters_signed_by_the_merchant(company):
    shown = await company.account.create(company.request("jsapi"))
    params = shown.params
    text = f"{params['appId']}\n{params['timeStamp']}\n{params['nonceStr']}\n{params['package']}\n"
    from meterhub import rsa_keys

    assert rsa_keys.verified(sandbox_key("merchant").public_key(), text.encode(), params["paySign"])
    with pytest.raises(ProviderRefused, match="openid"):
        await company.account.create(replace(company.request("jsapi"), payer=""))


async def test_inside_wechat_the_payer_is_known_after_one_way_round(company):
    assert company.account.identify_url("qr", "http://127.0.0.1:1/back") == ""
    away = company.account.identify_url("jsapi", "http://127.0.0.1:1/back?way=a.jsapi")
    async with company.http().get(away, allow_redirects=False) as answer:
        back = urlsplit(answer.headers["Location"])
    query = dict(parse_qsl(back.query))
    assert query["way"] == "a.jsapi" and query["state"] == "pay"
    openid = await company.account.identify(query)
    assert openid.startswith("o")
    with pytest.raises(ProviderRefused, match="who pays") as caught:
        await company.account.identify(query)
    assert caught.value.reply == "40029"
    request = replace(company.request("jsapi"), payer=openid)
    assert (await company.account.create(request)).params["package"].startswith("prepay_id=")


async def test_without_the_apps_secret_a_qr_code_is_shown_inside_wechat(company):
    company.account._account = replace(company.account._account, app_secret="")
    assert [one.name for one in company.account.ways("MicroMessenger")] == ["qr"]
    assert company.account.identify_url("jsapi", "x") == ""


async def test_numbers_cannot_lead_to_another_api(company):
    company.sandbox.faults.add("error", "*refund*")
    asked = await company.account.query(replace(ATTEMPT, no="A/../../../../refund/domestic/refunds/R1"))
    assert asked.state is PaymentState.MISSING and company.sandbox.faults.planned("query_refund", "error")


async def test_texts_are_cut_to_what_wechat_pay_takes(company):
    await company.account.create(replace(company.request("qr"), subject="电费" * 100))
    assert len(next(iter(company.sandbox.orders)).content["description"].encode()) <= 127


# Keys.


async def test_certificates_are_fetched_once_and_kept_while_forged_serials_come():
    company = CertificateCompany()
    await company.start()
    client = company.account._client
    await company.account.query(ATTEMPT)
    assert set(client.keys) == {one.serial for one in CERTIFICATES}
    company.sandbox.faults.add("error", "certificates", times=50)
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    await until(lambda: company.desk.notices)
    notice = company.desk.notices[-1]
    for number in range(20):
        with pytest.raises(NoticeRejected, match="unknown"):
            headers = {**notice.headers, "wechatpay-serial": f"PUB_KEY_ID_{number}"}
            company.account.parse_notice(replace(notice, headers=headers))
    assert company.sandbox.faults.planned("certificates") is False
    assert set(client.keys) == {one.serial for one in CERTIFICATES}
    await company.stop()


async def test_both_kinds_of_keys_are_taken_during_the_switch():
    company = SwitchingCompany()
    await company.start()
    serials = set()
    for _ in range(3):
        request = company.request("qr")
        await company.account.create(request)
        await company.pay(request.no)
        await until(lambda no=request.no: any(one.no == no for one in company.desk.statements))
        serials.add(company.desk.notices[-1].headers["wechatpay-serial"])
    assert len(serials) == 3 and any(serial.startswith("PUB_KEY_ID_") for serial in serials)
    await company.stop()


async def test_a_notice_is_signed_anew_each_time_and_old_ones_are_refused(company):
    request = company.request("qr")
    await company.account.create(request)
    await company.pay(request.no)
    await until(lambda: company.desk.notices)
    notice = company.desk.notices[-1]
    company.account.parse_notice(replace(notice, received_ms=notice.received_ms + 299_000))
    for shift_ms in (302_000, -302_000):
        with pytest.raises(NoticeRejected) as caught:
            company.account.parse_notice(replace(notice, received_ms=notice.received_ms + shift_ms))
        assert caught.value.why == "stale"


async def test_a_clock_that_is_wrong_is_refused_on_both_sides(company):
    company.sandbox.clock_offset_s = 400
    with pytest.raises(ProviderRefused, match="SIGN_ERROR"):
        await company.account.query(ATTEMPT)


async def test_a_signature_serves_once(company):
    client = company.account._client
    path = "/v3/pay/transactions/out-trade-no/W1234567?mchid=1900000000"
    headers = {"Authorization": client.authorization_for(path)}
    statuses = []
    for _ in range(2):
        async with company.http().get(company.sandbox.base_url + path, headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [404, 401]


async def test_the_other_site_is_asked_when_the_first_cannot_be_reached(company):
    client = company.account._client
    account = replace(client._account, gateway="http://127.0.0.1:1", backup=client._account.gateway)
    client._account = account
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING
    client._account = replace(account, backup="http://127.0.0.1:1")
    with pytest.raises(ProviderUnknown, match="no answer"):
        await company.account.query(ATTEMPT)


GOOD = {
    "mchid": CONFIG["wx_mchid"], "appid": CONFIG["wx_appid"], "serial": CONFIG["wx_merchant_serial"],
    "private_key": private("wx_merchant").export_key().decode(), "apiv3_key": CONFIG["wx_apiv3_key"],
    "public_key_id": CONFIG["wx_public_key_id"], "public_key": public("wx_platform").export_key().decode(),
    "gateway": GATEWAY,
}  # fmt: skip


def test_a_complete_account_is_read(tmp_path):
    file = tmp_path / "platform.pem"
    file.write_text(CERTIFICATES[0].certificate.pem(), encoding="ascii")
    account = read_account({**GOOD, "platform_certificates": [file]})
    assert set(account.keys) == {CONFIG["wx_public_key_id"], CONFIG["wx_platform_serial"]}
    assert account.backup.startswith("https://api2.")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_account({**GOOD, "platform_certificates": [tmp_path / "none.pem"]})


def test_a_company_on_this_machine_needs_no_https_and_proves_itself_with_its_own_keys():
    assert read_account({**GOOD, "gateway": "http://[::1]:8702"}).gateway == "http://[::1]:8702"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mchid": None}, "mchid is missing"),
        ({"apiv3_key": "short"}, "32 characters"),
        ({"private_key": "x"}, "private_key: this is no RSA key"),
        ({"public_key_id": "5A"}, "PUB_KEY_ID_"),
        ({"public_key": public("wx_merchant").export_key().decode()}, "your own private_key"),
        ({"public_key": "x"}, "public_key: this is no RSA key"),
        ({"gateway": "http://api.mch.weixin.qq.com"}, "https"),
        ({"private_key": sandbox_key("merchant").export_key().decode()}, "everybody knows"),
    ],
)
def test_a_wrong_account_is_refused_in_words_without_its_keys(change, words):
    with pytest.raises(ConfigError, match=words) as caught:
        read_account({**GOOD, **change})
    assert CONFIG["wx_apiv3_key"] not in str(caught.value)
    without = {name: value for name, value in GOOD.items() if name != "public_key_id"}
    with pytest.raises(ConfigError, match="belong together"):
        read_account(without)


# The bill.


COLUMNS = ",".join(
    (
        "交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易状态,应结订单金额,微信退款单号",
        "商户退款单号,退款金额,退款状态,商品名称,手续费,订单金额,申请退款金额",
    )
)


def line(**changes):
    cells = dict.fromkeys(COLUMNS.split(","), "")
    cells |= {
        "交易时间": "2026-11-24 10:00:00", "微信订单号": "42", "商户订单号": "W1", "交易状态": "SUCCESS",
        "应结订单金额": "49.00", "订单金额": "50.00", "申请退款金额": "0.00", "退款金额": "0.00", "手续费": "0.30000",
    }  # fmt: skip
    return ",".join(f"`{value}" for value in {**cells, **changes}.values())


def text_of(*lines, bom="\ufeff", columns=COLUMNS):
    return (bom + "\r\n".join([columns, *lines, "总交易单数,应结订单总金额", "`1,`50.00"])).encode()


def test_a_bill_is_read_with_and_without_a_mark_and_with_commas_in_names():
    refund = line(
        交易状态="REFUND", 商户退款单号="R1", 退款状态="SUCCESS", 申请退款金额="20.00", 退款金额="19.00", 手续费="-0.12"
    )
    name = "电费,一号楼,`101\u2028B\x85"
    for mark in ("\ufeff", ""):
        found = bill.read(
            text_of(line(商品名称=name), refund, line(交易状态="REVOKED"), bom=mark),
            date(2026, 11, 24),
        )
        paid, back = found.rows
        assert (paid.statement.no, paid.statement.amount_fen, paid.fee_fen) == ("W1", 5000, 30)
        assert (back.statement.refund_no, back.statement.amount_fen, back.fee_fen) == ("R1", 2000, -12)


def test_a_bill_of_the_old_layout_is_read_by_the_names_of_its_columns():
    old = COLUMNS.replace(",订单金额", "").replace("应结订单金额", "总金额").replace(",申请退款金额", "")
    cells = line().split(",`")
    text = text_of(",`".join(cells[:-2]), columns=old)
    assert bill.read(text, date(2026, 11, 24)).rows[0].statement.amount_fen == 4900


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff", text_of(line())[:200], text_of(line(订单金额="x")), text_of(line(), columns="a,b")],
    ids=range(5),
)
def test_a_bill_that_is_damaged_is_not_read_by_half(text):
    with pytest.raises(ProviderUnknown, match="bill"):
        bill.read(text, date(2026, 11, 24))


def test_a_file_must_have_the_hash_that_was_signed():
    text = text_of(line())
    sha1 = hashlib.sha1(text).hexdigest()
    assert bill.unpacked(gzip.compress(text), sha1.upper()) == text == bill.unpacked(text, sha1)
    for packed, told in ((text, "0" * 40), (gzip.compress(text)[:-9], sha1), (b"\x1f\x8bxx", sha1)):
        with pytest.raises(ProviderUnknown):
            bill.unpacked(packed, told)


@pytest.mark.parametrize("address", ["http://evil.example/x", "https://api.mch.weixin.qq.com.evil.example/x", ""])
async def test_a_bill_is_fetched_from_wechat_pay_alone(company, address):
    with pytest.raises(ProviderUnknown, match="address"):
        await company.account._download(address)


# The sandbox itself.


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("native", {"amount": {"total": 1.5}}), ("native", {"amount": None}), ("native", {"out_trade_no": "abc"}),
        ("native", {"notify_url": "https://x/y?z=1"}), ("native", {"amount": {"total": 1, "currency": "USD"}}),
        ("h5", {}), ("jsapi", {}),
    ],
)  # fmt: skip
def test_the_sandbox_refuses_orders_that_wechat_pay_refuses(kind, change):
    content = {
        "appid": "a", "mchid": "m", "description": "d", "out_trade_no": "W12345", "notify_url": "https://x/y",
        "amount": {"total": 100},
    }  # fmt: skip
    with pytest.raises(Refusal, match="PARAM_ERROR"):
        Orders().open(kind, {**content, **change}, 0)


async def test_an_answer_is_read_only_when_it_is_an_object(company):
    async with company.http().post(
        company.sandbox.base_url + "/v3/refund/domestic/refunds", data=b"[]", headers={"Authorization": "x"}
    ) as answer:
        assert answer.status == 401 and json.loads(await answer.read())["code"] == "SIGN_ERROR"
    assert crypto.SCHEME in company.account._client.authorization_for("/")


async def test_accounts_of_one_address_share_a_sandbox(monkeypatch):
    made = []

    class Played:
        def __init__(self, world, merchants):
            made.append(merchants)

        async def play(self, listen):
            pass

    monkeypatch.setattr("meterhub_wechat.sandbox_accounts.WechatSandbox", Played)
    there = HostPort("127.0.0.1", 1)
    other = {"sandbox": there, "app_id": "2", "mchid": "2"}
    await simulate({"a": {"sandbox": there}, "b": other, "c": {}}, World(Clock()))
    assert [len(merchants) for merchants in made] == [2]


async def test_a_bill_that_is_not_delivered_is_asked_for_again(company):
    with pytest.raises(ProviderUnknown, match="HTTP 404"):
        await company.account._download(f"{company.sandbox.base_url}/v3/billdownload/file?token=none")
    await company.sandbox.stop()
    with pytest.raises(ProviderUnknown, match="not delivered"):
        await company.account._download(f"{company.sandbox.base_url}/v3/billdownload/file?token=none")
    with pytest.raises(ProviderUnknown, match="who pays"):
        await company.account.identify({"code": "x"})


async def test_an_answer_without_anything_to_show_is_unknown(company):
    async def empty(*_, **__):
        return {}

    company.account._client.call = empty
    with pytest.raises(ProviderUnknown, match="nothing to show"):
        await company.account.create(company.request("qr"))


async def test_a_refusal_that_is_not_of_the_payment_stays_one(company):
    async def refused(*_, **__):
        raise ProviderRefused("no", reply="NO_AUTH")

    company.account._client.call = refused
    wanted = RefundRequest(ATTEMPT, "R1", 100, "", "")
    for call in (company.account.query, company.account.close):
        with pytest.raises(ProviderRefused):
            await call(ATTEMPT)
    with pytest.raises(ProviderRefused):
        await company.account.query_refund(wanted)


async def test_certificates_are_looked_for_until_there_are_some():
    company = CertificateCompany()
    await company.start()
    client, waits = company.account._client, []
    await until(lambda: len(client.keys) == 2)  # the account itself has looked, and rests now
    client.keys.clear()
    client._looked_s = None

    async def sleep(seconds):
        waits.append(seconds)
        client._looked_s = None
        if len(waits) == 2:
            raise InterruptedError

    client._ctx.clock.sleep, asked = sleep, client._ctx.clock.sleep
    company.sandbox.faults.add("error", "certificates")
    with pytest.raises(InterruptedError):
        await client.keep_certificates()
    client._ctx.clock.sleep = asked
    assert waits == [600.0, 12 * 3600.0] and len(client.keys) == 2
    await company.stop()


def test_devices_are_named_as_wechat_pay_wants_them():
    from meterhub_wechat.account import _device

    assert [_device(agent) for agent in ("iPhone", "iPad", "Android", "")] == ["iOS", "iOS", "Android", "Wap"]

"""What programs of others ask of the sandbox, and how they write what is the same to everybody."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import pytest_asyncio
from wechat_company import CERTIFICATES, CertificateCompany, SwitchingCompany, WechatCompany
from wechat_samples import CONFIG, PLATFORM, private

from meterhub import beijing
from meterhub.errors import NotGenuine
from meterhub.money.statements import PaymentState
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_wechat import bill, crypto
from meterhub_wechat.schema import SANDBOX_PUBLIC_KEY_ID, sandbox_certificate

DAY_MS = 86_400_000
NOW_S = 1_796_000_000


@pytest_asyncio.fixture(params=[WechatCompany])
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


def day_of(company, days_ago):
    day = beijing.day(company.clock.now() - days_ago * DAY_MS)
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


# Serials: some programs keep leading zeros, some write small letters.


@pytest.mark.parametrize("write", [str.upper, str.lower, lambda text: text.lstrip("0"), lambda text: f"00{text}"])
def test_a_serial_is_known_however_it_is_written(write):
    key, serial = private("wx_platform"), CONFIG["wx_platform_serial"]
    for known in (serial, f"0{serial}"):
        headers = crypto.sign_answer(b"{}", key=key, serial=write(serial), timestamp=str(NOW_S), nonce="n")
        crypto.verify(headers, b"{}", {known: key.public_key()}, NOW_S)
        with pytest.raises(NotGenuine, match="wrong"):
            crypto.verify(headers, b"{ }", {known: key.public_key()}, NOW_S)


@pytest.mark.parametrize("serial", ["", "0", "1F", CONFIG["wx_platform_serial"] + "0", CONFIG["wx_public_key_id"][:-1]])
def test_a_serial_that_is_another_one_is_not_known(serial):
    assert crypto.key_of(PLATFORM, serial) is None


@pytest.mark.parametrize("company", [CertificateCompany], indirect=True)
async def test_certificates_are_taken_under_serials_without_their_zeros(company):
    bare = [replace(one, serial=one.serial.lstrip("0").lower()) for one in CERTIFICATES]
    (merchant,) = company.sandbox.merchants.values()
    company.sandbox.merchants[merchant.mchid] = replace(merchant, platform=tuple(bare))
    assert (await company.account.query(attempt_of(await paid(company)))).amount_fen == 5000
    assert len(company.account._client.keys) == len(CERTIFICATES)


@pytest.mark.parametrize("company", [SwitchingCompany], indirect=True)
async def test_who_names_a_certificate_in_small_letters_is_answered_with_it(company):
    client = company.account._client
    named = CERTIFICATES[1].serial.lower()
    status, headers, raw = await client.send("GET", "/v3/certificates", b"", named)
    assert (status, headers["wechatpay-serial"]) == (200, CERTIFICATES[1].serial)
    crypto.verify(headers, raw, client.keys, company.clock.now() // 1000)


async def test_a_merchant_may_write_his_own_serial_in_small_letters(company):
    account = company.make_account(serial="5a5a5a5a5a5a5a5a")
    assert await account.test()


# Codes and addresses live for a while.


@pytest.mark.parametrize(("way", "life_ms"), [("qr", 2 * 3_600_000), ("h5", 5 * 60_000)])
async def test_a_code_that_is_too_old_is_shown_no_more_and_asked_for_again(company, way, life_ms):
    request = company.request(way)
    request = replace(request, expires_ms=request.created_ms + DAY_MS)
    shown = await company.account.create(request)
    address = shown.qr or shown.url
    company.clock.shift_ms += life_ms - 10_000
    async with company.http().get(address) as page:
        assert page.status == 200
    company.clock.shift_ms += 10_000
    for ask in (company.http().get(address), company.http().post(address, data={"approve": "1"})):
        async with ask as page:
            assert page.status == 404
    again = await company.account.create(request)
    async with company.http().get(again.qr or again.url) as page:
        assert page.status == 200


async def test_several_bills_can_be_fetched_at_once(company):
    await paid(company)
    company.clock.shift_ms += 2 * DAY_MS
    paths = (
        f"/v3/bill/tradebill?bill_date={day_of(company, 2)}",
        f"/v3/bill/tradebill?bill_date={day_of(company, 2)}&tar_type=GZIP",
        f"/v3/bill/fundflowbill?bill_date={day_of(company, 2)}",
    )
    client = company.account._client
    answers = [await client.call("GET", path) for path in paths]
    for answer in answers:
        file = await company.account._download(answer["download_url"])
        assert hashlib.sha1(bill.unpacked(file, answer["hash_value"])).hexdigest() == answer["hash_value"]
    company.clock.shift_ms += 5 * 60_000 + 1000
    status, _, _ = await client.send("GET", answers[0]["download_url"].removeprefix(company.sandbox.base_url))
    assert status == 404


# Both modes at one gateway.


class Both(WechatCompany):
    """The merchant of a site file; ``make_account(certificates_alone=True)`` has no public key of WeChat Pay."""

    def platform(self, merchant):
        return merchant.platform

    async def open(self):
        await super().open()
        self.sandbox._mixed = False

    def make_account(self, *, certificates_alone=False, **options):
        account = super().make_account(**options)
        if certificates_alone:
            account._account = replace(account._account, public_key_id="", keys={})
            account._client._account = account._account
            account._client.keys.clear()
        return account


@pytest.mark.parametrize("company", [Both], indirect=True)
async def test_a_sandbox_of_a_site_serves_public_keys_and_certificates_at_once(company):
    accounts = {SANDBOX_PUBLIC_KEY_ID: company.account, sandbox_certificate().serial_hex: None}
    for serial in accounts:
        account = accounts[serial] or company.make_account(certificates_alone=True)
        company.account = company.desk.account = account
        request = await paid(company)
        assert company.desk.notices[-1].headers["wechatpay-serial"] == serial
        assert (await account.query(attempt_of(request))).state is PaymentState.PAID
        assert serial in account._client.keys
    assert not company.desk.rejected


@pytest.mark.parametrize("company", [Both], indirect=True)
async def test_a_key_that_is_gone_signs_no_more(company):
    request = company.request("qr")
    await company.account.create(request)
    company.account._client.keys[CERTIFICATES[0].serial] = CERTIFICATES[0].private.public_key()
    (merchant,) = company.sandbox.merchants.values()
    company.sandbox.merchants[merchant.mchid] = replace(merchant, platform=CERTIFICATES[:1])
    assert await company.pay(request.no)
    await until(lambda: company.desk.notices)
    assert company.desk.notices[-1].headers["wechatpay-serial"] == CERTIFICATES[0].serial


async def test_certificates_that_could_not_be_fetched_are_looked_for_again_and_ever_less_often(company, caplog):
    caplog.set_level("INFO")
    client, waits = company.account._client, []
    await until(lambda: client._looked_s is not None and "could not be fetched" in caplog.text)
    caplog.clear()
    client._told = ""

    async def sleep(seconds):
        waits.append(seconds)
        client._looked_s = None
        if len(waits) == 9:
            (merchant,) = company.sandbox.merchants.values()
            platform = (*merchant.platform, *CERTIFICATES)
            company.sandbox.merchants[merchant.mchid] = replace(merchant, platform=platform)
        if len(waits) == 10:
            raise InterruptedError

    client._ctx.clock.sleep, asked = sleep, client._ctx.clock.sleep
    with pytest.raises(InterruptedError):
        await client.keep_certificates()
    client._ctx.clock.sleep = asked
    assert waits[:3] == [600.0, 1200.0, 2400.0] and waits[6:] == [38_400.0, 43_200.0, 43_200.0, 43_200.0]
    assert len([one for one in caplog.messages if "could not be fetched" in one]) == 1
    assert len(client.keys) == 3

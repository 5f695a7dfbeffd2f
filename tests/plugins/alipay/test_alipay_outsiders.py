"""What programs of others ask of the sandbox, beyond what our own account does."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from alipay_company import LOOPBACK, AlipayCompany
from alipay_samples import private

from meterhub import beijing, certificates
from meterhub.clock import utc
from meterhub.config.nodes import Secret
from meterhub.errors import ProviderUnknown
from meterhub.money.statements import PaymentState
from meterhub.testing.conformance_payment import attempt_of, until
from meterhub_alipay import crypto
from meterhub_alipay.sandbox_accounts import merchant_of
from meterhub_alipay.schema import SANDBOX_APP, SANDBOX_KEYS, _certificate_keys, sandbox_key

CANCEL = "alipay.trade.cancel"


@pytest_asyncio.fixture
async def company():
    one = AlipayCompany()
    await one.start()
    yield one
    await one.stop()


async def paid(company, way="qr"):
    request = company.request(way)
    await company.account.create(request)
    if way == "qr":
        assert await company.pay(request.no)
        await until(lambda: any(one.no == request.no for one in company.desk.statements))
    return request


async def bill(company, day):
    content = {"bill_type": "trade", "bill_date": day}
    answer = await company.account._client.call("alipay.data.dataservice.bill.downloadurl.query", content)
    return answer["bill_download_url"]


async def fetched(company, address):
    async with company.http().get(address) as answer:
        return answer.status, await answer.read()


async def test_a_paid_trade_is_cancelled_by_alipays_number_too(company):
    request = await paid(company)
    client = company.account._client
    known = await client.call("alipay.trade.query", {"out_trade_no": request.no})
    done = await client.call(CANCEL, {"trade_no": known["trade_no"]})
    assert (done["action"], done["out_trade_no"], done["trade_no"]) == ("refund", request.no, known["trade_no"])
    again = await client.call("alipay.trade.query", {"out_trade_no": request.no})
    assert again["trade_status"] == "TRADE_CLOSED"


async def test_nobody_cancels_the_trade_of_another_application(company):
    request = await paid(company)
    merchants = company.sandbox.merchants
    merchants["2021000000000009"] = replace(merchants[SANDBOX_APP], app_id="2021000000000009")
    client = company.account._client
    number = (await client.call("alipay.trade.query", {"out_trade_no": request.no}))["trade_no"]
    client._account = replace(client._account, app_id="2021000000000009")
    assert "action" not in await client.call(CANCEL, {"trade_no": number})
    assert next(iter(company.sandbox.trades)).status == "TRADE_SUCCESS"


@pytest.mark.parametrize(("way", "method"), [("h5", "alipay.trade.wap.pay"), ("page", "alipay.trade.page.pay")])
async def test_who_comes_back_brings_signed_words_beside_those_of_the_address(company, way, method):
    request = replace(company.request(way), return_url="http://127.0.0.1:1/back?order=7")
    shown = await company.account.create(request)
    async with company.http().get(shown.url) as page:
        cashier = page.url
    async with company.http().post(cashier, data={"approve": "1"}, allow_redirects=False) as answer:
        query = urlsplit(answer.headers["Location"]).query
    back = dict(parse_qsl(query, strict_parsing=True))
    assert back.pop("order") == "7" and back["method"] == f"{method}.return"
    proved = crypto.read_notice(query.partition("&")[2].encode(), {crypto.KEY_MODE: sandbox_key("alipay").public_key()})
    assert proved["out_trade_no"] == request.no
    assert (await company.account.query(attempt_of(request))).amount_fen == request.amount_fen


async def test_a_bill_has_its_two_files_under_their_names(company):
    await paid(company)
    day = beijing.day(company.clock.now())
    company.clock.shift_ms += 2 * 86_400_000
    status, archive = await fetched(company, await bill(company, f"{day[:4]}-{day[4:6]}-{day[6:]}"))
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        names = [one.filename.encode("cp437").decode("gbk") for one in files.infolist()]
        assert files.testzip() is None
    assert [name.partition("_")[2] for name in names] == [f"{day}_业务明细.csv", f"{day}_业务明细(汇总).csv"]


async def test_each_address_of_a_bill_lives_for_thirty_seconds(company):
    await paid(company)
    day = beijing.day(company.clock.now())
    day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    company.clock.shift_ms += 2 * 86_400_000
    first, second = await bill(company, day), await bill(company, day)
    assert [(await fetched(company, one))[0] for one in (first, second)] == [200, 200]
    company.clock.shift_ms += 31_000
    third = await bill(company, day)
    assert [(await fetched(company, one))[0] for one in (first, second, third)] == [403, 403, 200]


# Both modes at one gateway.


def certified(company):
    """The company's account in certificate mode, with the files of the package."""
    files = {name: SANDBOX_KEYS / f"{name}.crt" for name in ("application", "alipay", "root")}
    keys = _certificate_keys(sandbox_key("application"), files)
    account = company.strangers_account()
    account._account = replace(company.account._account, keys=keys)
    account._client._account, account._client.keys = account._account, keys
    return account


async def test_a_sandbox_of_a_site_serves_keys_and_certificates_at_once(company):
    in_keys, in_certificates = company.account, certified(company)
    for account in (in_certificates, in_keys, in_certificates):
        company.account = company.desk.account = account
        request = await paid(company)
        assert (await account.query(attempt_of(request))).state is PaymentState.PAID
        assert await account.test()
    assert not company.desk.rejected and crypto.KEY_MODE not in in_certificates._client.keys.alipay


async def test_alipays_certificate_of_the_sandbox_comes_from_its_root(company):
    account = certified(company)
    number = next(iter(account._client.keys.alipay))
    answer = await account._client.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": number})
    chain = certificates.load_all(certificates.from_base64(answer["alipay_cert_content"]))
    assert certificates.trusted(chain, list(account._client.keys.roots), utc(company.clock.now()))


@pytest.mark.parametrize("change", [{"app_number": "1"}, {"root_number": "1"}, {"root_number": ""}])
async def test_wrong_certificates_are_refused_where_none_are_needed(company, change):
    account = certified(company)
    account._client.keys = replace(account._client.keys, **change)
    with pytest.raises(ProviderUnknown, match="cert"):
        await account.test()


def test_who_brings_a_key_of_his_own_has_no_certificate_in_the_sandbox():
    merchant = merchant_of({"sandbox": LOOPBACK, "private_key": Secret(private("alipay_app").export_key().decode())})
    assert merchant.certificate is None and not merchant.bare_keys

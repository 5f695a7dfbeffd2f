"""Certificate mode: numbers on both sides, and a change of Alipay's certificate while the hub runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from alipay_company import LOOPBACK, AlipayCompany
from alipay_samples import KEYS

from meterhub import certificates, rsa_keys
from meterhub.errors import ConfigError, ProviderUnknown
from meterhub.money.provider import Attempt
from meterhub.money.statements import PaymentState
from meterhub.sim.world import World
from meterhub.testing.conformance_payment import PaymentConformance, until
from meterhub_alipay import crypto
from meterhub_alipay.account import AlipayAccount
from meterhub_alipay.sandbox import AlipaySandbox, Merchant
from meterhub_alipay.schema import GATEWAY, read_account

ATTEMPT = Attempt("E20261122000000000001", "qr", 5000, 0, 1)


def pem(*names):
    bodies = (KEYS["chain"][name] for name in names)
    return "".join(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n" for body in bodies)


def certificate(name):
    return certificates.load(pem(name))


def key(name):
    return rsa_keys.private_key(KEYS["chain_keys"][name])


@pytest.fixture
def files(tmp_path):
    contents = {"application": pem("application"), "alipay": pem("alipay_old", "mid"), "root": pem("ec", "root", "mid")}
    for name, content in contents.items():
        (tmp_path / f"{name}.crt").write_text(content, encoding="ascii")
    return {name: tmp_path / f"{name}.crt" for name in contents}


def options(files):
    return {
        "app_id": "2021001", "seller_id": "2088001", "gateway": GATEWAY, "certificates": files,
        "private_key": KEYS["chain_keys"]["application"],
    }  # fmt: skip


class CertificateCompany(AlipayCompany):
    """The gateway signs with ``alipay_old`` at first."""

    files: dict  # set by the fixture

    def merchant(self, name):
        """The merchant as the gateway serves him when it signs with this certificate."""
        number = crypto.certificate_number(certificate("application"))
        return Merchant("2021001", "2088001", key("application").public_key(), key(name), certificate(name), number)

    async def open(self):
        self.sandbox = AlipaySandbox(World(self.clock), {"2021001": self.merchant("alipay_old")})
        self.gateway = f"{await self.sandbox.start(LOOPBACK)}/gateway.do"
        self.account = self.make_account()

    def make_account(self, **changes):
        """An account in certificate mode at the sandbox."""
        account = AlipayAccount(self.context(), options(self.files))
        account._account = replace(account._account, gateway=self.gateway, **changes)
        account._client._account = account._account
        return account

    def strangers_account(self):
        return self.make_account(app_id="2021999")


@pytest_asyncio.fixture
async def company(files):
    CertificateCompany.files = files
    one = CertificateCompany()
    await one.start()
    yield one
    await one.stop()


class TestAlipayCertificates:
    """The rules of payment accounts that depend on whose key signs."""

    way = "qr"
    paid = PaymentConformance.paid
    back = staticmethod(PaymentConformance.back)
    refunded = PaymentConformance.refunded
    test_notice_and_query = PaymentConformance.test_notice_and_query_say_the_same_of_a_payment
    test_refund = PaymentConformance.test_a_refund_repeated_is_one_refund
    test_stranger = PaymentConformance.test_a_notice_for_another_merchant_is_refused
    test_altered = PaymentConformance.test_an_altered_notice_is_refused


def test_requests_name_both_certificates(files):
    keys = read_account(options(files)).keys
    assert keys.app_number == crypto.certificate_number(certificate("application"))
    assert keys.root_number == "_".join(crypto.certificate_number(certificate(name)) for name in ("root", "mid"))
    assert list(keys.alipay) == [crypto.certificate_number(certificate("alipay_old"))]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("application", pem("alipay_old"), "another private key"),
        ("root", "nothing", "no certificate"),
        ("alipay", None, "cannot be read"),
    ],
)
def test_certificates_that_do_not_fit_are_named(files, name, content, words):
    if content is None:
        files[name].unlink()
    else:
        files[name].write_text(content, encoding="ascii")
    with pytest.raises(ConfigError, match=words) as caught:
        read_account(options(files))
    assert caught.value.where == str(files[name])


async def test_a_new_certificate_of_alipay_is_fetched_and_taken(company):
    company.sandbox.merchants["2021001"] = company.merchant("alipay_new")
    with pytest.raises(ProviderUnknown, match="unknown certificate"):
        await company.account.query(ATTEMPT)
    await until(lambda: len(company.account._client.keys.alipay) == 2)
    assert (await company.account.query(ATTEMPT)).state is PaymentState.MISSING


async def test_a_certificate_that_the_roots_do_not_stand_behind_is_refused(company, caplog):
    company.sandbox.merchants["2021001"] = company.merchant("forger")
    for _ in range(3):
        with pytest.raises(ProviderUnknown, match="unknown certificate"):
            await company.account.query(ATTEMPT)
    await until(lambda: "refused" in caplog.text)
    assert len(company.account._client.keys.alipay) == 1
    assert caplog.text.count("stored root") == 1


async def test_certificates_are_not_looked_for_again_and_again(company, caplog):
    company.sandbox.merchants["2021001"] = company.merchant("alipay_new")
    company.sandbox.faults.add("error", "alipay.open.app.alipaycert.download", times=100)
    for _ in range(5):
        with pytest.raises(ProviderUnknown):
            await company.account.query(ATTEMPT)
    await until(lambda: "could not be fetched" in caplog.text)
    assert caplog.text.count("could not be fetched") == 1


def test_chains_lead_to_a_root_or_nowhere():
    now, later = datetime(2027, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
    leaf, middle, root = certificate("alipay_new"), certificate("mid"), certificate("root")
    assert certificates.trusted([leaf, middle], [root], now) and certificates.trusted([leaf], [root, middle], now)
    assert not certificates.trusted([leaf], [root], now)
    assert not certificates.trusted([leaf, middle], [root], later)
    assert not certificates.trusted([certificate("forger"), middle], [root, middle], now)
    assert root.issued_by(root) and not leaf.issued_by(root)
    with pytest.raises(ConfigError):
        certificate("ec").public_key()
    assert certificates.load(leaf.pem()) == leaf
    with pytest.raises(ConfigError):
        certificates.from_base64("!")

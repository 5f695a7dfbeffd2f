"""A WeChat Pay account at the sandbox, for the tests."""

from __future__ import annotations

from dataclasses import replace

from wechat_samples import CONFIG, certificate, private

from meterhub.config.types import HostPort
from meterhub.sim.world import World
from meterhub.testing.company import Company
from meterhub_wechat.account import WechatAccount
from meterhub_wechat.sandbox import PlatformKey, WechatSandbox
from meterhub_wechat.sandbox_accounts import merchant_of
from meterhub_wechat.schema import SANDBOX_APIV3_KEY, SANDBOX_APP_SECRET, sandbox_key

LOOPBACK = HostPort("127.0.0.1", 0)
CERTIFICATES = (
    PlatformKey(CONFIG["wx_platform_serial"], private("wx_platform"), certificate("wx_platform_cert")),
    PlatformKey(CONFIG["wx_platform_old_serial"], private("wx_platform_old"), certificate("wx_platform_cert_old")),
)
"""Two platform certificates, as during a rotation."""


class WechatCompany(Company):
    """Public-key mode, with the keys of the sandbox."""

    secrets = (sandbox_key("merchant").export_key().decode()[40:100], SANDBOX_APIV3_KEY, SANDBOX_APP_SECRET)

    operations = {  # noqa: RUF012
        name: name for name in ("create", "query", "close", "refund", "query_refund")
    }

    def platform(self, merchant):
        """The keys that sign for the merchant."""
        return tuple(one for one in merchant.platform if one.certificate is None)

    async def open(self):
        merchant = merchant_of({"sandbox": LOOPBACK})
        merchant = replace(merchant, platform=self.platform(merchant))
        self.sandbox = WechatSandbox(World(self.clock, speed=self.speed), {merchant.mchid: merchant}, mixed=True)
        host, port = (await self.sandbox.start(LOOPBACK)).removeprefix("http://").split(":")
        self.listen = HostPort(host, int(port))
        self.account = self.make_account()

    def make_account(self, **options):
        """Another account at the same sandbox."""
        return WechatAccount(self.context(), {"sandbox": self.listen, **options})

    async def pay(self, no):
        return self.sandbox.approve(next(one for one in self.sandbox.orders if one.no == no))

    def strangers_account(self):
        return self.make_account(mchid="1999999999")


class CertificateCompany(WechatCompany):
    """Certificate mode: the account begins with no key of WeChat Pay at all and fetches the certificates."""

    def platform(self, merchant):
        return CERTIFICATES

    def make_account(self, **options):
        account = super().make_account(**options)
        account._account = replace(account._account, public_key_id="", keys={})
        account._client._account = account._account
        account._client.keys.clear()
        return account


class SwitchingCompany(CertificateCompany):
    """In the middle of the switch: notices come signed with certificates and the public key in turn."""

    def platform(self, merchant):
        return (*CERTIFICATES, *super(CertificateCompany, self).platform(merchant))

    def make_account(self, **options):
        account = WechatAccount(self.context(), {"sandbox": self.listen, **options})
        account._client.keys.update({one.serial: one.private.public_key() for one in CERTIFICATES})
        return account

"""An Alipay account at the sandbox, for the tests."""

from __future__ import annotations

from meterhub.config.types import HostPort
from meterhub.sim.world import World
from meterhub.testing.company import Company
from meterhub_alipay.account import AlipayAccount
from meterhub_alipay.sandbox import AlipaySandbox
from meterhub_alipay.sandbox_accounts import merchant_of
from meterhub_alipay.schema import sandbox_key

LOOPBACK = HostPort("127.0.0.1", 0)


class AlipayCompany(Company):
    """Key mode, with the keys of the sandbox."""

    secrets = (sandbox_key("application").export_key().decode()[40:100],)

    operations = {  # noqa: RUF012
        "create": "alipay.trade.precreate",
        "query": "alipay.trade.query",
        "close": "alipay.trade.close",
        "refund": "alipay.trade.refund",
        "query_refund": "alipay.trade.fastpay.refund.query",
    }

    async def open(self):
        merchant = merchant_of({"sandbox": LOOPBACK})
        self.sandbox = AlipaySandbox(World(self.clock, speed=self.speed), {merchant.app_id: merchant})
        host, port = (await self.sandbox.start(LOOPBACK)).removeprefix("http://").split(":")
        self.listen = HostPort(host, int(port))
        self.account = AlipayAccount(self.context(), {"sandbox": self.listen})

    async def pay(self, no):
        trade = next(one for one in self.sandbox.trades if one.no == no)
        return self.sandbox.approve(trade)

    def strangers_account(self):
        return AlipayAccount(self.context(), {"sandbox": self.listen, "app_id": "2021999999999999"})

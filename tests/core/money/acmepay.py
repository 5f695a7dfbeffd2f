"""A payment plugin for tests, as a deployer would put it into ``plugins/``; its company lives in ``bank.SHARED``."""

import bank
import voluptuous as vol

from meterhub import hookimpl
from meterhub.errors import ConfigError
from meterhub.money.provider import PaymentType


def open_account(ctx, options):
    if options["merchant"] == "nobody":
        raise ConfigError("the merchant is nobody")
    return bank.CompanyAccount(bank.SHARED, options["merchant"])


@hookimpl
def register_payments():
    schema = {vol.Required("merchant"): str}
    return [PaymentType("acmepay", {"en": "Acme Pay", "zh": "艾克米", "ja": "アクメ"}, schema, open_account)]

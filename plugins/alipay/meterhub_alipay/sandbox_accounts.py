"""Plays Alipay for the accounts of a site file that say ``sandbox:``; those of one address share a gateway."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from meterhub.config.types import HostPort
from meterhub.sim.world import World
from meterhub_alipay import crypto
from meterhub_alipay.sandbox import AlipaySandbox, Merchant
from meterhub_alipay.schema import read_account, sandbox_certificate, sandbox_key


def merchant_of(options: Mapping[str, Any]) -> Merchant:
    """The merchant as the sandbox knows him: with bare keys, and with the sandbox's certificates as he likes.

    Those are over the sandbox's own keys, so that who brings a key of his own has none.
    """
    account = read_account(options)
    keys = account.keys
    bare = Merchant(
        account.app_id, account.seller_id, keys.private.public_key(), sandbox_key("alipay"), aes_key=keys.aes
    )
    if keys.private != sandbox_key("application"):
        return bare
    number = crypto.certificate_number(sandbox_certificate("application"))
    root = crypto.root_number([sandbox_certificate("root")])
    certificate = sandbox_certificate("alipay")
    return replace(bare, certificate=certificate, app_number=number, root_number=root, bare_keys=True)


async def play(accounts: Iterable[Mapping[str, Any]], world: World) -> None:
    """Run the gateways until cancelled. Raises ``ConfigError`` for an address that others can reach."""
    gateways: dict[HostPort, dict[str, Merchant]] = defaultdict(dict)
    for options in accounts:
        if options.get("sandbox"):
            merchant = merchant_of(options)
            gateways[options["sandbox"]][merchant.app_id] = merchant
    await asyncio.gather(*(AlipaySandbox(world, merchants).play(listen) for listen, merchants in gateways.items()))

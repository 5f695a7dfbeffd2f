"""Plays WeChat Pay for the accounts of a site file that say ``sandbox:``; those of one address share a gateway."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from meterhub.config.types import HostPort
from meterhub.sim.world import World
from meterhub_wechat.sandbox import Merchant, PlatformKey, WechatSandbox
from meterhub_wechat.schema import read_account, sandbox_certificate, sandbox_key


def merchant_of(options: Mapping[str, Any]) -> Merchant:
    """The merchant as the sandbox knows him: with a platform certificate and with a public key, as he likes."""
    account, key, certificate = read_account(options), sandbox_key("wechat"), sandbox_certificate()
    platform = (PlatformKey(certificate.serial_hex, key, certificate), PlatformKey(account.public_key_id, key))
    return Merchant(account.mchid, account.serial, account.private.public_key(), account.apiv3_key, platform)


async def play(accounts: Iterable[Mapping[str, Any]], world: World) -> None:
    """Run the gateways until cancelled. Raises ``ConfigError`` for an address that others can reach."""
    gateways: dict[HostPort, dict[str, Merchant]] = defaultdict(dict)
    for options in accounts:
        if options.get("sandbox"):
            merchant = merchant_of(options)
            gateways[options["sandbox"]][merchant.mchid] = merchant
    await asyncio.gather(*(WechatSandbox(world, merchants).play(listen) for listen, merchants in gateways.items()))

"""Alipay: QR code, cashier page on phones and computers, refunds, notices and bills; and a local Alipay to try it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.money.provider import PaymentAccount, PaymentType
from meterhub_alipay.schema import SCHEMA

requires_api = 1


def open_account(ctx: Any, options: Mapping[str, Any]) -> PaymentAccount:
    """Make the account of an entry of ``payments:``. Raises ``ConfigError``."""
    from meterhub_alipay.account import AlipayAccount

    return AlipayAccount(ctx, options)


async def simulate(accounts: Mapping[str, Mapping[str, Any]], world: Any) -> None:
    """Play Alipay for every account that says ``sandbox:``, until cancelled."""
    from meterhub_alipay.sandbox_accounts import play

    await play(accounts.values(), world)


@hookimpl
def register_payments() -> Iterable[PaymentType]:
    """The payment type ``alipay``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_alipay")
    return [
        PaymentType(
            "alipay",
            {"en": "Alipay", "zh": "支付宝", "ja": "Alipay"},
            SCHEMA,
            open_account,
            tint="#1677ff",
            simulate=simulate,
            description="Alipay's open platform, with RSA2 keys or certificates.",
        )
    ]

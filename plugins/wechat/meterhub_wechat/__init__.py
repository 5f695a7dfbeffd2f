"""WeChat Pay API v3: QR code, cashier on phones and inside WeChat, refunds, notices, bills; and a local one to try."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.money.provider import PaymentAccount, PaymentType
from meterhub_wechat.schema import SCHEMA

requires_api = 1
FOLDER = Path(__file__).parent


def open_account(ctx: Any, options: Mapping[str, Any]) -> PaymentAccount:
    """Make the account of an entry of ``payments:``. Raises ``ConfigError``."""
    from meterhub_wechat.account import WechatAccount

    return WechatAccount(ctx, options)


async def simulate(accounts: Mapping[str, Mapping[str, Any]], world: Any) -> None:
    """Play WeChat Pay for every account that says ``sandbox:``, until cancelled."""
    from meterhub_wechat.sandbox_accounts import play

    await play(accounts.values(), world)


@hookimpl
def register_payments() -> Iterable[PaymentType]:
    """The payment type ``wechat``."""
    texts.add(FOLDER / "locale", "meterhub_wechat")
    return [
        PaymentType(
            "wechat",
            {"en": "WeChat Pay", "zh": "微信支付", "ja": "WeChat Pay"},
            SCHEMA,
            open_account,
            template=FOLDER / "templates" / "wechat_cashier.html",
            script=FOLDER / "pay.js",
            tint="#078a43",
            simulate=simulate,
            description="WeChat Pay API v3, with platform certificates, public keys, or both.",
        )
    ]

"""Short messages over Aliyun and Tencent, with receipts; and both companies to try it on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.messages.notifier import Notifier
from meterhub_sms.schema import SCHEMA, Account, read_account

requires_api = 1


@hookimpl
def plugin_schema() -> Mapping[Any, Any]:
    """The keys under ``sms:``."""
    return SCHEMA


@hookimpl
def register_notifiers(ctx: Any, config: Mapping[str, Any]) -> Iterable[Notifier]:
    """The account of the section, then its fallback."""
    texts.add(Path(__file__).parent / "locale", "meterhub_sms")
    sections = [one for one in (config, config.get("fallback")) if one]
    return [_open(ctx, options, number) for number, options in enumerate(sections, 1)]


def _open(ctx: Any, options: Mapping[str, Any], number: int) -> Notifier:
    from meterhub_sms.aliyun import AliyunSms
    from meterhub_sms.tencent import TencentSms

    account = read_account(options)
    if account.missing:
        ctx.log.warning("no message can be sent by %s before these are set: %s", account.provider, account.missing)
    kind = AliyunSms if account.provider == "aliyun" else TencentSms
    notifier = kind(ctx, account, account.provider if number == 1 else f"{account.provider}-{number}")
    if options.get("sandbox"):
        notifier.simulate = partial(_play, options["sandbox"], account)
    return notifier


async def _play(listen: Any, account: Account, world: Any, receipts_url: str) -> None:
    """Play the company until cancelled."""
    from meterhub_sms.sandbox_aliyun import AliyunSandbox
    from meterhub_sms.sandbox_tencent import TencentSandbox

    kind = AliyunSandbox if account.provider == "aliyun" else TencentSandbox
    await kind(world, account, receipts_url).play(listen)

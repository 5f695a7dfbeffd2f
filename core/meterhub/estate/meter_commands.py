"""What can be done to a meter beyond reading it, as actions: data only, carried out by the meter's protocol.

A meter knows those that its profile lists under ``commands:`` and those that its protocol has for every meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import voluptuous as vol

from meterhub.actions import Danger
from meterhub.texts import mark


class Command(NamedTuple):
    """One command. ``lasting`` ones leave a stored trace; reads do not. ``everyday`` ones stand first on a page."""

    name: str
    title: Mapping[str, str]
    danger: Danger = Danger.CONFIRM
    permission: str = "meter.write"
    schema: Mapping[Any, Any] = {}
    lasting: bool = True
    everyday: bool = False


def _title(en: str, zh: str, ja: str) -> Mapping[str, str]:
    return {"en": en, "zh": zh, "ja": ja}


REGISTER = mark("An identifier, or its name, such as 00010000 or Forward active energy")
MOMENT = "2026-12-01T00:00"
FREEZE = mark("now, or month-day hour:minute with 99 for every, such as 99-01 00:00")
NUMBER = mark("The last purchase count and one, or the order number")
"""What to write into a parameter; a moment explains itself by an example."""

_MONEY: Mapping[Any, Any] = {
    vol.Required("amount", description="100.00"): str,
    vol.Required("number", description=NUMBER): int,
    vol.Optional("customer"): str,
    vol.Optional("mac_1"): str,
    vol.Optional("mac_2"): str,
}
"""``number`` is the purchase number that was stored before the call; the MACs come from an outside signer."""

COMMANDS: tuple[Command, ...] = (
    Command(
        "meter.open_circuit", _title("Open circuit", "拉闸", "遮断"), Danger.REASON, "meter.control", everyday=True
    ),
    Command("meter.close_circuit", _title("Close circuit", "合闸", "投入"), permission="meter.control", everyday=True),
    Command("meter.open_valve", _title("Open valve", "开阀", "開栓"), permission="meter.control", everyday=True),
    Command("meter.close_valve", _title("Close valve", "关阀", "閉栓"), Danger.REASON, "meter.control", everyday=True),
    Command(
        "meter.write",
        _title("Write setting", "写入参数", "設定書込"),
        schema={vol.Required("entity"): str, vol.Required("value"): vol.Any(str, bool)},
        everyday=True,
    ),
    Command(
        "meter.read_register",
        _title("Read an item", "读取数据项", "項目を読む"),
        Danger.NONE,
        "device.read",
        {
            vol.Required("register", description=REGISTER): str,
            vol.Optional("from", description=MOMENT): str,
            vol.Optional("count"): int,
        },
        lasting=False,
    ),
    Command(
        "meter.read_load_profile",
        _title("Read load records", "读取负荷记录", "負荷記録を読む"),
        Danger.NONE,
        "device.read",
        {
            vol.Required("from", description=MOMENT): str,
            vol.Optional("to", description=MOMENT): str,
            vol.Optional("class"): vol.In(("0", "1", "2", "3", "4", "5", "6")),
        },
        lasting=False,
    ),
    Command(
        "meter.write_register",
        _title("Write an item", "写入数据项", "項目を書く"),
        schema={
            vol.Required("register", description=REGISTER): str,
            vol.Required("value"): str,
            vol.Optional("level"): str,
        },
    ),
    Command(
        "meter.set_prices",
        _title("Set prices", "设置价格", "単価設定"),
        Danger.REASON,
        schema={
            vol.Required("when", description=MOMENT): str,
            vol.Optional("prices", description="0.5500, 0.6200, 0.5000, 0.3000"): str,
            vol.Optional("limits", description="180, 350"): str,
            vol.Optional("step_prices", description="0.5500, 0.6000, 0.8500"): str,
        },
    ),
    Command(
        "meter.set_clock",
        _title("Set clock", "校时", "時計を合わせる"),
        schema={vol.Optional("how", default="write"): vol.In(("write", "broadcast"))},
    ),
    Command(
        "meter.keep_power",
        _title("Keep power on", "保电", "給電維持"),
        permission="meter.control",
        schema={vol.Required("on"): bool},
    ),
    Command(
        "meter.alarm",
        _title("Alarm", "报警", "警報"),
        permission="meter.control",
        schema={vol.Required("on"): bool},
    ),
    Command(
        "meter.freeze",
        _title("Freeze values", "冻结", "値を凍結"),
        schema={vol.Optional("when", default="now", description=FREEZE): str},
    ),
    Command(
        "meter.set_address",
        _title("Set address", "设置通信地址", "アドレス設定"),
        Danger.REASON,
        schema={vol.Required("address"): str, vol.Optional("alone", default=False): bool},
    ),
    Command(
        "meter.set_base_value",
        _title("Set base value", "置表底数", "積算値を設定"),
        Danger.REASON,
        schema={vol.Required("value", description="123.45"): str},
    ),
    Command(
        "meter.set_speed",
        _title("Set speed", "设置波特率", "通信速度設定"),
        Danger.REASON,
        schema={vol.Required("speed"): int},
    ),
    Command(
        "meter.set_password",
        _title("Set password", "修改密码", "パスワード変更"),
        Danger.REASON,
        schema={vol.Optional("level"): str},
    ),
    Command(
        "meter.set_output",
        _title("Set output", "设置多功能端子", "出力端子設定"),
        schema={vol.Required("output"): vol.In(("second pulse", "demand period", "tariff switch"))},
    ),
    Command("meter.clear_demand", _title("Clear maximum demand", "需量清零", "最大需要電力クリア"), Danger.REASON),
    Command(
        "meter.clear_events",
        _title("Clear events", "事件清零", "イベントクリア"),
        Danger.REASON,
        schema={vol.Optional("events", default="all"): str},
    ),
    Command("meter.clear_meter", _title("Clear the whole meter", "电表清零", "メーター全消去"), Danger.REASON),
    Command(
        "meter.forward",
        _title("Send a signed frame", "转发加密帧", "署名済みフレームを送る"),
        Danger.REASON,
        "meter.credit",
        {vol.Required("frame"): str},
    ),
    Command(
        "meter.balance",
        _title("Read balance", "读取余额", "残高を読む"),
        Danger.NONE,
        "device.read",
        lasting=False,
        everyday=True,
    ),
    Command("meter.credit", _title("Recharge", "充值", "チャージ"), Danger.REASON, "meter.credit", _MONEY),
    Command("meter.refund", _title("Refund", "退费", "返金"), Danger.REASON, "meter.credit", _MONEY),
    Command("meter.open_account", _title("Open account", "开户", "口座開設"), Danger.REASON, "meter.credit", _MONEY),
)

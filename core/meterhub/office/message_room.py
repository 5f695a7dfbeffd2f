"""How messages are built into a hub: companies that carry them, whom they are for, actions, the list."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Actions, Call, Danger
from meterhub.clock import Clock
from meterhub.collections import Collection, Field
from meterhub.config.types import HostPort
from meterhub.errors import BadInput, NotAllowed, NotFound
from meterhub.messages.desk import KIND, Address, Addressed, MessageDesk, direct
from meterhub.messages.notifier import MessageState, Notifier
from meterhub.money.amount import yuan
from meterhub.money.outbox import Outbox
from meterhub.office.money_search import HOLDER, PLACE, MoneySource, Whereabouts
from meterhub.people.user import operator_of
from meterhub.plugins import Plugins
from meterhub.sim.world import World
from meterhub.store.engine import Store, Transaction
from meterhub.texts import mark

NUMBER = re.compile(r"\+[1-9]\d{5,14}", re.ASCII)
FILLING = ("amount", "meter", "order")
"""What can fill a text."""
VIEW, SEND = "money.view", "money.sell"
STATES: Mapping[str, Mapping[str, str]] = {
    "new": {"en": "Waiting", "zh": "待发送", "ja": "送信待ち"},
    "sending": {"en": "Being sent", "zh": "发送中", "ja": "送信中"},
    "sent": {"en": "Sent", "zh": "已发送", "ja": "送信済み"},
    "delivered": {"en": "Delivered", "zh": "已送达", "ja": "配信済み"},
    "failed": {"en": "Failed", "zh": "失败", "ja": "失敗"},
    "unknown": {"en": "In doubt", "zh": "结果未知", "ja": "結果不明"},
}
TONES = {"new": "info", "sending": "info", "sent": "ok", "delivered": "ok", "failed": "bad", "unknown": "warn"}
FIELDS = (
    Field("id", {"en": "Number", "zh": "编号", "ja": "番号"}, search=True),
    Field("created_ms", {"en": "Created", "zh": "创建时间", "ja": "作成日時"}, "time", search=True),
    Field("about", {"en": "About", "zh": "事由", "ja": "用件"}, search=True, column=False),
    HOLDER,
    replace(PLACE, column=False),
    Field("shown", {"en": "To", "zh": "接收号码", "ja": "宛先"}, search=True),
    Field("amount_fen", {"en": "Amount", "zh": "金额", "ja": "金額"}, "money", search=True, column=False),
    Field(
        "template", {"en": "Text", "zh": "模板", "ja": "文面"}, "choice", filter=True,
        choice_labels={
            "credited": {"en": "Credit has arrived", "zh": "充值到账", "ja": "入金のお知らせ"},
            "refunded": {"en": "Money given back", "zh": "退款完成", "ja": "返金のお知らせ"},
        },
    ),
    Field(
        "state", {"en": "State", "zh": "状态", "ja": "状態"}, "choice",
        choices=tuple(MessageState), choice_labels=STATES, choice_tones=TONES, filter=True,
    ),
    Field("notifier", {"en": "Company", "zh": "服务商", "ja": "事業者"}, filter=True, column=False),
    Field("provider_id", {"en": "Number at the company", "zh": "服务商回执号", "ja": "事業者側の番号"},
          search=True, column=False),
    Field("reason", {"en": "Reason", "zh": "原因", "ja": "理由"}, "sentence", search=True),
    Field("done_ms", {"en": "Told", "zh": "回执时间", "ja": "通知日時"}, "time", column=False),
)  # fmt: skip


def telephone(words: str) -> str:
    """A number with its country code; one of eleven digits is China's. "" stays "". Raises ``BadInput``."""
    bare = re.sub(r"[ \-()]", "", words)
    if not bare:
        return ""
    number = f"+86{bare}" if re.fullmatch(r"1\d{10}", bare, re.ASCII) else bare
    if not NUMBER.fullmatch(number):
        raise BadInput("this is no telephone number", hint="such as 13800000000 or +86 138 0000 0000")
    return number


def address_of(store: Store) -> Address:
    """Finds whom a message of money is for: the number that stands at the account."""

    async def address(payload: Mapping[str, Any]) -> Addressed:
        if "account" not in payload:
            return direct(payload)
        found = await store.query("messages.account", {"id": payload["account"]})
        to, meter = (found[0]["phone"], found[0]["meter"]) if found else ("", "")
        params = {"amount": yuan(payload["amount_fen"]), "meter": meter, "order": payload["order"]}
        return Addressed(to, payload["what"], params, payload["order"])

    return address


def open_messages(plugins: Plugins, store: Store, clock: Clock, outbox: Outbox, actions: Actions) -> MessageDesk:
    """The desk of a hub, at work for money's outbox; its actions are registered."""
    notifiers = [one for _, one in plugins.call("register_notifiers")]
    desk = MessageDesk(store, clock, notifiers, address_of(store))
    desk.work_for(outbox)
    for action in MessageActions(store, outbox, notifiers).actions():
        actions.register(action)
    return desk


def simulated_companies(plugins: Plugins, listen: HostPort, world: World) -> list[Awaitable[None]]:
    """The sandboxes of all companies for messages, each to be run until cancelled; they push to this machine's hub."""
    return [
        one.simulate(world, f"http://{listen}/messages/receipts/{one.name}/" + one.receipts_secret)
        for _, one in plugins.call("register_notifiers")
        if one.simulate is not None
    ]


def message_collection(store: Store, where: Whereabouts) -> Collection:
    """The list of messages; numbers are masked, and what filled a text is not shown."""
    title = {"en": "Messages", "zh": "消息", "ja": "通知"}
    source = MoneySource(store, "messages.list", FIELDS, VIEW, "-created_ms", where)
    return Collection(
        "messages", title, FIELDS, source, VIEW, group=mark("Money"), icon="message",
        row_link=lambda row: f"/messages/{row['id']}",
    )  # fmt: skip


class MessageActions:
    """The handlers of the ``message.*`` actions."""

    def __init__(self, store: Store, outbox: Outbox, notifiers: Sequence[Notifier]) -> None:
        self._store = store
        self._outbox = outbox
        self._notifiers = {one.name: one for one in notifiers}

    def actions(self) -> list[Action]:
        """The actions to register."""
        filling = {vol.Optional(name, default=""): str for name in FILLING}
        to_whom = {vol.Required("to"): str, vol.Required("template"): str}
        return [
            Action(
                "message.set_number", {"en": "Set telephone number", "zh": "设置手机号", "ja": "電話番号を設定"}, SEND,
                self.set_number, schema={vol.Required("account"): str, vol.Required("number"): str},
            ),
            Action(
                "message.send", {"en": "Send a message", "zh": "发送短信", "ja": "メッセージを送る"}, SEND,
                self.send, danger=Danger.CONFIRM, schema={**to_whom, **filling},
            ),
            Action(
                "message.test", {"en": "Test message account", "zh": "测试短信账号", "ja": "送信アカウントを試す"},
                VIEW, self.test, schema={vol.Required("notifier"): str}, durable=False,
            ),
        ]  # fmt: skip

    async def set_number(self, call: Call) -> dict[str, Any]:
        """Keep the number to which an account's messages go; "" for none."""
        number = telephone(call.params["number"])
        found = await self._store.query("messages.account", {"id": call.params["account"]})
        if not found:
            raise NotFound(f"there is no account {call.params['account']}"[:200])
        if not call.actor.may(SEND, found[0]["scope"]):
            raise NotAllowed("you may not do this here", hint=f"it needs {SEND}")
        key = {"id": call.params["account"]}
        await self._store.transact(lambda tx: tx.update("money_accounts", key, {"phone": number}))
        return {"account": call.params["account"]}

    async def send(self, call: Call) -> dict[str, Any]:
        """Put a message out; the run's key is the message's, so that pressing twice is one message."""
        to = telephone(call.params["to"])
        if not to:
            raise BadInput("a telephone number is needed")
        key = f"by-hand/{call.run.key or call.run.id}" if call.run is not None else "by-hand"
        filling = {name: call.params[name] for name in FILLING if call.params[name]}
        payload = {"to": to, "template": call.params["template"], "params": filling, "about": "by hand"}
        operator = operator_of(call.actor)

        def write(tx: Transaction) -> None:
            self._outbox.put(tx, KIND, key, key, payload, operator=operator)

        await self._store.transact(write)
        return {"message": key}

    async def test(self, call: Call) -> dict[str, Any]:
        """Try a company's keys without sending."""
        notifier = self._notifiers.get(call.params["notifier"])
        if notifier is None:
            raise NotFound("there is no such company", hint=", ".join(self._notifiers) or "no plugin brings one")
        return {"says": await notifier.test()}

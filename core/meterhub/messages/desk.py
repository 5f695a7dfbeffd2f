"""The message desk: stores a message before it is sent, sends it once, and finds out what became of it.

::

    new <-> sending -> sent -> delivered | failed           back when every company said no and one of them: not now
       \\        \\---> unknown -> sent | delivered | failed      asked after, never sent again
        \\-> failed                                             refused by every company, over a limit, no number
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import (
    BadInput,
    NotFound,
    NoticeRejected,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnknown,
)
from meterhub.messages.notifier import FINAL, Message, MessageState, Notifier, Receipt, masked
from meterhub.money.outbox import Again, Outbox
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.store.engine import Row, Store, Transaction
from meterhub.texts import mark

KIND = "message"
"""The kind of outbox rows that this desk carries out."""
NO_NUMBER = mark("no mobile number is known; enter it on the page of the account, then later messages arrive")
ASK_AFTER_S = (30, 120, 600, 3600, 6 * 3600, 24 * 3600)
"""When to ask what became of a message that nobody told about; after the last time it stays as it is."""
AGAIN_AFTER_S = (60, 600, 3600)
"""When to try again what a company did not take because too much was sent; limits are of a minute, an hour, a day."""
DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What may go out within 24 hours: to one number, with one template to one number, to everybody."""

    to_one_number: int = 60
    same_text: int = 50
    to_all: int = 10_000


@dataclass(frozen=True, slots=True)
class Addressed:
    """Whom a row of the outbox is for and what it says; ``to`` is "" when no number is known."""

    to: str
    template: str
    params: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


Address = Callable[[Mapping[str, Any]], Awaitable[Addressed]]


class MessageDesk:
    """``address(payload)`` finds the recipient of a row of the outbox. ``notifiers`` are tried in their order."""

    def __init__(
        self, store: Store, clock: Clock, notifiers: Sequence[Notifier], address: Address, limits: Limits | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._notifiers = {one.name: one for one in notifiers}
        self._address = address
        self._limits = limits or Limits()
        self._outbox: Outbox | None = None

    @property
    def notifiers(self) -> Sequence[str]:
        """The names of the companies, in the order in which they are tried."""
        return tuple(self._notifiers)

    def work_for(self, outbox: Outbox) -> None:
        """Carry out the outbox's messages."""
        self._outbox = outbox
        outbox.handle(KIND, self.carry)

    async def carry(self, row: Row) -> Again | None:
        """Bring one message a step further; the handler of the outbox."""
        message = await self._stored(row)
        if message["state"] in FINAL:
            return None
        if message["state"] == MessageState.NEW:
            return await self._send(message, json.loads(message["params_json"]))
        return await self._ask(message)

    async def take_receipts(self, name: str, secret: str, notice: Notice) -> NoticeAnswer:
        """Receipts that a company pushed. They carry no signature, so the address must hold the account's secret,
        and they change nothing but messages that exist with that number and recipient. Raises ``NotFound``.
        """
        notifier = self._notifiers.get(name)
        if notifier is None or not notifier.receipts_secret:
            raise NotFound("there is no such address")
        if not hmac.compare_digest(notifier.receipts_secret.encode(), secret.encode()):
            raise NotFound("there is no such address")
        try:
            receipts = notifier.parse_receipts(notice)
        except NoticeRejected:
            return notifier.receipt_answer(False)

        def write(tx: Transaction) -> None:
            for one in receipts:
                self._receive(tx, name, one)

        await self._store.transact(write)
        return notifier.receipt_answer(True)

    async def _stored(self, row: Row) -> Row:
        """The message of a row of the outbox, stored at the first look."""
        known = await self._store.query("messages.by_key", {"key": row["key"]})
        if known:
            return known[0]
        addressed = await self._address(json.loads(row["payload_json"]))
        now_ms = self._clock.now()
        message = {
            "no": f"M{self._clock.random.getrandbits(80):020X}",
            "operator": row["operator"],
            "key": row["key"],
            "about": addressed.about,
            "recipient": addressed.to,
            "shown": masked(addressed.to) if addressed.to else "",
            "template": addressed.template,
            "params_json": json.dumps(dict(addressed.params), ensure_ascii=False),
            "state": MessageState.NEW,
            "created_ms": now_ms,
        }

        def write(tx: Transaction) -> Row:
            tx.insert("messages", message)
            found = tx.one("messages.by_no", {"no": message["no"]})
            assert found is not None
            return found

        return await self._store.transact(write)

    async def _send(self, message: Row, params: Mapping[str, str]) -> Again | None:
        """Try one company after the other, until one has it or may have it; only a definite no leads to the next.

        When all said no and one of them would take it later, it is tried again later.
        """
        wanted = Message(message["no"], message["recipient"], message["template"], params)
        said = mark("no company carries messages") if message["recipient"] else NO_NUMBER
        later_s, told = 0, False
        for notifier in self._notifiers.values() if message["recipient"] else ():
            over = await self._store.transact(partial(self._begin, message=message, notifier=notifier.name))
            if over:
                said, told = over, False
                break
            try:
                provider_id = await notifier.send(wanted)
            except ProviderRefused as error:
                said, told = error.message, True
                if isinstance(error, ProviderBusy) and message["checks"] < len(AGAIN_AFTER_S):
                    later_s = AGAIN_AFTER_S[message["checks"]]
                await self._step(message, notifier.name, said)
                continue
            except ProviderUnknown as error:
                await self._note(message, MessageState.UNKNOWN, error.message)
                return Again(ASK_AFTER_S[0], error.message)
            await self._note(message, MessageState.SENT, "", provider_id)
            return Again(ASK_AFTER_S[1])
        if later_s:
            await self._store.transact(lambda tx: self._put_back(tx, message, said))
            return Again(later_s, said)
        await self._note(message, MessageState.FAILED, said, told=told)
        return None

    def _put_back(self, tx: Transaction, message: Row, said: str) -> None:
        """No company has it: it waits as if it were new. ``checks`` counts the tries until it is sent."""
        changes = {"state": MessageState.NEW, "reason": said, "checks": message["checks"] + 1}
        if tx.update("messages", {"no": message["no"], "state": MessageState.SENDING}, changes):
            self._write_step(tx, message["no"], MessageState.NEW, "", said)

    def _begin(self, tx: Transaction, message: Row, notifier: str) -> str:
        """Store that it is about to be sent, before the first byte; says which limit forbids it, "" for none."""
        since = {"since_ms": self._clock.now() - DAY_MS, "no": message["no"]}
        sent = tx.one(
            "messages.to_recipient", {"recipient": message["recipient"], "template": message["template"], **since}
        )
        everybody = tx.one("messages.since", since)
        assert sent is not None and everybody is not None
        if sent["n"] >= self._limits.to_one_number or sent["same"] >= self._limits.same_text:
            return mark("this number has had too many messages within 24 hours")
        if everybody["n"] >= self._limits.to_all:
            return mark("too many messages within 24 hours; raise the limit if they are wanted")
        now_ms = self._clock.now()
        changes = {"state": MessageState.SENDING, "notifier": notifier, "sent_ms": now_ms, "checks": 0}
        tx.update("messages", {"no": message["no"]}, changes)
        self._write_step(tx, message["no"], MessageState.SENDING, notifier, "")
        return ""

    async def _ask(self, message: Row) -> Again | None:
        """Find out what became of a message that was, or may have been, sent."""
        notifier = self._notifiers.get(message["notifier"])
        checks = message["checks"]
        if notifier is None or checks >= len(ASK_AFTER_S):
            return None
        wanted = Message(message["no"], message["recipient"], message["template"])
        try:
            receipt = await notifier.query(wanted, message["provider_id"], message["sent_ms"])
        except ProviderError as error:
            receipt, said = None, error.message
        else:
            said = mark("the company does not tell")
        if receipt is not None and receipt.state in FINAL:
            await self._store.transact(lambda tx: self._apply(tx, message, receipt))
            return None
        state = receipt.state if receipt is not None else MessageState.UNKNOWN
        state = MessageState(message["state"]) if message["state"] == MessageState.SENT else state
        await self._store.transact(lambda tx: self._asked(tx, message, state, said))
        return Again(ASK_AFTER_S[min(checks + 1, len(ASK_AFTER_S) - 1)])

    def _asked(self, tx: Transaction, message: Row, state: MessageState, said: str) -> None:
        now = tx.one("messages.by_no", {"no": message["no"]})
        assert now is not None
        changes: dict[str, Any] = {"checks": message["checks"] + 1}
        if now["state"] not in FINAL and now["state"] != state:
            changes |= {"state": state, "reason": said}
            self._write_step(tx, message["no"], state, message["notifier"], said)
        tx.update("messages", {"no": message["no"]}, changes)

    def _receive(self, tx: Transaction, name: str, receipt: Receipt) -> None:
        """Take one receipt in; the outbox row that it ends is carried out at once."""
        asked = {"notifier": name, "provider_id": receipt.provider_id, "recipient": receipt.to}
        message = tx.one("messages.by_provider_id", asked)
        if message is None and receipt.no:  # it may overtake the answer that tells the company's number
            message = tx.one("messages.by_no", {"no": receipt.no})
            if message is not None and (message["notifier"], message["recipient"]) != (name, receipt.to):
                message = None
        if message is None or message["state"] in FINAL:
            return
        self._apply(tx, message, receipt)
        if self._outbox is not None:
            self._outbox.wake_row(tx, KIND, message["key"])

    def _apply(self, tx: Transaction, message: Row, receipt: Receipt) -> None:
        when_ms = receipt.at_ms or self._clock.now()
        changes = {"state": receipt.state, "reason": receipt.reason, "done_ms": when_ms}
        if receipt.provider_id:
            changes["provider_id"] = receipt.provider_id
        if tx.update("messages", {"no": message["no"], "state": message["state"]}, changes):
            self._write_step(tx, message["no"], receipt.state, message["notifier"], receipt.reason)

    async def _note(
        self, message: Row, state: MessageState, reason: str, provider_id: str = "", *, told: bool = False
    ) -> None:
        """Store how sending ended, unless a receipt was faster than the answer; ``told``: its steps say so already."""
        changes: dict[str, Any] = {"state": state, "reason": reason}
        if provider_id:
            changes["provider_id"] = provider_id
        if state in FINAL:
            changes["done_ms"] = self._clock.now()

        def write(tx: Transaction) -> None:
            now = tx.one("messages.by_no", {"no": message["no"]})
            if now is not None and now["state"] in (MessageState.NEW, MessageState.SENDING):
                tx.update("messages", {"no": message["no"]}, changes)
                if not told:
                    self._write_step(tx, message["no"], state, now["notifier"], reason)

        await self._store.transact(write)

    async def _step(self, message: Row, notifier: str, said: str) -> None:
        await self._store.transact(lambda tx: self._write_step(tx, message["no"], MessageState.FAILED, notifier, said))

    def _write_step(self, tx: Transaction, no: str, state: MessageState, notifier: str, detail: str) -> None:
        row = {"message": no, "at_ms": self._clock.now(), "state": state, "notifier": notifier, "detail": detail[:200]}
        tx.insert("message_steps", row)


def direct(payload: Mapping[str, Any]) -> Addressed:
    """The recipient of a message that somebody asked for by hand. Raises ``BadInput`` without number and template."""
    to, template, params = payload.get("to"), payload.get("template"), payload.get("params") or {}
    if not isinstance(to, str) or not isinstance(template, str) or not isinstance(params, Mapping):
        raise BadInput("a message needs to, template and params")
    return Addressed(
        to, template, {str(name): str(value) for name, value in params.items()}, str(payload.get("about", ""))
    )

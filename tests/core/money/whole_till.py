"""A till with all that lies on the way of a recharge: its meters behind stored actions, its messages at a company."""

from __future__ import annotations

from types import SimpleNamespace

from till_house import Till

from meterhub.action_journal import StoredRuns
from meterhub.actions import Action, Actions
from meterhub.bus import Bus
from meterhub.errors import LinkDown, NoAnswer, ProviderBusy, ProviderRefused, ProviderUnknown, Refused
from meterhub.messages.desk import MessageDesk
from meterhub.messages.notifier import MessageState, Notifier, Receipt
from meterhub.money.provider import NoticeAnswer
from meterhub.office.message_room import address_of
from meterhub.office.money_room import asker

ASKED = ("meter.balance", "meter.read", "meter.credit", "meter.refund", "meter.open_circuit", "meter.close_circuit")
READS = ("meter.balance", "meter.read")


class Carrier(Notifier):
    """A company for messages that trips, and delivers what it has."""

    name = "carrier"
    receipts_secret = "s3cret"

    def __init__(self, trip):
        self.trip = trip
        self.sent = []
        self.fault = ""
        """``refused`` (it takes no message), ``unknown`` (it takes them, and its answers are lost), ``busy`` (once)."""

    async def send(self, message):
        self.trip("before send")
        if self.fault == "refused":
            raise ProviderRefused("the text is not allowed")
        if self.fault == "busy":
            self.fault = ""
            raise ProviderBusy("too many at once")
        self.sent.append(message.no)
        self.trip("after send")
        if self.fault == "unknown":
            raise ProviderUnknown("no answer")
        return f"id-{message.no}"

    async def query(self, message, provider_id, sent_ms):
        self.trip("before asking for the message")
        known = message.no in self.sent
        self.trip("after asking for the message")
        return Receipt(message.no, provider_id, message.to, MessageState.DELIVERED) if known else None

    def parse_receipts(self, notice):
        return [Receipt(notice.body.decode(), "", "+8613800000000", MessageState.DELIVERED)]

    def receipt_answer(self, accepted):
        return NoticeAnswer()

    async def test(self):
        return "fine"


class WholeTill(Till):
    """As ``Till``; ``carrier`` has the messages."""

    def __init__(self, folder, clock, policy=None, trip=lambda name: None):
        super().__init__(folder, clock, policy, trip)
        self.carrier = Carrier(trip)

    def begin(self, wrap=lambda store: store):
        super().begin(wrap)
        self.desk = MessageDesk(self.store, self.clock, [self.carrier], address_of(self.store))
        self.desk.work_for(self.money.outbox)
        return self

    async def open(self, *how, **more):
        await super().open(*how, **more)
        await StoredRuns(self.store, self.clock).close_open_runs()
        return self

    def _ask(self):
        target = SimpleNamespace(kind="meter", scope="main/main")
        actions = Actions(Bus(), self.clock, StoredRuns(self.store, self.clock), lambda meter: target, self.tasks.spawn)
        for name in ASKED:
            params = {"amount": str, "number": int} if name in ("meter.credit", "meter.refund") else {}
            actions.register(Action(name, {}, "", self._done, target="meter", schema=params, durable=name not in READS))
        return asker(actions)

    async def _done(self, call):
        answer = await self.meters.ask(call.action.name, call.run.target, call.params, "", "")
        if answer.sent:
            call.sent()
        if answer.ok:
            return dict(answer.result)
        raise {"link_down": LinkDown, "refused": Refused}.get(answer.code, NoAnswer)(answer.message)

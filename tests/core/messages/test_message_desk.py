"""A message is sent once, whatever happens meanwhile, and everybody can see what became of it."""

from __future__ import annotations

import pytest
import pytest_asyncio

from meterhub.errors import BadInput, NotFound, NoticeRejected, ProviderBusy, ProviderRefused, ProviderUnknown
from meterhub.messages.desk import NO_NUMBER, Addressed, Limits, MessageDesk, direct
from meterhub.messages.notifier import MessageState, Notifier, Receipt, masked
from meterhub.money.outbox import Outbox
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks

TO = "+8613800000000"


class Company(Notifier):
    """Does what ``will`` says: a number, or an error to raise; tells what ``knows`` has."""

    def __init__(self, name="one", receipts_secret="s3cret"):
        self.name, self.receipts_secret = name, receipts_secret
        self.will, self.sent, self.asked, self.knows = [], [], 0, []

    async def send(self, message):
        self.sent.append(message)
        answer = self.will.pop(0) if self.will else f"id{len(self.sent)}"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def query(self, message, provider_id, sent_ms):
        self.asked += 1
        answer = self.knows.pop(0) if self.knows else None
        if isinstance(answer, Exception):
            raise answer
        return answer and Receipt(message.no, provider_id or "late", message.to, answer)

    def parse_receipts(self, notice):
        if not notice.body:
            raise NoticeRejected("empty", "form")
        no, provider_id, to, state = notice.body.decode().split("|")
        return [Receipt(no, provider_id, to, MessageState(state))]

    def receipt_answer(self, accepted):
        return NoticeAnswer(200 if accepted else 400)

    async def test(self):
        return "fine"


class Room:
    def __init__(self, folder, clock):
        self.folder, self.clock = folder, clock
        self.companies = [Company()]
        self.limits = Limits()
        self.to = TO

    async def open(self):
        self.store = await SqliteStore.open(self.folder, self.clock)
        self.tasks = Tasks(self.clock)
        self.outbox = Outbox(self.store, self.clock, self.tasks.spawn)
        self.desk = MessageDesk(self.store, self.clock, self.companies, self.address, self.limits)
        self.desk.work_for(self.outbox)
        self.tasks.spawn("outbox", self.outbox.run())

    async def close(self):
        await self.tasks.stop()
        await self.store.close()

    async def address(self, payload):
        return Addressed(self.to, payload["what"], {"amount": "50.00"}, "order 1")

    async def tell(self, key="1/credited", what="credited"):
        await self.store.transact(lambda tx: self.outbox.put(tx, "message", key, key, {"what": what}, operator="main"))
        self.outbox.wake()
        await self.clock.advance(0.1)

    async def message(self, key="1/credited"):
        return (await self.store.query("messages.by_key", {"key": key}))[0]

    async def states(self, key="1/credited"):
        steps = await self.store.query("messages.steps", {"no": (await self.message(key))["no"]})
        return [one["state"] for one in steps]

    async def receipt(self, no, provider_id, to=TO, state="delivered", secret="s3cret", name="one"):
        body = f"{no}|{provider_id}|{to}|{state}".encode()
        answer = await self.desk.take_receipts(name, secret, Notice({}, body, self.clock.now()))
        await self.clock.advance(0.1)
        return answer.status


@pytest_asyncio.fixture
async def room(tmp_path, clock):
    one = Room(tmp_path, clock)
    await one.open()
    yield one
    await one.close()


async def test_a_message_is_sent_and_its_receipt_ends_it(room):
    await room.tell()
    message = await room.message()
    assert (message["state"], message["provider_id"], message["shown"]) == ("sent", "id1", "+86 138****0000")
    assert await room.receipt("", "id1") == 200
    assert (await room.message())["state"] == "delivered"
    assert await room.states() == ["sending", "sent", "delivered"]
    await room.clock.advance(3 * 24 * 3600)
    assert len(room.companies[0].sent) == 1 and room.companies[0].asked == 0


async def test_without_a_receipt_the_company_is_asked(room):
    room.companies[0].knows = [None, MessageState.SENT, MessageState.DELIVERED]
    await room.tell()
    await room.clock.advance(2 * 3600)
    assert (await room.message())["state"] == "delivered" and room.companies[0].asked == 3


async def test_a_message_in_doubt_is_never_sent_again(room):
    room.companies = [*room.companies, Company("two")]
    room.companies[0].will = [ProviderUnknown("time-out")]
    room.companies[0].knows = [ProviderUnknown("still"), None, MessageState.DELIVERED]
    await room.close()
    await room.open()
    await room.tell()
    assert (await room.message())["state"] == "unknown"
    await room.clock.advance(24 * 3600)
    assert (await room.message())["state"] == "delivered"
    assert [len(one.sent) for one in room.companies] == [1, 0]


async def test_a_message_that_nobody_knows_stays_in_doubt_and_is_left_at_last(room):
    room.companies[0].will = [ProviderUnknown("time-out")]
    await room.tell()
    await room.clock.advance(10 * 24 * 3600)
    assert (await room.message())["state"] == "unknown" and len(room.companies[0].sent) == 1
    row = (await room.store.query("outbox.of_order", {"order_no": "1"}))[0]
    assert row["state"] == "done"


async def test_a_definite_no_leads_to_the_next_company(room):
    room.companies[0].will = [ProviderRefused("black list", reply="X")]
    room.companies = [*room.companies, Company("two")]
    await room.close()
    await room.open()
    await room.tell()
    message = await room.message()
    assert (message["state"], message["notifier"]) == ("sent", "two")
    assert await room.states() == ["sending", "failed", "sending", "sent"]


async def test_a_message_that_is_too_much_just_now_is_tried_again_later(room):
    room.companies[0].will = [ProviderBusy("too much", reply="X"), ProviderBusy("still", reply="X")]
    await room.tell()
    message = await room.message()
    assert (message["state"], message["reason"]) == ("new", "too much")
    await room.clock.advance(58)
    assert len(room.companies[0].sent) == 1
    await room.clock.advance(3)
    assert (await room.message())["reason"] == "still" and len(room.companies[0].sent) == 2
    await room.clock.advance(600)
    message = await room.message()
    assert (message["state"], message["reason"], len(room.companies[0].sent)) == ("sent", "", 3)
    assert await room.states() == ["sending", "failed", "new"] * 2 + ["sending", "sent"]
    room.companies[0].knows = [None, MessageState.DELIVERED]
    await room.clock.advance(3600)
    assert (await room.message())["state"] == "delivered" and len(room.companies[0].sent) == 3


async def test_a_message_that_stays_too_much_fails_at_last(room):
    room.companies[0].will = [ProviderBusy("too much", reply="X")] * 9
    await room.tell()
    await room.clock.advance(24 * 3600)
    message = await room.message()
    assert (message["state"], message["reason"], len(room.companies[0].sent)) == ("failed", "too much", 4)


async def test_whoever_is_sent_too_much_by_one_company_gets_it_by_the_next_and_once(room):
    room.companies = [Company(), Company("two")]
    room.companies[0].will = [ProviderBusy("too much", reply="X")] * 2
    room.companies[1].will = [ProviderRefused("black list", reply="Y"), ProviderUnknown("time-out")]
    await room.close()
    await room.open()
    await room.tell()
    assert (await room.message())["state"] == "new"
    await room.clock.advance(61)
    message = await room.message()
    assert (message["state"], message["notifier"]) == ("unknown", "two")
    await room.clock.advance(48 * 3600)
    assert [len(one.sent) for one in room.companies] == [2, 2] and room.companies[1].asked == 6


async def test_a_stop_while_a_message_waits_does_not_send_it_sooner_or_twice(room):
    room.companies[0].will = [ProviderBusy("too much", reply="X")]
    await room.tell()
    await room.close()
    await room.open()
    await room.clock.advance(50)
    assert len(room.companies[0].sent) == 1
    await room.clock.advance(3600)
    assert len(room.companies[0].sent) == 2 and (await room.message())["state"] == "sent"


async def test_when_all_say_no_the_reason_is_kept(room):
    room.companies[0].will = [ProviderRefused("black list", reply="X")]
    await room.tell()
    message = await room.message()
    assert (message["state"], message["reason"]) == ("failed", "black list")
    assert await room.states() == ["sending", "failed"]


async def test_a_stop_between_storing_and_sending_counts_as_sent(room):
    room.companies[0].will = [SystemExit()]

    async def stopped(message):
        room.companies[0].sent.append(message)
        await room.clock.sleep(1e9)

    room.companies[0].send, send = stopped, room.companies[0].send
    await room.tell()
    assert (await room.message())["state"] == "sending"
    await room.close()
    room.companies[0].send = send
    room.companies[0].knows = [MessageState.DELIVERED]
    await room.open()
    await room.clock.advance(3600)
    assert (await room.message())["state"] == "delivered" and len(room.companies[0].sent) == 1


@pytest.mark.parametrize("limits", [Limits(to_one_number=2), Limits(same_text=2), Limits(to_all=2)])
async def test_limits_hold_for_a_day(room, limits):
    room.desk._limits = limits
    for number in range(3):
        await room.tell(f"{number}/credited")
    assert [(await room.message(f"{number}/credited"))["state"] for number in range(3)] == ["sent", "sent", "failed"]
    assert "too many" in (await room.message("2/credited"))["reason"]
    assert await room.states("2/credited") == ["failed"]
    await room.clock.advance(25 * 3600)
    await room.tell("3/credited")
    assert (await room.message("3/credited"))["state"] == "sent"


async def test_what_a_company_took_and_could_not_deliver_counts_and_what_it_refused_does_not(room):
    room.desk._limits = Limits(to_one_number=2)
    room.companies[0].will = [ProviderRefused("no", reply="x"), "id1", "id2"]
    for number in range(3):
        await room.tell(f"{number}/credited")
    for number in ("id1", "id2"):
        assert await room.receipt("", number, state="failed") == 200
    await room.tell("3/credited")
    assert [(await room.message(f"{number}/credited"))["state"] for number in range(4)] == ["failed"] * 4
    assert "too many" in (await room.message("3/credited"))["reason"] and len(room.companies[0].sent) == 3


async def test_whoever_has_no_number_gets_no_message_and_that_is_seen(room):
    room.to = ""
    await room.tell()
    message = await room.message()
    assert (message["state"], message["reason"]) == ("failed", NO_NUMBER) and not room.companies[0].sent


async def test_without_a_company_that_is_seen(room):
    room.companies = []
    await room.close()
    await room.open()
    await room.tell()
    assert (await room.message())["reason"] == "no company carries messages"


async def test_receipts_change_only_what_they_name(room):
    await room.tell()
    no = (await room.message())["no"]
    assert await room.receipt("", "other") == 200
    assert await room.receipt("", "id1", to="+8613911111111") == 200
    assert await room.receipt(no, "", to="+8613911111111") == 200
    assert (await room.message())["state"] == "sent"
    assert await room.receipt("", "id1", state="failed") == 200
    assert await room.receipt("", "id1", state="delivered") == 200
    assert (await room.message())["state"] == "failed"


@pytest.mark.parametrize(("name", "secret"), [("one", "wrong"), ("two", "s3cret"), ("one", "")])
async def test_the_address_for_receipts_is_a_secret(room, name, secret):
    with pytest.raises(NotFound):
        await room.receipt("", "id1", name=name, secret=secret)
    room.companies[0].receipts_secret = ""
    with pytest.raises(NotFound):
        await room.receipt("", "id1", secret="")


async def test_receipts_that_are_none_are_sent_back(room):
    answer = await room.desk.take_receipts("one", "s3cret", Notice({}, b"", 0))
    assert answer.status == 400


async def test_a_receipt_may_be_faster_than_the_answer(room):
    async def overtaken(message):
        await room.desk.take_receipts("one", "s3cret", Notice({}, f"{message.no}|id9|{TO}|delivered".encode(), 0))
        return "id9"

    room.companies[0].send = overtaken
    await room.tell()
    await room.clock.advance(3600)
    message = await room.message()
    assert (message["state"], message["provider_id"]) == ("delivered", "id9") and room.companies[0].asked == 0


def test_a_message_by_hand_needs_number_and_template():
    assert direct({"to": TO, "template": "t", "params": {"a": 1}}) == Addressed(TO, "t", {"a": "1"})
    for wrong in ({}, {"to": TO}, {"to": 1, "template": "t"}, {"to": TO, "template": "t", "params": []}):
        with pytest.raises(BadInput):
            direct({**wrong, "params": wrong.get("params") or ([1] if "params" in wrong else {})})


@pytest.mark.parametrize(
    ("number", "shown"), [(TO, "+86 138****0000"), ("+4915112345678", "+49****5678"), ("123", "****"), ("", "****")]
)
def test_numbers_are_shown_masked(number, shown):
    assert masked(number) == shown

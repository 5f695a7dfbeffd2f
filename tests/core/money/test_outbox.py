"""The outbox: what is carried out when, how often, and beside what; and what its rows tell."""

from __future__ import annotations

import pytest

from meterhub.errors import BadInput, ProviderUnknown
from meterhub.money.outbox import DONE, PARKED_MS, Again


class Work:
    """A handler that notes when it was called for which key, and answers one thing after the other."""

    def __init__(self, till, *answers, takes_s=0.0):
        self.till, self.answers, self.takes_s = till, list(answers), takes_s
        self.begun_ms = till.clock.now()
        self.calls = []
        till.money.outbox.handle("odd", self.carry)

    async def carry(self, row):
        self.calls.append((row["key"], (self.till.clock.now() - self.begun_ms) / 1000))
        if self.takes_s:
            await self.till.clock.sleep(self.takes_s)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def times(self):
        return [at for _, at in self.calls]


async def put(till, *keys, lane=None, after_s=0.0, kind="odd"):
    def write(tx):
        return [
            till.money.outbox.put(tx, kind, key, lane or key, {"no": key}, operator="main", after_s=after_s)
            for key in keys
        ]

    return await till.real.transact(write)


async def row_of(till, key):
    (row,) = await till.rows("select * from outbox where kind = 'odd' and key = ?", key)
    return row


async def test_what_fails_is_tried_again_after_longer_and_longer_waits(till):
    work = Work(till, *[BadInput("no")] * 7)
    await put(till, "1")
    await till.until_quiet(20_000)
    assert work.times == [0, 5, 35, 155, 755, 4355, 7955, 11_555]
    row = await row_of(till, "1")
    assert (row["state"], row["tries"], row["failures"], row["error"]) == ("done", 7, 7, "")
    assert row["done_ms"] == work.begun_ms + 11_555_000


async def test_a_clock_set_forward_delays_nothing_that_is_due(till):
    work = Work(till)
    await till.until_quiet(1)
    before = till.clock.now
    till.clock.now = lambda: before() + 3_600_000
    await put(till, "1")
    await till.until_quiet(2)
    assert [key for key, _ in work.calls] == ["1"]


async def test_tries_are_counted_and_failures_only_in_a_row(till):
    work = Work(till, BadInput("no"), Again(5, "not yet"), Again(20), ValueError("a mistake"), Again(None, "help"))
    await put(till, "1")
    seen = []
    for seconds in (1, 5, 5, 20, 5):
        await till.until_quiet(seconds)
        row = await row_of(till, "1")
        seen.append((row["tries"], row["failures"], row["error"]))
    assert seen == [
        (1, 1, "no"),
        (2, 2, "not yet"),
        (3, 0, ""),
        (4, 1, "internal error: ValueError"),
        (5, 2, "help"),
    ]
    assert work.times == [0, 5, 10, 30, 35] and (await row_of(till, "1"))["next_ms"] == PARKED_MS
    await till.until_quiet(86_400)
    assert len(work.calls) == 5
    await till.real.transact(lambda tx: till.money.outbox.wake_row(tx, "odd", "1"))
    await till.until_quiet(1)
    assert len(work.calls) == 6 and (await row_of(till, "1"))["state"] == "done"


async def test_rows_of_one_lane_follow_each_other_and_lanes_run_side_by_side(till):
    work = Work(till, takes_s=10)
    await put(till, "a1", "a2", "a3", lane="a")
    await put(till, "b1", lane="b")
    await till.until_quiet(60)
    assert work.calls == [("a1", 0), ("b1", 0), ("a2", 10), ("a3", 20)]


async def test_a_row_that_waits_holds_up_its_lane_alone(till):
    work = Work(till, Again(30))
    await put(till, "a1", "a2", lane="a")
    await put(till, "b1", lane="b")
    await till.until_quiet(60)
    assert work.calls == [("a1", 0), ("b1", 0), ("a1", 30), ("a2", 30)]


async def test_no_more_than_two_hundred_lanes_of_a_kind_run_at_once_and_the_others_follow(till):
    work = Work(till, takes_s=10)
    await put(till, *[f"{number}" for number in range(201)])
    await till.until_quiet(60)
    assert work.times == [0] * 200 + [10]


async def test_a_company_that_hangs_holds_up_no_delivery(till):
    await till.account()
    waiting = [await till.order(key=f"h{number}", by=f"tenant{number}") for number in range(250)]
    for order in waiting:
        await till.start(order)
    await till.until_quiet(0)
    asked = []

    async def hang(attempt):
        asked.append(attempt.no)
        await till.clock.sleep(15)
        raise ProviderUnknown("no answer in time")

    till.merchants.get("court").account.query = hang
    await till.until_quiet(7)
    assert len(asked) == 200  # all there are of these places, and more wait for one
    paid = await till.paid_order(key="paid")
    await till.until_quiet(2)
    assert await till.state(paid) == "fulfilled"
    assert len(asked) == 200
    await till.until_quiet(30)
    assert {order["no"] for order in waiting} <= {no[:-2] for no in asked}


async def test_a_row_is_carried_out_when_it_is_due_and_not_before(till):
    work = Work(till)
    assert await put(till, "late", after_s=700.2) == [True]
    await till.until_quiet(5)
    assert await put(till, "soon", after_s=2.2) == [True]
    await till.until_quiet(1000)
    assert work.calls == [("soon", 8), ("late", 701)]


async def test_a_key_names_a_row_once(till):
    work = Work(till)
    assert await put(till, "1") == [True]
    assert await put(till, "1") == [False]
    await till.until_quiet(1)
    assert await put(till, "1") == [False]
    await till.until_quiet(400)
    assert work.calls == [("1", 0)]
    row = await row_of(till, "1")
    assert (row["lane"], row["payload_json"], row["operator"]) == ("odd/1", '{"no": "1"}', "main")


async def test_what_nobody_carries_out_is_kept_to_be_seen(till):
    assert await put(till, "1", kind="strange") == [True]
    await till.until_quiet(400)
    (row,) = await till.rows("select state, tries from outbox where kind = 'strange'")
    assert row == {"state": "no_way", "tries": 0}


async def test_a_row_whose_plugin_is_gone_is_looked_at_each_hour(till):
    work = Work(till, Again(10))
    await put(till, "1")
    await till.until_quiet(1)
    handler = till.money.outbox._handlers.pop("odd")
    await till.until_quiet(20)
    row = await row_of(till, "1")
    assert "is its plugin still listed?" in row["error"] and row["failures"] == 1
    till.money.outbox.handle("odd", handler)
    await till.until_quiet(3600)
    assert work.times == [0, 3610]


async def test_what_was_seen_to_elsewhere_is_done(till):
    work = Work(till, Again(60), Again(60), Again(60))
    await put(till, "7", "7/1", "70")
    await till.until_quiet(1)
    await till.real.transact(lambda tx: till.money.outbox.finish(tx, "odd", "7"))
    states = {row["key"]: row["state"] for row in await till.rows("select key, state from outbox where kind = 'odd'")}
    assert states == {"7": "done", "7/1": "done", "70": "waiting"}
    assert (await row_of(till, "7"))["done_ms"] == till.clock.now()
    await till.until_quiet(100)
    assert [key for key, _ in work.calls] == ["7", "7/1", "70", "70"]


async def test_a_handler_that_ended_its_row_itself_leaves_the_next_of_its_lane_to_follow(till):
    outbox, calls = till.money.outbox, []

    async def carry(row):
        calls.append(row["key"])
        await till.real.transact(lambda tx: outbox.finish(tx, "odd", row["key"]))
        return DONE

    outbox.handle("odd", carry)
    await put(till, "1", "2", lane="a")
    await till.until_quiet(1)
    assert calls == ["1", "2"]
    assert (await row_of(till, "1"))["tries"] == 0


async def test_a_wish_made_while_a_row_is_under_way_is_not_lost(till):
    work = Work(till, Again(500), takes_s=10)
    await put(till, "1")
    await till.until_quiet(5)
    await till.real.transact(lambda tx: till.money.outbox.wake_row(tx, "odd", "1"))
    await till.until_quiet(60)
    assert work.times == [0, 10]


@pytest.mark.parametrize("seconds", [299, 301])
async def test_after_a_restart_what_waits_is_carried_out(till, seconds):
    Work(till, Again(seconds))
    await put(till, "1")
    await till.until_quiet(1)
    await till.close()
    await till.open()
    work = Work(till)
    await till.until_quiet(400)
    assert work.times == [seconds - 1]


async def test_a_row_that_comes_while_another_of_its_lane_is_under_way_follows_it(till):
    work = Work(till, takes_s=10)
    await put(till, "a1", lane="a")
    await till.until_quiet(5)
    await put(till, "a2", lane="a")
    await till.until_quiet(2)
    await put(till, "a3", lane="a")
    await till.until_quiet(60)
    assert work.calls == [("a1", 0), ("a2", 10), ("a3", 20)]


async def test_a_row_that_comes_to_a_full_house_is_carried_out_when_a_place_is_free(till):
    work = Work(till, takes_s=10)
    await put(till, *[f"{number}" for number in range(200)])
    await till.until_quiet(5)
    await put(till, "late")
    await till.until_quiet(30)
    assert work.times == [0] * 200 + [10] and work.calls[-1][0] == "late"


class SlowHeads:
    """A store whose answer to the outbox's look takes two seconds."""

    def __init__(self, till, store):
        self.transact, self._read, self._till = store.transact, store.query, till

    async def query(self, name, params=()):
        rows = await self._read(name, params)
        if name == "outbox.heads":
            await self._till.clock.sleep(2)
        return rows


async def test_a_row_is_not_forgotten_when_the_one_before_it_ends_while_the_table_is_read(till):
    await till.close()
    await till.open(wrap=lambda store: SlowHeads(till, store))
    work = Work(till, takes_s=10)
    await put(till, "a1", lane="a")
    await till.until_quiet(5)
    (begun_s,) = work.times
    await till.until_quiet(begun_s + 4)
    await put(till, "a2", lane="a")
    await till.until_quiet(30)
    assert [key for key, _ in work.calls] == ["a1", "a2"]
    assert 10 <= work.times[1] - begun_s <= 15


async def test_the_table_is_not_read_again_and_again_while_a_row_is_nearly_due(till):
    reads = []

    class Counting:
        def __init__(self, store):
            self.transact, self._read = store.transact, store.query

        async def query(self, name, params=()):
            reads.append(name)
            return await self._read(name, params)

    await till.close()
    await till.open(wrap=Counting)
    work = Work(till)
    await till.until_quiet(1)
    await put(till, "1", after_s=1)
    await till.until_quiet(0.1)
    reads.clear()
    await till.until_quiet(2)
    assert len(work.calls) == 1 and reads.count("outbox.heads") <= 2


async def test_what_is_wanted_at_once_is_carried_out_at_once_and_what_waits_at_a_whole_second(till):
    await till.until_quiet(1.3)
    work = Work(till)
    await put(till, "now")
    await put(till, "soon", after_s=0.2)
    await put(till, "later", after_s=1)
    await till.until_quiet(3)
    assert work.calls == [("now", 0), ("soon", 0.7), ("later", 1.7)]


async def test_a_row_of_one_kind_is_not_late_because_another_kind_was_looked_at_before(till):
    others = []

    async def carry(row):
        others.append((till.clock.now() - work.begun_ms) / 1000)

    till.money.outbox.handle("other", carry)
    work = Work(till)
    await till.until_quiet(1)
    await put(till, "1", after_s=100)
    await put(till, "2", after_s=10, kind="other")
    await put(till, "3", after_s=20, kind="other")
    await till.until_quiet(150)
    assert (others, work.times) == ([11, 21], [101])

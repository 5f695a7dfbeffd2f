"""A full disk, a file nobody can write, a clock that jumps: only what is kept is acknowledged, and nothing is lost."""

from __future__ import annotations

import pytest

from meterhub.errors import StoreError
from meterhub.money.orders import UNPAID_MOST

MANY = 1_000_000


class Ailing:
    """A store that answers no question while ``ill``."""

    def __init__(self, store):
        self._store, self.ill = store, True
        self.transact = store.transact

    async def query(self, name, params=()):
        if self.ill:
            raise StoreError("the disk gave an error", where="hub.db")
        return await self._store.query(name, params)


async def fill(till, pages=1):
    """No page more may be taken, as on a full disk."""
    await till.real.transact(lambda tx: tx.one(f"PRAGMA max_page_count = {pages}"))
    ballast = "insert into count_adoptions (operator, account, order_no, reason, decided_by, at_ms)"
    ballast += " values ('main', '', '', hex(zeroblob(:bytes)), '', 0)"
    for size in (4000, 500, 10):  # what is left of the pages that there are
        with pytest.raises(StoreError):
            for _ in range(100_000):
                await till.real.transact(lambda tx, size=size: tx.execute(ballast, {"bytes": size}))


async def protect(till, on=True):
    """The file cannot be written, as on a read-only mount."""
    till.real._writers["hub.db"]._conn.execute(f"PRAGMA query_only = {int(on)}")


async def told(till, attempts):
    """The attempts whose notice was acknowledged, and the words of the refusals."""
    taken, words = [], []
    for no in attempts:
        try:
            assert (await till.notify(no)).body == b"success"
            taken.append(no)
        except StoreError as error:
            assert error.hint and error.where
            words.append(str(error))
    return taken, words


async def started(till, count):
    """Payments that the payers have made and nobody told of yet."""
    await till.account()
    attempts = []
    for number in range(count):
        # One visitor may let twenty orders wait.
        attempts.append(await till.start(await till.order(key=f"k{number}", by=f"visitor {number // UNPAID_MOST}")))
    for no in attempts:
        till.company.pay(no, till.clock.now())
    return attempts


async def all_credited(till, attempts):
    await till.until_quiet(3600)
    assert sorted(row["attempt"] for row in await till.rows("select attempt from payments")) == sorted(attempts)
    assert till.meters.purses["a-101"].ledger == [(number + 1, 5000) for number in range(len(attempts))]


async def test_on_a_full_disk_what_was_acknowledged_is_kept_and_the_rest_comes_again(till):
    attempts = await started(till, 3 * UNPAID_MOST)  # there is room for some in pages that are not full
    await fill(till)
    taken, words = await told(till, attempts)
    asked = len(till.meters.asked)
    await till.until_quiet(10)
    assert len(till.meters.asked) - asked < 5  # what cannot be noted is not tried again and again at once
    assert words and all("disk may be full" in one or "disk is full" in one for one in words)
    assert [row["attempt"] for row in await till.rows("select attempt from payments order by id")] == taken
    await till.real.transact(lambda tx: tx.one(f"PRAGMA max_page_count = {MANY}"))
    again, words = await told(till, attempts)
    assert (again, words) == (attempts, [])
    await all_credited(till, attempts)


async def test_on_a_read_only_file_no_notice_is_acknowledged(till):
    attempts = await started(till, 2)
    await protect(till)
    taken, words = await told(till, attempts)
    assert taken == [] and all("cannot be written" in one for one in words)
    await protect(till, on=False)
    assert await told(till, attempts) == (attempts, [])
    await all_credited(till, attempts)


@pytest.mark.parametrize("jump_ms", [-40 * 86_400_000, 40 * 86_400_000])
async def test_a_clock_that_jumps_neither_loses_nor_doubles(till, jump_ms):
    await till.account()
    till.meters.fail["meter.credit"] = ["after"]
    no = await till.start(await till.order())
    till.company.pay(no, till.clock.now())
    real = till.clock.now
    till.clock.now = lambda: real() + jump_ms
    assert (await till.notify(no)).body == b"success"
    assert (await till.notify(no)).body == b"success"
    await till.until_quiet(3600)
    assert await till.state(no[:-2]) == "fulfilled"
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]
    assert (await till.books())["meter/a-101-1"] == 5000


@pytest.mark.parametrize("restart", [False, True])
async def test_what_was_put_off_by_a_clock_that_was_ahead_goes_on_soon_after_it_was_put_right(till, restart):
    await till.account()
    real = till.clock.now
    till.clock.now = lambda: real() + 86_400_000
    no = await till.start(await till.order())
    till.company.pay(no, till.clock.now())
    till.meters.fail["meter.credit"] = ["before"] * 2
    assert (await till.notify(no)).body == b"success"
    await till.until_quiet(1)
    assert await till.state(no[:-2]) == "paid"
    till.clock.now = real
    if restart:
        await till.close()
        await till.open()
    await till.until_quiet(400)
    assert await till.state(no[:-2]) == "fulfilled"
    assert till.meters.purses["a-101"].ledger == [(1, 5000)]


async def test_a_day_that_begins_anew_after_a_restart_keeps_nothing_waiting(till):
    """The proof of that day is put in before the first look for rows of a clock that was ahead."""
    await till.account()
    no = await till.start(await till.order())
    till.company.pay(no, till.clock.now())
    till.meters.fail["meter.credit"] = ["before"] * 2
    assert (await till.notify(no)).body == b"success"
    await till.until_quiet(1)
    await till.close()
    till.clock.jump(-2 * 86_400)
    await till.open()
    await till.until_quiet(400)
    assert await till.state(no[:-2]) == "fulfilled"


async def test_a_clock_that_was_set_on_and_back_between_two_looks_keeps_nothing_waiting(till):
    await till.account()
    nos = [await till.start(await till.order(key=f"k{number}")) for number in range(2)]
    real = till.clock.now
    for no, ahead_ms in zip(nos, (86_400_000, 0), strict=True):
        till.clock.now = lambda ahead_ms=ahead_ms: real() + ahead_ms
        till.company.pay(no, till.clock.now())
        assert (await till.notify(no)).body == b"success"
    await till.until_quiet(30)
    assert [await till.state(no[:-2]) for no in nos] == ["fulfilled"] * 2


class SlowLook:
    """A store whose first look for rows from the future takes two seconds before, or after, it reads."""

    def __init__(self, store, clock, before_s, after_s):
        self.transact, self._read = store.transact, store.query
        self._clock, self._waits = clock, (before_s, after_s)

    async def query(self, name, params=()):
        before_s, after_s = self._waits if name == "outbox.from_the_future" else (0, 0)
        await self._clock.sleep(before_s)
        rows = await self._read(name, params)
        await self._clock.sleep(after_s)
        return rows


SLOW = pytest.mark.parametrize(("before_s", "after_s"), [(2, 0), (0, 2)])


@SLOW
async def test_a_clock_that_was_set_on_and_back_during_the_first_look_keeps_nothing_waiting(till, before_s, after_s):
    await till.account()
    nos = [await till.start(await till.order(key=f"k{number}")) for number in range(2)]
    await till.close()
    await till.open(wrap=lambda store: SlowLook(store, till.clock, before_s, after_s))
    await till.until_quiet(1)
    real = till.clock.now
    for no, ahead_ms in zip(nos, (86_400_000, 0), strict=True):
        till.clock.now = lambda ahead_ms=ahead_ms: real() + ahead_ms
        till.company.pay(no, till.clock.now())
        assert (await till.notify(no)).body == b"success"
    await till.until_quiet(30)
    assert [await till.state(no[:-2]) for no in nos] == ["fulfilled"] * 2


@SLOW
async def test_an_order_of_during_the_first_look_does_not_end_early(till, before_s, after_s):
    await till.account()
    await till.close()
    await till.open(wrap=lambda store: SlowLook(store, till.clock, before_s, after_s))
    await till.until_quiet(1)
    real = till.clock.now
    till.clock.now = lambda: real() + 86_400_000
    order = await till.order()
    till.clock.now = real
    await till.until_quiet(600)
    assert await till.state(order["no"]) == "created"


async def test_an_order_does_not_end_early_because_the_clock_was_put_right(till):
    await till.account()
    real = till.clock.now
    till.clock.now = lambda: real() + 86_400_000
    order = await till.order()
    till.clock.now = real
    await till.until_quiet(600)
    assert await till.state(order["no"]) == "created"


async def test_money_that_could_not_begin_says_so_and_begins_when_the_file_can_be_written(till, caplog):
    await till.close()
    await till.open()
    await protect(till)
    await till.until_quiet(1)
    assert "cannot be written" in till.money.fault
    assert "money stands still" in caplog.text and "cannot be written" in caplog.text
    await protect(till, on=False)
    await all_credited(till, [await paid(till)])
    assert till.money.fault == ""
    assert [key for key, *_ in await till.outbox("proof")]


async def test_money_whose_table_could_not_be_read_says_so_and_goes_on_later(till, caplog):
    await till.close()
    await till.open(Ailing)
    await till.until_quiet(90)
    assert till.money.fault == "the disk gave an error"
    assert caplog.text.count("money stands still") == 1  # once for the whole time, not every half minute
    till.store.ill = False
    await till.until_quiet(60)
    assert till.money.fault == "" and "money goes on" in caplog.text
    await all_credited(till, [await paid(till)])


async def paid(till):
    """A payment that was told of."""
    (attempt,) = await started(till, 1)
    assert (await till.notify(attempt)).body == b"success"
    return attempt

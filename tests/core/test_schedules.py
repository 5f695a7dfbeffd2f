"""Schedules: each occasion once, also across restarts and the hour that autumn repeats."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from meterhub.actions import Action, Actions
from meterhub.bus import Bus
from meterhub.clock import iso
from meterhub.schedules import DueFinished, Schedule, Schedules, StoredDueRows, next_due

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")


class NoJournal:
    """Reads leave no row."""

    async def create(self, run):
        return None

    async def update(self, run):
        return None

    async def find(self, run_id):
        return None


@pytest.fixture
def make(clock, store, tasks):
    def build(fired):
        bus = Bus()
        actions = Actions(bus, clock, NoJournal(), lambda _: None, tasks.spawn)

        async def many(targets, params, cause, occasion):
            return {"asked": len(targets)}

        actions.register(
            Action(
                "meter.read", {"en": "Read"}, "device.read", lambda call: {}, target="meter", durable=False, many=many
            )
        )
        bus.on(DueFinished, lambda message: fired.append((message.due_ms, dict(message.outcome))))
        return Schedules(bus, clock, actions, StoredDueRows(store, clock), lambda target: [1, 2, 3], tasks.spawn)

    return build


def once(at, **more):
    return Schedule("s", "meter.read", {"all": "meters"}, SHANGHAI, at=datetime.fromisoformat(at), **more)


def moment(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


async def test_a_schedule_of_one_occasion_fires_once_also_over_restarts(make, clock):
    fired, due_ms = [], moment("2026-01-01 09:00")
    schedules = make(fired)
    await schedules.start([once("2026-01-01 09:00")])
    assert schedules.next_ms("s") == due_ms > clock.now()
    await clock.advance((due_ms - clock.now()) / 1000 + 1)
    assert [at for at, _ in fired] == [due_ms] and schedules.next_ms("s") is None
    schedules.stop()
    again = make(fired)
    await again.start([once("2026-01-01 09:00")])
    await clock.advance(7200)
    assert len(fired) == 1


@pytest.mark.parametrize(
    ("at", "catch_up", "times"),
    [("2026-01-01 07:00", "once", 1), ("2026-01-01 07:00", "none", 0), ("2025-12-30 07:00", "once", 0)],
)
async def test_one_occasion_that_passed_while_the_hub_was_down_is_done_at_the_start(make, clock, at, catch_up, times):
    fired = []
    await make(fired).start([once(at, catch_up=catch_up)])
    await clock.advance(1)
    assert [due for due, _ in fired] == [moment(at)] * times


def every(seconds, **more):
    return Schedule("s", "meter.read", {"all": "meters"}, SHANGHAI, every_s=seconds, **more)


async def test_a_quarter_hour_fires_at_each_quarter_and_says_what_came_of_it(make, clock):
    fired = []
    schedules = make(fired)
    await schedules.start([Schedule("s", "meter.read", {}, SHANGHAI, cron="*/15 * * * *")])
    await clock.advance(3601)
    assert [iso(due)[11:16] for due, _ in fired] == ["00:15", "00:30", "00:45", "01:00"]
    assert fired[0][1] == {"asked": 3}
    schedules.stop()


async def test_what_was_missed_while_the_hub_was_down_is_caught_up_once(make, clock):
    fired = []
    first = make(fired)
    await first.start([every(600)])
    await clock.advance(601)
    first.stop()
    await clock.advance(7200)
    second = make(fired)
    await second.start([every(600)])
    await clock.advance(1)
    assert [iso(due)[11:16] for due, _ in fired] == ["00:10", "02:10"]
    second.stop()


async def test_the_same_occasion_is_never_done_twice(make, clock, store):
    fired = []
    rows = StoredDueRows(store, clock)
    assert await rows.claim("s", clock.now() + 600_000)
    schedules = make(fired)
    await schedules.start([every(600, catch_up="none")])
    await clock.advance(1201)
    assert [iso(due)[11:16] for due, _ in fired] == ["00:20"]
    schedules.stop()


async def test_an_occasion_that_a_stop_cut_off_goes_on_while_none_is_due_after_it_else_it_says_so(
    make, clock, store, tmp_path
):
    fired, rows = [], StoredDueRows(store, clock)
    await clock.advance(600)
    assert await rows.claim("s", clock.now())
    await clock.advance(60)
    first = make(fired)
    await first.start([every(600)])
    await clock.advance(1)
    assert [iso(due)[11:16] for due, _ in fired] == ["00:10"]
    first.stop()
    await clock.advance(600)
    assert await rows.claim("s", (clock.now() - 60_000) // 600_000 * 600_000)
    await clock.advance(600)
    second = make(fired)
    await second.start([every(600)])
    await clock.advance(1)
    assert [iso(due)[11:16] for due, _ in fired] == ["00:10", "00:30"]
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "hub.db")) as reader:
        ((detail,),) = reader.execute("select detail from due where due_ms % 3600000 = 1200000").fetchall()
    assert json.loads(detail) == {"error": "the hub stopped before it was over"}
    second.stop()


def test_a_fixed_hour_fires_once_in_the_hour_that_autumn_repeats():
    rule = Schedule("s", "meter.read", {}, NEW_YORK, cron="30 1 * * *")
    after_ms = 1_793_505_600_000  # 2026-11-01T04:00Z, the night the clocks go back
    first = next_due(rule, after_ms)
    assert iso(first)[:16] == "2026-11-01T05:30"
    assert iso(next_due(rule, first))[:16] == "2026-11-02T06:30"


@pytest.mark.parametrize(("cron", "times"), [("30 2 * * *", 365), ("30 1 * * *", 365), ("0 * * * *", 8_760)])
def test_a_year_with_two_clock_changes_has_every_occasion_once(cron, times):
    rule = Schedule("s", "meter.read", {}, NEW_YORK, cron=cron)
    begin, end = (int(datetime(year, 1, 1, tzinfo=NEW_YORK).timestamp() * 1000) for year in (2026, 2027))
    due, seen = begin - 1, []
    while (due := next_due(rule, due)) < end:
        seen.append(datetime.fromtimestamp(due / 1000, NEW_YORK))
    assert len(seen) == times
    if times == 365:
        assert len({moment.date() for moment in seen}) == 365, "once a day, also where the hour is left out or repeated"


def test_settlement_rules_are_local_to_the_site():
    rule = Schedule("s", "meter.read", {}, SHANGHAI, cron="0 0 1 * *")
    assert iso(next_due(rule, 1_767_225_600_000))[:16] == "2026-01-31T16:00"

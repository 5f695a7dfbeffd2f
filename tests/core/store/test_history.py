"""Readings in, and their points, hours, days and months out."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhub.errors import BadInput
from meterhub.store.calendar import day_of, day_start, hour_start, month_after
from meterhub.store.engine import Reading, Step
from meterhub.store.files import connect
from meterhub.store.migrate import READINGS_STEPS, migrate
from meterhub.store.queries import FOLDER, Queries
from meterhub.store.slots import SLOT_ROWS
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import START_MS, MovableClock

HOUR = 3_600_000
DAY = 24 * HOUR
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


async def ids(store: SqliteStore, *names: str) -> list[int]:
    numbers = await store.series(names)
    return [numbers[name] for name in names]


async def test_a_series_keeps_its_number_over_restarts(tmp_path: Path, clock: MovableClock) -> None:
    store = await SqliteStore.open(tmp_path, clock)
    first = await store.series(["a.x", "b.x"])
    await store.close()
    store = await SqliteStore.open(tmp_path, clock)
    again = await store.series(["b.x", "c.x", "a.x"])
    await store.close()
    assert first.items() <= again.items()
    assert len(set(again.values())) == 3


async def test_points_come_back_as_they_were_in_order_and_within_bounds(store: SqliteStore) -> None:
    one, two = await ids(store, "m.energy", "m.mode")
    rows: list[Reading] = [
        (one, START_MS + 5, -12, 0),
        (one, START_MS + HOUR, 2**62, 3),
        (one, START_MS + 2 * HOUR, None, 2),
        (one, START_MS + 3 * HOUR, True, 0),
        (two, START_MS + 7, "测试", 0),
    ]
    await store.record(rows[::-1])
    assert await store.points("m.energy", START_MS, START_MS + DAY) == [(ms, value, q) for _, ms, value, q in rows[:4]]
    assert await store.points("m.energy", START_MS + 6, START_MS + 2 * HOUR) == [(START_MS + HOUR, 2**62, 3)]
    assert await store.points("m.energy", START_MS, START_MS + DAY, limit=1) == [(START_MS + 5, -12, 0)]
    assert await store.points("m.mode", START_MS, START_MS + DAY) == [(START_MS + 7, "测试", 0)]
    assert await store.points("nobody.x", START_MS, START_MS + DAY) == []


async def test_the_same_reading_twice_is_one(store: SqliteStore) -> None:
    (one,) = await ids(store, "m.energy")
    await store.record([(one, START_MS, 5, 0)])
    await store.record([(one, START_MS, 5, 0)])
    assert len(await store.points("m.energy", START_MS, START_MS + 1)) == 1


async def test_the_newest_values_come_in_parts(store: SqliteStore) -> None:
    numbers = await ids(store, "a.x", "b.x", "c.x")
    await store.record([(number, START_MS, number * 10, 0) for number in numbers])
    first = await store.load_latest(limit=2)
    rest = await store.load_latest(first[-1][0], limit=2)
    assert [one[0] for one in first + rest] == sorted(numbers)
    assert await store.load_latest(rest[-1][0]) == []


async def test_the_newest_values_survive_a_restart(tmp_path: Path, clock: MovableClock) -> None:
    store = await SqliteStore.open(tmp_path, clock)
    one, two = await ids(store, "m.energy", "m.mode")
    await store.record([(one, START_MS + HOUR, 8, 0), (one, START_MS, 7, 0), (two, START_MS, "eco", 0)])
    await store.close()
    store = await SqliteStore.open(tmp_path, clock)
    assert sorted(await store.load_latest()) == [(one, START_MS + HOUR, 8, 0), (two, START_MS, "eco", 0)]
    await clock.advance(86_400)
    await store.roll_up()
    await store.record([(one, START_MS + HOUR + 1, 9, 1), (two, START_MS - 1, "old", 0)])
    assert sorted(await store.load_latest()) == [(one, START_MS + HOUR + 1, 9, 1), (two, START_MS, "eco", 0)]
    await store.close()


async def test_hours_know_what_was_consumed_since_the_hour_before(store: SqliteStore) -> None:
    (one,) = await ids(store, "m.energy")
    await store.record([(one, START_MS + minute * 60_000, 100 + minute, 0) for minute in range(0, 180, 15)])
    hours = await store.buckets("m.energy", START_MS + HOUR + 1, START_MS + 3 * HOUR, Step.HOUR)
    assert [(hour.start_ms - START_MS, hour.first, hour.last, hour.count) for hour in hours] == [
        (HOUR, 160, 205, 4),
        (2 * HOUR, 220, 265, 4),
    ]
    assert [hour.consumption for hour in hours] == [60, 60]


async def test_a_register_that_went_back_has_no_consumption(store: SqliteStore) -> None:
    (one,) = await ids(store, "m.energy")
    await store.record([(one, START_MS, 900, 0), (one, START_MS + DAY, 5, 0)])
    days = await store.buckets("m.energy", START_MS, START_MS + 2 * DAY, Step.DAY)
    assert [day.consumption for day in days] == [0, None]


async def test_invalid_and_unknown_values_are_shown_but_never_counted(store: SqliteStore, clock: MovableClock) -> None:
    (one,) = await ids(store, "m.energy")
    await store.record([(one, START_MS, 5, 0), (one, START_MS + 1, 999, 2), (one, START_MS + 2, None, 0)])
    for _ in range(2):
        (day,) = await store.buckets("m.energy", START_MS, START_MS + DAY, Step.DAY)
        assert (day.maximum, day.last, day.count) == (5, 5, 1)
        await clock.advance(7_200)
        await store.roll_up()


async def test_days_and_months_are_those_of_the_site(tmp_path: Path, clock: MovableClock) -> None:
    store = await SqliteStore.open(tmp_path, clock, zone=SHANGHAI)
    (one,) = await ids(store, "m.energy")
    midnight = int(datetime(2025, 12, 1, tzinfo=SHANGHAI).timestamp()) * 1000
    await store.record([(one, midnight - 1, 10, 0), (one, midnight, 11, 0), (one, midnight + DAY, 15, 0)])
    await store.roll_up()
    days = await store.buckets("m.energy", midnight - 1, midnight + DAY + 1, Step.DAY)
    assert [(day.start_ms, day.consumption) for day in days] == [
        (midnight - DAY, 0),
        (midnight, 1),
        (midnight + DAY, 4),
    ]
    months = await store.buckets("m.energy", midnight - 1, midnight + 1, Step.MONTH)
    assert [(month.start_ms, month.consumption) for month in months] == [(midnight - 30 * DAY, 0), (midnight, 5)]
    in_utc = await store.buckets("m.energy", midnight - 1, midnight + DAY + 1, Step.DAY, UTC)
    assert [day.count for day in in_utc] == [2, 1]
    await store.close()


async def test_another_zone_makes_the_days_again(tmp_path: Path, clock: MovableClock) -> None:
    store = await SqliteStore.open(tmp_path, clock, zone=UTC)
    (one,) = await ids(store, "m.energy")
    rows = [(one, START_MS - 10 * DAY + hour * HOUR, hour, 0) for hour in range(48)]
    await store.record(rows)
    await store.roll_up()
    await store.close()
    store = await SqliteStore.open(tmp_path, clock, zone=SHANGHAI)
    for _ in range(2):
        days = await store.buckets("m.energy", rows[0][1], rows[-1][1] + 1, Step.DAY)
        assert [day.count for day in days] == [16, 24, 8]
        await store.roll_up()
    await store.close()


@pytest.mark.parametrize("slot_rows", [SLOT_ROWS, 5])
async def test_figures_are_the_same_before_and_after_they_are_rolled_up(
    store: SqliteStore, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, slot_rows: int
) -> None:
    """Late and repeated readings among them, in any order, with the roll-up at any moment."""
    monkeypatch.setattr("meterhub.store.slots.SLOT_ROWS", slot_rows)
    numbers = await ids(store, "a.x", "b.x")
    dice = random.Random(7)
    kept: dict[tuple[int, int], int] = {}
    begin = START_MS - 3 * DAY
    for _ in range(12):
        batch = [(dice.choice(numbers), begin + dice.randrange(4 * DAY), dice.randrange(1000), 0) for _ in range(40)]
        kept |= {(series, ms): value for series, ms, value, _ in batch}
        await store.record(batch)
        if dice.random() < 0.7:
            await clock.advance(dice.randrange(20_000))
            await store.roll_up()
        for name, number in zip(("a.x", "b.x"), numbers, strict=True):
            expected: dict[int, list[int]] = {}
            for (series, ms), value in sorted(kept.items()):
                if series == number:
                    expected.setdefault(ms // DAY * DAY, []).append(value)
            days = await store.buckets(name, begin, begin + 5 * DAY, Step.DAY)
            assert [(d.start_ms, d.first, d.last, d.minimum, d.maximum, d.count) for d in days] == [
                (start, one[0], one[-1], min(one), max(one), len(one)) for start, one in sorted(expected.items())
            ]


async def test_a_quarter_hour_of_very_many_readings_is_whole_after_restarts(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are repeated and some come late, numbers and texts; the hub begins anew in between."""
    monkeypatch.setattr("meterhub.store.slots.SLOT_ROWS", 20)
    dice = random.Random(3)
    kept: dict[str, dict[int, int | str]] = {"m.energy": {}, "m.mode": {}}
    for start in range(4):
        store = await SqliteStore.open(tmp_path, clock)
        numbers = await store.series(kept)
        for step in range(10):
            newest_ms = START_MS + (start * 10 + step) * 20_000
            for name, value in (("m.energy", step), ("m.mode", f"mode {step}")):
                moments = {max(START_MS, newest_ms - dice.choice((0, 5, 999, 90_000)) + n) for n in range(5)}
                await store.record([(numbers[name], ms, value, 0) for ms in moments])
                kept[name] |= dict.fromkeys(moments, value)
        for name, values in kept.items():
            points = await store.points(name, START_MS, START_MS + HOUR)
            assert [(ms, value) for ms, value, _ in points] == sorted(values.items())
        latest = {(series, ms, value) for series, ms, value, _ in await store.load_latest()}
        assert latest == {(numbers[name], max(values), values[max(values)]) for name, values in kept.items()}
        await store.close()
    conn = sqlite3.connect(tmp_path / "readings.db")
    assert conn.execute("SELECT count(*) > 5 FROM slots").fetchone() == (1,)
    conn.close()


async def test_readings_of_the_first_version_go_on(tmp_path: Path, clock: MovableClock) -> None:
    path, slot = tmp_path / "readings.db", START_MS // 900_000
    connect(tmp_path / "hub.db").close()
    conn = connect(path)
    migrate(conn, path, READINGS_STEPS[:1], keep_copy=False)
    conn.execute("INSERT INTO series (id, entity) VALUES (1, 'm.x')")
    conn.executemany("INSERT INTO readings VALUES (?, 1, ?, ?, 0)", [(slot - 4, 5, 10), (slot, 7, 20)])
    conn.executemany("INSERT INTO slots VALUES (?, ?)", [(slot - 4, 2), (slot, 0)])
    conn.close()
    store = await SqliteStore.open(tmp_path, clock)
    await store.record([(1, START_MS + 7, 21, 0), (1, START_MS + 8, 30, 0), (1, START_MS - HOUR + 6, 11, 0)])
    await clock.advance(7_200)
    await store.roll_up()
    assert await store.points("m.x", START_MS - HOUR, START_MS + HOUR) == [
        (START_MS - HOUR + 5, 10, 0),
        (START_MS - HOUR + 6, 11, 0),
        (START_MS + 7, 21, 0),
        (START_MS + 8, 30, 0),
    ]
    assert sum(day.count for day in await store.buckets("m.x", START_MS - DAY, START_MS + DAY, Step.DAY)) == 4
    await store.close()


async def test_the_fiftieth_sweep_of_a_quarter_hour_writes_hardly_more_than_the_first_ones(
    store: SqliteStore, tmp_path: Path
) -> None:
    """However often meters are read, what a reading costs the disk stays the same."""
    numbers = await ids(store, *(f"m{n}.x" for n in range(10_000)))
    log, sizes = tmp_path / "data" / "readings.db-wal", [0]
    for sweep in range(50):
        for begin in range(0, len(numbers), 1_000):
            await store.record(
                [(one, START_MS + sweep * 10_000 + one, sweep, 0) for one in numbers[begin : begin + 1_000]]
            )
        sizes.append(log.stat().st_size)
    cost = [after - before for before, after in pairwise(sizes)]
    assert sum(cost[40:]) < 2 * sum(cost[:10])


async def test_too_long_or_turned_round_times_are_refused(store: SqliteStore) -> None:
    for start, end, step in ((5, 5, Step.DAY), (9, 3, Step.DAY), (-1, 5, Step.HOUR), (0, 10**18, Step.DAY)):
        with pytest.raises(BadInput):
            await store.buckets("m.x", start, end, step)
    with pytest.raises(BadInput, match="at most 400 days"):
        await store.buckets("m.x", 0, 500 * DAY, Step.HOUR)


async def test_a_reading_that_does_not_fit_is_refused_whole(store: SqliteStore) -> None:
    (one,) = await ids(store, "m.x")
    for bad in (1.5, 2**70, b"x"):
        with pytest.raises(BadInput):
            await store.record([(one, START_MS, 1, 0), (one, START_MS + 1, bad, 0)])
    assert await store.points("m.x", START_MS, START_MS + DAY) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("readings.numbers", (1, 9, 3, 10)),
        ("readings.texts", (1, 9, 3, 10)),
        ("readings.rolled_points", (1, 9, 3)),
        ("readings.open_points", (1, 9, 3)),
        ("readings.days", (1, 9, 3)),
        ("readings.stale_days", (1, 9, 3)),
        ("readings.fold_numbers", {"slot": 1, "start_ms": 1}),
        ("readings.slots_of", (1, 9)),
        ("readings.due_slots", {"before_ms": 1, "limit": 1}),
        ("readings.unfolded_slots", ()),
    ],
)
async def test_no_question_scans_a_table(store: SqliteStore, tmp_path: Path, name: str, params: object) -> None:
    conn = sqlite3.connect(tmp_path / "data" / "readings.db")
    plan = [row[3] for row in conn.execute("EXPLAIN QUERY PLAN " + Queries(FOLDER).sql(name), params)]
    conn.close()
    scans = [step for step in plan if step.startswith("SCAN") and step.split()[1] not in ("span", "CONSTANT")]
    assert not scans, plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(["Asia/Kathmandu", "Europe/Berlin", "Asia/Shanghai", "UTC"]))
@settings(max_examples=200, deadline=None)
def test_every_moment_lies_in_its_local_day_and_hour(ms: int, name: str) -> None:
    zone = ZoneInfo(name)
    day = day_of(ms, zone)
    assert day_start(day, zone) <= ms < day_start(day + 1, zone)
    assert 0 <= ms - hour_start(ms, zone) < HOUR
    assert month_after(day) - day <= 31


def test_the_day_of_the_clock_change_has_25_hours() -> None:
    day = datetime(2026, 10, 25, tzinfo=BERLIN).toordinal()
    assert day_start(day + 1, BERLIN) - day_start(day, BERLIN) == 25 * HOUR

"""Transactions: all or nothing each, many in one commit, and nobody goes on before the commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from meterhub.errors import BadInput, Conflict, Misuse, StoreError
from meterhub.store.engine import Paging, Transaction
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock

READ_KEYS = "SELECT key, value_json FROM settings ORDER BY rowid"


def put(key: str, value: str = "1"):
    return lambda tx: tx.insert("settings", {"key": key, "value_json": value, "updated_ms": 1})


async def keys(store: SqliteStore) -> list[str]:
    return [row["key"] for row in await store.query(READ_KEYS)]


async def test_what_was_committed_is_seen_by_every_reader(store: SqliteStore) -> None:
    await store.transact(put("a", "7"))
    assert await store.query(READ_KEYS) == [{"key": "a", "value_json": "7"}]


async def test_the_result_and_the_error_of_the_function_come_out(store: SqliteStore) -> None:
    assert await store.transact(lambda tx: tx.one("SELECT 1 AS one")) == {"one": 1}
    with pytest.raises(LookupError, match="gone"):
        await store.transact(lambda tx: (_ for _ in ()).throw(LookupError("gone")))


async def test_one_that_fails_is_undone_alone_among_many(store: SqliteStore) -> None:
    def half(tx: Transaction) -> None:
        put("half")(tx)
        raise BadInput("no")

    jobs = [store.transact(half if number % 3 == 0 else put(f"k{number}")) for number in range(30)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(one, BadInput) for one in results] == [number % 3 == 0 for number in range(30)]
    assert await keys(store) == [f"k{number}" for number in range(30) if number % 3]


async def test_many_callers_share_commits_and_finish_in_their_order(store: SqliteStore) -> None:
    finished: list[int] = []
    gate = threading.Event()

    async def one(number: int) -> None:
        await store.transact(put(f"k{number}"))
        finished.append(number)

    holding = asyncio.create_task(store.transact(lambda tx: gate.wait(30)))
    tasks = [asyncio.create_task(one(number)) for number in range(500)]
    await asyncio.sleep(0)
    before = store.commits
    gate.set()
    await asyncio.gather(holding, *tasks)
    assert finished == list(range(500))
    assert store.commits - before <= 4


async def test_a_caller_goes_on_only_after_the_outer_commit(store: SqliteStore, tmp_path: Path) -> None:
    async def one(number: int) -> int:
        await store.transact(put(f"k{number}"))
        other = sqlite3.connect(tmp_path / "data" / "hub.db")
        try:
            return other.execute("SELECT count(*) FROM settings WHERE key = ?", (f"k{number}",)).fetchone()[0]
        finally:
            other.close()

    assert await asyncio.gather(*[one(number) for number in range(50)]) == [1] * 50


async def test_what_is_to_follow_waits_for_the_commit_and_for_no_caller(
    store: SqliteStore, clock: MovableClock
) -> None:
    told: list[str] = []
    begun, gate = threading.Event(), threading.Event()

    def step(key: str, error: Exception | None = None):
        def write(tx: Transaction) -> None:
            begun.set()
            put(key)(tx)
            tx.after(lambda: told.append(key))
            gate.wait(30)
            if error is not None:
                raise error

        return write

    impatient = asyncio.create_task(store.transact(step("left")))
    with clock.outside():
        await asyncio.to_thread(begun.wait, 30)  # it is under way, and can no more be taken back
    impatient.cancel()
    others = [store.transact(step("undone", BadInput("no"))), store.transact(step("kept"))]
    waiting = asyncio.gather(impatient, *others, return_exceptions=True)
    await asyncio.sleep(0)
    assert told == []
    gate.set()
    left, undone, kept = await waiting
    assert isinstance(left, asyncio.CancelledError) and isinstance(undone, BadInput) and kept is None
    assert told == await keys(store) == ["left", "kept"]


async def test_a_taken_key_is_a_conflict_that_the_function_may_handle(store: SqliteStore) -> None:
    def put_or_tell(tx: Transaction) -> str:
        try:
            put("a")(tx)
        except Conflict:
            return "taken"
        return "new"

    assert [await store.transact(put_or_tell), await store.transact(put_or_tell)] == ["new", "taken"]


async def test_update_changes_the_rows_of_the_key(store: SqliteStore) -> None:
    await store.transact(put("a"))
    await store.transact(put("b"))
    changed = await store.transact(lambda tx: tx.update("settings", {"key": "a"}, {"value_json": "9"}))
    assert changed == 1
    assert await store.query(READ_KEYS) == [{"key": "a", "value_json": "9"}, {"key": "b", "value_json": "1"}]


async def test_wrong_use_is_said_in_words(store: SqliteStore) -> None:
    with pytest.raises(Misuse, match="no query nothing"):
        await store.query("nothing")
    with pytest.raises(Misuse, match="a statement failed"):
        await store.transact(lambda tx: tx.execute("INSERT INTO"))
    with pytest.raises(Misuse, match="must not write"):
        await store.query("DELETE FROM settings RETURNING key")
    with pytest.raises(BadInput, match="too large"):
        await store.transact(lambda tx: tx.insert("settings", {"key": "x", "value_json": "", "updated_ms": 2**70}))


async def test_the_audit_cannot_be_changed_or_cut(store: SqliteStore) -> None:
    row = {"at_ms": 1, "actor": "user:anna", "action": "login", "prev_hash": "", "hash": "h1"}
    await store.transact(lambda tx: tx.insert("audit", row))
    for sql in (
        "UPDATE audit SET actor = 'user:eve'",
        "DELETE FROM audit WHERE true",
        "REPLACE INTO audit (id, at_ms, actor, action, prev_hash, hash) VALUES (1, 1, 'user:eve', 'x', '', 'h2')",
    ):
        with pytest.raises(Misuse, match="append-only"):
            await store.transact(lambda tx, sql=sql: tx.execute(sql))
    assert [row["actor"] for row in await store.query("SELECT * FROM audit")] == ["user:anna"]


async def test_simulated_time_stands_still_while_the_store_works(store: SqliteStore, clock: MovableClock) -> None:
    late: list[int] = []
    clock.call_later(0.001, late.append, 1)
    started = clock.now()
    await store.transact(lambda tx: threading.Event().wait(0.1))
    assert clock.now() == started
    assert late == []


async def test_a_full_disk_fails_its_transactions_alone_and_the_writer_goes_on(store: SqliteStore) -> None:
    await store.transact(put("before"))
    pages = (await store.transact(lambda tx: tx.one("PRAGMA page_count ")))["page_count"]
    await store.transact(lambda tx: tx.one(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreError, match="full"):
        await store.transact(put("big", "x" * 1_000_000))
    await store.transact(lambda tx: tx.one("PRAGMA max_page_count = 1000000"))
    await store.transact(put("after"))
    assert await keys(store) == ["before", "after"]


async def test_a_closed_store_says_so(tmp_path: Path, clock: MovableClock) -> None:
    store = await SqliteStore.open(tmp_path / "data", clock)
    waiting = asyncio.gather(*[store.transact(put(f"k{number}")) for number in range(20)])
    await asyncio.sleep(0)
    await store.close()
    assert len(await waiting) == 20
    with pytest.raises(StoreError, match="closed"):
        await store.transact(put("late"))


async def test_a_page_is_filtered_searched_sorted_and_counted(store: SqliteStore) -> None:
    for number in range(30):
        kind = "water" if number % 3 else "power"
        await store.transact(put(f"50%-{number:02}", kind))
    page = await store.query_page(
        "SELECT key, value_json AS kind FROM settings WHERE updated_ms = :at",
        Paging("0%-1", ["key"], {"kind": ["power"]}, "-key", limit=2, offset=1, facets=["kind"]),
        {"at": 1},
    )
    assert [row["key"] for row in page.rows] == ["50%-15", "50%-12"]
    assert page.total == 3
    assert page.facets == {"kind": {"water": 7, "power": 3}}


async def test_a_page_refuses_columns_it_does_not_have(store: SqliteStore) -> None:
    with pytest.raises(BadInput, match="no column"):
        await store.query_page("SELECT key FROM settings", Paging(sort='key" DESC; --'))

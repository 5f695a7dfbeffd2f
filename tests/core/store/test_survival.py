"""What happens to the files themselves: kill -9, full disk, damage, older and newer files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meterhub.errors import StoreError
from meterhub.store import migrate as migration
from meterhub.store.engine import Step, Transaction
from meterhub.store.files import connect
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock

KILLED = """
import asyncio, itertools, sys
from pathlib import Path
from meterhub.clock import Clock
from meterhub.store.recorder import Recorder
from meterhub.store.sqlite import SqliteStore

def put(key):
    return lambda tx: tx.insert("settings", {"key": key, "value_json": "1", "updated_ms": 1})

async def main():
    clock = Clock()
    store = await SqliteStore.open(Path(sys.argv[1]), clock)
    recorder = Recorder(store, clock)
    series = (await store.series(["m.x"]))["m.x"]
    for n in itertools.count():
        await asyncio.gather(*[store.transact(put(f"k{n}-{k}")) for k in range(5)])
        recorder.add([(series, 1767225600000 + n * 60_000, n, 0)])
        await recorder.flush()
        if n % 7 == 3:
            await store.load_latest()
            await store.roll_up()
        print(n, flush=True)

asyncio.run(main())
"""

FULL = """
import asyncio, json, resource, sys
from pathlib import Path
from meterhub.clock import Clock
from meterhub.errors import StoreError
from meterhub.store.recorder import Recorder
from meterhub.store.sqlite import SqliteStore

async def main():
    clock = Clock()
    store = await SqliteStore.open(Path(sys.argv[1]), clock)
    recorder = Recorder(store, clock)
    series = (await store.series(["m.x"]))["m.x"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    refused = ""
    for n in range(100):
        recorder.add([(series, 1767225600000 + n * 1000 + k, k, 0) for k in range(1000)])
        try:
            await recorder.flush()
        except StoreError as error:
            refused = error.code
            break
    waiting = recorder.queued
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await recorder.flush()
    stored = len(await store.points("m.x", 1767225600000, 1767225600000 + 10**6, limit=10**6))
    await store.close()
    print(json.dumps([refused, waiting > 0, stored == recorder.written == (n + 1) * 1000, recorder.lost]))

asyncio.run(main())
"""


def run_and_kill(data: Path, rounds: int) -> list[int]:
    """Let another process store and say so, kill it after some rounds; returns what it said was stored."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(data)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(rounds)]
        os.kill(child.pid, signal.SIGKILL)
    return acknowledged


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, clock: MovableClock) -> None:
    data = tmp_path / "data"
    for rounds in (12, 25):
        acknowledged = run_and_kill(data, rounds)
        store = await SqliteStore.open(data, clock)
        points = await store.points("m.x", 1767225600000, 1767225600000 + 10**9)
        assert {value for _, value, _ in points} >= set(acknowledged)
        kept = {row["key"] for row in await store.query("SELECT key FROM settings")}
        assert kept >= {f"k{n}-{k}" for n in acknowledged for k in range(5)}
        (newest,) = await store.load_latest()
        assert newest[2] >= acknowledged[-1]
        (day,) = await store.buckets("m.x", 1767225600000, 1767225600000 + 3_600_000, Step.DAY)
        assert day.count == len(points)
        await store.transact(lambda tx: tx.execute("DELETE FROM settings WHERE true"))
        await store.close()


async def test_a_store_that_cannot_write_says_so_until_it_can(store: SqliteStore) -> None:
    def put(key: str, size: int) -> Callable[[Transaction], object]:
        return lambda tx: tx.insert("settings", {"key": key, "value_json": "x" * size, "updated_ms": 1})

    await store.transact(lambda tx: tx.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match="full"):
        await store.transact(put("big", 5_000_000))
    assert "full" in store.fault
    await store.transact(lambda tx: tx.execute("PRAGMA max_page_count = 1000000"))
    await store.transact(put("small", 1))
    assert store.fault == ""


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["store", True, True, 0]


async def test_a_second_hub_on_the_same_folder_is_refused(
    store: SqliteStore, tmp_path: Path, clock: MovableClock
) -> None:
    with pytest.raises(StoreError, match="another hub"):
        await SqliteStore.open(tmp_path / "data", clock)


async def test_a_command_works_beside_a_running_hub(store: SqliteStore, tmp_path: Path, clock: MovableClock) -> None:
    beside = await SqliteStore.open(tmp_path / "data", clock, beside=True)
    row = {"key": "k", "value_json": "1", "updated_ms": 1}
    await beside.transact(lambda tx: tx.insert("settings", row))
    await beside.close()
    assert len(await store.query("SELECT * FROM settings")) == 1


@pytest.mark.parametrize("name", ["hub.db", "readings.db"])
async def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, clock: MovableClock, name: str) -> None:
    await (await SqliteStore.open(tmp_path, clock)).close()
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"no database " * 1000)
    with pytest.raises(StoreError, match="restore a backup") as caught:
        await SqliteStore.open(tmp_path, clock)
    assert name in caught.value.where
    (tmp_path / name).write_bytes(whole)
    await (await SqliteStore.open(tmp_path, clock)).close()


async def test_nothing_is_kept_in_a_file_that_was_taken_away_until_it_is_back(store: SqliteStore) -> None:
    def row(key):
        return {"key": key, "value_json": "1", "updated_ms": 1}

    async def refused():
        for wanted in (store.transact(lambda tx: tx.insert("settings", row("lost"))), store.query("SELECT 1")):
            with pytest.raises(StoreError, match="removed or replaced"):
                await wanted

    await store.transact(lambda tx: tx.insert("settings", row("first")))
    hub = store._paths["hub.db"]
    hub.rename(hub.with_name("elsewhere"))
    await refused()
    assert "removed or replaced" in store.fault and not hub.exists()
    hub.write_bytes(b"")
    await refused()
    hub.with_name("elsewhere").rename(hub)
    await store.transact(lambda tx: tx.insert("settings", row("second")))
    kept = [one["key"] for one in await store.query("SELECT key FROM settings ORDER BY key")]
    assert store.fault == "" and kept == ["first", "second"]


async def test_a_folder_that_lost_its_hub_db_is_not_taken_for_a_new_one(tmp_path: Path, clock: MovableClock) -> None:
    await (await SqliteStore.open(tmp_path, clock)).close()
    (tmp_path / "hub.db").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="missing") as caught:
        await SqliteStore.open(tmp_path, clock)
    assert "restore a backup" in caught.value.hint and not (tmp_path / "hub.db").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "hub.db")
    await (await SqliteStore.open(tmp_path, clock)).close()


async def test_a_foreign_file_is_left_alone(tmp_path: Path, clock: MovableClock) -> None:
    other = sqlite3.connect(tmp_path / "hub.db")
    other.execute("CREATE TABLE books (title)")
    other.close()
    with pytest.raises(StoreError, match="not a file of MeterHub"):
        await SqliteStore.open(tmp_path, clock)


async def test_a_newer_file_is_refused(tmp_path: Path, clock: MovableClock) -> None:
    await (await SqliteStore.open(tmp_path, clock)).close()
    conn = sqlite3.connect(tmp_path / "hub.db")
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    with pytest.raises(StoreError, match="newer MeterHub"):
        await SqliteStore.open(tmp_path, clock)


def older_file(path: Path) -> sqlite3.Connection:
    """A hub.db of the first version, with a row in it."""
    conn = connect(path)
    migration.migrate(conn, path, ("hub_001",), keep_copy=True)
    conn.execute("INSERT INTO settings (key, value_json, updated_ms) VALUES ('old', '1', 1)")
    return conn


class NextStep:
    """Stands for the migration after the last one."""

    fails = False

    @classmethod
    def up(cls, db: object) -> None:
        db.table("settings").add_column("note", str)  # type: ignore[attr-defined]
        db.table("settings").insert({"key": "new", "value_json": "2", "updated_ms": 2})  # type: ignore[attr-defined]
        if cls.fails:
            raise sqlite3.OperationalError("broken")


@pytest.fixture
def next_step(monkeypatch: pytest.MonkeyPatch) -> type[NextStep]:
    monkeypatch.setitem(sys.modules, "meterhub.store.migrations.hub_next", NextStep)
    monkeypatch.setattr(NextStep, "fails", False)
    return NextStep


def test_an_older_file_is_migrated_and_a_copy_kept(tmp_path: Path, next_step: type[NextStep]) -> None:
    path = tmp_path / "hub.db"
    conn = older_file(path)
    migration.migrate(conn, path, ("hub_001", "hub_next"), keep_copy=True)
    assert conn.execute("SELECT key, note FROM settings ORDER BY key").fetchall() == [("new", None), ("old", None)]
    assert conn.execute("PRAGMA user_version").fetchone() == (2,)
    conn.close()
    copy = sqlite3.connect(tmp_path / "hub.db.before-2")
    assert copy.execute("SELECT * FROM settings").fetchall() == [("main", "old", "1", 1)]
    copy.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, next_step: type[NextStep]) -> None:
    next_step.fails = True
    path = tmp_path / "hub.db"
    conn = older_file(path)
    with pytest.raises(Exception, match="broken"):
        migration.migrate(conn, path, ("hub_001", "hub_next"), keep_copy=True)
    assert conn.execute("SELECT * FROM settings").fetchall() == [("main", "old", "1", 1)]
    assert conn.execute("PRAGMA user_version").fetchone() == (1,)
    conn.close()


async def test_people_s_data_is_for_the_hub_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.transact(lambda tx: tx.insert("settings", {"key": "k", "value_json": "1", "updated_ms": 1}))
    await asyncio.sleep(0)
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0}, modes

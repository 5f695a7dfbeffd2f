"""Backup and restore: beside a running hub, checked, never over one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from meterhub.errors import StoreError
from meterhub.store.backup import backup, restore
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import START_MS, MovableClock


async def fill(store: SqliteStore, key: str) -> None:
    await store.transact(lambda tx: tx.insert("settings", {"key": key, "value_json": "1", "updated_ms": 1}))
    series = (await store.series(["m.x"]))["m.x"]
    await store.record([(series, START_MS, 42, 0)])


async def test_a_backup_of_a_running_hub_comes_back_whole(
    store: SqliteStore, tmp_path: Path, clock: MovableClock
) -> None:
    await fill(store, "kept")
    backup(tmp_path / "data", tmp_path / "hub.zip")
    await store.transact(lambda tx: tx.execute("DELETE FROM settings WHERE true"))
    restore(tmp_path / "hub.zip", tmp_path / "other")
    again = await SqliteStore.open(tmp_path / "other", clock)
    assert [row["key"] for row in await again.query("SELECT key FROM settings")] == ["kept"]
    assert await again.points("m.x", START_MS, START_MS + 1) == [(START_MS, 42, 0)]
    await again.close()


async def test_a_restore_never_touches_a_running_hub(store: SqliteStore, tmp_path: Path) -> None:
    await fill(store, "kept")
    backup(tmp_path / "data", tmp_path / "hub.zip")
    with pytest.raises(StoreError, match="hub is running"):
        restore(tmp_path / "hub.zip", tmp_path / "data")
    assert len(await store.query("SELECT key FROM settings")) == 1


async def test_a_restore_keeps_what_was_there_beside(tmp_path: Path, clock: MovableClock) -> None:
    data = tmp_path / "data"
    store = await SqliteStore.open(data, clock)
    await fill(store, "old")
    backup(data, tmp_path / "hub.zip")
    await fill(store, "newer")
    await store.close()
    restore(tmp_path / "hub.zip", data)
    store = await SqliteStore.open(data, clock)
    assert [row["key"] for row in await store.query("SELECT key FROM settings")] == ["old"]
    await store.close()
    assert (data / "hub.db.replaced").exists()
    assert not [path for path in data.iterdir() if path.name.startswith(".restore")]


def damaged(good: Path, target: Path) -> None:
    """The same backup with another byte in hub.db, and the sums of the zip itself made right."""
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(target, "w") as out:
        for name in source.namelist():
            content = bytearray(source.read(name))
            if name == "hub.db":
                content[5000] ^= 255
            out.writestr(name, bytes(content))


async def test_a_damaged_backup_is_refused_before_anything_is_touched(
    store: SqliteStore, tmp_path: Path, clock: MovableClock
) -> None:
    backup(tmp_path / "data", tmp_path / "good.zip")
    damaged(tmp_path / "good.zip", tmp_path / "bad.zip")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-500])
    (tmp_path / "text.zip").write_text("no zip")
    for name in ("bad.zip", "cut.zip", "text.zip", "absent.zip"):
        with pytest.raises(StoreError) as caught:
            restore(tmp_path / name, tmp_path / "other")
        assert name in caught.value.where
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["hub.lock"]


def test_a_folder_without_a_hub_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no hub\.db"):
        backup(tmp_path, tmp_path / "hub.zip")
    assert not (tmp_path / "hub.zip").exists()

"""Backup and restore of a data folder, as one zip file with checksums.

A backup may be made beside a running hub; a restore needs the folder to itself. Both are plain blocking functions for
the command line.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from meterhub.errors import StoreError
from meterhub.store.faults import translate
from meterhub.store.files import HUB, READINGS, DataLock, connect
from meterhub.store.migrate import HUB_STEPS, READINGS_STEPS, copy_to

MANIFEST = "manifest.json"
FORMAT = 1
STEPS = {HUB: HUB_STEPS, READINGS: READINGS_STEPS}
PIECE = 1 << 20


def backup(data_dir: Path, file: Path) -> None:
    """Write both databases of a folder into ``file``; an older file of that name is replaced only by a whole one.

    Each database is copied as of one moment, also while a hub writes. Raises ``StoreError``.
    """
    for name in STEPS:
        if not (data_dir / name).is_file():
            raise StoreError(f"there is no {name} to back up", where=str(data_dir), hint="name the hub's data folder")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as scratch:
            copies = [_copy(data_dir / name, Path(scratch) / name) for name in STEPS]
            part = Path(scratch) / "backup"
            part.touch(mode=0o600)
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(MANIFEST, json.dumps({"format": FORMAT, "files": [_facts(one) for one in copies]}))
                for one in copies:
                    archive.write(one, one.name)
            part.replace(file)
    except OSError as error:
        raise StoreError(f"the backup cannot be written: {error.strerror or error}", where=str(file)) from error


def restore(file: Path, data_dir: Path) -> None:
    """Put the databases of a backup in place; those there are stay beside as ``NAME.replaced``.

    Everything is unpacked and checked before anything is touched. Raises ``StoreError``: a hub runs on the folder,
    the file is no backup, is damaged, or was made by a newer version.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = DataLock(data_dir)
        if not lock.take():
            raise StoreError("a hub is running on this data folder", where=str(data_dir), hint="stop it first")
        try:
            with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore.") as scratch:
                for name in _unpack(file, Path(scratch)):
                    _set_aside(data_dir / name)
                    (Path(scratch) / name).replace(data_dir / name)
        finally:
            lock.free()
    except OSError as error:
        raise StoreError(f"the backup cannot be restored: {error.strerror or error}", where=str(file)) from error


def _copy(source: Path, target: Path) -> Path:
    conn = connect(source, query_only=True)
    try:
        copy_to(conn, target)
    except sqlite3.Error as error:
        raise translate(error, source) from error
    finally:
        conn.close()
    return target


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"name": path.name, "size": path.stat().st_size, "sha256": _digest(stream)}


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _unpack(file: Path, scratch: Path) -> list[str]:
    """Unpack and check; returns the names of the databases."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            expected = {str(one["name"]): str(one["sha256"]) for one in manifest["files"]}
            if manifest["format"] != FORMAT or set(expected) != set(STEPS):
                raise StoreError("was made by another version of MeterHub", where=str(file))
            for name in expected:
                with archive.open(name) as source, (scratch / name).open("wb") as target:
                    (scratch / name).chmod(0o600)
                    shutil.copyfileobj(source, target, PIECE)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
        raise StoreError(
            f"is no backup of MeterHub, or is damaged: {error}", where=str(file), hint="use another copy of it"
        ) from error
    for name, digest in expected.items():
        _check(file, scratch / name, digest)
    return list(expected)


def _check(file: Path, path: Path, digest: str) -> None:
    with path.open("rb") as stream:
        if _digest(stream) != digest:
            raise StoreError(f"{path.name} in it is damaged", where=str(file), hint="use another copy of it")
    conn = sqlite3.connect(path)
    try:
        version = int(conn.execute("PRAGMA user_version").fetchone()[0])
        sound = conn.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.Error as error:
        raise translate(error, file) from error
    finally:
        conn.close()
    if not sound:
        raise StoreError(f"{path.name} in it is damaged", where=str(file), hint="use another copy of it")
    if version > len(STEPS[path.name]):
        raise StoreError("was made by a newer MeterHub", where=str(file), hint="install that version first")


def _set_aside(path: Path) -> None:
    """Move a database and its side files away, under names that still belong together."""
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        target = path.with_name(f"{path.name}.replaced{suffix}")
        target.unlink(missing_ok=True)
        if source.exists():
            source.replace(target)

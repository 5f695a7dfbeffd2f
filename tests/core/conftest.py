"""A store in real files on the movable clock, and owned tasks."""

from __future__ import annotations

import pytest_asyncio

from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks


@pytest_asyncio.fixture
async def store(clock, tmp_path):
    store = await SqliteStore.open(tmp_path / "data", clock)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def tasks(clock):
    tasks = Tasks(clock)
    yield tasks
    await tasks.stop()

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from crowd import HOME, PASSWORD, Everybody

from meterhub.people.people import People
from meterhub.people.sessions import Session
from meterhub.people.user import User
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock


@pytest.fixture
def system() -> Everybody:
    return Everybody()


@pytest_asyncio.fixture
async def store(tmp_path: Path, clock: MovableClock) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data", clock)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def people(store: SqliteStore, clock: MovableClock) -> AsyncIterator[People]:
    opened = await People.open(store, clock)
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def anna(people: People, system: Everybody) -> User:
    """The owner of the operator main."""
    return await people.users.add("anna", PASSWORD, "owner", by=system)


@pytest_asyncio.fixture
async def session(people: People, anna: User) -> Session:
    """Anna, logged in."""
    return await people.logins.with_password("anna", PASSWORD, HOME)

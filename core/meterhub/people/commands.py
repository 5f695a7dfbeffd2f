"""What the command line does with people: safe beside a running hub, which notices within two seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from meterhub.clock import Clock
from meterhub.people.people import People
from meterhub.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Maintainer:
    """Whoever may use the shell on the data folder; he may do everything, and the audit says it was the shell."""

    id: str = "shell"

    def may(self, permission: str, scope: str) -> bool:
        """Always."""
        return True


@asynccontextmanager
async def opened(data_dir: Path, clock: Clock | None = None) -> AsyncIterator[People]:
    """The people of a data folder, for one command."""
    clock = clock or Clock()
    store = await SqliteStore.open(data_dir, clock, beside=True)
    try:
        people = await People.open(store, clock)
        try:
            yield people
        finally:
            people.close()
    finally:
        await store.close()


async def add_user(data_dir: Path, name: str, role: str, password: str) -> None:
    """``meterhub user add``; raises ``BadInput``, ``Conflict`` or ``StoreError``."""
    async with opened(data_dir) as people:
        await people.users.add(name, password, role, by=Maintainer())


async def create_token(data_dir: Path, user: str, name: str) -> str:
    """``meterhub token create``: the token, which is told this once; raises ``NotFound``, ``BadInput``."""
    async with opened(data_dir) as people:
        return await people.tokens.create(people.users.get(user), name, by=Maintainer())

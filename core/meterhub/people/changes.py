"""Changes of people and their rights: written with their audit row, and noticed wherever users are kept in memory.

Every change commits together with its audit row, so the newest audit row is the sign that something changed. It is
looked at after each change of our own and, when people come or are at work, every two seconds: that is how a hub
notices what a command beside it, or another node, has done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from meterhub.clock import Clock
from meterhub.people.audit import Audit, Entry
from meterhub.store.engine import Store, Transaction

LOOK_MS = 2_000
"""How old the memory of users, sessions and tokens may be when another process changes them."""


class Changes:
    """Applies changes, and tells listeners to read afresh when there were any."""

    def __init__(self, store: Store, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._listeners: list[Callable[[], Awaitable[None]]] = []
        self._lock = asyncio.Lock()
        self._seen = 0
        self._looked_ms = 0

    def listen(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have ``callback`` awaited after every change, in the order of listening."""
        self._listeners.append(callback)

    async def apply(self, entry: Entry, change: Callable[[Transaction], object]) -> None:
        """Carry out ``change(tx)`` and write its audit row in one transaction; returns once it counts everywhere here.

        What ``change`` raises undoes both.
        """

        def run(tx: Transaction) -> None:
            change(tx)
            self._audit.write(tx, entry)

        await self._store.transact(run)
        await self.look()

    async def look(self) -> None:
        """Read afresh if anything changed."""
        async with self._lock:
            self._looked_ms = self._clock.now()
            [row] = await self._store.query("people.changed_since", {"seen": self._seen})
            if row["changes"]:
                for callback in self._listeners:
                    await callback()
            self._seen = row["newest"] or self._seen

    async def look_if_due(self) -> None:
        """The same, unless that was done in the last two seconds."""
        if self._clock.now() - self._looked_ms >= LOOK_MS:
            self._looked_ms = self._clock.now()
            await self.look()

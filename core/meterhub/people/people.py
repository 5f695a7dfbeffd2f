"""People: the room's parts, put together over one store."""

from __future__ import annotations

from meterhub.clock import Clock
from meterhub.people.audit import Audit
from meterhub.people.changes import Changes
from meterhub.people.history import LoginHistory
from meterhub.people.logins import Logins
from meterhub.people.passwords import Passwords
from meterhub.people.roles import Permissions
from meterhub.people.sessions import Sessions
from meterhub.people.tokens import Tokens
from meterhub.people.users import Users
from meterhub.store.engine import Store, Transaction

DAY_MS = 24 * 3_600_000
KEEP_SESSIONS_MS = 30 * DAY_MS
KEEP_LOGINS_MS = 400 * DAY_MS
"""Login rows are kept for a little more than a year; the audit is kept for ever."""


class People:
    """Users, sessions, tokens, logins and the audit of one store. Make one with ``await People.open(...)``."""

    def __init__(self, store: Store, clock: Clock, permissions: Permissions) -> None:
        self._store = store
        self._clock = clock
        self._passwords = Passwords(clock)
        self.permissions = permissions
        self.audit = Audit(store, clock)
        self.changes = Changes(store, clock, self.audit)
        self.users = Users(store, clock, self.changes, self._passwords, permissions)
        self.sessions = Sessions(store, clock, self.changes, self.users)
        self.tokens = Tokens(store, clock, self.changes, self.users)
        history = LoginHistory(store, clock)
        self.logins = Logins(
            store, clock, self.changes, self.users, self.sessions, self.tokens, self._passwords, history
        )

    @classmethod
    async def open(cls, store: Store, clock: Clock, permissions: Permissions | None = None) -> People:
        """Read the users; plugins must have registered their ``permissions`` before, else call ``users.reload``."""
        people = cls(store, clock, permissions or Permissions())
        await people.changes.look()
        await people.users.reload()
        return people

    async def prune(self) -> None:
        """Once a day: let go of sessions and links long over, and of logins of more than 400 days ago."""
        now_ms = self._clock.now()

        def change(tx: Transaction) -> None:
            tx.execute("people.prune_sessions", {"before_ms": now_ms - KEEP_SESSIONS_MS})
            tx.execute("people.prune_links", {"before_ms": now_ms - DAY_MS})
            tx.execute("people.prune_logins", {"before_ms": now_ms - KEEP_LOGINS_MS})

        await self._store.transact(change)

    def close(self) -> None:
        """Let the threads go; the store is closed by whoever opened it."""
        self._passwords.close()

"""Sessions: who is logged in, on which device, since when; each can be ended alone.

A session ends 12 hours after it was last used and 30 days after its login, whichever comes first. Its token changes
at login and whenever the user's rights change; the old one works for 30 more seconds, for requests under way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import NotFound, NotLoggedIn, StoreError
from meterhub.people.audit import Entry
from meterhub.people.changes import Changes
from meterhub.people.keys import Keys, digest, new_secret
from meterhub.people.user import User, operator_of
from meterhub.people.users import Users
from meterhub.store.engine import Row, Store, Transaction

MINUTE_MS = 60_000
IDLE_MS = 12 * 60 * MINUTE_MS
LONGEST_MS = 30 * 24 * 60 * MINUTE_MS
GRACE_MS = 30_000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """One login on one device. ``agent`` is the browser in two words; ``revoked_ms`` is None while it goes on."""

    id: int
    user: User
    address: str
    agent: str
    created_ms: int
    seen_ms: int
    expires_ms: int
    revoked_ms: int | None
    token: str = field(default="", repr=False)

    def live(self, now_ms: int) -> bool:
        """Whether it lets its user in."""
        return (
            now_ms < self.expires_ms
            and now_ms - self.seen_ms < IDLE_MS
            and (self.revoked_ms is None or now_ms < self.revoked_ms)
            and self.user.active
        )

    @property
    def stale(self) -> bool:
        """Whether the user's rights changed since: the page then calls ``Sessions.renew`` and sets the new cookie."""
        return self.revoked_ms is None and self.created_ms < self.user.updated_ms


class Sessions:
    """Starts, finds and ends sessions."""

    def __init__(self, store: Store, clock: Clock, changes: Changes, users: Users) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._users = users
        self._keys = Keys(store, "people.session", self._make)
        changes.listen(self._keys.forget)

    def _make(self, row: Row) -> Session | None:
        user = self._users.find(row["user"])
        return Session(**{**row, "user": user}) if user is not None else None

    async def find(self, token: str) -> Session:
        """The live session of a cookie; raises ``NotLoggedIn``. Notes at most once a minute that it was seen."""
        await self._changes.look_if_due()
        session = await self._keys.find(token)
        now_ms = self._clock.now()
        if session is None or not session.live(now_ms):
            raise NotLoggedIn("the session is over", hint="log in again")
        if now_ms - session.seen_ms >= MINUTE_MS:
            session.seen_ms = now_ms
            await self._note_seen(session.id, now_ms)
        session.token = token
        return session

    async def _note_seen(self, session_id: int, now_ms: int) -> None:
        try:
            await self._store.transact(lambda tx: tx.update("sessions", {"id": session_id}, {"seen_ms": now_ms}))
        except StoreError as error:
            # A full disk must not keep people from looking what is wrong.
            log.warning("a session's last use was not stored: %s", error)

    async def start(self, user: User, *, address: str, agent: str, old_token: str = "") -> Session:
        """A new session, with ``token`` for the cookie; the one that the browser had before ends."""
        now_ms = self._clock.now()
        return await self._insert(user, address, agent, now_ms + LONGEST_MS, old_token, now_ms)

    async def renew(self, session: Session) -> Session | None:
        """The same session under a new token; None when it ended meanwhile, or another request was first."""
        if session.revoked_ms is not None:
            return None
        ends_ms = session.revoked_ms = self._clock.now() + GRACE_MS
        try:
            return await self._insert(
                session.user, session.address, session.agent, session.expires_ms, session.token, ends_ms, must_live=True
            )
        except NotFound:
            return None

    async def _insert(
        self,
        user: User,
        address: str,
        agent: str,
        expires_ms: int,
        old_token: str,
        old_ends_ms: int,
        must_live: bool = False,
    ) -> Session:
        token, now_ms = new_secret(), self._clock.now()
        row: dict[str, Any] = {"user": user.name, "address": address, "agent": agent, "created_ms": now_ms}
        row |= {"seen_ms": now_ms, "expires_ms": expires_ms}

        def change(tx: Transaction) -> int:
            old = {"token_hash": digest(old_token), "ends_ms": old_ends_ms}
            if not tx.execute("people.replace_session", old) and must_live:
                # It was revoked meanwhile, and must not come back under a new token.
                raise NotFound("the session is over")
            return tx.insert("sessions", {**row, "operator": user.operator, "token_hash": digest(token)})

        session_id = await self._store.transact(change)
        await self._keys.forget()
        return Session(session_id, user, address, agent, now_ms, now_ms, expires_ms, None, token)

    async def of_user(self, user: User) -> list[Row]:
        """The live sessions of a user: id, address, agent, created_ms, seen_ms, expires_ms; latest use first."""
        now_ms = self._clock.now()
        params = {"user": user.name, "now_ms": now_ms, "idle_ms": now_ms - IDLE_MS}
        return await self._store.query("people.sessions_of", params)

    async def revoke(self, session_id: int, *, by: User, address: str = "") -> None:
        """End one session: one's own, or with ``user.manage`` anybody's of the operator. Raises ``NotFound``."""
        operator = operator_of(by)
        owner = "" if by.may("user.manage", operator) else by.name
        params = {"id": session_id, "operator": operator, "user": owner, "now_ms": self._clock.now()}

        def change(tx: Transaction) -> None:
            if not tx.execute("people.revoke_session", params):
                raise NotFound(f"there is no live session {session_id}")

        entry = Entry("session.revoke", f"session:{session_id}", by.id, operator, address=address)
        await self._changes.apply(entry, change)

    async def revoke_all(self, user: User, *, by: User, keep: int = 0, address: str = "") -> None:
        """End all sessions of a user, one's own or another's, but ``keep``."""
        if by is not user:
            self._users.managed(by, user.name)
        params = {"user": user.name, "keep": keep, "now_ms": self._clock.now()}
        entry = Entry("session.revoke_all", user.id, by.id, user.operator, address=address)
        await self._changes.apply(entry, lambda tx: tx.execute("people.revoke_sessions", params))

    async def end(self, session: Session) -> None:
        """Log out."""
        session.revoked_ms = self._clock.now()
        changes = {"revoked_ms": session.revoked_ms}
        await self._store.transact(lambda tx: tx.update("sessions", {"id": session.id}, changes))
        await self._keys.forget()

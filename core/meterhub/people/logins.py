"""Logging in: throttled first, checked in the same time for known and unknown names, written down either way."""

from __future__ import annotations

from typing import NoReturn

from meterhub.clock import Clock
from meterhub.errors import NotLoggedIn
from meterhub.people.changes import Changes
from meterhub.people.history import LoginHistory, Visitor, clean_address, summary
from meterhub.people.passwords import Passwords, check_password
from meterhub.people.sessions import Session, Sessions
from meterhub.people.throttle import WINDOW_MS, Throttle, lock_left_s
from meterhub.people.tokens import Tokens
from meterhub.people.user import User
from meterhub.people.users import NAME, Users
from meterhub.store.engine import Store


class Logins:
    """The ways in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        changes: Changes,
        users: Users,
        sessions: Sessions,
        tokens: Tokens,
        passwords: Passwords,
        history: LoginHistory,
    ) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._history = history
        self.throttle = Throttle(clock)

    async def with_password(self, name: str, password: str, visitor: Visitor, old_token: str = "") -> Session:
        """A new session for whoever knows the password. ``old_token`` is the cookie that the browser had before.

        Raises ``TooMany`` or ``NotLoggedIn``; the latter does not say whether the name or the password is wrong.
        """
        # A name of another shape is nobody's, and may be a password typed into the wrong field: it is not kept.
        account = name if NAME.fullmatch(name) else ""
        fits = await self.check(account, password, visitor)
        user = self._users.find(account)
        if not fits or user is None:
            await self._refuse(account, "wrong_password" if user else "unknown_user", visitor)
        if not user.active:
            await self._refuse(account, "disabled", visitor)
        self.throttle.succeeded(account)
        return await self._start(user, "password", visitor, old_token)

    async def check(self, account: str, password: str, visitor: Visitor) -> bool:
        """Whether the password is the account's ("": nobody's); raises ``TooMany`` before any costly step."""
        self.throttle.check(visitor.address, account)
        await self._changes.look_if_due()
        params = {"user": account, "since_ms": self._clock.now() - WINDOW_MS}
        [state] = await self._store.query("people.login_state", params)
        wait_s = lock_left_s(state["failures"], state["last_ms"] or 0, self._clock.now()) if account else 0
        if wait_s:
            self.throttle.reject(wait_s)
        return await self._passwords.verify(state["password_hash"], password)

    async def confirm(self, user: User, password: str, visitor: Visitor) -> None:
        """Ask a logged-in user for his password again, before something grave; raises ``NotLoggedIn``, ``TooMany``."""
        if not await self.check(user.name, password, visitor):
            await self._refuse(user.name, "wrong_password", visitor)

    async def change_password(self, session: Session, old: str, new: str, visitor: Visitor) -> None:
        """Change one's own password and end the other sessions. Whoever has none yet (invited) needs no old one.

        Raises ``NotLoggedIn`` for a wrong old password, ``TooMany``, or ``BadInput`` for a poor new one.
        """
        user = session.user
        check_password(new, user.name)
        [row] = await self._store.query("people.has_password", {"user": user.name})
        if row["has_password"]:
            await self.confirm(user, old, visitor)
        await self._users.set_own_password(user, new, keep_session=session.id, address=clean_address(visitor.address))

    async def with_link(self, secret: str, visitor: Visitor, old_token: str = "") -> Session:
        """A new session by a login link, which is used up; raises ``TooMany`` or ``NotLoggedIn``."""
        self.throttle.check(visitor.address, "")
        await self._changes.look_if_due()
        user = await self._tokens.use_link(secret)
        if user is None:
            await self._history.bad("", "", "link", visitor, "link_over")
            raise NotLoggedIn("the link was used already, or is over", hint="ask for a new one")
        return await self._start(user, "link", visitor, old_token)

    async def _start(self, user: User, method: str, visitor: Visitor, old_token: str) -> Session:
        await self._history.good(user.name, user.operator, method, visitor)
        return await self._sessions.start(
            user, address=clean_address(visitor.address), agent=summary(visitor.agent), old_token=old_token
        )

    async def _refuse(self, account: str, why: str, visitor: Visitor) -> NoReturn:
        user = self._users.find(account)
        await self._history.bad(account, user.operator if user else "", "password", visitor, why)
        if why == "disabled":
            raise NotLoggedIn("this account is disabled", hint="ask an owner to enable it")
        raise NotLoggedIn("the name or the password is wrong")

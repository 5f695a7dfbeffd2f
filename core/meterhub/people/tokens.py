"""Tokens: for programs (``mh_…``, with the rights of their user), and login links that work once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, NotFound, NotLoggedIn, StoreError
from meterhub.people.audit import Entry
from meterhub.people.changes import Changes
from meterhub.people.keys import MAX_LENGTH, Keys, digest, new_secret
from meterhub.people.user import Caller, User
from meterhub.people.users import Users
from meterhub.store.engine import Row, Store, Transaction

PREFIX = "mh_"
"""By this, scanners of code and logs know a token that leaked."""

LINK_MS = 15 * 60_000
NOTE_MS = 60_000
MAX_NAME = 60

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Token:
    """A token that was looked up."""

    id: int
    user: User
    used_ms: int


class Tokens:
    """Makes, finds and ends tokens and login links."""

    def __init__(self, store: Store, clock: Clock, changes: Changes, users: Users) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._users = users
        self._keys = Keys(store, "people.token", self._make)
        changes.listen(self._keys.forget)

    def _make(self, row: Row) -> Token | None:
        user = self._users.find(row["user"])
        if user is None or row["kind"] != "api" or row["revoked_ms"] is not None:
            return None
        return Token(row["id"], user, row["used_ms"] or 0)

    async def create(self, user: User, name: str, *, by: Caller, address: str = "") -> str:
        """A new token for a user's programs. It is told this once; only its hash is kept."""
        if by is not user:
            self._users.managed(by, user.name)
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise BadInput(f"a token's name is 1 to {MAX_NAME} printable characters", where="name")
        secret = PREFIX + new_secret()
        row = self._row(user, name, "api", secret, None)
        entry = Entry("token.create", user.id, by.id, user.operator, None, {"name": name}, address=address)
        await self._changes.apply(entry, lambda tx: tx.insert("tokens", row))
        return secret

    async def create_link(self, user: User, *, by: Caller) -> str:
        """The secret of a login link: it works once, for 15 minutes. Also the invitation of a new user."""
        if by is not user:
            self._users.managed(by, user.name)
        secret = new_secret()
        row = self._row(user, "", "link", secret, self._clock.now() + LINK_MS)
        entry = Entry("token.link", user.id, by.id, user.operator)
        await self._changes.apply(entry, lambda tx: tx.insert("tokens", row))
        return secret

    def _row(self, user: User, name: str, kind: str, secret: str, expires_ms: int | None) -> dict[str, Any]:
        row: dict[str, Any] = {"operator": user.operator, "user": user.name, "name": name, "kind": kind}
        return row | {"token_hash": digest(secret), "created_ms": self._clock.now(), "expires_ms": expires_ms}

    async def find(self, secret: str) -> User:
        """The user of an API token; raises ``NotLoggedIn``. Notes at most once a minute that it was used."""
        await self._changes.look_if_due()
        token = await self._keys.find(secret) if secret.startswith(PREFIX) else None
        if token is None or not token.user.active:
            raise NotLoggedIn("the token is unknown or was revoked", hint="meterhub token create makes one")
        now_ms = self._clock.now()
        if now_ms - token.used_ms >= NOTE_MS:
            token.used_ms = now_ms
            await self._note_used(token.id, now_ms)
        return token.user

    async def _note_used(self, token_id: int, now_ms: int) -> None:
        try:
            await self._store.transact(lambda tx: tx.update("tokens", {"id": token_id}, {"used_ms": now_ms}))
        except StoreError as error:
            log.warning("a token's last use was not stored: %s", error)

    async def use_link(self, secret: str) -> User | None:
        """Use a login link up and return its user; None when it was used before, is over, or never was."""
        if len(secret) > MAX_LENGTH:
            return None
        params = {"token_hash": digest(secret), "now_ms": self._clock.now()}

        def change(tx: Transaction) -> str:
            if not tx.execute("people.use_link", params):
                return ""
            row = tx.one("people.token", {"token_hash": params["token_hash"]})
            return str(row["user"]) if row is not None else ""

        user = self._users.find(await self._store.transact(change))
        return user if user is not None and user.active else None

    async def of_user(self, user: User) -> list[Row]:
        """The API tokens of a user: id, name, created_ms, used_ms; newest first."""
        return await self._store.query("people.tokens_of", {"user": user.name})

    async def revoke(self, user: User, token_id: int, *, by: Caller, address: str = "") -> None:
        """End one token; raises ``NotFound``."""
        if by is not user:
            self._users.managed(by, user.name)
        params = {"id": token_id, "user": user.name, "now_ms": self._clock.now()}

        def change(tx: Transaction) -> None:
            if not tx.execute("people.revoke_token", params):
                raise NotFound(f"there is no token {token_id}")

        await self._changes.apply(Entry("token.revoke", user.id, by.id, user.operator, address=address), change)

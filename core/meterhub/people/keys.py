"""Secrets that open a door: made here, stored as SHA-256 only, and remembered once they were looked up."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

from meterhub.store.engine import Row, Store

T = TypeVar("T")

MAX_REMEMBERED = 10_000
MAX_LENGTH = 200


def new_secret() -> str:
    """256 random bits as 43 characters that are safe in a URL, a header and a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret. It has 256 bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(session_token: str) -> str:
    """The token that the forms of a session carry; it says nothing about the session's own."""
    return hmac.new(session_token.encode(), b"csrf", hashlib.sha256).hexdigest()


def csrf_fits(session_token: str, given: str) -> bool:
    """Whether a form came from this session."""
    return hmac.compare_digest(csrf_token(session_token).encode(), given.encode())


class Keys(Generic[T]):
    """What the secrets of one table stand for. ``make(row)`` gives None when the row opens nothing."""

    def __init__(self, store: Store, query: str, make: Callable[[Row], T | None]) -> None:
        self._store = store
        self._query = query
        self._make = make
        self._known: dict[str, T] = {}
        self._generation = 0

    async def find(self, secret: str) -> T | None:
        """What the secret stands for, None when it is unknown."""
        if len(secret) > MAX_LENGTH:
            return None
        token_hash = digest(secret)
        known = self._known.get(token_hash)
        if known is not None:
            return known
        generation = self._generation
        rows = await self._store.query(self._query, {"token_hash": token_hash})
        found = self._make(rows[0]) if rows else None
        # What was read before a change is not remembered after it.
        if found is not None and generation == self._generation:
            if len(self._known) >= MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[token_hash] = found
        return found

    async def forget(self) -> None:
        """Look everything up afresh from now on."""
        self._known.clear()
        self._generation += 1

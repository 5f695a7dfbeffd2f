"""Passwords: what is acceptable, and argon2id hashes made and checked outside the loop, two at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from meterhub.clock import Clock
from meterhub.errors import BadInput, TooMany

T = TypeVar("T")

MIN_LENGTH = 10
MAX_LENGTH = 200

AT_ONCE = 2
"""Hashes under way; each takes a core and 47 MiB."""

MAX_WAITING = 20
"""Hashes asked for at once at most; whoever comes then is told to come back."""

# fmt: off
COMMON = frozenset((
    "1234567890", "0123456789", "9876543210", "1111111111", "0000000000", "1q2w3e4r5t", "qwertyuiop",
    "asdfghjkl;", "password12", "password123", "password1234", "passw0rd123", "admin12345", "admin123456",
    "administrator", "letmein123", "welcome123", "iloveyou12", "woaini1314", "woaini520", "a123456789",
    "123456789a", "1234567891", "12345678910", "1234567890a", "qwerty12345", "qwerty123456", "changeme123",
    "meterhub123", "abcdefghij", "abc1234567", "abcd123456", "5201314520", "1qaz2wsx3edc", "zaq12wsx34",
))
# fmt: on
"""Those that are tried first."""


class Passwords:
    """Makes and checks hashes. ``close`` it at the end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hasher = PasswordHasher(time_cost=1, memory_cost=47 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0
        self._decoy = ""

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits; None (an unknown user, or one without a password) takes as long and never fits."""
        return await self._run(lambda: self._fits(stored, password[: MAX_LENGTH + 1]))

    def _fits(self, stored: str | None, password: str) -> bool:
        if not self._decoy:
            self._decoy = self._hasher.hash(secrets.token_hex(16))
        try:
            return self._hasher.verify(stored or self._decoy, password) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooMany("too many people log in at this moment", hint="try again in 10 s")
        self._waiting += 1
        try:
            with self._clock.outside():
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def check_password(password: str, name: str) -> None:
    """Raise ``BadInput`` saying what is wrong with a new password."""
    if len(password) < MIN_LENGTH:
        raise BadInput(f"the password is too short: at least {MIN_LENGTH} characters", where="password")
    if len(password) > MAX_LENGTH:
        raise BadInput(f"the password is too long: at most {MAX_LENGTH} characters", where="password")
    plain = password.casefold()
    if plain.strip("0123456789!@#$.-_ ") == name or plain == name * (len(plain) // max(len(name), 1)):
        raise BadInput("the password must not be made of the name", where="password")
    if plain in COMMON or len(set(plain)) < 4:
        raise BadInput("the password is too common", where="password", hint="use a few words that only you combine")

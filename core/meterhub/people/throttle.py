"""Login throttling: token buckets per address and per account, and the lock-out that survives a restart."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from meterhub.clock import Clock
from meterhub.errors import TooMany

MAX_KEYS = 20_000
"""Addresses and accounts remembered; the longest unused goes first."""

FREE_FAILURES = 10
"""Wrong passwords in a row before an account is locked."""
FIRST_LOCK_S = 30
LONGEST_LOCK_S = 900
WINDOW_MS = 24 * 3_600_000
"""Wrong passwords older than this are forgiven."""


class Buckets:
    """One bucket per key: ``burst`` attempts at once, then one every ``refill_s`` seconds."""

    def __init__(self, clock: Clock, burst: int, refill_s: float) -> None:
        self._clock = clock
        self._burst = burst
        self._refill_s = refill_s
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one attempt; returns 0, or how many seconds to wait when there is none."""
        now_s = self._clock.monotonic()
        level, at_s = self._levels.pop(key, (float(self._burst), now_s))
        level = min(self._burst, level + (now_s - at_s) / self._refill_s)
        wait_s = 0.0 if level >= 1 else (1 - level) * self._refill_s
        self._levels[key] = (level if wait_s else level - 1, now_s)
        if len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)
        return wait_s

    def forget(self, key: str) -> None:
        """Fill the bucket of a key again."""
        self._levels.pop(key, None)


class Throttle:
    """Says no to whoever tries too often, before anything expensive is done."""

    def __init__(self, clock: Clock) -> None:
        self._addresses = Buckets(clock, burst=20, refill_s=3)
        self._accounts = Buckets(clock, burst=5, refill_s=10)
        self.rejected = 0
        """Attempts turned away since the start."""

    def check(self, address: str, account: str) -> None:
        """Count an attempt; raises ``TooMany`` saying how long to wait."""
        wait_s = self._addresses.take(network(address)) or (self._accounts.take(account) if account else 0)
        if wait_s:
            self.reject(wait_s)

    def reject(self, wait_s: float) -> None:
        """Raise ``TooMany``."""
        self.rejected += 1
        whole = math.ceil(wait_s)
        raise TooMany("too many attempts to log in", hint=f"try again in {whole} s", wait_s=whole)

    def succeeded(self, account: str) -> None:
        """Forgive an account its attempts. An address is not forgiven: it may hold one good account and try others."""
        self._accounts.forget(account)


def lock_left_s(failures: int, last_ms: int, now_ms: int) -> float:
    """How long an account stays locked after so many wrong passwords in a row: 30 s, doubling to a quarter hour."""
    if failures < FREE_FAILURES:
        return 0
    lock_s = min(FIRST_LOCK_S << min(failures - FREE_FAILURES, 10), LONGEST_LOCK_S)
    return max(0.0, lock_s - (now_ms - last_ms) / 1000)


def network(address: str) -> str:
    """What counts as one address: of IPv6 the network of a subscriber (/64), who has all its addresses to try."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:50]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)

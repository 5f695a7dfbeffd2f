"""File descriptors: how many this process may have, and how many of them callers may take.

Each connection takes one, and so do the files of the store and each browser. Callers leave ``RESERVED`` of them alone,
so that pages are there and readings are kept however many call.
"""

from __future__ import annotations

import contextlib

try:
    import resource
except ImportError:  # pragma: no cover - not on this kind of system
    HAVE_LIMIT = False
else:
    HAVE_LIMIT = True

RESERVED = 48
MOST = 1_000_000
"""What is enough for anybody; more than the kernel allows a process by default."""


def limit() -> int:
    """How many this process may have."""
    if not HAVE_LIMIT:
        return MOST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)


def for_callers() -> int:
    """The lowest number of a descriptor that no caller may keep; numbers are given out from below."""
    return max(limit() - RESERVED, limit() // 2)


def raise_limit() -> None:
    """Allow this process as many as the system lets it; a shell often gives 1,024 at first."""
    if HAVE_LIMIT:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
        with contextlib.suppress(ValueError, OSError):  # macOS says infinite and means less
            if wanted > limit():
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

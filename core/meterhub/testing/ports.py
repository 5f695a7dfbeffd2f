"""Ports for servers of tests that are told where to listen before they are started."""

from __future__ import annotations

import os
import socket
from pathlib import Path

LOWEST, OUTGOING = 10_000, 32_768
_given: set[int] = set()
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port on which nobody listens, and which no outgoing connection gets while nobody does.

    What ``bind(0)`` gives is one of those that any connection of this machine may be given the next moment, also
    while a server is away for a restart.
    """
    while True:
        port = LOWEST + int.from_bytes(os.urandom(4)) % (_outgoing() - LOWEST)
        if port in _given:
            continue
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def _outgoing() -> int:
    """The first port that the system gives to outgoing connections."""
    try:
        first = int(RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return OUTGOING
    return first if first > LOWEST else OUTGOING

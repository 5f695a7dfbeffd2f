"""The bus: typed messages to whoever listens, in order.

Rare messages are frozen slotted dataclasses; readings are batched per poll.
A listener is a plain callable and must not wait: whatever has to wait spawns an
owned task with ``hub.spawn(owner, coro)``.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

M = TypeVar("M")
Listener = Callable[[Any], None]
Off = Callable[[], None]

MAX_NESTED = 10_000
"""Messages that one root message may cause before the rest is dropped (endless loop guard)."""

log = logging.getLogger(__name__)


class Bus:
    """Delivers each message to the listeners of its exact type.

    Messages emitted while another is being delivered are queued breadth first,
    so that all listeners see messages in the same order.
    """

    def __init__(self, on_error: Callable[[Listener, Any, Exception], None] | None = None) -> None:
        self._listeners: dict[type, tuple[Listener, ...]] = {}
        self._queue: deque[Any] = deque()
        self._delivering = False
        self._on_error = on_error or _log_error

    def on(self, kind: type[M], callback: Callable[[M], None]) -> Off:
        """Call ``callback`` for every message of type ``kind``; returns the function that stops it."""
        self._listeners[kind] = (*self._listeners.get(kind, ()), callback)

        def off() -> None:
            self._listeners[kind] = tuple(one for one in self._listeners[kind] if one is not callback)

        return off

    def emit(self, message: object) -> None:
        """Deliver ``message`` now, or after the message being delivered; never raises for a listener's fault."""
        if self._delivering:
            if len(self._queue) >= MAX_NESTED:
                log.error("dropped %s: a listener causes messages without end", type(message).__name__)
                return
            self._queue.append(message)
            return
        self._delivering = True
        try:
            for _ in range(MAX_NESTED):
                for listener in self._listeners.get(type(message), ()):
                    try:
                        listener(message)
                    except Exception as error:  # noqa: BLE001 - the boundary to listeners, plugins among them
                        self._on_error(listener, message, error)
                if not self._queue:
                    return
                message = self._queue.popleft()
            log.error("dropped %d messages: a listener causes messages without end", 1 + len(self._queue))
            self._queue.clear()
        finally:
            self._delivering = False


def _log_error(listener: Listener, message: Any, error: Exception) -> None:
    log.error("listener %r failed on %s", listener, type(message).__name__, exc_info=error)

"""Owned tasks: every background coroutine has an owner, and none dies unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from meterhub.clock import Clock
from meterhub.errors import MeterHubError

log = logging.getLogger(__name__)

Spawn: TypeAlias = Callable[[str, Coroutine[Any, Any, Any]], Any]
"""``spawn(owner, coroutine)`` runs a coroutine in the background on behalf of ``owner``."""


class Tasks:
    """Spawns tasks under an owner's name, reports their failures, and ends them at the stop.

    No shared TaskGroup: a failing member of one would cancel its siblings.
    """

    def __init__(self, clock: Clock, on_error: Callable[[str, BaseException], None] | None = None) -> None:
        self._clock = clock
        self._on_error = on_error or _log_error
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, owner: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine`` in the background on behalf of ``owner``."""
        task = asyncio.get_running_loop().create_task(coroutine, name=owner)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Cancel what is left and wait for it, at most ``timeout_s`` seconds."""
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return
        try:
            async with self._clock.timeout(timeout_s):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        except TimeoutError:
            names = ", ".join(sorted(task.get_name() for task in self._tasks))
            log.error("these tasks did not end: %s", names)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(task.get_name(), error)


def _log_error(owner: str, error: BaseException) -> None:
    log.error("%s failed: %s", owner, error, exc_info=None if isinstance(error, MeterHubError) else error)

"""The dialler: calls the collectors that wait to be called, and calls again when they were lost."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from meterhub.clock import Clock
from meterhub.field.calls.connection import Connection
from meterhub.field.calls.door import set_up

if TYPE_CHECKING:
    from meterhub.field.calls.link import CallLink

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
CALL_S = 10.0


class Dialler:
    """``targets`` maps a collector's id to host and port. A task per call that is being made, none per connection."""

    def __init__(self, link: CallLink, clock: Clock, targets: dict[str, tuple[str, int]]) -> None:
        self._link = link
        self._clock = clock
        self._targets = targets
        self._wait_s = dict.fromkeys(targets, FIRST_RETRY_S)
        self._troubles: dict[str, str] = {}
        self._calls: dict[str, asyncio.Task[Any]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Call everybody."""
        for collector_id in self._targets:
            self._call(collector_id)

    def _call(self, collector_id: str) -> None:
        self._timers.pop(collector_id, None)
        task = asyncio.get_running_loop().create_task(self._connect(collector_id), name=f"call {collector_id}")
        self._calls[collector_id] = task
        task.add_done_callback(lambda done: self._calls.pop(collector_id, None))

    async def _connect(self, collector_id: str) -> None:
        host, port = self._targets[collector_id]
        make: Callable[[], Connection] = functools.partial(self._link.called, collector_id, host, port)
        try:
            async with self._clock.timeout(CALL_S):
                transport, _ = await asyncio.get_running_loop().create_connection(make, host, port)
        except (OSError, TimeoutError) as error:
            words = getattr(error, "strerror", "") or str(error) or "no answer"
            self._trouble(collector_id, f"cannot reach {host}:{port}: {words}")
            self.again(collector_id)
            return
        set_up(transport.get_extra_info("socket"))
        self._wait_s[collector_id] = FIRST_RETRY_S
        self._trouble(collector_id, "")

    def _trouble(self, collector_id: str, text: str) -> None:
        """Tell the oldest trouble that is left."""
        if text:
            self._troubles.setdefault(collector_id, text)
        else:
            self._troubles.pop(collector_id, None)
        self._link.host.trouble(next(iter(self._troubles.values()), ""))

    def again(self, collector_id: str) -> None:
        """Call after a pause, each time a longer one."""
        wait_s = self._wait_s[collector_id]
        self._wait_s[collector_id] = min(wait_s * 2, LONGEST_RETRY_S)
        if collector_id not in self._timers:
            pause_s = wait_s * (0.75 + self._clock.random.random() / 2)
            self._timers[collector_id] = self._clock.call_later(pause_s, self._call, collector_id)

    def stop(self) -> None:
        """Call nobody any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in list(self._calls.values()):
            task.cancel()

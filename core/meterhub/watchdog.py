"""The watchdog: a thread that names file and line of whatever blocks the loop while it lasts.

The loop touches it twice a second. When the touch is late, the thread looks at the loop's stack and reports the
innermost frame; after ``give_up_s`` it calls ``on_stuck`` from its own thread, which restarts the process with that
plugin disabled.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from meterhub.clock import Clock

log = logging.getLogger(__name__)

TOUCH_S = 0.5


@dataclass(frozen=True, slots=True)
class Blockage:
    """What blocked the loop: ``where`` is ``file:line``, ``files`` all files on the stack, innermost first."""

    where: str
    function: str
    files: tuple[str, ...]
    blocked_s: float


class Watchdog:
    """Watches one loop from a thread of its own."""

    def __init__(
        self,
        clock: Clock,
        *,
        late_s: float = 1.0,
        give_up_s: float = 30.0,
        on_blocked: Callable[[Blockage], None] | None = None,
        on_stuck: Callable[[Blockage], None] | None = None,
    ) -> None:
        self._clock = clock
        self._late_s = late_s
        self._give_up_s = give_up_s
        self._on_blocked = on_blocked
        self._on_stuck = on_stuck
        self._stopped = threading.Event()
        self._touched = threading.Event()
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._touch()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the thread ends at once."""
        self._stopped.set()
        self._touched.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _touch(self) -> None:
        self._touched.set()
        self._timer = self._clock.call_later(TOUCH_S, self._touch)

    def _watch(self) -> None:
        blocked_s = 0.0
        while not self._stopped.is_set():
            wait_s = TOUCH_S + self._late_s
            if self._touched.wait(wait_s):
                self._touched.clear()
                blocked_s = 0.0
                self._stopped.wait(TOUCH_S / 2)
                continue
            first = blocked_s == 0.0
            blocked_s += wait_s
            self._report(blocked_s, first)

    def _report(self, blocked_s: float, first: bool) -> None:
        blockage = self._look(blocked_s)
        if blockage is None:
            return
        if first:
            log.error("the loop is blocked by %s in %s", blockage.where, blockage.function)
            if self._on_blocked is not None:
                self._on_blocked(blockage)
        if blocked_s >= self._give_up_s and self._on_stuck is not None:
            log.critical("the loop did not move for %.0f s because of %s", blocked_s, blockage.where)
            self._on_stuck(blockage)

    def _look(self, blocked_s: float) -> Blockage | None:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return None
        stack = traceback.extract_stack(frame)
        stack.reverse()
        if stack[0].name == "select":  # the loop waits for events: nobody blocks it, the machine is asleep or slow
            return None
        innermost = stack[0]
        return Blockage(
            f"{innermost.filename}:{innermost.lineno}", innermost.name, tuple(one.filename for one in stack), blocked_s
        )

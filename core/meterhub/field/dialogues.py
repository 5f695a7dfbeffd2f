"""The dialogues of a line that have begun: a stack, since a more urgent one interrupts the one that runs."""

from __future__ import annotations

import logging
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import Dropped, LinkDown, MeterHubError, Misuse
from meterhub.field.intake import Intake
from meterhub.field.line_config import LineConfig
from meterhub.field.queue import ROUTINE, Turn

log = logging.getLogger(__name__)

DEAD_LINK_STEPS = 500
"""How often a dialogue may ask again although its link is down, before it is stopped."""


class Dialogues(Intake):
    """Steps dialogues and ends jobs; knows nothing of bytes."""

    __slots__ = ("_over", "_stack")

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        super().__init__(config, clock)
        self._stack: tuple[Turn, ...] = ()
        """The last one runs, those before it were interrupted by it. (A tuple of one is a single, recent object.)"""
        self._over: tuple[tuple[Turn, Any, Exception | None], ...] = ()
        """Ended, and nobody has heard of it: the next request goes out first."""

    @property
    def current(self) -> str | None:
        """The meter whose dialogue runs now."""
        return self._stack[-1].meter_id if self._stack else None

    def _choose(self, now: float) -> Turn | None:
        """The dialogue that may use the wire now; it has a pending ``ask``."""
        stack = self._stack
        if stack:
            top = stack[-1]
            if top.held or self._queue.best >= top.priority:
                return top
        job = self._take(now)
        return None if job is None else self._begin(job)

    def _begin(self, job: Turn) -> Turn | None:
        """Start a job's dialogue; None when it ended without asking anything."""
        if job.priority >= ROUTINE and job.standing.probing():
            job.tries_limit = 1
        self._stack += (job,)
        self._step(job, None, None)
        return job if self._stack and self._stack[-1] is job else None

    def _step(self, job: Turn, value: Any, error: Exception | None) -> None:
        """Give the dialogue what it waits for; afterwards it has a new ``ask``, or the job is over."""
        if job.cancelled and not job.followers:
            self._end(job, None, Dropped("cancelled", where=job.meter_id))
            return
        try:
            if job.dialogue is None:
                job.dialogue = job.start()
                ask = next(job.dialogue)
            else:
                job.held = error is None and job.ask is not None and job.ask.hold
                ask = job.dialogue.send(value) if error is None else job.dialogue.throw(error)
        except StopIteration as end:
            job.dialogue = None
            self._end(job, end.value, None)
        except Exception as problem:  # noqa: BLE001 - the boundary to dialogues, plugins among them
            self._end(job, None, self._as_ours(job, problem))
        else:
            job.ask = ask
            job.tried = 0

    def _answers(self, frame: Any, job: Turn) -> bool:
        """Is this what the dialogue waits for?"""
        match = job.ask and job.ask.match
        assert match
        try:
            return match(frame)
        except Exception as error:
            log.error("line %s: the matcher of %s failed on %r", self.line_id, job.meter_id, frame, exc_info=error)
            return False

    def _end(self, job: Turn, result: Any, error: Exception | None) -> None:
        """The dialogue is over; ``_report`` tells of it."""
        if self._stack[-1] is job:
            self._stack = self._stack[:-1]
        else:
            self._stack = tuple(one for one in self._stack if one is not job)
        if job.dialogue is not None:
            try:
                job.dialogue.close()
            except Exception:
                log.exception("protocol %s failed to stop on meter %s", job.codec, job.meter_id)
        if job.silent and not job.answered:
            job.standing.silent(self._clock.monotonic())
        self._over += ((job, result, error),)

    def _report(self) -> None:
        """Tell everybody how their jobs ended; they may submit others meanwhile."""
        while self._over:
            job, result, error = self._over[0]
            self._over = self._over[1:]
            self._tell(job, result, error)

    def _as_ours(self, job: Turn, error: Exception) -> MeterHubError:
        """An error of our tree; anything else is a bug of the protocol, logged with its name."""
        if isinstance(error, MeterHubError):
            error.where = error.where or job.meter_id
            return error
        log.error("protocol %s failed on meter %s", job.codec, job.meter_id, exc_info=error)
        return Misuse(f"the protocol {job.codec} failed: {type(error).__name__}: {error}", where=job.meter_id)

    def _cut(self, job: Turn, why: str) -> None:
        """Throw ``LinkDown`` into a dialogue until it ends; it may ask on, to report what it has got so far."""
        for _ in range(DEAD_LINK_STEPS):
            if job not in self._stack:
                return
            self._step(job, None, LinkDown(why, where=job.meter_id))
        self._end(job, None, Misuse("the dialogue never ends on a dead link", where=job.meter_id))

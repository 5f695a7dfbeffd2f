"""The queue of one line: jobs by priority, first come first served, and meters in turn within a priority."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from enum import IntEnum
from typing import Any, TypeAlias

from meterhub.field.dialogue import Ask, Dialogue

Done: TypeAlias = Callable[[Any, Exception | None], None]
"""Called once per job with ``(result, None)`` or ``(None, error)``."""


class Priority(IntEnum):
    """Who is served first; a lower number goes before a higher one."""

    MONEY = 0
    OPERATOR = 1
    TENANT = 2
    SCHEDULED = 3
    BACKGROUND = 4


DEADLINE_S = {
    Priority.MONEY: 30.0,
    Priority.OPERATOR: 30.0,
    Priority.TENANT: 30.0,
    Priority.SCHEDULED: 900.0,
    Priority.BACKGROUND: 3600.0,
}
"""Seconds that a job may wait for its first request when it does not say so itself."""


class Job:
    """One dialogue with one meter that waits for its turn on a line.

    ``start`` makes the dialogue when the turn comes, ``done`` hears how it ended: the
    dialogue's result, or a ``FieldError``, or ``Misuse`` when the dialogue has a bug.
    ``deadline_s`` is how long the job may wait until it begins (``Dropped`` after that; nothing was sent then); None:
    ``DEADLINE_S`` of its priority. Jobs with the same ``merge`` key that wait or run at the same time are done once,
    for all who asked.
    """

    __slots__ = (
        "address",
        "answered",
        "ask",
        "cancelled",
        "codec",
        "deadline",
        "deadline_s",
        "dialogue",
        "done",
        "followers",
        "held",
        "merge",
        "meter_id",
        "over",
        "priority",
        "queued_at",
        "silent",
        "start",
        "tried",
        "tries_limit",
    )

    def __init__(
        self,
        meter_id: str,
        address: str,
        codec: str,
        start: Callable[[], Dialogue[Any]],
        done: Done,
        *,
        priority: Priority,
        deadline_s: float | None = None,
        merge: Hashable | None = None,
    ) -> None:
        self.meter_id = meter_id
        self.address = address
        self.codec = codec
        self.start = start
        self.done = done
        self.priority = priority
        self.deadline_s = deadline_s
        self.merge = merge
        self.deadline = 0.0
        self.followers: list[Job] | None = None
        self.queued_at = 0.0
        self.over = False
        """``done`` was called."""
        self.cancelled = False
        # While it runs:
        self.dialogue: Dialogue[Any] | None = None
        self.ask: Ask | None = None
        self.tried = 0
        self.tries_limit: int | None = None
        self.held = False
        self.answered = False
        self.silent = False


class JobQueue:
    """Jobs that wait. ``best`` is the highest priority that waits, ``NOTHING`` when none does."""

    NOTHING = 99

    def __init__(self) -> None:
        self._levels: tuple[OrderedDict[str, list[Job]], ...] = tuple(OrderedDict() for _ in Priority)
        self._count = 0
        self.best: int = self.NOTHING

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Job]:
        for level in self._levels:
            for jobs in level.values():
                yield from jobs

    def push(self, job: Job) -> None:
        """Put a job behind those of its priority; the meter's turn comes after the meters that wait already."""
        level = self._levels[job.priority]
        jobs = level.get(job.meter_id)
        if jobs is None:
            level[job.meter_id] = [job]
        else:
            jobs.append(job)
        self._count += 1
        if job.priority < self.best:
            self.best = job.priority

    def pop(self) -> Job:
        """Take the next job; only when ``best`` is not ``NOTHING``."""
        level = self._levels[self.best]
        meter_id, jobs = level.popitem(last=False)
        job = jobs.pop(0)
        if jobs:
            level[meter_id] = jobs
        elif not level:
            self._find_best()
        self._count -= 1
        return job

    def remove(self, job: Job) -> bool:
        """Take ``job`` out; False when it does not wait here."""
        level = self._levels[job.priority]
        jobs = level.get(job.meter_id)
        if jobs is None or job not in jobs:
            return False
        jobs.remove(job)
        if not jobs:
            del level[job.meter_id]
            self._find_best()
        self._count -= 1
        return True

    def newest_of_lowest(self) -> Job:
        """The job to give up when the queue is full; only when it is not empty."""
        level = next(level for level in reversed(self._levels) if level)
        return next(reversed(level.values()))[-1]

    def _find_best(self) -> None:
        for priority, level in enumerate(self._levels):
            if level:
                self.best = priority
                return
        self.best = self.NOTHING

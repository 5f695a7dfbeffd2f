"""The queue of one line: jobs by priority, first come first served, and meters in turn within a priority."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from enum import IntEnum
from typing import Any, TypeAlias

from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.standing import Standing

Done: TypeAlias = Callable[[Any, Exception | None], None]
"""Called once per job with ``(result, None)`` or ``(None, error)``."""


NOBODY: Mapping[int, deque[Turn]] = {}


class Priority(IntEnum):
    """Who is served first; a lower number goes before a higher one."""

    MONEY = 0
    OPERATOR = 1
    TENANT = 2
    SCHEDULED = 3
    BACKGROUND = 4


ROUTINE = Priority.SCHEDULED
"""From this one on reads are routine. (In Python 3.11 naming a member takes longer than comparing it.)"""

DEADLINE_S = (30.0, 30.0, 30.0, 900.0, 3600.0)
"""Seconds that a job of each priority may wait for its first request when it does not say so itself."""


class Turn(ABC):
    """One dialogue with one meter that waits for its turn on a line, and what the line keeps of it.

    ``deadline_s`` is how long it may wait until it begins (``Dropped`` after that; nothing was sent then); None:
    ``DEADLINE_S`` of its priority. Those with the same ``merge`` key that wait or run at the same time are done once,
    for all who asked.
    """

    __slots__ = (
        "address",
        "answered",
        "ask",
        "cancelled",
        "codec",
        "deadline_s",
        "dialogue",
        "followers",
        "held",
        "merge",
        "meter_id",
        "over",
        "priority",
        "queued_at",
        "silent",
        "standing",
        "tried",
        "tries_limit",
    )

    standing: Standing
    """How its meter stands; the line sets it."""
    queued_at: float

    def __init__(
        self,
        meter_id: str,
        address: str,
        codec: str,
        priority: Priority,
        deadline_s: float | None = None,
        merge: Hashable | None = None,
    ) -> None:
        self.meter_id = meter_id
        self.address = address
        self.codec = codec
        self.priority = priority
        self.deadline_s: float = DEADLINE_S[priority] if deadline_s is None else deadline_s
        self.merge = merge
        self.followers: list[Turn] | None = None
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

    @abstractmethod
    def start(self) -> Dialogue[Any]:
        """Make the dialogue; called when the turn comes."""

    @abstractmethod
    def done(self, result: Any, error: Exception | None, /) -> None:
        """Hear how it ended: the dialogue's result, or a ``FieldError``, or ``Misuse`` when the dialogue has a bug."""

    @property
    def deadline(self) -> float:
        """When it has waited for as long as it may."""
        return self.queued_at + self.deadline_s


class Job(Turn):
    """A turn of two callables: ``start`` makes the dialogue, ``done`` hears how it ended."""

    __slots__ = ("done", "start")

    start: Callable[[], Dialogue[Any]]
    done: Done

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
        super().__init__(meter_id, address, codec, priority, deadline_s, merge)
        self.start = start
        self.done = done


class JobQueue:
    """Jobs that wait, ``count`` of them. ``best`` is the highest priority that waits, ``NOTHING`` when none does.

    Of a meter one job of each priority stands in ``_levels``; its ``Standing`` knows which, and keeps those behind it.
    """

    __slots__ = ("_levels", "best", "count")

    NOTHING = 99

    def __init__(self) -> None:
        self._levels: tuple[deque[Turn], ...] = tuple(deque() for _ in Priority)
        self.count = 0
        self.best: int = self.NOTHING

    def __iter__(self) -> Iterator[Turn]:
        for priority, level in enumerate(self._levels):
            for job in level:
                yield job
                yield from (job.standing.behind or NOBODY).get(priority, ())

    def push(self, job: Turn) -> None:
        """Put a job behind those of its priority; the meter's turn comes after the meters that wait already."""
        priority, standing = job.priority, job.standing
        self.count += 1
        if standing.turns >> priority & 1:
            if standing.behind is None:
                standing.behind = {}
            standing.behind.setdefault(int(priority), deque()).append(job)
            return
        standing.turns |= 1 << priority
        self._levels[priority].append(job)
        if priority < self.best:
            self.best = priority

    def pop(self) -> Turn:
        """Take the next job; only when ``best`` is not ``NOTHING``."""
        level = self._levels[self.best]
        job = level.popleft()
        self.count -= 1
        self._next_of_meter(job, level)
        return job

    def _next_of_meter(self, job: Turn, level: deque[Turn]) -> None:
        """``job`` left its level: the meter's next one takes a turn after the other meters."""
        standing, priority = job.standing, job.priority
        if standing.behind and (behind := standing.behind.get(priority)):
            level.append(behind.popleft())
            return
        standing.turns &= ~(1 << priority)
        if not level:
            self._find_best()

    def remove(self, job: Turn) -> bool:
        """Take ``job`` out; False when it does not wait here."""
        level = self._levels[job.priority]
        behind = (job.standing.behind or NOBODY).get(job.priority)
        if behind and job in behind:
            behind.remove(job)
        elif job in level:
            level.remove(job)
            self._next_of_meter(job, level)
        else:
            return False
        self.count -= 1
        return True

    def newest_of_lowest(self) -> Turn:
        """The job to give up when the queue is full; only when it is not empty."""
        priority, level = next((number, level) for number, level in reversed(list(enumerate(self._levels))) if level)
        newest = level[-1]
        behind = (newest.standing.behind or NOBODY).get(priority)
        return behind[-1] if behind else newest

    def _find_best(self) -> None:
        for priority, level in enumerate(self._levels):
            if level:
                self.best = priority
                return
        self.best = self.NOTHING

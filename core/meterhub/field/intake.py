"""The desk of a line: takes jobs, merges equal ones, refuses and drops, and tells everybody how it ended."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

from meterhub.clock import Clock, iso
from meterhub.errors import BadInput, Dropped, LinkDown, MeterHubError, NoAnswer
from meterhub.field.causes import in_words
from meterhub.field.dialogue import Dialogue
from meterhub.field.figures import JOBS, Figures
from meterhub.field.line_config import LineConfig
from meterhub.field.link import Channel
from meterhub.field.queue import ROUTINE, Job, JobQueue, Priority, Turn
from meterhub.field.standing import Standing
from meterhub.texts import mark

log = logging.getLogger(__name__)

EXPIRE_EVERY_S = 0.25
"""The queue is searched for jobs that are too late at most so often."""


class Intake(ABC):
    """What a line knows of its jobs before they begin and after they end."""

    __slots__ = (
        "_baud",
        "_byte_s",
        "_channel",
        "_clock",
        "_counts",
        "_down_cause",
        "_expire_at",
        "_merged",
        "_queue",
        "_queue_limit",
        "config",
        "figures",
        "line_id",
        "meters",
    )

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        self.config = config
        self.line_id = config.id
        self.figures = Figures(clock.monotonic())
        self._counts = self.figures.counts
        self.meters: dict[str, Standing] = {}
        self._clock = clock
        self._queue_limit = config.queue_limit
        self._baud = config.baud
        self._byte_s = config.byte_s
        self._queue = JobQueue()
        self._merged: dict[Hashable, Turn] = {}
        self._channel: Channel | None = None
        self._down_cause = "never_seen"
        self._expire_at = float("inf")

    @abstractmethod
    def _run(self, now: float | None = None) -> None:
        """Begin the next job if the wire is free; ``now`` as the clock said a moment ago."""

    @abstractmethod
    def _arm(self, due: float) -> None:
        """Have ``_expire`` called at ``due``; needed only while nothing moves the line."""

    @property
    def connected(self) -> bool:
        """Is there a way to the wire?"""
        return self._channel is not None

    @property
    def down_cause(self) -> str:
        """Why there is no way to the wire, a word of ``field.collector.CAUSES``; '' when there is one."""
        return "" if self.connected else self._down_cause

    def retune(self, baud: int) -> bool:
        """Change the speed of the wire until further notice, where the link can; False where it cannot."""
        if self._channel is None or not self._channel.set_speed(baud):
            return False
        self._byte_s = self.config.byte_s * self.config.baud / baud
        self._baud = baud
        return True

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._queue.count

    @property
    def trip_s(self) -> float:
        """The usual time from a request to its answer, the mean of its meters; 0 before the first."""
        trips_s = [one.trip_s for one in self.meters.values() if one.trip_s]
        return sum(trips_s) / len(trips_s) if trips_s else 0.0

    def standing(self, meter_id: str) -> Standing:
        """How a meter has answered of late."""
        standing = self.meters.get(meter_id)
        if standing is None:
            standing = self.meters[meter_id] = Standing(self._clock)
        return standing

    def forget(self, meter_id: str) -> None:
        """The meter is no longer on this line."""
        self.meters.pop(meter_id, None)

    async def run(
        self,
        meter_id: str,
        address: str,
        codec: str,
        start: Callable[[], Dialogue[Any]],
        *,
        priority: Priority,
        deadline_s: float | None = None,
        merge: Hashable | None = None,
    ) -> Any:
        """Submit a job and wait for its result; raises what its dialogue raises. Cancelling cancels the job."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def done(result: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        job = Job(meter_id, address, codec, start, done, priority=priority, deadline_s=deadline_s, merge=merge)
        self.submit(job)
        try:
            return await future
        except asyncio.CancelledError:
            self.cancel(job)
            raise

    def submit(self, job: Turn) -> None:
        """Queue a job; it begins at once when the wire is free. Whatever goes wrong is told through ``job.done``,
        which may be called before this returns."""
        now = job.queued_at = self._clock.monotonic()
        job.standing = self.meters.get(job.meter_id) or self.standing(job.meter_id)
        if self._channel is None or now < job.standing.rest_until:
            refusal = self._refusal(job, now)
            if refusal is not None:
                self._tell(job, None, refusal)
                return
        if job.merge is not None and self._join(job):
            return
        queue = self._queue
        queue.push(job)
        if queue.count > self._queue_limit:
            self._give_up(queue.newest_of_lowest(), Dropped("the queue of the line is full"))
        deadline = now + job.deadline_s
        if deadline < self._expire_at:
            self._expire_at = deadline
            if self._channel is None:
                self._arm(deadline)
        self._run(now)

    def cancel(self, job: Turn) -> None:
        """Drop a job. One that runs is told so at once and stops after its present exchange."""
        if job.over:
            return
        leader = self._merged.get(job.merge, job) if job.merge is not None else job
        if leader is not job and leader.followers and job in leader.followers:
            leader.followers.remove(job)
        elif not job.followers:
            self._queue.remove(job)
            if leader is job and job.merge is not None:
                self._merged.pop(job.merge, None)
            job.cancelled = True
        self._call(job, None, Dropped("cancelled", where=job.meter_id))

    def _refusal(self, job: Turn, now: float) -> MeterHubError | None:
        """Why this job cannot be served, if so."""
        if self._channel is None and job.priority > Priority.OPERATOR:
            return LinkDown(f"the line is not connected: {in_words(self._down_cause)}", where=job.meter_id)
        standing = job.standing
        if now >= standing.rest_until or job.priority < ROUTINE:
            return None
        until = iso(self._clock.now() + int((standing.rest_until - now) * 1000))
        return NoAnswer(f"the meter rests until {until} after {standing.failures} silent reads", where=job.meter_id)

    def _join(self, job: Turn) -> bool:
        """Let ``job`` share the result of one with the same merge key; False when there is none."""
        assert job.merge is not None
        leader = self._merged.setdefault(job.merge, job)
        if leader is job:
            return False
        if leader.followers is None:
            leader.followers = []
        leader.followers.append(job)
        queued = self._queue.remove(leader)
        leader.priority = min(leader.priority, job.priority)
        leader.deadline_s = max(leader.deadline, job.deadline) - leader.queued_at
        if queued:
            self._queue.push(leader)
        return True

    def _take(self, now: float) -> Turn | None:
        """The next job of the queue, or None when it had to be refused after all."""
        job = self._queue.pop()
        refusal = self._refusal(job, now) if now < job.standing.rest_until else None
        if now - job.queued_at >= job.deadline_s:
            refusal = self._too_late(job, now)
        if refusal is None:
            return job
        self._tell(job, None, refusal)
        return None

    def _give_up(self, job: Turn, error: MeterHubError) -> None:
        """End a job that still waits."""
        self._queue.remove(job)
        error.where = error.where or job.meter_id
        self._tell(job, None, error)

    def _expire(self, now: float) -> None:
        """Drop what waits longer than it may, if it is time to look."""
        if now >= self._expire_at:
            for job in [one for one in self._queue if one.deadline <= now]:
                self._give_up(job, self._too_late(job, now))
            first = min((one.deadline for one in self._queue), default=float("inf"))
            self._expire_at = max(first, now + EXPIRE_EVERY_S)
        if self._channel is None and self._queue.count:
            self._arm(self._expire_at)

    def _too_late(self, job: Turn, now: float) -> Dropped:
        why = mark("the line was busy")
        if self._channel is None:
            why = f"the line is not connected: {in_words(self._down_cause)}"
        waited_s = f"{now - job.queued_at:.1f}"
        return Dropped(f"not sent within {waited_s} s: {why}", where=job.meter_id)

    def _tell(self, job: Turn, result: Any, error: Exception | None) -> None:
        """The job is over: count it and call everybody who waits for it."""
        self._counts[JOBS] += 1
        if error is not None:
            self._blame(job, error)
        if job.merge is not None and self._merged.get(job.merge) is job:
            del self._merged[job.merge]
        if not job.over:
            self._call(job, result, error)
        for one in job.followers or ():
            if not one.over:
                self._call(one, result, error)

    def _blame(self, job: Turn, error: Exception) -> None:
        """Count an error for the line and the meter; a caller's mistake is neither's."""
        if isinstance(error, BadInput):
            return
        ours = error if isinstance(error, MeterHubError) else MeterHubError(str(error))
        self.figures.failed(ours.code)
        job.standing.last_error = ours.message

    def _call(self, job: Turn, result: Any, error: Exception | None) -> None:
        job.over = True
        try:
            job.done(result, error)
        except Exception:
            # The boundary to whoever asked.
            log.exception("line %s: the caller failed on the result of %s", self.line_id, job.meter_id)

"""Schedules: a rule in time, and one row per occasion, unique (schedule, due_ms).

The row is written before anything is done, so that an occasion is carried out once even when the hub restarts in
that very minute, and so that a missed one can be caught up.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from meterhub.actions import Actions, System
from meterhub.bus import Bus
from meterhub.cause import Cause
from meterhub.clock import Clock, utc
from meterhub.errors import MeterHubError
from meterhub.occasion import Occasion
from meterhub.store.engine import Store
from meterhub.tasks import Spawn
from meterhub.texts import mark

log = logging.getLogger(__name__)

MAX_TIMER_S = 3600.0
"""The alarm is set again at least this often, so that a clock that is put forward or back is noticed."""

NEVER_MS = 253_402_300_799_000
"""The end of the year 9999: no occasion is left."""
LATE_MS = 86_400_000
"""An occasion that was never begun is caught up at most so late."""

CUT_OFF = mark("the hub stopped before it was over")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule in time: ``cron`` (five fields), ``every_s`` with a phase that survives restarts, or once ``at``.

    ``cron`` and ``at`` are times of ``zone``. ``catch_up``: ``once`` runs the latest missed occasion after a restart,
    ``none`` lets it go; one that is over for more than a day is let go where it was never begun.
    """

    id: str
    action: str
    target: Mapping[str, Any]
    zone: ZoneInfo
    cron: str = ""
    every_s: int = 0
    at: datetime | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    catch_up: str = "once"
    enabled: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True)
class DueFinished:
    """One occasion of a schedule came to its end; ``outcome`` is the action's summary or its error."""

    schedule: Schedule
    due_ms: int
    outcome: Mapping[str, Any]


class Claimed(NamedTuple):
    """The latest occasion that was claimed. ``ended``: its outcome is known; ``whole``: and nothing of it failed."""

    due_ms: int
    ended: bool
    whole: bool


class DueRows(Protocol):
    """Where the occasions are kept."""

    async def claim(self, schedule: str, due_ms: int) -> bool:
        """Write the row; False when it exists already."""

    async def finish(self, schedule: str, due_ms: int, outcome: Mapping[str, Any]) -> None:
        """Write how it ended."""

    async def last(self, schedule: str) -> Claimed | None:
        """The latest occasion that was claimed."""


def at_of(schedule: Schedule) -> int:
    """When a schedule of one occasion is due, in epoch ms."""
    assert schedule.at is not None
    return int(schedule.at.replace(tzinfo=schedule.zone).timestamp() * 1000)


def next_due(schedule: Schedule, after_ms: int) -> int:
    """The first occasion after ``after_ms``, in epoch ms.

    In the hour that a zone repeats in autumn, a rule with fixed hours fires once, in the first pass.
    """
    if schedule.at is not None:
        at_ms = at_of(schedule)
        return at_ms if at_ms > after_ms else NEVER_MS
    if schedule.every_s:
        step_ms = schedule.every_s * 1000
        return (after_ms // step_ms + 1) * step_ms
    from croniter import croniter  # 40 ms to import: only hubs with a cron rule pay it

    moment = utc(after_ms).astimezone(schedule.zone)
    rule = croniter(schedule.cron, moment)
    fixed_hours = not schedule.cron.split()[1].startswith("*")
    while True:
        due: datetime = rule.get_next(datetime)
        due_ms = int(due.timestamp() * 1000)
        second_pass = utc(due_ms).astimezone(schedule.zone).fold == 1
        if due_ms > after_ms and not (fixed_hours and second_pass):
            return due_ms


class Schedules:
    """Fires schedules at their occasions.

    ``select(target)`` resolves the ``target:`` of a schedule to devices at the moment it fires.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        actions: Actions,
        rows: DueRows,
        select: Callable[[Mapping[str, Any]], Sequence[Any]],
        spawn: Spawn,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._actions = actions
        self._rows = rows
        self._select = select
        self._spawn = spawn
        self._schedules: dict[str, Schedule] = {}
        self._next: dict[str, int] = {}
        self._last: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._busy: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self._schedules.values())

    def next_ms(self, schedule_id: str) -> int | None:
        """When the schedule fires next, None when it is disabled or over."""
        due_ms = self._next.get(schedule_id)
        return None if due_ms == NEVER_MS else due_ms

    def last(self, schedule_id: str) -> tuple[int, Mapping[str, Any]] | None:
        """The latest finished occasion of this process and its outcome."""
        return self._last.get(schedule_id)

    async def start(self, schedules: Iterable[Schedule]) -> None:
        """Take the schedules, catch up what was missed, and set the alarm."""
        now = self._clock.now()
        for schedule in schedules:
            self._schedules[schedule.id] = schedule
            if not schedule.enabled:
                continue
            self._next[schedule.id] = next_due(schedule, now)
            missed = await self._missed(schedule, now)
            if missed is not None:
                self._fire(schedule, *missed)
        self._set_alarm()

    def stop(self) -> None:
        """Set no more alarms; what is under way ends by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _missed(self, schedule: Schedule, now_ms: int) -> tuple[int, bool] | None:
        """The latest occasion, when it passed while the hub was down and should be caught up.

        With True: it was claimed, and the stop cut it off; only reads go on then, since they do nothing twice.
        """
        last = await self._rows.last(schedule.id)
        if last is None:
            at_ms = at_of(schedule) if schedule.at is not None and schedule.catch_up == "once" else NEVER_MS
            return (at_ms, False) if now_ms - LATE_MS < at_ms <= now_ms else None
        if schedule.catch_up != "once":
            await self._close(schedule, last)
            return None
        due = next_due(schedule, last.due_ms)
        if due > now_ms and not last.whole and self._resumes(schedule):
            return last.due_ms, True
        await self._close(schedule, last)
        if due > now_ms:
            return None
        if schedule.every_s:
            step_ms = schedule.every_s * 1000
            return now_ms // step_ms * step_ms, False
        while (later := next_due(schedule, due)) <= now_ms:
            due = later
        return due, False

    async def _close(self, schedule: Schedule, last: Claimed) -> None:
        """An occasion that the stop cut off, and that does not go on, says so."""
        if not last.ended:
            await self._rows.finish(schedule.id, last.due_ms, {"error": CUT_OFF})

    def _resumes(self, schedule: Schedule) -> bool:
        try:
            action = self._actions.get(schedule.action)
        except MeterHubError:
            return False
        return action.many is not None and not action.durable

    def _set_alarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next:
            wait_s = (min(self._next.values()) - self._clock.now()) / 1000
            self._timer = self._clock.call_later(min(max(wait_s, 0.0), MAX_TIMER_S), self._ring)

    def _ring(self) -> None:
        now = self._clock.now()
        for schedule_id, due_ms in list(self._next.items()):
            if due_ms <= now:
                schedule = self._schedules[schedule_id]
                self._next[schedule_id] = next_due(schedule, now)
                self._fire(schedule, due_ms)
        self._set_alarm()

    def _fire(self, schedule: Schedule, due_ms: int, claimed: bool = False) -> None:
        self._spawn(f"schedule {schedule.id}", self._carry_out(schedule, due_ms, claimed))

    async def _carry_out(self, schedule: Schedule, due_ms: int, claimed: bool) -> None:
        if not claimed and not await self._rows.claim(schedule.id, due_ms):
            return
        if schedule.id in self._busy:
            outcome: Mapping[str, Any] = {"skipped": mark("the occasion before is still running")}
        else:
            self._busy.add(schedule.id)
            try:
                outcome = await self._run(schedule, due_ms)
            finally:
                self._busy.discard(schedule.id)
        await self._note(schedule, due_ms, outcome)

    async def _note(self, schedule: Schedule, due_ms: int, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome, and tell it when it is the last word."""
        said = {key: value for key, value in outcome.items() if key != "open"}
        if due_ms >= self._last.get(schedule.id, (0,))[0]:
            self._last[schedule.id] = (due_ms, said)
        await self._rows.finish(schedule.id, due_ms, said)
        if not outcome.get("open"):
            self._bus.emit(DueFinished(schedule, due_ms, said))

    def _occasion(self, schedule: Schedule, due_ms: int) -> Occasion:
        def tell(outcome: Mapping[str, Any]) -> None:
            self._spawn(f"schedule {schedule.id}", self._note(schedule, due_ms, outcome))

        return Occasion(due_ms, next_due(schedule, max(due_ms, self._clock.now())), tell)

    async def _run(self, schedule: Schedule, due_ms: int) -> Mapping[str, Any]:
        actor = System(f"schedule:{schedule.id}")
        cause = Cause("schedule", schedule.id)
        try:
            action = self._actions.get(schedule.action)
            targets = self._select(schedule.target)
            if action.many is not None:
                return await action.many(targets, schedule.params, cause, self._occasion(schedule, due_ms))
            runs = [
                await self._actions.call(
                    action.name,
                    target.id,
                    schedule.params,
                    actor=actor,
                    key=f"{schedule.id}-{due_ms}-{target.id}",
                    cause=cause,
                )
                for target in targets
            ]
            for run in runs:
                if run.done is not None:
                    await run.done
            return {"asked": len(runs), "confirmed": sum(run.state == "confirmed" for run in runs)}
        except MeterHubError as error:
            log.error("schedule %s failed: %s", schedule.id, error)
            return {"error": error.message}


class StoredDueRows:
    """The occasions in the store's ``due`` table."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def claim(self, schedule: str, due_ms: int) -> bool:
        """Insert the row; False when another start of the hub did so already."""
        params = {"schedule": schedule, "due_ms": due_ms, "now_ms": self._clock.now()}

        return await self._store.transact(lambda tx: tx.execute("claim_due", params) == 1)

    async def finish(self, schedule: str, due_ms: int, outcome: Mapping[str, Any]) -> None:
        """Update the row with the outcome as JSON."""
        params = {
            "schedule": schedule,
            "due_ms": due_ms,
            "now_ms": self._clock.now(),
            "detail": json.dumps(outcome, ensure_ascii=False, default=str),
        }
        await self._store.transact(lambda tx: tx.execute("finish_due", params))

    async def last(self, schedule: str) -> Claimed | None:
        """The latest claimed occasion."""
        for row in await self._store.query("last_due", {"schedule": schedule}):
            outcome = json.loads(row["detail"] or "{}")
            ended = row["state"] == "finished"
            return Claimed(row["due_ms"], ended, ended and not outcome.get("failed") and not outcome.get("missing"))
        return None

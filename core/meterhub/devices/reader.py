"""Reader: polls meters over their lines and turns what comes back into states.

One poll of one meter is one job on its line. The reader is the only place that knows both sides: the protocol's
dialogue below, the estate above. Hot path: no task, lock or plugin call per reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.devices.device import Device, Status
from meterhub.devices.entity import QUALITIES, Entity, Quality, Value
from meterhub.devices.profile import Profile
from meterhub.devices.states import Estate
from meterhub.errors import BadFrame, BadInput, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.line import Job, Line, Priority
from meterhub.field.protocol import Protocol
from meterhub.field.queue import Turn

Done = Callable[["Poll"], None]

QUALITY_BY_WORD = {str(one): one for one in QUALITIES}
ONLINE = Status.ONLINE
"""In Python 3.11 naming a member takes longer than comparing it."""
NONE_FAILED: Mapping[str, Exception] = {}
SLACK_MS = 5_000
"""A value is due for refresh this much earlier, so that a quarter-hourly sweep never misses by a second."""


class Poll:
    """The outcome of one poll: the entities it updated, the keys that failed with why, or the error that ended it."""

    __slots__ = ("device", "error", "failed", "updated")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.updated: Sequence[Entity] = ()
        self.failed: Mapping[str, Exception] = NONE_FAILED
        self.error: Exception | None = None


class Plan:
    """How some entities of a profile are read: their places in ``device.entities`` and their compiled points."""

    __slots__ = ("indexes", "points", "protocol")

    def __init__(self, protocol: Protocol, indexes: tuple[int, ...], points: Sequence[Any]) -> None:
        self.protocol = protocol
        self.indexes = indexes
        self.points = points


class Asked(Turn):
    """A poll under way, one object each: ten thousand of them wait at a time."""

    __slots__ = ("_cause", "_device", "_plan", "_reader", "_tell")

    def __init__(
        self,
        reader: Reader,
        device: Device,
        plan: Plan,
        done: Done,
        cause: Cause | None,
        priority: Priority,
        deadline_s: float | None,
    ) -> None:
        super().__init__(device.id, device.address, device.profile.protocol, priority, deadline_s, (device.id, plan))
        self._reader = reader
        self._device = device
        self._plan = plan
        self._tell = done
        self._cause = cause

    def start(self) -> Dialogue[PollReport]:
        """The dialogue that reads the points."""
        return self._plan.protocol.read(self._device, self._plan.points)

    def done(self, report: PollReport | None, error: Exception | None, /) -> None:
        """Keep what came and tell who asked."""
        self._tell(self._reader.take(self._device, self._plan.indexes, report, error, self._cause))


class Reader:
    """Reads and commands meters. ``lines`` and ``protocols`` are filled at start by whoever builds the estate."""

    def __init__(self, estate: Estate, clock: Clock) -> None:
        self.lines: dict[str, Line] = {}
        self.protocols: dict[str, Protocol] = {}
        self._estate = estate
        self._clock = clock
        self._plans: dict[tuple[Profile, tuple[int, ...]], Plan] = {}
        self._refresh: dict[Profile, tuple[tuple[int, int], ...]] = {}
        """Per profile the place of each entity with a point, and the age in ms from which a sweep reads it again."""

    def poll(
        self,
        device: Device,
        indexes: tuple[int, ...],
        done: Done,
        *,
        priority: Priority = Priority.SCHEDULED,
        deadline_s: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Queue one poll of ``device`` for the entities at ``indexes``; ``done(poll)`` follows exactly once.

        ``deadline_s`` is how long the poll may wait for its turn (None: what its priority allows).
        """
        profile = device.profile
        plan = self._plans.get((profile, indexes)) or self._make_plan(profile, indexes)
        self.lines[device.parent].submit(Asked(self, device, plan, done, cause, priority, deadline_s))

    async def read(
        self,
        device: Device,
        keys: Iterable[str] = (),
        *,
        priority: Priority = Priority.OPERATOR,
        cause: Cause | None = None,
        timeout_s: float = 60.0,
    ) -> Poll:
        """Read some entities (all that have a point when ``keys`` is empty) and return when the meter answered.

        Raises ``BadInput`` for a key the device does not have. A failed poll is returned, not raised.
        """
        future: asyncio.Future[Poll] = asyncio.get_running_loop().create_future()

        def done(poll: Poll) -> None:
            if not future.done():
                future.set_result(poll)

        self.poll(
            device,
            self.indexes(device, keys),
            done,
            priority=priority,
            deadline_s=timeout_s,
            cause=cause,
        )
        return await future

    async def command(
        self,
        device: Device,
        name: str,
        params: Mapping[str, Any],
        *,
        priority: Priority = Priority.OPERATOR,
        cause: Cause | None = None,
        sent: Callable[[], None] | None = None,
        timeout_s: float = 60.0,
    ) -> CommandReply:
        """Carry out an action of the meter's protocol, with what follows it, and keep what was read back.

        ``sent`` is called when the first frame goes out. Raises what the dialogues raise.
        """
        protocol = self.protocols[device.profile.protocol]

        def start() -> Dialogue[CommandReply]:
            if sent is not None:
                sent()
            return protocol.command(device, name, params)

        try:
            reply = await self._carry_out(device, start, priority, timeout_s)
            self._keep(device, reply.values, cause)
            while reply.follow is not None:
                await self._clock.sleep(reply.after_s)
                reply = await self._carry_out(device, reply.follow, priority, timeout_s)
                self._keep(device, reply.values, cause)
        except Refused as error:
            self._keep(device, error.seen, cause)
            raise
        return reply

    async def _carry_out(
        self, device: Device, start: Callable[[], Dialogue[CommandReply]], priority: Priority, timeout_s: float
    ) -> CommandReply:
        """One dialogue of a command; it goes on when the caller is gone."""
        future: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()

        def done(reply: CommandReply | None, error: Exception | None) -> None:
            self._judge(device, error)
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(reply or CommandReply())

        self.lines[device.parent].submit(
            Job(
                device.id,
                device.address,
                device.profile.protocol,
                start,
                done,
                priority=priority,
                deadline_s=timeout_s,
            )
        )
        return await future

    def indexes(self, device: Device, keys: Iterable[str] = ()) -> tuple[int, ...]:
        """The places in ``device.entities`` of ``keys``, or of everything that has a point."""
        index, points = device.profile.index, device.profile.points
        wanted = tuple(keys)
        unknown = [key for key in wanted if key not in points]
        if unknown:
            raise BadInput(
                f"{device.id} has no {', '.join(unknown)} to read",
                hint="readable: " + ", ".join(points),
                where=device.id,
            )
        return tuple([index[key] for key in (wanted or points)])

    def due(self, device: Device, since_ms: int = 0, next_ms: int = 0) -> tuple[int, ...]:
        """The places of the entities that a sweep should read now, by their ``refresh_s``.

        A sweep of an occasion names it, and the next one: it reads what has not come since and would be older than
        it may be before the next. So a value that came late does not cost the next slot its own.
        """
        profile, entities = device.profile, device.entities
        refresh = self._refresh.get(profile)
        if refresh is None:
            places = [(profile.index[key], profile.entities[profile.index[key]].refresh_s) for key in profile.points]
            refresh = self._refresh[profile] = tuple([(place, s * 1000 - SLACK_MS) for place, s in places])
        if next_ms:
            return tuple(
                [
                    place
                    for place, age_ms in refresh
                    if (state := entities[place].state) is None
                    or (state.received_ms < since_ms and next_ms - state.received_ms > age_ms + SLACK_MS)
                ]
            )
        now = self._clock.now()
        return tuple(
            [
                place
                for place, age_ms in refresh
                if age_ms <= 0 or (state := entities[place].state) is None or now - state.received_ms >= age_ms
            ]
        )

    def _make_plan(self, profile: Profile, indexes: tuple[int, ...]) -> Plan:
        points = [profile.points[profile.entities[place].key] for place in indexes]
        plan = self._plans[profile, indexes] = Plan(self.protocols[profile.protocol], indexes, points)
        return plan

    def take(
        self,
        device: Device,
        indexes: tuple[int, ...],
        report: PollReport | None,
        error: Exception | None,
        cause: Cause | None,
    ) -> Poll:
        """Turn a poll's outcome into states and a status."""
        poll = Poll(device)
        if report is None:
            poll.error = error
            self._judge(device, error)
            return poll
        entities = device.entities
        updates: list[tuple[Entity, Value, Quality]] = [
            (entities[indexes[place]], value, QUALITY_BY_WORD[quality]) for place, value, quality in report.updated
        ]
        poll.updated = [entity for entity, _, _ in updates]
        if report.failed:
            failed = [(entities[indexes[place]], problem) for place, problem in report.failed]
            poll.failed = {entity.definition.key: problem for entity, problem in failed}
            updates += [(entity, None, Quality.INVALID) for entity, problem in failed if isinstance(problem, Refused)]
        now = self._clock.now()
        device.answered_ms = now
        device.failures = 0
        self._estate.apply(device, updates, now, cause)
        if device.status is not ONLINE:
            self._estate.set_status(device, ONLINE)
        return poll

    def hear(self, devices: Iterable[Device], frame: Any) -> None:
        """Take a frame that nobody asked for: the meter it is from gets its values."""
        for device in devices:
            report = self.protocols[device.profile.protocol].heard(device, frame)
            if report is not None:
                indexes = tuple([device.profile.index[key] for key in device.profile.points])
                self.take(device, indexes, report, None, Cause("meter", device.id))
                return

    def _keep(self, device: Device, values: Mapping[str, Value], cause: Cause | None) -> None:
        updates = []
        for key, value in values.items():
            entity = device.entity(key)
            if entity is not None:
                updates.append((entity, value, Quality.GOOD if value is not None else Quality.INVALID))
        self._estate.apply(device, updates, self._clock.now(), cause)

    def _judge(self, device: Device, error: Exception | None) -> None:
        """What the outcome of an exchange says of the meter's status."""
        if error is None or isinstance(error, Refused):
            device.answered_ms = self._clock.now()
            device.failures = 0
            self._estate.set_status(device, ONLINE)
        elif isinstance(error, LinkDown):
            self._estate.set_status(device, Status.LINK_DOWN, error.message)
        elif isinstance(error, NoAnswer | BadFrame):
            device.failures += 1
            self._estate.set_status(device, Status.NO_ANSWER, error.message)


def explain(poll: Poll) -> None:
    """Raise the error that ended a poll, if one did."""
    if poll.error is not None:
        raise poll.error if isinstance(poll.error, MeterHubError) else BadFrame(str(poll.error), where=poll.device.id)

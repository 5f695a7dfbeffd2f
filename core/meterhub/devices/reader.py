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
from meterhub.devices.states import Estate
from meterhub.errors import BadFrame, BadInput, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, PollReport
from meterhub.field.line import Job, Line, Priority
from meterhub.field.protocol import Protocol

Done = Callable[["Poll"], None]

QUALITY_BY_WORD = {str(one): one for one in QUALITIES}
SLACK_MS = 5_000
"""A value is due for refresh this much earlier, so that a quarter-hourly sweep never misses by a second."""


class Poll:
    """The outcome of one poll: the entities it updated, the keys that failed with why, or the error that ended it."""

    __slots__ = ("device", "error", "failed", "updated")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.updated: Sequence[Entity] = ()
        self.failed: dict[str, Exception] = {}
        self.error: Exception | None = None


class Reader:
    """Reads and commands meters. ``lines`` and ``protocols`` are filled at start by whoever builds the estate."""

    def __init__(self, estate: Estate, clock: Clock) -> None:
        self.lines: dict[str, Line] = {}
        self.protocols: dict[str, Protocol] = {}
        self._estate = estate
        self._clock = clock
        self._plans: dict[tuple[Any, tuple[int, ...]], list[Any]] = {}

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
        line = self.lines[device.parent]
        protocol = self.protocols[device.profile.protocol]
        points = self._points(device, indexes)

        def finished(report: PollReport | None, error: Exception | None) -> None:
            done(self._take(device, indexes, report, error, cause))

        line.submit(
            Job(
                device.id,
                device.address,
                protocol_name(device),
                lambda: protocol.read(device, points),
                finished,
                priority=priority,
                deadline_s=deadline_s,
                merge=(device.id, indexes),
            )
        )

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
        """Carry out an action of the meter's protocol and keep what was read back.

        ``sent`` is called when the first frame goes out. Raises what the dialogue raises.
        """
        protocol = self.protocols[device.profile.protocol]
        future: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()

        def start() -> Any:
            if sent is not None:
                sent()
            return protocol.command(device, name, params)

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
                protocol_name(device),
                start,
                done,
                priority=priority,
                deadline_s=timeout_s,
            )
        )
        reply = await future
        self._keep(device, reply, cause)
        return reply

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

    def due(self, device: Device) -> tuple[int, ...]:
        """The places of the entities that a sweep should read now, by their ``refresh_s``."""
        now = self._clock.now()
        places = []
        for key in device.profile.points:
            place = device.profile.index[key]
            entity = device.entities[place]
            refresh_ms = entity.definition.refresh_s * 1000
            if entity.state is None or now - entity.state.received_ms >= refresh_ms - SLACK_MS:
                places.append(place)
        return tuple(places)

    def _points(self, device: Device, indexes: tuple[int, ...]) -> list[Any]:
        key = (device.profile, indexes)
        points = self._plans.get(key)
        if points is None:
            points = [device.profile.points[device.profile.entities[place].key] for place in indexes]
            self._plans[key] = points
        return points

    def _take(
        self,
        device: Device,
        indexes: tuple[int, ...],
        report: PollReport | None,
        error: Exception | None,
        cause: Cause | None,
    ) -> Poll:
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
        for place, problem in report.failed:
            entity = entities[indexes[place]]
            poll.failed[entity.definition.key] = problem
            if isinstance(problem, Refused):
                updates.append((entity, None, Quality.INVALID))
        now = self._clock.now()
        device.answered_ms = now
        device.failures = 0
        self._estate.apply(device, updates, now, cause)
        if device.status is not Status.ONLINE:
            self._estate.set_status(device, Status.ONLINE)
        return poll

    def _keep(self, device: Device, reply: CommandReply, cause: Cause | None) -> None:
        updates = []
        for key, value in reply.values.items():
            entity = device.entity(key)
            if entity is not None:
                updates.append((entity, value, Quality.GOOD))
        self._estate.apply(device, updates, self._clock.now(), cause)

    def _judge(self, device: Device, error: Exception | None) -> None:
        """What the outcome of an exchange says of the meter's status."""
        if error is None or isinstance(error, Refused):
            device.answered_ms = self._clock.now()
            device.failures = 0
            self._estate.set_status(device, Status.ONLINE)
        elif isinstance(error, LinkDown):
            self._estate.set_status(device, Status.LINK_DOWN, error.message)
        elif isinstance(error, NoAnswer | BadFrame):
            device.failures += 1
            self._estate.set_status(device, Status.NO_ANSWER, error.message)


def protocol_name(device: Device) -> str:
    """The name under which the device's line keeps the codec."""
    return device.profile.protocol


def explain(poll: Poll) -> None:
    """Raise the error that ended a poll, if one did."""
    if poll.error is not None:
        raise poll.error if isinstance(poll.error, MeterHubError) else BadFrame(str(poll.error), where=poll.device.id)

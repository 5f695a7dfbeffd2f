"""A sweep: reads many meters, and asks whoever could not be read again until the next one is due."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.devices.device import Device, Status
from meterhub.devices.reader import Poll, Reader
from meterhub.errors import LinkDown, MeterHubError, Refused
from meterhub.field.line import Priority
from meterhub.occasion import Occasion

DEADLINE_S = 900.0
"""A scheduled read that could not be sent within a quarter of an hour is stale: the next sweep replaces it."""
AT_ONCE = 64
"""Reads that a sweep begins before others get their turn of the loop: some 5 ms."""
LONGEST_S = 3600.0
"""So long after its occasion a sweep asks again, at most."""
LOOK_S = 5.0
"""How often it looks whose line is connected again."""
FIRST_PAUSE_S = 15.0
"""Before meters that did not answer are asked again; twice as long each time."""
MOST_NAMED = 200


class Sweep:
    """One sweep. ``keys`` are the entities to read, all that are due when empty."""

    def __init__(
        self, reader: Reader, clock: Clock, keys: Sequence[str], cause: Cause, occasion: Occasion | None = None
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._keys = keys
        self._cause = cause
        self._occasion = occasion
        self._asked = 0
        self._first_round = True
        self._catching_up = occasion is not None
        self.open = False
        """Was an outcome told that is not the last word?"""
        self._missing: dict[str, tuple[Device, Poll]] = {}

    @property
    def outcome(self) -> dict[str, Any]:
        """How many were asked and answered, how many failed by kind, and who misses what (``MOST_NAMED`` of them)."""
        silent = [poll.error for _, poll in self._missing.values() if poll.error is not None]
        said: dict[str, Any] = {
            "asked": self._asked,
            "answered": self._asked - len(silent),
            "failed": dict(Counter(one.code if isinstance(one, MeterHubError) else "error" for one in silent)),
        }
        if self._missing:
            named = list(self._missing.items())[:MOST_NAMED]
            said["missing"] = {meter_id: _why(poll) for meter_id, (_, poll) in named}
        return said

    async def read(self, devices: Sequence[Device]) -> None:
        """Read all of them; every line works through its own in parallel."""
        self._asked = len(devices)
        await self._round(devices, Priority.SCHEDULED, DEADLINE_S)
        self._first_round = False
        self.open = self._catching_up and bool(self._missing)

    async def catch_up(self) -> None:
        """Until all are read or it is time for the next sweep: ask again, and at once whose line is back.

        Runs beside ``read``: one slow line keeps nobody else from being asked again.
        """
        assert self._occasion is not None
        clock = self._clock
        until_s = clock.monotonic() + min(self._occasion.next_ms - clock.now(), LONGEST_S * 1000) / 1000 - LOOK_S
        pause_s = FIRST_PAUSE_S
        again_s = clock.monotonic() + pause_s
        while (self._missing or self._first_round) and clock.monotonic() + LOOK_S < until_s:
            await clock.sleep(LOOK_S)
            everybody = clock.monotonic() >= again_s
            ready = [device for device, poll in self._missing.values() if self._worth(device, poll, everybody)]
            if ready:
                await self._round(ready, Priority.BACKGROUND, until_s - clock.monotonic())
            if everybody:
                pause_s *= 2
                again_s = clock.monotonic() + pause_s
        self._catching_up = False

    def _worth(self, device: Device, poll: Poll, everybody: bool) -> bool:
        """Is this the moment to ask a meter again?"""
        line = self._reader.lines.get(device.parent)
        if line is None or not line.connected or device.status is Status.DISABLED:
            return False
        rests = self._clock.monotonic() < line.standing(device.id).rest_until
        return not rests and (everybody or isinstance(poll.error, LinkDown))

    async def _round(self, devices: Sequence[Device], priority: Priority, deadline_s: float) -> None:
        """Ask each of ``devices`` once, and note who is still missing."""
        waiting = len(devices)
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(poll: Poll) -> None:
            nonlocal waiting
            waiting -= 1
            self._note(poll)
            if waiting == 0 and not finished.done():
                finished.set_result(None)

        for number, device in enumerate(devices):
            if number % AT_ONCE == AT_ONCE - 1:
                await self._clock.sleep(0)
            places = self._places(device)
            if places and device.parent in self._reader.lines:
                self._reader.poll(device, places, done, priority=priority, deadline_s=deadline_s, cause=self._cause)
            else:
                done(Poll(device))
        if devices:
            await finished

    def _note(self, poll: Poll) -> None:
        device = poll.device
        if poll.error is not None or any(not isinstance(one, Refused) for one in poll.failed.values()):
            self._missing[device.id] = (device, poll)
        else:
            self._missing.pop(device.id, None)

    def _places(self, device: Device) -> tuple[int, ...]:
        """What to ask: what has been said since the occasion is left out."""
        since_ms, next_ms = (self._occasion.due_ms, self._occasion.next_ms) if self._occasion is not None else (0, 0)
        if not self._keys:
            return self._reader.due(device, since_ms, next_ms)
        places = self._reader.indexes(device, self._keys)
        states = [(place, device.entities[place].state) for place in places]
        return tuple([place for place, state in states if state is None or state.received_ms < since_ms])


def _why(poll: Poll) -> str:
    """Why a meter is missing, in words; of one that said a part, the first reason."""
    error = poll.error or next(one for one in poll.failed.values() if not isinstance(one, Refused))
    return error.message if isinstance(error, MeterHubError) else str(error)

"""Brings notices of a simulated company to the merchant, again and again by its schedule until they are taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from meterhub.sim.faults import Fault, Faults
from meterhub.sim.world import World
from meterhub.tasks import Tasks

PATIENCE_S = 5.0
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery: where to, and what. ``forged`` is what a forger would send in its place."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    forged: Letter | None = None
    probe: Letter | None = None


@dataclass(slots=True)
class Delivered:
    """How one try ended; status 0 when there was no answer."""

    operation: str
    key: str
    status: int
    taken: bool


@dataclass(slots=True)
class Courier:
    """``schedule_s``: gaps after the first try. ``taken(status, body)``: whether an answer means that it arrived."""

    world: World
    tasks: Tasks
    faults: Faults
    schedule_s: Sequence[float]
    taken: Callable[[int, bytes], bool]
    log: deque[Delivered] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _session: aiohttp.ClientSession | None = None
    _held: list[asyncio.Event] = field(default_factory=list)

    def send(self, operation: str, key: str, make: Callable[[], Letter]) -> None:
        """Deliver in the background; ``make`` writes the letter anew for each try, with a fresh signature."""
        self.tasks.spawn(f"notice {key}", self._deliver(operation, key, make))

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, operation: str, key: str, make: Callable[[], Letter]) -> None:
        if self.faults.take(operation, Fault.DROPPED):
            return
        await self._delays(operation)
        for gap_s in (0.0, *self.schedule_s):
            await self.world.clock.sleep(self.world.wait_s(gap_s))
            if await self._copies(operation, key, make):
                break
        for held in self._held:
            held.set()
        self._held.clear()

    async def _delays(self, operation: str) -> None:
        if (late := self.faults.take(operation, Fault.LATE)) is not None:
            await self.world.clock.sleep(self.world.wait_s(late.seconds))
        if (swapped := self.faults.take(operation, Fault.SWAPPED)) is not None:
            held = asyncio.Event()
            self._held.append(held)
            with suppress(TimeoutError):  # when nothing comes after it, it goes alone
                async with self.world.clock.timeout(self.world.wait_s(swapped.seconds)):
                    await held.wait()

    async def _copies(self, operation: str, key: str, make: Callable[[], Letter]) -> bool:
        letter = make()
        for kind, wrong in ((Fault.FORGED, letter.forged), (Fault.PROBE, letter.probe)):
            if wrong is not None and self.faults.take(operation, kind):
                await self.hand_over(f"{operation} {kind}", key, wrong)
        if not self.faults.take(operation, Fault.TWICE):
            taken = (await self.hand_over(operation, key, letter)).taken
            if (replayed := self.faults.take(operation, Fault.REPLAYED) if taken else None) is not None:
                await self.world.clock.sleep(self.world.wait_s(replayed.seconds))
                await self.hand_over(f"{operation} {Fault.REPLAYED}", key, letter)
            return taken
        both = await asyncio.gather(self.hand_over(operation, key, letter), self.hand_over(operation, key, make()))
        return all(one.taken for one in (*both, await self.hand_over(operation, key, make())))

    async def hand_over(self, operation: str, key: str, letter: Letter) -> Delivered:
        """Deliver one letter once and say how that ended."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        status, taken = 0, False
        try:
            async with self._session.post(
                letter.url, data=letter.body, headers=dict(letter.headers), allow_redirects=False
            ) as response:
                status, taken = response.status, self.taken(response.status, await response.content.read(4096))
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # no answer: the next try comes by the schedule
        found = Delivered(operation, key, status, taken)
        self.log.append(found)
        return found

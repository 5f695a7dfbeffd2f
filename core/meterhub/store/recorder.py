"""The recorder: takes readings as polls bring them and has them stored about once a second.

Adding costs an append per reading. When more wait than is good, ``on_full`` is told, so that less is taken in. While
the store cannot write, readings wait here, up to a bound; beyond it the oldest are given up and counted, for a hub that
stops reading meters would be worse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from meterhub.clock import Clock
from meterhub.errors import MeterHubError, StoreError
from meterhub.store.calendar import SLOT_MS
from meterhub.store.engine import Reading, Store

BATCH_ROWS = 10_000
"""Readings in one transaction at most, so that nobody waits long for the writer."""

FULL_ROWS, ROOM_ROWS = 60_000, 20_000
"""So many readings that wait are enough for now, and so few leave room for more; they take some 10 MB."""

MAX_RETRY_S = 30.0

log = logging.getLogger(__name__)


class Recorder:
    """Buffers readings in front of a store.

    Counters: ``queued`` readings wait, ``written`` are committed, ``lost`` were given up; ``last_commit_ms`` is when
    the last were committed (0: none yet), ``fault`` says why the store does not take them now ("" when it does).
    ``on_full(True)`` is called when readings come faster than they are stored, ``on_full(False)`` when there is room
    again, or when the store fails: meters can still be commanded then, and that must not wait for a full disk.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        every_s: float = 1.0,
        most_rows: int = 500_000,
        on_full: Callable[[bool], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._most_rows = most_rows
        self._on_full = on_full
        self._full = False
        self._rows: list[Reading] = []
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._commit = asyncio.Lock()
        self._rolled_slot = 0
        self.written = 0
        self.lost = 0
        self.last_commit_ms = 0
        self.fault = ""

    @property
    def queued(self) -> int:
        """Readings that wait."""
        return len(self._rows)

    def add(self, rows: Iterable[Reading]) -> None:
        """Take ``(series, measured_ms, value, quality)`` of one poll; they are stored within about a second."""
        self._rows.extend(rows)
        if len(self._rows) >= BATCH_ROWS:
            self._due.set()
            if len(self._rows) >= FULL_ROWS and not self.fault:
                self._tell(True)
            if len(self._rows) > self._most_rows:
                self._give_up(len(self._rows) - self._most_rows)
        else:
            self._start_timer()

    async def run(self) -> None:
        """Store what is added, for ever; whoever owns the recorder owns this task too."""
        retry_s = 1.0
        while True:
            await self._due.wait()
            try:
                await self.flush()
                await self._roll_up()
                retry_s = 1.0
            except StoreError as error:
                self.fault = str(error)
                self._tell(False)
                log.error("readings wait in memory (%d): %s", self.queued, error)
                await self._clock.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)
                self._due.set()

    async def flush(self) -> None:
        """Returns when everything added before is committed; raises ``StoreError`` and keeps it when that fails."""
        async with self._commit:
            self._stop_timer()
            left = len(self._rows)
            try:
                while left > 0:
                    left -= await self._flush_batch()
            finally:
                self._start_timer()

    async def _flush_batch(self) -> int:
        batch = self._rows[:BATCH_ROWS]
        del self._rows[:BATCH_ROWS]
        try:
            await self._keep(batch)
        except BaseException:
            # Perhaps it was committed all the same; the same reading twice is one reading.
            self._rows[:0] = batch
            raise
        if len(self._rows) <= ROOM_ROWS:
            self._tell(False)
        return len(batch)

    def _tell(self, full: bool) -> None:
        if self._on_full is not None and full != self._full:
            self._full = full
            self._on_full(full)

    async def close(self) -> None:
        """Store what is left; what cannot be stored is counted as lost. Stop ``run`` first."""
        try:
            await self.flush()
        except StoreError as error:
            log.error("readings are lost (%d): %s", self.queued, error)
            self._give_up(len(self._rows))
        self._stop_timer()

    async def _keep(self, batch: list[Reading]) -> None:
        """Commit a batch; a reading that the store will never take is found by halving, and given up alone."""
        try:
            await self._store.record(batch)
        except StoreError:
            raise
        except MeterHubError as error:
            if len(batch) == 1:
                self.lost += 1
                log.error("a reading of series %s cannot be stored: %s", batch[0][0], error)
                return
            middle = len(batch) // 2
            await self._keep(batch[:middle])
            await self._keep(batch[middle:])
            return
        self.written += len(batch)
        self.last_commit_ms = self._clock.now()
        self.fault = ""

    async def _roll_up(self) -> None:
        """Once per quarter hour, after its first readings."""
        slot = self._clock.now() // SLOT_MS
        if slot != self._rolled_slot:
            await self._store.roll_up()
            self._rolled_slot = slot

    def _give_up(self, count: int) -> None:
        del self._rows[:count]
        self.lost += count

    def _start_timer(self) -> None:
        if self._rows and self._timer is None:
            self._timer = self._clock.call_later(self._every_s, self._due.set)

    def _stop_timer(self) -> None:
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

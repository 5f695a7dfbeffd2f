"""The outbox: what must happen after a commit, as rows of that very commit, carried out until it is done.

Rows with one lane are carried out one after the other, in their order; lanes run side by side. Each kind of work has
places of its own: a payment company that hangs holds up the questions to companies, and no delivery. A handler must
bear being called again for the same row: it may have been stopped after its effect and before the row was marked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import MeterHubError, StoreError
from meterhub.money.places import Places
from meterhub.store.engine import Row, Store, Transaction

SET_BACK_MS = 60_000
"""A clock that goes back by less was only put right a little."""
LOOK_S = 300.0
"""The longest time between two looks at the table."""
WAITS_S = (5, 30, 120, 600, 3600)
"""How long to wait after the first, second … failure; the last one for all that follow."""
STORE_WAIT_S = 30
"""How long to wait when it could not be written how far a row is."""
SECOND_MS = 1000
"""Rows that wait are due at whole seconds, so that many of them share one look and one commit."""
PARKED_MS = 253_402_300_799_000
"""The end of the year 9999: until a person has acted."""

_as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """The row is not done: look again in ``after_s`` seconds, or (None) when somebody wakes it.

    With an ``error`` it is a failure; the row counts those in a row (``failures``) beside all tries (``tries``).
    """

    after_s: float | None
    error: str = ""


DONE = Again(0)
"""The row is done, and the handler has said so in a transaction of its own: ``Outbox.finish``."""

Handler = Callable[[Row], Awaitable[Again | None]]
"""Carries out one row; None when it is done and still has to be marked so."""


def wait_s(failures: int) -> float:
    """How long to wait after so many failures."""
    return WAITS_S[min(failures, len(WAITS_S) - 1)]


class Outbox:
    """Puts rows in and carries them out."""

    def __init__(self, store: Store, clock: Clock, spawn: Callable[[str, Coroutine[Any, Any, Any]], Any]) -> None:
        self._store = store
        self._clock = clock
        self._spawn = spawn
        self._handlers: dict[str, Handler] = {}
        self._places: dict[str, Places] = {}
        """Of each kind of which there was ever a row."""
        self._next_ms = 0
        """When one of them is to be looked at next."""
        self._all_s = 0.0
        """When all of them are, by the clock that never goes back."""
        self._wake = asyncio.Event()
        self._ahead_ms: int | None = None
        self._looked = False
        self.fault = ""
        """Why nothing is carried out at present, "" when all is well."""

    def handle(self, kind: str, handler: Handler) -> None:
        """Rows of this kind are carried out by ``handler``."""
        self._handlers[kind] = handler

    def put(
        self,
        tx: Transaction,
        kind: str,
        key: str,
        lane: str,
        payload: Mapping[str, Any],
        *,
        operator: str,
        after_s: float = 0,
        again: bool = False,
    ) -> bool:
        """Add a row in the caller's transaction, due in ``after_s`` seconds; False when its key is there already.

        With ``again`` a row that is done is to be carried out once more. A kind that nobody carries out (no message
        service is set up) is kept as ``no_way``, so that it can be seen.
        """
        now_ms = self._clock.now()
        state = "waiting" if kind in self._handlers else "no_way"
        row = {"kind": kind, "key": key, "lane": f"{kind}/{lane}", "state": state, "operator": operator}
        due_ms = _due_ms(now_ms, after_s)
        content = _as_json(payload)
        added = tx.execute("outbox.put", {**row, "payload_json": content, "now_ms": now_ms, "due_ms": due_ms})
        if not added and not (again and tx.execute("outbox.put_again", {"kind": kind, "key": key, "due_ms": due_ms})):
            return False
        if state == "waiting":
            tx.after(partial(self._expect, kind, due_ms))
        return True

    def wake_row(self, tx: Transaction, kind: str, key: str) -> None:
        """Let a row that waits, or was parked, be carried out at once; so are those whose keys go on after a slash."""
        now_ms = self._clock.now()
        if tx.execute("outbox.hurry", {"kind": kind, "key": key, "now_ms": now_ms}):
            tx.after(partial(self._expect, kind, now_ms))

    def finish(self, tx: Transaction, kind: str, key: str) -> None:
        """A row that waits, or is under way, is done: what it was to see to has been seen to in this transaction.

        So are those whose keys go on after a slash.
        """
        tx.execute("outbox.finish", {"kind": kind, "key": key, "now_ms": self._clock.now()})

    def wake(self) -> None:
        """Look at the whole table now."""
        self._all_s = self._clock.monotonic()
        self._wake.set()

    def _expect(self, kind: str, due_ms: int) -> None:
        """A row of this kind is due then: look no later."""
        places = self._places_of(kind)
        places.next_ms = min(due_ms, places.next_ms)
        # A clock set forward leaves the next look in the past, and whoever waits for it must hear of the new time.
        if due_ms < self._next_ms or self._next_ms <= self._now():
            self._next_ms = min(due_ms, self._next_ms)
            self._wake.set()

    def _places_of(self, kind: str) -> Places:
        places = self._places.get(kind)
        if places is None:
            places = self._places[kind] = Places(kind)
        return places

    async def run(self) -> None:
        """Carry out rows until cancelled; raises ``StoreError`` when the table cannot be read."""
        self._all_s = self._clock.monotonic()
        while True:
            due_s = (self._next_ms - self._clock.now()) / 1000
            wait_s = min(due_s, self._all_s - self._clock.monotonic())
            if wait_s <= 0 or not await self._woken(wait_s):
                await self.look()

    async def _woken(self, wait_s: float) -> bool:
        """Whether a row turned up within this time that is due earlier than was known."""
        self._wake.clear()
        try:
            async with self._clock.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def stand_still(self, error: StoreError) -> None:
        """Nothing is carried out until a look at the table succeeds; the log hears of it once."""
        if not self.fault:
            log.error("money stands still, and is tried again every %d s: %s", STORE_WAIT_S, error)
        self.fault = error.message

    def _go_on(self) -> None:
        if self.fault:
            log.warning("money goes on; it stood still: %s", self.fault)
        self.fault = ""

    async def look(self) -> None:
        """Start all rows that are due, and see when the next look has to be."""
        anew = self._clock.monotonic() >= self._all_s
        while await self._put_right():
            anew = True
        if anew:
            self._all_s = self._clock.monotonic() + LOOK_S
            for row in await self._store.query("outbox.kinds"):
                self._places_of(row["kind"]).next_ms = 0
        now_ms = self._clock.now()
        self._next_ms = now_ms + round(LOOK_S * 1000)  # what is committed from here on brings it forward
        for places in list(self._places.values()):
            if places.next_ms <= now_ms:
                await self._look_at(places, now_ms)
            self._next_ms = min(self._next_ms, places.next_ms)
        self._go_on()

    async def _look_at(self, places: Places, now_ms: int) -> None:
        """Start the rows of a kind that are due."""
        places.next_ms = PARKED_MS
        if places.none_is_free():
            return
        ending = set(places.busy)  # their rows may be read as they were before their end was written
        wanted = {"kind": places.kind, "now_ms": now_ms, "most": places.most + 1}  # one more, to know that it waits
        rows = await self._store.query("outbox.heads", wanted)
        for row in rows:
            if row["next_ms"] > now_ms:
                self._expect(places.kind, row["next_ms"])
            elif row["lane"] in places.busy:
                places.passed(row)
            elif row["lane"] in ending:
                self._expect(places.kind, now_ms)
            elif not places.none_is_free():
                places.take(row)
                self._spawn(f"outbox {row['lane']}", self._carry_out(row, places))

    def _now(self) -> int:
        """The time by which rows are reckoned; how far it was ahead of the clock that never goes back is kept."""
        now_ms = self._clock.now()
        ahead_ms = now_ms - round(self._clock.monotonic() * 1000)
        self._ahead_ms = ahead_ms if self._ahead_ms is None else max(self._ahead_ms, ahead_ms)
        return now_ms

    async def _put_right(self) -> bool:
        """When the clock was ahead and was set back, let nothing wait for times that were reckoned by it.

        At the first look that is seen by rows that come from the future. Returns whether all must be looked at anew.
        """
        first = not self._looked  # rows may have been put in before
        back_ms = self._times()["back_ms"]
        if back_ms < SET_BACK_MS and not first:
            return False
        if back_ms >= SET_BACK_MS or await self._store.query("outbox.from_the_future", self._times()):
            log.warning("the clock was set back; what waits in the outbox is brought forward by as much")
            await self._store.transact(self._bring_forward)
        self._looked = True
        return True

    def _bring_forward(self, tx: Transaction) -> None:
        """By what the clock was ahead until now: it may have been set since the look began."""
        tx.execute("outbox.bring_forward", self._times())
        tx.after(self._is_right)

    def _is_right(self) -> None:
        """Nothing waits for what the clock was ahead of the present one."""
        self._ahead_ms = None
        self._now()

    def _times(self) -> dict[str, int]:
        """The present time, and by how much the clock was set back."""
        now_ms = self._now()
        ahead_ms = now_ms - round(self._clock.monotonic() * 1000)
        back_ms = (self._ahead_ms or ahead_ms) - ahead_ms
        return {"now_ms": now_ms, "back_ms": back_ms, "future_ms": now_ms + SET_BACK_MS, "parked_ms": PARKED_MS}

    async def _carry_out(self, row: Row, places: Places) -> None:
        due_ms: int | None = self._clock.now()
        try:
            due_ms = await self._mark(row, await self._handled(row))
        except StoreError as error:
            # Its place in the table is as before. At once it would be carried out again and again on a full disk.
            log.error("outbox %s %s is tried again in %d s: %s", row["kind"], row["key"], STORE_WAIT_S, error)
            await self._clock.sleep(STORE_WAIT_S)
        finally:
            if places.leave(row, done=due_ms is None):
                due_ms = self._clock.now()
            if due_ms is not None:
                self._expect(places.kind, due_ms)

    async def _handled(self, row: Row) -> Again | None:
        handler = self._handlers.get(row["kind"])
        if handler is None:
            return Again(3600, "nobody carries this out any more: is its plugin still listed?")
        try:
            return await handler(row)
        except MeterHubError as error:
            return Again(wait_s(row["failures"]), str(error))
        except Exception as error:
            log.exception("outbox %s %s failed", row["kind"], row["key"])
            return Again(wait_s(row["failures"]), f"internal error: {type(error).__name__}")

    async def _mark(self, row: Row, again: Again | None) -> int | None:
        """Keep how far a row is; returns when it is due again, None when it is done."""
        now_ms = self._clock.now()
        if again is DONE:
            return None
        if again is None:
            done = {"state": "done", "done_ms": now_ms, "error": ""}
            await self._store.transact(lambda tx: tx.update("outbox", {"id": row["id"]}, done))
            return None
        next_ms = PARKED_MS if again.after_s is None else _due_ms(now_ms, again.after_s)
        failures = row["failures"] + 1 if again.error else 0
        changes = {"next_ms": next_ms, "tries": row["tries"] + 1, "failures": failures, "error": again.error}
        # Whoever hurried the row while it was under way changed next_ms: its wish must not be lost.
        key = {"id": row["id"], "next_ms": row["next_ms"]}
        marked = await self._store.transact(lambda tx: tx.update("outbox", key, changes))
        return next_ms if marked else now_ms


def _due_ms(now_ms: int, after_s: float) -> int:
    """When a row is due that waits for ``after_s`` seconds, 0 for not at all."""
    due_ms = now_ms + round(after_s * 1000)
    return due_ms if after_s <= 0 else due_ms + -due_ms % SECOND_MS

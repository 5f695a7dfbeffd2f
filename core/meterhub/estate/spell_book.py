"""The spell book: since when a collector was online or offline and why, kept so that the seconds add up.

While the hub is down nobody knows: that time is a spell ``unknown`` of its own, from the hub's last sign of life on.
What happens while a transaction is under way is written together in the next ones, thousands at once after a power
cut; whoever asks meanwhile is told it all the same, and does not wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.devices.device import Status
from meterhub.devices.states import Estate
from meterhub.errors import StoreError
from meterhub.field.causes import in_words
from meterhub.field.collector import CollectorOffline, CollectorOnline
from meterhub.store.engine import Row, Store, Transaction

ALIVE_EVERY_S = 20.0
"""How often the hub notes that it lives; after a crash the unknown time begins at the last note."""
RETRY_S = 5.0
"""How long to wait when the store refuses."""
PART = 2_000
"""Turns of one transaction: no other transaction waits longer than for these."""
MOST_TURNS = 200_000
"""Turns that wait for a store that refuses them; more are given up, and said so."""

log = logging.getLogger(__name__)

Turn = tuple[str, str, int, str]
"""``(device, state, since_ms, cause)``."""


class SpellBook:
    """Writes the spells of all collectors, and shows their state on their devices."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bus: Bus,
        estate: Estate,
        spawn: Callable[[str, Coroutine[Any, Any, Any]], Any],
    ) -> None:
        self._store = store
        self._clock = clock
        self._estate = estate
        self._spawn = spawn
        self._turns: list[Turn] = []
        """What is not written yet, the oldest first."""
        self._under_way: list[Turn] = []
        """What is being written."""
        self._writing = False
        self._order = asyncio.Lock()
        bus.on(CollectorOnline, self._online)
        bus.on(CollectorOffline, self._offline)

    async def open(self, collectors: list[str]) -> None:
        """At start: end what was open, and begin the time of which nobody knows yet."""
        now = self._clock.now()
        rows = await self._store.query("hub_alive")
        alive_ms = min(int(rows[0]["value_json"]), now) if rows else now

        def write(tx: Transaction) -> None:
            tx.execute("end_all_spells", {"now_ms": alive_ms})
            for device in collectors:
                tx.insert("spells", _spell(device, "unknown", alive_ms, "hub_stopped" if rows else "never_seen"))

        await self._store.transact(write)

    async def keep_alive(self) -> None:
        """Note again and again that the hub lives; what a full disk refuses is noted the next time."""
        while True:
            now = self._clock.now()
            with suppress(StoreError):
                await self._store.transact(lambda tx, now=now: tx.execute("note_hub_alive", {"now_ms": now}))  # type: ignore[misc]
            await self._clock.sleep(ALIVE_EVERY_S)

    async def spells(self, device: str, from_ms: int, to_ms: int) -> list[Row]:
        """The spells of one collector that touch a time, oldest first, with what is not written yet."""
        unwritten = [one for one in (*self._under_way, *self._turns) if one[0] == device]
        rows = await self._store.query("spells_of", {"device": device, "from_ms": from_ms, "to_ms": to_ms})
        return _continued(rows, unwritten, to_ms)

    async def close(self) -> None:
        """At an orderly stop every spell ends now."""
        while self._turns or self._under_way:
            await self._write()
        now = self._clock.now()

        def write(tx: Transaction) -> None:
            tx.execute("end_all_spells", {"now_ms": now})
            tx.execute("note_hub_alive", {"now_ms": now})

        await self._store.transact(write)

    def _online(self, message: CollectorOnline) -> None:
        self._show(message.collector_id, Status.ONLINE, message.peer)
        self._turn(message.collector_id, "online", message.ms, "connected")

    def _offline(self, message: CollectorOffline) -> None:
        self._show(message.collector_id, Status.LINK_DOWN, in_words(message.cause))
        if message.cause != "hub_stopped":  # then all end at once, in ``close``
            self._turn(message.collector_id, "offline", message.ms, message.cause)

    def _show(self, device_id: str, status: Status, detail: str) -> None:
        device = self._estate.get(device_id)
        if device is not None:
            self._estate.set_status(device, status, detail)

    def _turn(self, device: str, state: str, now_ms: int, cause: str) -> None:
        """End the present spell and begin the next, as soon as the store has time."""
        if len(self._turns) >= MOST_TURNS:
            log.error("%d changes of collectors are not kept: the store does not take them", len(self._turns))
            self._turns.clear()
        self._turns.append((device, state, now_ms, cause))
        if not self._writing:
            self._writing = True
            self._spawn("spells", self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._turns:
                try:
                    await self._write()
                except StoreError:  # the writer has logged it
                    await self._clock.sleep(RETRY_S)
        finally:
            self._writing = False

    async def _write(self) -> None:
        """Commit the oldest of what happened; keeps it and raises ``StoreError`` when that fails."""
        async with self._order:
            if not self._turns:
                return
            turns = self._under_way = self._turns[:PART]
            del self._turns[:PART]

            def write(tx: Transaction) -> None:
                ends, rows = _in_order(turns)
                tx.many("end_spell", ends)
                tx.many("begin_spell", rows)

            try:
                await self._store.transact(write)
            except StoreError:
                self._turns[:0] = turns
                raise
            finally:
                self._under_way = []


def _in_order(turns: Iterable[Turn]) -> tuple[list[Row], list[Row]]:
    """When the open spell of each device ends, and the new spells; one that ended meanwhile has its end already."""
    ends: list[Row] = []
    rows: list[Row] = []
    newest: dict[str, Row] = {}
    for device, state, since_ms, cause in turns:
        before = newest.get(device)
        if before is None:
            ends.append({"device": device, "now_ms": since_ms})
        else:
            before["until_ms"] = max(before["since_ms"], since_ms)
        newest[device] = row = _spell(device, state, since_ms, cause) | {"until_ms": None}
        rows.append(row)
    return ends, rows


def _continued(rows: list[Row], turns: Iterable[Turn], to_ms: int) -> list[Row]:
    """The rows and what followed them; of the turns some may have become rows meanwhile."""
    written = {(row["state"], row["since_ms"]) for row in rows}
    for _, state, since_ms, cause in turns:
        if since_ms >= to_ms or (state, since_ms) in written:
            continue
        if rows and rows[-1]["until_ms"] is None:
            rows[-1]["until_ms"] = max(rows[-1]["since_ms"], since_ms)
        rows.append({"state": state, "since_ms": since_ms, "until_ms": None, "cause": cause})
    return rows


def _spell(device: str, state: str, since_ms: int, cause: str) -> Row:
    return {"device": device, "state": state, "since_ms": since_ms, "cause": cause}

"""The spell book: since when a collector was online or offline and why, kept so that the seconds add up.

While the hub is down nobody knows: that time is a spell ``unknown`` of its own, from the hub's last sign of life on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
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
        """The spells of one collector that touch a time, oldest first."""
        return await self._store.query("spells_of", {"device": device, "from_ms": from_ms, "to_ms": to_ms})

    async def close(self) -> None:
        """At an orderly stop every spell ends now."""
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
        self._turn(message.collector_id, "offline", message.ms, message.cause)

    def _show(self, device_id: str, status: Status, detail: str) -> None:
        device = self._estate.get(device_id)
        if device is not None:
            self._estate.set_status(device, status, detail)

    def _turn(self, device: str, state: str, now_ms: int, cause: str) -> None:
        """End the present spell and begin the next. Transactions are carried out in the order of their calls."""

        def write(tx: Transaction) -> None:
            tx.execute("end_spell", {"device": device, "now_ms": now_ms})
            tx.insert("spells", _spell(device, state, now_ms, cause))

        self._spawn(f"spell of {device}", self._store.transact(write))


def _spell(device: str, state: str, since_ms: int, cause: str) -> Row:
    return {"device": device, "state": state, "since_ms": since_ms, "cause": cause}

"""The live socket: what changed of the things a page or script watches, at most five times a second.

A client sends ``{"watch": [ids]}``, which replaces what it watched: entities (``a-101.energy_total``), devices
(``a-101``) and action runs (``run-…``). It gets JSON arrays; the first after each ``watch`` has the present values.
A change is encoded once, whoever watches it. What a slow client has not taken yet is replaced by what is newer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from meterhub.actions import Actions, Actor
from meterhub.bus import Bus
from meterhub.clock import Clock, iso
from meterhub.devices.device import Device
from meterhub.devices.entity import Entity
from meterhub.devices.states import DeviceAdded, DeviceRemoved, Estate, StatesChanged, StatusChanged
from meterhub.errors import NotFound
from meterhub.runs import Run, RunChanged
from meterhub.web.fragments import Fragments, dumps
from meterhub.web.visibility import may_see, may_see_entity, may_see_run, rights_of

FLUSH_S = 0.2
MAX_WATCHED = 2_000
MAX_RUNS = 100
MAX_SOCKETS = 2_000

Thing = Entity | Device | str
"""What is watched; runs by their ids."""


class Watcher:
    """One client: what it watches, and what it has not been sent yet, by thing."""

    __slots__ = ("actor", "ids", "news", "ready", "rights", "runs", "things")

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.rights: Any = rights_of(actor)
        self.ids: list[str] = []
        self.runs: dict[str, Run] = {}
        self.things: set[Thing] = set()
        self.news: dict[Thing, str] = {}
        self.ready = asyncio.Event()

    def take(self) -> str:
        """What is to be sent now, as one JSON array."""
        self.ready.clear()
        text = "[" + ",".join(self.news.values()) + "]"
        self.news = {}
        return text


class Live:
    """Everything that anybody watches. Nothing is done for what nobody does."""

    def __init__(self, estate: Estate, actions: Actions, bus: Bus, clock: Clock, fragments: Fragments) -> None:
        self._estate = estate
        self._actions = actions
        self._clock = clock
        self._fragments = fragments
        self._watchers: dict[Thing, set[Watcher]] = {}
        self._dirty: dict[Thing, Entity | Device | Run] = {}
        self._clients: set[Watcher] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._moved = False
        self._off = (
            bus.on(StatesChanged, self._states),
            bus.on(StatusChanged, self._status),
            bus.on(RunChanged, self._run),
            bus.on(DeviceAdded, self._estate_changed),
            bus.on(DeviceRemoved, self._estate_changed),
        )

    @property
    def sockets(self) -> int:
        """Clients there are."""
        return len(self._clients)

    @property
    def watched(self) -> int:
        """Things that somebody watches."""
        return len(self._watchers)

    def join(self, actor: Actor) -> Watcher:
        """A new client."""
        watcher = Watcher(actor)
        self._clients.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """The client is gone."""
        self._let_go(watcher, set(watcher.things))
        self._clients.discard(watcher)

    async def watch(self, watcher: Watcher, ids: list[str]) -> None:
        """Replace what the client watches; unknown and forbidden ids are passed over. Its present values follow."""
        runs = [one for one in ids if one.startswith("run-") and one not in self._estate]
        watcher.runs = {one: run for one in runs[:MAX_RUNS] if (run := await self._find_run(one)) is not None}
        watcher.ids = ids
        watcher.news = {}
        self._resolve(watcher)
        for thing in watcher.things:
            watcher.news[thing] = self._text(watcher.runs[thing] if isinstance(thing, str) else thing)
        watcher.ready.set()

    async def _find_run(self, run_id: str) -> Run | None:
        try:
            return await self._actions.find(run_id)
        except NotFound:
            return None

    def _resolve(self, watcher: Watcher) -> None:
        """Find what the ids stand for now, as far as the client may see it."""
        watcher.rights = rights_of(watcher.actor)
        things = {thing for one in watcher.ids if (thing := self._find(watcher, one)) is not None}
        self._let_go(watcher, watcher.things - things)
        for thing in things - watcher.things:
            self._watchers.setdefault(thing, set()).add(watcher)
        watcher.things = things

    def _let_go(self, watcher: Watcher, things: set[Thing]) -> None:
        for thing in things:
            watcher.news.pop(thing, None)
            group = self._watchers.get(thing)
            if group is not None:
                group.discard(watcher)
                if not group:
                    del self._watchers[thing]
        watcher.things = watcher.things - things

    def _find(self, watcher: Watcher, one: str) -> Thing | None:
        actor = watcher.actor
        device_id, dot, key = one.partition(".")
        device = self._estate.get(device_id)
        if device is None:
            run = watcher.runs.get(one)
            return one if run is not None and may_see_run(self._estate, actor, run) else None
        if not dot:
            return device if may_see(actor, device) else None
        entity = device.entity(key)
        return entity if entity is not None and may_see_entity(actor, entity) else None

    def _states(self, message: StatesChanged) -> None:
        watchers = self._watchers
        if not watchers:
            return
        for entity in message.changes:
            if entity in watchers:
                self._dirty[entity] = entity
        if self._dirty and self._timer is None:
            self._plan()

    def _status(self, message: StatusChanged) -> None:
        if message.device in self._watchers:
            self._dirty[message.device] = message.device
            self._plan()

    def _run(self, message: RunChanged) -> None:
        if message.run.id in self._watchers:
            self._dirty[message.run.id] = message.run
            self._plan()

    def _estate_changed(self, message: DeviceAdded | DeviceRemoved) -> None:
        """An id may now stand for another device, or for none."""
        if self._clients:
            self._moved = True
            self._plan()

    def _plan(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._moved:
            self._moved = False
            for watcher in self._clients:
                self._resolve(watcher)
        dirty, self._dirty = self._dirty, {}
        for thing, found in dirty.items():
            group = self._watchers.get(thing)
            if not group:
                continue
            text = self._text(found)
            for watcher in tuple(group):
                if self._still_may(watcher, thing):
                    watcher.news[thing] = text
                    watcher.ready.set()

    def _still_may(self, watcher: Watcher, thing: Thing) -> bool:
        """Rights that changed count before the next value goes out."""
        if all(one is other for one, other in zip(watcher.rights, rights_of(watcher.actor), strict=True)):
            return True
        self._resolve(watcher)
        return thing in watcher.things

    def _text(self, found: Entity | Device | Run) -> str:
        if isinstance(found, Entity):
            return self._fragments.change(found)
        if isinstance(found, Device):
            return self._fragments.status(found)
        change = {"id": found.id, "v": found.state, "q": "good", "t": iso(found.updated_ms)}
        return dumps({**change, "result": found.result, "error": found.error})

    def close(self) -> None:
        """Listen no longer."""
        for off in self._off:
            off()
        if self._timer is not None:
            self._timer.cancel()

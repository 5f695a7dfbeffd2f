"""The Hub: the one root object. It builds the rooms in their order, starts them, and stops them the other way round."""

from __future__ import annotations

import gc
import logging
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from meterhub import __version__
from meterhub.action_journal import StoredRuns
from meterhub.actions import Action, Actions
from meterhub.assembly import Field, build_devices, build_field, hand_on_unasked
from meterhub.bus import Bus, Listener
from meterhub.clock import Clock
from meterhub.collections import Collection
from meterhub.config.entries import ScheduleEntry, Site
from meterhub.devices.device import Device
from meterhub.devices.reader import Reader
from meterhub.devices.states import Estate, StatesChanged
from meterhub.errors import ConfigError, ConfigErrors, MeterHubError, Misuse, StoreError
from meterhub.estate.collections import estate_collections
from meterhub.estate.finding import Finder
from meterhub.estate.learning import Learning
from meterhub.estate.line_doctor import LineDoctor
from meterhub.estate.meter_actions import MeterActions
from meterhub.estate.meter_book import MeterBook
from meterhub.estate.pairing import Pairing
from meterhub.estate.probing import Probing
from meterhub.estate.spell_book import SpellBook
from meterhub.estate.stored_states import record, restore
from meterhub.estate.targets import select
from meterhub.field.flow import Flow
from meterhub.field.line import Line
from meterhub.link_plans import LinkPlan, plan_links
from meterhub.money.room import Money
from meterhub.office.message_room import message_collection, open_messages
from meterhub.office.money_collections import money_collections
from meterhub.office.money_room import open_merchants, open_money
from meterhub.office.money_search import Whereabouts
from meterhub.office.people_collections import people_collections
from meterhub.people.people import People
from meterhub.plugins import Plugin, Plugins
from meterhub.registry import Registry, build_registry, flat
from meterhub.scheduled_actions import with_actions
from meterhub.schedules import Schedule, Schedules, StoredDueRows
from meterhub.store.recorder import Recorder
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Spawn, Tasks
from meterhub.web.rooms import Rooms

DAY_S = 86_400
LinesOf = Callable[[str], Iterable[Line]]

log = logging.getLogger(__name__)


def settle() -> None:
    """Take what has been made so far out of the garbage collector's rounds, and keep these short from now on.

    A look at everything with 10,000 meters takes 0.1 s, in which nothing else happens; a young one of 10,000 objects
    1 ms, a middle one of 50,000 some 5 ms. Those find what a running hub leaves behind.
    """
    gc.freeze()
    gc.set_threshold(10_000, 5, 1_000)


def load_registry(
    site: Site, clock: Clock, spawn: Spawn, disabled: Iterable[str] = ()
) -> tuple[Plugins, Registry, list[ConfigError]]:
    """The plugins of a site, what they brought, and the mistakes in their settings and in profiles. Raises nothing."""
    plugins = Plugins(clock, site.hub.data, spawn, site.folder / "plugins")
    plugins.find()
    listed = {name: (entry.config, entry.where) for name, entry in site.plugins.items()}
    mistakes = [one for error in plugins.set_up(listed, disabled) for one in flat(error)]
    registry, in_profiles = build_registry(plugins, site.folder / "profiles")
    if not plugins.broken():
        mistakes += in_profiles
    return plugins, registry, mistakes


def load_plugins(
    site: Site, clock: Clock, spawn: Spawn, disabled: Iterable[str] = ()
) -> tuple[Plugins, Registry, list[LinkPlan]]:
    """All that must be right before anything starts; raises ``ConfigErrors``."""
    plugins, registry, mistakes = load_registry(site, clock, spawn, disabled)
    if mistakes:
        raise ConfigErrors(mistakes)
    plans = plan_links(site, registry, plugins)
    registry.merchants = open_merchants(site, registry, plugins)
    return plugins, registry, plans


def offered_actions(
    reader: Reader,
    lines_of: LinesOf,
    plugins: Plugins,
    clock: Clock,
    finder: Finder | None = None,
    spawn: Spawn | None = None,
) -> list[tuple[Plugin | None, Action]]:
    """The core's own actions, then those of the plugins, each with its plugin."""
    own = [*MeterActions(reader, clock, spawn).actions(), *Probing(reader.protocols, lines_of, finder).actions()]
    return [*((None, one) for one in own), *plugins.call("register_actions")]


class Hub:
    """The running system of one site file.

    ``await start()`` brings everything up but the web server, ``rooms()`` is what that server needs, ``await stop()``
    ends in order. ``disabled`` names plugins to leave out.
    """

    store: SqliteStore
    recorder: Recorder
    people: People
    journal: StoredRuns
    actions: Actions
    schedules: Schedules
    spells: SpellBook
    money: Money
    plugins: Plugins

    def __init__(self, site: Site, clock: Clock | None = None, *, disabled: Iterable[str] = ()) -> None:
        self.site = site
        self.clock = clock or Clock()
        self.bus = Bus(self._listener_failed)
        self.tasks = Tasks(self.clock, self._name)
        self.estate = Estate(self.bus, self.clock)
        self.reader = Reader(self.estate, self.clock)
        self.field = Field()
        self.flow = Flow(self.clock)
        self.collections: dict[str, Collection] = {}
        self.started_ms = 0
        self._disabled = tuple(disabled)

    def spawn(self, owner: str, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the background on behalf of ``owner``."""
        return self.tasks.spawn(owner, coroutine)

    async def start(self) -> None:
        """Bring up all rooms; raises ``ConfigErrors`` or ``StoreError`` and leaves nothing running."""
        gc.collect()
        gc.disable()  # a hundred thousand objects are made here to stay; walking them over and over finds nothing
        try:
            await self._start()
        finally:
            gc.enable()
        settle()

    async def _start(self) -> None:
        self.started_ms = self.clock.now()
        self.plugins, registry, plans = load_plugins(self.site, self.clock, self.spawn, self._disabled)
        devices = build_devices(self.site, registry)
        self.site = replace(self.site, meters=())  # the devices say it all now; ten thousand entries take 18 MB
        await self._open_store()
        try:
            self.book = MeterBook(self.store, self.clock, self.estate, registry, self.site)
            for device in (*devices, *await self.book.load(one.id for one in devices)):
                device.since_ms = self.started_ms
                self.estate.add(device)
            await restore(self.store, self.estate)
            await self._open_rooms()
            self._register(registry)
            schedules = self._fitted_schedules()
            await self._open_field(plans, registry)
            await self.schedules.start(schedules)
            self.spawn("money", self.money.run())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop asking, close the links, keep what was read, close the store."""
        if hasattr(self, "schedules"):
            self.schedules.stop()
        await self.flow.drain()
        for link, desk in self.field.links:
            await link.close()
            desk.stop()
        await self.tasks.stop()
        if hasattr(self, "plugins"):
            await self.plugins.http.close()
        if hasattr(self, "spells"):
            await self.spells.close()
        if hasattr(self, "learning"):
            await self.learning.close()
        if hasattr(self, "people"):
            self.people.close()
        await self.recorder.close()
        await self.store.close()

    def rooms(self) -> Rooms:
        """The collaborators of the web."""
        return Rooms(
            self.clock,
            self.bus,
            self.estate,
            self.actions,
            self.collections,
            self.people,
            self.spawn,
            self.site.hub.time_zone,
            name=self.site.hub.name,
            language=self.site.hub.language,
            version=__version__,
            started_ms=self.started_ms,
            store=self.store,
            recorder=self.recorder,
            flow=self.flow,
            journal=self.journal,
            schedules=self.schedules,
            plugins=lambda: self.plugins,
            lines=lambda: self.field.lines,
            protocols=lambda: self.reader.protocols,
            collectors=self.field.collectors.values,
            spells=self.spells.spells,
            trusted_proxies=tuple(str(one) for one in self.site.web.trusted_proxies),
            scope=self.site.hub.operator,
            money=self.money,
            messages=self.messages,
            ahead_s=lambda: self.plugins.http.ahead_s,
        )

    async def _open_store(self) -> None:
        self.store = await SqliteStore.open(self.site.hub.data, self.clock, zone=self.site.hub.time_zone)
        self.recorder = Recorder(self.store, self.clock, on_full=self.flow.set_gate)
        self.spawn("recorder", self.recorder.run())
        self.bus.on(StatesChanged, partial(record, self.recorder))

    async def _open_rooms(self) -> None:
        self.people = await People.open(self.store, self.clock)
        self.spawn("people", self._prune_people())
        self.journal = StoredRuns(self.store, self.clock)
        if interrupted := await self.journal.close_open_runs():
            log.warning("%d commands were interrupted by the last stop and are marked failed", interrupted)
        self.actions = Actions(self.bus, self.clock, self.journal, self.estate.get, self.spawn)
        rows = StoredDueRows(self.store, self.clock)
        self.schedules = Schedules(self.bus, self.clock, self.actions, rows, self.select, self.spawn)
        self.spells = SpellBook(self.store, self.clock, self.bus, self.estate, self.spawn)
        await self.spells.open([one.id for one in self.estate.values() if one.kind == "collector"])
        self.spawn("spells", self.spells.keep_alive())
        self.pairing = Pairing(self.store, self.clock, lambda: self.field.links, self.site.hub.operator)

    def _register(self, registry: Registry) -> None:
        self.reader.protocols.update({name: protocol for name, (_, protocol) in registry.protocols.items()})
        finder = Finder(self.estate, self.reader.protocols, self.clock, self.spawn, self.site.hub.operator)
        offered = offered_actions(self.reader, self._lines_of, self.plugins, self.clock, finder, self.spawn)
        for plugin, action in offered:
            if plugin is None:
                self.actions.register(action)
            else:
                self._guarded(plugin, partial(self.actions.register, action))
        self.actions.register(self.pairing.action())
        for one in self.book.actions():
            self.actions.register(one)
        kinds = {name: kind for name, (kind, _) in registry.protocols.items()}
        self.actions.register(LineDoctor(self.reader, self.estate, self._lines_of, kinds).action())
        own = [*estate_collections(self.estate, self.book), *people_collections(self.store, self.people, self.clock)]
        own += [self.pairing.collection(), *finder.collections()]
        self.money = open_money(self.site, registry, self.store, self.clock, self.actions, self.people, self.spawn)
        self.messages = open_messages(self.plugins, self.store, self.clock, self.money.outbox, self.actions)
        where = Whereabouts(self.estate, self.site.hub.time_zone)
        own += [*money_collections(self.store, registry.companies(), where), message_collection(self.store, where)]
        self.collections.update({one.name: one for one in own})
        for _, collection in self.plugins.call("register_collections"):
            self.collections.setdefault(collection.name, collection)

    def _guarded(self, plugin: Any, register: Callable[[], None]) -> None:
        try:
            register()
        except Exception as error:  # noqa: BLE001 - the boundary to what a plugin brought
            self.plugins.fail(plugin, error)

    async def _open_field(self, plans: list[LinkPlan], registry: Registry) -> None:
        self.learning = Learning(self.store, self.clock, self.bus, self.estate, self.reader.protocols)
        await self.learning.restore()
        self.field = build_field(plans, self.estate.values(), registry, self.plugins, self.clock, self.bus, self.flow)
        self.reader.lines.update(self.field.lines)
        self.book.open(self.field.lines, self._listen)
        self._listen()
        for link, desk in self.field.links:
            desk.start()
            try:
                await link.open(desk)
            except ConfigError as error:
                desk.trouble(error.message)
                raise
        await self.pairing.restore()
        self.spawn("learning", self.learning.keep_on())

    def _listen(self) -> None:
        hand_on_unasked(self.estate, self.reader, self.field.lines)

    def select(self, target: Mapping[str, Any]) -> Sequence[Device]:
        """The devices that a schedule's ``target:`` names; its keys must all hold. Disabled ones are left out."""
        return select(self.estate, self.field.collectors.values(), target)

    def _lines_of(self, collector_id: str) -> Sequence[Line]:
        collector = self.field.collectors.get(collector_id)
        return collector.lines if collector is not None else ()

    def _fitted_schedules(self) -> list[Schedule]:
        """The schedules of the site file; raises ``ConfigErrors`` when an action or its parameters do not exist."""
        checked, mistakes = with_actions(self.site.schedules, self.actions, some_missing=self.plugins.broken())
        if mistakes:
            raise ConfigErrors(mistakes)
        return [self._schedule(one) for one in checked]

    def _schedule(self, entry: ScheduleEntry) -> Schedule:
        return Schedule(
            entry.id,
            entry.action,
            entry.target,
            self.site.hub.time_zone,
            cron=entry.cron,
            every_s=entry.every_s,
            at=entry.at,
            params=entry.params,
            catch_up=entry.catch_up,
            enabled=entry.enabled,
            origin=entry.where,
        )

    async def _prune_people(self) -> None:
        while True:
            with suppress(StoreError):  # the writer has logged it; tomorrow is early enough
                await self.people.prune()
            await self.clock.sleep(DAY_S)

    def _listener_failed(self, listener: Listener, message: Any, error: Exception) -> None:
        """A listener raised: name its plugin, or ourselves, with file and line."""
        self._name(f"a listener of {type(message).__name__}", error)

    def _name(self, what: str, error: BaseException) -> None:
        if isinstance(error, MeterHubError) and not isinstance(error, Misuse):
            log.error("%s failed: %s", what, error)  # raised on purpose: it says itself where and what next
            return
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
        text = f"{what} failed at {place}: {type(error).__name__}: {error}"
        blamed = None
        if hasattr(self, "plugins"):
            blamed = self.plugins.blame([frame.filename for frame in reversed(frames)], text)
        log.error("plugin %s: %s" if blamed else "%s%s", blamed.name if blamed else "", text, exc_info=error)

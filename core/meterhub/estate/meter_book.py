"""The meter book: meters that people take in on the pages, kept in the store; those of site files stay there.

An id has one home. A meter of the book is checked as one of a site file is, answers at once, and is there again after a
restart; if its profile or line has gone meanwhile it is shown with what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Actor, Call, Danger
from meterhub.assembly import lines_in_use, meter_device, orphan
from meterhub.clock import Clock
from meterhub.config.entries import MeterEntry, Site
from meterhub.config.nodes import Map
from meterhub.config.types import identifier, place
from meterhub.devices.device import Device
from meterhub.devices.states import Estate
from meterhub.errors import BadInput, ConfigError, Conflict, NotFound
from meterhub.field.line import Line
from meterhub.people.audit import Audit, Entry
from meterhub.registry import Registry
from meterhub.store.sqlite import SqliteStore

DATABASE = "database"
"""The origin of meters of the book."""
KEPT = ("line", "profile", "address", "name", "place")


class MeterBook:
    """Meters of the store, beside those of the site file in one estate."""

    def __init__(self, store: SqliteStore, clock: Clock, estate: Estate, registry: Registry, site: Site) -> None:
        self._store = store
        self._clock = clock
        self._estate = estate
        self._registry = registry
        self._operator = site.hub.operator
        self._site = site.sites[0].id
        self._known_lines = set(lines_in_use(site))
        self._lines: Mapping[str, Line] = {}
        self._changed: Callable[[], None] | None = None

    def open(self, lines: Mapping[str, Line], changed: Callable[[], None]) -> None:
        """From now on meters can come and go: on ``lines``, telling ``changed``."""
        self._lines = lines
        self._changed = changed

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed()

    async def load(self, taken: Iterable[str]) -> list[Device]:
        """The meters of the book; one whose id the site file has taken since is left out."""
        rows = await self._store.query("book_meters", {"operator": self._operator})
        ids = set(taken)
        return [self._restored(row["id"], json.loads(row["config_json"])) for row in rows if row["id"] not in ids]

    def _restored(self, meter_id: str, config: Mapping[str, Any]) -> Device:
        entry = self._entry(meter_id, config)
        wrong = ""
        if entry.profile not in self._registry.profiles:
            wrong = f"there is no profile {entry.profile}"
        elif entry.line not in self._known_lines:
            wrong = f"its line {entry.line} is not in the site file, or disabled"
        else:
            try:
                return meter_device(entry, self._registry, self._operator, True)
            except ConfigError as error:
                wrong = error.message
        device = orphan(entry, self._operator)
        device.detail = wrong
        return device

    def _entry(self, meter_id: str, config: Mapping[str, Any]) -> MeterEntry:
        where = tuple(config.get("place") or ())
        address, name = config["address"], config.get("name", "")
        return MeterEntry(
            meter_id, config["line"], config["profile"], address, where, name, self._site, False, Map(), DATABASE
        )

    async def add(self, actor: Actor, values: Mapping[str, Any]) -> Device:
        """Take a meter in. Raises ``BadInput`` for values that do not fit, ``Conflict`` for an id that is taken."""
        try:
            meter_id = identifier()(values.get("id", ""))
        except vol.Invalid as error:
            raise BadInput(str(error), where="id") from None
        if meter_id in self._estate:
            raise Conflict(f"the id {meter_id} is taken", where="id")
        config = self._checked(values)
        device = self._built(meter_id, config)
        await self._keep(actor, meter_id, config)
        await self._number(device)
        self._estate.add(device)
        self._tell()
        return device

    async def change(self, actor: Actor, meter_id: str, values: Mapping[str, Any]) -> Device:
        """Change a meter of the book; its id stays, and with it its history and its accounts.

        Raises ``BadInput`` for one of a site file and for values that do not fit.
        """
        before = self._own(meter_id, hint="change it there")
        if values.get("id", meter_id) != meter_id:
            raise BadInput("the id of a meter stays", where="id", hint="take another meter in beside it")
        known = self._config_of(before)
        config = self._checked({**known, "place": " / ".join(known["place"]), **values})
        if config == known:
            return before
        device = self._built(meter_id, config)
        self._check_free(device.parent, device.address, before)
        await self._replace(actor, meter_id, known, config)
        await self._number(device)
        _inherit(device, before)
        if (line := self._lines.get(before.parent)) is not None and before.parent != device.parent:
            line.forget(meter_id)
        self._estate.remove(meter_id)
        self._estate.add(device)
        self._tell()
        return device

    def _built(self, meter_id: str, config: Mapping[str, Any]) -> Device:
        try:
            return meter_device(self._entry(meter_id, config), self._registry, self._operator, True)
        except ConfigError as error:
            raise BadInput(error.message, where="address", hint=error.hint) from None

    async def _number(self, device: Device) -> None:
        numbers = await self._store.series([entity.id for entity in device.entities])
        for entity in device.entities:
            entity.series = numbers[entity.id]

    def _own(self, meter_id: str, hint: str) -> Device:
        """The meter of the book with this id."""
        device = self._estate.get(meter_id)
        if device is None or device.kind != "meter":
            raise NotFound(f"there is no meter {meter_id}")
        if device.origin != DATABASE:
            raise BadInput(f"{meter_id} is set up in {device.origin}", hint=hint)
        return device

    def _check_free(self, line_id: str, address: str, device: Device) -> None:
        """Raise ``Conflict`` when another meter has this address on this line."""
        for one in self._estate.values():
            if one.parent == line_id and one.address == address and one is not device:
                raise Conflict(f"{one.id} has the address {one.address} on the line {line_id}", where="line")

    def _config_of(self, device: Device) -> dict[str, Any]:
        place, profile = list(device.place), device.profile.id
        return {
            "line": device.parent,
            "profile": profile,
            "address": device.address,
            "name": device.name,
            "place": place,
        }

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        try:
            where = place()(values.get("place") or "")
        except vol.Invalid as error:
            raise BadInput(str(error), where="place") from None
        profiles = self._registry.profiles
        if values.get("line") not in self._lines:
            raise BadInput(f"there is no line {values.get('line')}", where="line", hint=", ".join(self._lines))
        if values.get("profile") not in profiles:
            raise BadInput(
                f"there is no profile {values.get('profile')}", where="profile", hint="see the documentation"
            )
        config = {"line": values["line"], "profile": values["profile"], "address": str(values.get("address") or "")}
        return config | {"name": str(values.get("name") or ""), "place": list(where)}

    async def _keep(self, actor: Actor, meter_id: str, config: Mapping[str, Any]) -> None:
        now, audit = self._clock.now(), Audit(self._store, self._clock)
        row = {
            "id": meter_id,
            "operator": self._operator,
            "kind": "meter",
            "config_json": _as_json(config),
            "disabled": 0,
            "created_by": actor.id,
            "created_ms": now,
            "updated_ms": now,
        }

        def work(tx: Any) -> None:
            tx.insert("devices", row)
            audit.write(tx, Entry("meter.add", f"meter:{meter_id}", actor.id, self._operator, after=config))

        await self._store.transact(work)

    async def _replace(self, actor: Actor, meter_id: str, known: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Keep what a meter is now, and note what changed."""
        changed = [name for name in KEPT if known[name] != config[name]]
        before, after = ({name: one[name] for name in changed} for one in (known, config))
        row = {"config_json": _as_json(config), "updated_ms": self._clock.now()}
        audit = Audit(self._store, self._clock)

        def work(tx: Any) -> None:
            tx.update("devices", {"id": meter_id, "operator": self._operator}, row)
            entry = Entry("meter.change", f"meter:{meter_id}", actor.id, self._operator, before=before, after=after)
            audit.write(tx, entry)

        await self._store.transact(work)

    def actions(self) -> list[Action]:
        """The actions ``meter.move`` and ``meter.remove``, for meters of the book."""
        move = Action(
            "meter.move",
            {"en": "Move to another line", "zh": "移到另一条线路", "ja": "別の回線へ移す"},
            "meter.edit",
            self._move,
            target="meter",
            schema={vol.Required("line"): str},
            danger=Danger.CONFIRM,
            description={
                "en": "Its readings, orders and accounts stay with it.",
                "zh": "其读数、订单和账户均保留。",
                "ja": "検針値・注文・口座はそのまま残ります。",
            },
            applies=_of_the_book,
            everyday=False,
        )
        remove = Action(
            "meter.remove",
            {"en": "Remove meter", "zh": "移除表计", "ja": "メーターを削除する"},
            "meter.edit",
            self._remove,
            target="meter",
            danger=Danger.REASON,
            applies=_of_the_book,
            everyday=False,
        )
        return [move, remove]

    async def _move(self, call: Call) -> dict[str, Any]:
        call.sent()
        await self.move(call.actor, call.target, call.params["line"])
        return {"line": call.target.parent}

    async def move(self, actor: Actor, device: Device, line_id: str) -> None:
        """Hang a meter of the book on another line; all that is known of it stays.

        Raises ``BadInput`` for a meter of a site file or an unknown line, ``Conflict`` for an address in use there.
        """
        if device.origin != DATABASE:
            raise BadInput(f"{device.id} is set up in {device.origin}", hint="change its line: there")
        if line_id not in self._lines:
            raise BadInput(f"there is no line {line_id}", where="line", hint=", ".join(self._lines))
        self._check_free(line_id, device.address, device)
        before, audit = device.parent, Audit(self._store, self._clock)
        row = {"id": device.id, "operator": self._operator, "line": line_id, "now_ms": self._clock.now()}

        def work(tx: Any) -> None:
            tx.execute("move_book_meter", row)
            change = {"line": before}, {"line": line_id}
            audit.write(tx, Entry("meter.move", f"meter:{device.id}", actor.id, self._operator, *change))

        await self._store.transact(work)
        device.parent = line_id
        if before in self._lines:
            self._lines[before].forget(device.id)
        self._tell()

    async def _remove(self, call: Call) -> dict[str, Any]:
        call.sent()
        await self.remove(call.actor, call.target.id)
        return {"removed": call.target.id}

    async def remove(self, actor: Actor, meter_id: str) -> None:
        """Let a meter of the book go; its history stays. Raises ``BadInput`` for one of a site file."""
        device = self._own(meter_id, hint="take it out there")
        audit = Audit(self._store, self._clock)

        def work(tx: Any) -> None:
            tx.execute("forget_book_meter", {"id": meter_id, "operator": self._operator})
            audit.write(tx, Entry("meter.remove", f"meter:{meter_id}", actor.id, self._operator))

        await self._store.transact(work)
        line = self._lines.get(device.parent)
        if line is not None:
            line.forget(meter_id)
        self._estate.remove(meter_id)
        self._tell()


def _of_the_book(device: Any) -> bool:
    return bool(device.origin == DATABASE)


def _as_json(config: Mapping[str, Any]) -> str:
    return json.dumps({name: config[name] for name in KEPT}, ensure_ascii=False)


def _inherit(device: Device, before: Device) -> None:
    """What was known of the meter stays known; a meter on another wire is not called silent for what was there."""
    device.answered_ms, device.since_ms = before.answered_ms, before.since_ms
    if before.parent == device.parent:
        device.status, device.detail, device.failures = before.status, before.detail, before.failures
    for entity in device.entities:
        old = before.entity(entity.definition.key)
        if old is not None and old.definition == entity.definition:
            entity.state = old.state

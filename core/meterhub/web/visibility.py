"""Which devices an actor may see, in the order of their ids; worked out once and kept until something changes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from meterhub.actions import Actor
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.devices.device import Device
from meterhub.devices.entity import Entity
from meterhub.devices.states import DeviceAdded, DeviceRemoved, Estate
from meterhub.errors import NotFound
from meterhub.runs import Run

MAX_ACTORS = 32
PART = 2_000
"""Devices that are looked at in one go before others may run."""

Seen = list[tuple[str, Device, str]]
"""Id, device, and the text that a search looks in; in the order of ids."""


def view_permission(device: Device) -> str:
    """What it takes to see a device."""
    return "collector.view" if device.kind == "collector" else "device.view"


def may_see(actor: Actor, device: Device) -> bool:
    """Whether the actor may see the device."""
    return actor.may(view_permission(device), device.scope)


def may_see_entity(actor: Actor, entity: Entity) -> bool:
    """Whether the actor may see the entity: its device, and what the entity itself asks for."""
    permission = entity.definition.permission
    return may_see(actor, entity.device) and (not permission or actor.may(permission, entity.device.scope))


def may_see_run(estate: Estate, actor: Actor, run: Run) -> bool:
    """Whether the actor started the run or may see its target."""
    device = estate.get(run.target)
    return run.actor == actor.id or (device is not None and may_see(actor, device))


def may_anywhere(actor: Actor, permission: str) -> bool:
    """Whether the actor holds the permission at any place; the rows are then checked one by one."""
    anywhere = getattr(actor, "may_anywhere", None)
    return bool(anywhere(permission)) if anywhere is not None else actor.may(permission, "")


def rights_of(actor: Actor) -> Any:
    """A mark that is another object once the actor's rights changed."""
    return (actor, getattr(actor, "rules", None), getattr(actor, "active", True))


class Visibility:
    """The estate as one actor may see it."""

    def __init__(self, estate: Estate, bus: Bus, clock: Clock) -> None:
        self._estate = estate
        self._clock = clock
        self._all: Seen | None = None
        self._of: OrderedDict[int, tuple[Any, Seen]] = OrderedDict()
        bus.on(DeviceAdded, self._forget)
        bus.on(DeviceRemoved, self._forget)

    def device(self, actor: Actor, device_id: str) -> Device:
        """The device with this id; one that may not be seen is not found. Raises ``NotFound``."""
        device = self._estate.get(device_id)
        if device is None or not may_see(actor, device):
            raise NotFound(f"there is no device {device_id[:100]}", hint="GET /api/v1/devices lists them")
        return device

    def entity(self, actor: Actor, entity_id: str) -> Entity:
        """The entity with this id; one that may not be seen is not found. Raises ``NotFound``."""
        device_id, _, key = entity_id.partition(".")
        device = self._estate.get(device_id)
        entity = device.entity(key) if device is not None else None
        if entity is None or not may_see_entity(actor, entity):
            raise NotFound(
                f"there is no entity {entity_id[:100]}", hint="GET /api/v1/devices/{id} lists those of a device"
            )
        return entity

    async def devices(self, actor: Actor) -> Seen:
        """All devices that the actor may see."""
        rights = rights_of(actor)
        known = self._of.get(id(actor))
        if known is not None and _same(known[0], rights):
            self._of.move_to_end(id(actor))
            return known[1]
        whole = self._all if self._all is not None else await self._list()
        seen: Seen = []
        for start in range(0, len(whole), PART):
            seen += [row for row in whole[start : start + PART] if may_see(actor, row[1])]
            await self._clock.sleep(0)
        if whole is self._all and _same(rights, rights_of(actor)):
            self._of[id(actor)] = (rights, seen)
            if len(self._of) > MAX_ACTORS:
                self._of.popitem(last=False)
        return seen

    async def _list(self) -> Seen:
        ids = sorted(self._estate)
        rows: Seen = []
        before = self._all = []
        for start in range(0, len(ids), PART):
            for device_id in ids[start : start + PART]:
                device = self._estate.get(device_id)
                if device is not None:
                    rows.append((device_id, device, _haystack(device)))
            await self._clock.sleep(0)
        if self._all is before:
            self._all = rows
        return rows

    def _forget(self, message: DeviceAdded | DeviceRemoved) -> None:
        self._all = None
        self._of.clear()


def _same(one: Any, other: Any) -> bool:
    return all(left is right for left, right in zip(one, other, strict=True))


def _haystack(device: Device) -> str:
    return "\n".join((device.id, device.name, device.address, " / ".join(device.place))).casefold()

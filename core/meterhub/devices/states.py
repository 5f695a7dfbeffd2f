"""States: the latest value of every entity, and the news of what changed, once per poll.

Hot path: no task, lock, frozen dataclass or plugin call per reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.devices.device import Device, Status
from meterhub.devices.entity import Entity, Quality, State, Value
from meterhub.errors import Misuse, NotFound


class StatesChanged:
    """What one poll, push or person brought for one device. ``changes`` is a list of entities with their new states.

    Immutable by convention; every state in it was received, whether its value differs from before or not.
    """

    __slots__ = ("cause", "changes", "device")

    def __init__(self, device: Device, changes: list[Entity], cause: Any) -> None:
        self.device = device
        self.changes = changes
        self.cause = cause


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A device's status changed from ``before`` to what it carries now."""

    device: Device
    before: Status


@dataclass(frozen=True, slots=True)
class DeviceAdded:
    """A device was taken into the estate."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """A device left the estate."""

    device: Device


class Estate(Mapping[str, Device]):
    """All devices by id, and the one way to change what is known of them."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._devices: dict[str, Device] = {}

    def __getitem__(self, device_id: str) -> Device:
        return self._devices[device_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def values(self) -> ValuesView[Device]:
        """All devices; quicker than what ``Mapping`` makes of it."""
        return self._devices.values()

    def add(self, device: Device) -> None:
        """Take a device in; raises ``Misuse`` when the id is taken."""
        if device.id in self._devices:
            raise Misuse(f"the device id {device.id} is taken", where=device.origin)
        self._devices[device.id] = device
        if not device.since_ms:
            device.since_ms = self._clock.now()
        self._bus.emit(DeviceAdded(device))

    def remove(self, device_id: str) -> None:
        """Let a device go; its history stays."""
        self._bus.emit(DeviceRemoved(self._devices.pop(device_id)))

    def entity(self, entity_id: str) -> Entity:
        """The entity ``device.key``; raises ``NotFound``."""
        device_id, _, key = entity_id.partition(".")
        device = self._devices.get(device_id)
        entity = device.entity(key) if device is not None else None
        if entity is None:
            raise NotFound(f"there is no entity {entity_id}")
        return entity

    def set(
        self,
        entity: Entity,
        value: Value,
        quality: Quality = Quality.GOOD,
        measured_ms: int | None = None,
        cause: Any = None,
    ) -> None:
        """Set one state and tell the listeners."""
        now = self._clock.now()
        entity.state = State(value, quality, now if measured_ms is None else measured_ms, now, cause)
        self._bus.emit(StatesChanged(entity.device, [entity], cause))

    def apply(
        self, device: Device, updates: Iterable[tuple[Entity, Value, Quality]], measured_ms: int, cause: Any = None
    ) -> None:
        """Set what one poll brought and tell the listeners once."""
        now = self._clock.now()
        changes = []
        for entity, value, quality in updates:
            entity.state = State(value, quality, measured_ms, now, cause)
            changes.append(entity)
        if changes:
            self._bus.emit(StatesChanged(device, changes, cause))

    def set_status(self, device: Device, status: Status, detail: str = "") -> None:
        """Change a device's status; only a change of the word moves since-when and is told."""
        before = device.status
        device.detail = detail
        if before is status:
            return
        device.status = status
        device.since_ms = self._clock.now()
        self._bus.emit(StatusChanged(device, before))

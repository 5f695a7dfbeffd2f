"""Devices and entities as JSON text, put together from parts that are encoded once.

What never changes (an entity's definition, a device's address) is encoded at first sight; a state is encoded once and
shared by every request and every live socket until the next comes.
"""

from __future__ import annotations

import json
from typing import Any

from meterhub.bus import Bus
from meterhub.clock import iso
from meterhub.devices.device import Device
from meterhub.devices.entity import Entity, EntityDef, State
from meterhub.devices.profile import Profile
from meterhub.devices.states import DeviceRemoved

MAX_KEPT = 100_000
"""States kept encoded (about 300 bytes each)."""

NO_STATE = '"v":null,"q":"stale","t":null'

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def dumps(content: Any) -> str:
    """Compact JSON."""
    return _encode(content)


def time_json(ms: int) -> str:
    """A time as JSON; null for 0, never."""
    return f'"{iso(ms)}"' if ms else "null"


class Fragments:
    """The encoded parts."""

    def __init__(self, bus: Bus) -> None:
        self._values: dict[Entity, tuple[State, str, str]] = {}
        self._heads: dict[Device, str] = {}
        self._profiles: dict[str, tuple[Profile, tuple[str, ...]]] = {}
        bus.on(DeviceRemoved, self._forget)

    def change(self, entity: Entity) -> str:
        """``{"id","v","q","t"}`` of the entity's latest state, as the live socket sends it; t and v null before any."""
        return f'{{"id":"{entity.id}",{self.value(entity)}}}'

    def value(self, entity: Entity) -> str:
        """``"v":…,"q":…,"t":…`` of the latest state."""
        state = entity.state
        if state is None:
            return NO_STATE
        known = self._values.get(entity)
        return known[1] if known is not None and known[0] is state else self._encode_state(entity, state)[1]

    def entity(self, entity: Entity) -> str:
        """An entity with its definition and state."""
        state = entity.state
        if state is None:
            return f'{self._static(entity)},{NO_STATE},"received":null,"cause":null}}'
        known = self._values.get(entity)
        if known is None or known[0] is not state:
            known = self._encode_state(entity, state)
        return f"{self._static(entity)},{known[1]},{known[2]}}}"

    def _encode_state(self, entity: Entity, state: State) -> tuple[State, str, str]:
        definition = entity.definition
        shown = None if definition.secret else definition.shown(state.value)
        value = f'"v":{_encode(shown)},"q":"{state.quality}","t":"{iso(state.measured_ms)}"'
        cause = "null" if state.cause is None else _encode(str(state.cause))
        if len(self._values) >= MAX_KEPT:
            self._values.clear()
        known = self._values[entity] = (state, value, f'"received":{time_json(state.received_ms)},"cause":{cause}')
        return known

    def _static(self, entity: Entity) -> str:
        device = entity.device
        definition = self._definitions(device.profile)[device.profile.index[entity.definition.key]]
        return f'{{"id":"{device.id}.{entity.definition.key}","device":"{device.id}",{definition}'

    def device(self, device: Device) -> str:
        """A device without its entities and without the closing brace."""
        head = self._heads.get(device)
        if head is None:
            if len(self._heads) >= MAX_KEPT:
                self._heads.clear()
            head = self._heads[device] = _head(device)
        detail = _encode(device.detail) if device.detail else '""'
        return (
            f'{head},"status":"{device.status}","detail":{detail},'
            f'"since":{time_json(device.since_ms)},"answered":{time_json(device.answered_ms)}'
        )

    def status(self, device: Device) -> str:
        """``{"id","v","detail","since"}`` of a device, as the live socket sends it."""
        return (
            f'{{"id":"{device.id}","v":"{device.status}","detail":{_encode(device.detail)},'
            f'"since":{time_json(device.since_ms)}}}'
        )

    def _definitions(self, profile: Profile) -> tuple[str, ...]:
        known = self._profiles.get(profile.id)
        if known is None or known[0] is not profile:
            known = self._profiles[profile.id] = (profile, tuple(_definition(one) for one in profile.entities))
        return known[1]

    def _forget(self, message: DeviceRemoved) -> None:
        self._heads.pop(message.device, None)
        for entity in message.device.entities:
            self._values.pop(entity, None)


def _head(device: Device) -> str:
    content = {
        "id": device.id,
        "kind": device.kind,
        "name": device.name,
        "operator": device.operator,
        "site": device.site,
        "place": list(device.place),
        "profile": device.profile.id,
        "plugin": device.owner,
        "parent": device.parent,
        "address": device.address,
        "origin": device.origin,
    }
    return _encode(content)[:-1]


def _definition(definition: EntityDef) -> str:
    content: dict[str, Any] = {
        "key": definition.key,
        "name": dict(definition.name),
        "kind": definition.kind,
        "unit": definition.unit,
        "decimals": definition.scale,
        "meaning": definition.meaning,
        "role": definition.role,
        "group": definition.group,
    }
    extra = {
        "accumulate": definition.accumulate,
        "options": {key: dict(text) for key, text in definition.options.items()},
        "write": definition.write,
        "hidden": definition.hidden,
        "secret": definition.secret,
    }
    content.update({key: value for key, value in extra.items() if value})
    limits = {"minimum": definition.minimum, "maximum": definition.maximum, "step": definition.step}
    content.update({key: definition.shown(value) for key, value in limits.items() if value is not None})
    return _encode(content)[1:-1]

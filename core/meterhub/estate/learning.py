"""What protocols learn of their meters, such as blocks that one refuses, kept over restarts.

It is true of one meter of one model: a meter with another address, model, option or entity begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.devices.device import Device
from meterhub.devices.states import DeviceRemoved, Estate
from meterhub.errors import StoreError
from meterhub.field.protocol import Protocol
from meterhub.store.engine import Store, Transaction

PREFIX = "learned."
KEEP_EVERY_S = 60.0
"""What was learned since is learned again after a crash."""


class Learning:
    """Gives each protocol back what it knew, and keeps what it learns. ``protocols`` by name."""

    def __init__(self, store: Store, clock: Clock, bus: Bus, estate: Estate, protocols: Mapping[str, Protocol]) -> None:
        self._store = store
        self._clock = clock
        self._estate = estate
        self._protocols = protocols
        self._kept: dict[str, Any] = {}
        """What is in the store, by meter id."""
        bus.on(DeviceRemoved, self._removed)

    async def restore(self) -> None:
        """Before anything is read: give back what is known of meters that are still the same."""
        for row in await self._store.query("learned", {"prefix": PREFIX + "%"}):
            meter_id = row["key"].removeprefix(PREFIX)
            self._kept[meter_id] = kept = json.loads(row["value_json"])
            device = self._estate.get(meter_id)
            protocol = None if device is None else self._protocols.get(device.profile.protocol)
            if device is not None and protocol is not None and kept["of"] == _mark(device):
                protocol.recall(device, kept["knows"])

    async def keep_on(self) -> None:
        """Keep what is new, again and again; what a full disk refuses is kept the next time."""
        while True:
            await self._clock.sleep(KEEP_EVERY_S)
            with suppress(StoreError):
                await self.keep()

    async def keep(self) -> None:
        """Write what changed; returns when it is committed. Raises ``StoreError``."""
        known = self._known()
        new = {meter_id: one for meter_id, one in known.items() if self._kept.get(meter_id) != one}
        gone = [meter_id for meter_id in self._kept if meter_id not in known]
        if not new and not gone:
            return
        now_ms = self._clock.now()

        def write(tx: Transaction) -> None:
            for meter_id in gone:
                tx.execute("forget_learned", {"key": PREFIX + meter_id})
            for meter_id, one in new.items():
                tx.execute("keep_learned", {"key": PREFIX + meter_id, "value": json.dumps(one), "now_ms": now_ms})

        await self._store.transact(write)
        self._kept = known

    async def close(self) -> None:
        """At an orderly stop; a full disk costs what was learned in the last minute."""
        with suppress(StoreError):
            await self.keep()

    def _known(self) -> dict[str, Any]:
        known = {}
        for name, protocol in self._protocols.items():
            for meter_id, text in protocol.learned().items():
                device = self._estate.get(meter_id)
                if device is not None and device.profile.protocol == name:
                    known[meter_id] = {"of": _mark(device), "knows": text}
        return known

    def _removed(self, message: DeviceRemoved) -> None:
        protocol = self._protocols.get(message.device.profile.protocol)
        if protocol is not None:
            protocol.forget(message.device.id)


def _mark(device: Device) -> str:
    """Another one when the meter is another, or is read in another way."""
    profile = device.profile
    entities = [(one.key, one.kind, one.scale) for one in profile.entities]
    what = (profile.id, device.address, sorted(device.options.items(), key=str), entities)
    return sha256(repr(what).encode()).hexdigest()[:16]

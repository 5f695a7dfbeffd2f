"""States and the store: every entity begins with its last stored value, and what comes in is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meterhub.devices.device import Status
from meterhub.devices.entity import QUALITIES, Entity, State
from meterhub.devices.states import Estate, StatesChanged
from meterhub.store.engine import Reading
from meterhub.store.recorder import Recorder
from meterhub.store.sqlite import SqliteStore
from meterhub.texts import mark

QUALITY_NUMBER = {quality: number for number, quality in enumerate(QUALITIES)}
NOT_YET = mark("it answered before, but not since the hub started")
BOOLEAN_KINDS = ("switch", "boolean", "valve")


async def restore(store: SqliteStore, estate: Estate) -> None:
    """Give every entity its number in the store and its last stored value."""
    entities = [entity for device in estate.values() for entity in device.entities]
    ids = [entity.id for entity in entities]
    numbers = await store.series(ids)
    by_number: dict[int, Entity] = {}
    for entity, entity_id in zip(entities, ids, strict=True):
        number = entity.series = numbers[entity_id]
        by_number[number] = entity
    del entities, ids, numbers  # 15 MB with 10,000 meters; the states fill their place
    after = 0
    while latest := await store.load_latest(after):
        _restore_page(latest, by_number)
        after = latest[-1][0]


def _restore_page(latest: Iterable[Reading], by_number: Mapping[int, Entity]) -> None:
    for series, measured_ms, value, quality in latest:
        known = by_number.get(series)
        if known is None:
            continue
        device = known.device
        if known.definition.kind in BOOLEAN_KINDS and isinstance(value, int):
            value = bool(value)
        if measured_ms > device.answered_ms:
            device.answered_ms = measured_ms
        elif measured_ms == device.answered_ms:
            measured_ms = device.answered_ms  # one object for all values of a poll: 80,000 take 2.5 MB
        if device.status is Status.NEVER_SEEN:
            device.detail = NOT_YET
        known.state = State(value, QUALITIES[quality], measured_ms, measured_ms)


def record(recorder: Recorder, message: StatesChanged) -> None:
    """Hand what came to the recorder; one call per poll."""
    rows = []
    for entity in message.changes:
        state = entity.state
        if state is not None:
            rows.append((entity.series, state.measured_ms, state.value, QUALITY_NUMBER[state.quality]))
    recorder.add(rows)

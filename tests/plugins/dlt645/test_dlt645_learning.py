"""What was learned of blocks is there after a restart, for as long as the meter is the same."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import pytest_asyncio
from dlt645_models import profile as model_of
from dlt645_models import protocol

from meterhub.bus import Bus
from meterhub.devices.device import Device
from meterhub.devices.states import Estate
from meterhub.errors import StoreError
from meterhub.estate.learning import KEEP_EVERY_S, Learning
from meterhub.field.dialogue import rehearse
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks
from meterhub_dlt645.frame import build

KEYS = ("energy_total", "energy_tariff_1")
PLAIN, OTHER = "dlt645-2007-single-phase-plain", "dlt645-2007-three-phase"


@pytest_asyncio.fixture
async def store(clock, tmp_path):
    store = await SqliteStore.open(tmp_path / "data", clock)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def tasks(clock):
    tasks = Tasks(clock)
    yield tasks
    await tasks.stop()


def device(name=PLAIN, address="000000000161", **options):
    profile = model_of(name)
    return Device("m1", "meter", profile, address=address, options={**profile.options, **options})


async def started(store, clock, one):
    """A hub with this meter, just started."""
    bus = Bus()
    estate, speaker = Estate(bus, clock), protocol()
    estate.add(one)
    learning = Learning(store, clock, bus, estate, {one.profile.protocol: speaker})
    await learning.restore()
    return SimpleNamespace(learning=learning, speaker=speaker, estate=estate, meter=one)


def first_asked(house):
    points = [house.meter.points[key] for key in KEYS]
    return next(house.speaker.read(house.meter, points)).frame.identifier


def refuse_the_block(house):
    address = house.meter.address
    answers = [build(address, 0xD1, b"\x02", "2007")]
    answers += [build(address, 0x91, bytes.fromhex(one)[::-1] + bytes(4), "2007") for one in ("00010000", "00010100")]
    rehearse(house.speaker.read(house.meter, [house.meter.points[key] for key in KEYS]), answers)


async def test_a_refused_block_is_not_asked_for_again_after_a_restart(store, clock):
    before = await started(store, clock, device())
    assert first_asked(before) == "0001FF00"
    refuse_the_block(before)
    await before.learning.close()
    after = await started(store, clock, device())
    assert first_asked(after) == "00010000"
    await after.learning.close()
    assert first_asked(await started(store, clock, device())) == "00010000", "and after another"


@pytest.mark.parametrize(
    "changed", [device(address="000000000162"), device(name=OTHER), device(preamble=0)], ids=["address", "model", "way"]
)
async def test_another_meter_under_the_same_id_begins_anew(store, clock, changed):
    before = await started(store, clock, device())
    refuse_the_block(before)
    await before.learning.close()
    after = await started(store, clock, changed)
    assert first_asked(after) == "0001FF00"
    await after.learning.close()
    assert first_asked(await started(store, clock, device())) == "0001FF00", "what was known is gone"


async def test_a_meter_that_is_taken_out_and_in_again_begins_anew(store, clock):
    house = await started(store, clock, device())
    refuse_the_block(house)
    house.estate.remove("m1")
    house.estate.add(house.meter)
    assert first_asked(house) == "0001FF00"


async def test_it_is_kept_while_the_hub_runs_and_when_a_full_disk_has_room_again(store, clock, monkeypatch, tasks):
    house = await started(store, clock, device())
    refuse_the_block(house)
    transact, refusals = store.transact, []

    async def full_at_first(work):
        if not refusals:
            refusals.append(1)
            raise StoreError("the disk is full")
        return await transact(work)

    monkeypatch.setattr(store, "transact", full_at_first)
    tasks.spawn("learning", house.learning.keep_on())
    await clock.advance(2 * KEEP_EVERY_S + 1)
    assert refusals and first_asked(await started(store, clock, device())) == "00010000"

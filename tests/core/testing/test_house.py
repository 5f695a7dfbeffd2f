"""The fixtures ``hub`` and ``sim``: a whole hub on the movable clock, and what it must do when the field misbehaves."""

from __future__ import annotations

from collections import Counter

import pytest

from meterhub.devices.states import StatesChanged
from meterhub.errors import ConfigErrors
from meterhub.schedules import DueFinished
from meterhub_dlt645 import decode_frame

METERS = 20
SLOTS_A_DAY = 96
SITE = """
hub: {name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0", heartbeat: {every: 60s}}]
collectors: [{id: c1, link: field, lines: [{id: c1-a, baud: 2400, parity: even}]}]
meters:
""" + "".join(
    f'  - {{id: m-{number}, line: c1-a, profile: dlt645-2007-single-phase, address: "{number}"}}\n'
    for number in range(1, METERS + 1)
)
ENERGY = "schedules: [{id: sweep, every: 15m, action: meter.read, params: {entities: [energy_total]}}]\n"
ALL = "schedules: [{id: sweep, every: 15m, action: meter.read}]\n"
MEASURED_TO_SAID_MS = 5_000


class Book:
    """What the meters truly said, and what the hub made of it."""

    def __init__(self, hub, sim):
        self.said = {}
        self.slots = Counter()
        self.wrong = []
        self.failed = Counter()
        for meter_id, twin in sim.twins.items():
            self._listen(meter_id, twin)
        hub.bus.on(StatesChanged, self.changed)
        hub.bus.on(DueFinished, lambda message: self.failed.update(message.outcome["failed"]))

    def _listen(self, meter_id, twin):
        answer = twin.answer

        def listen(frame):
            raw = answer(frame)
            if raw is not None:
                digits = decode_frame(raw).payload[::-1].hex()
                self.said.setdefault(meter_id, set()).add(f"{int(digits) / 100:.2f}")
            return raw

        twin.answer = listen

    def changed(self, message):
        for entity in message.changes:
            if entity.state.value is None:
                continue
            self.slots[message.device.id, entity.state.measured_ms // 900_000] += 1
            if entity.shown not in self.said[message.device.id]:
                self.wrong.append((entity.id, entity.shown))


async def test_a_day_on_a_bad_wire_fills_every_slot_with_the_truth_or_names_the_cause(hub, sim, clock):
    home = await hub(SITE + ENERGY)
    book = Book(home, sim)
    sim.faults("c1-a", drop=0.05, corrupt=0.02)
    await clock.advance(86_400 + 600)
    due = METERS * SLOTS_A_DAY
    assert not book.wrong
    assert len(book.slots) >= 0.999 * due
    assert len(book.slots) + sum(book.failed.values()) == due
    assert set(book.failed) <= {"no_answer"}
    await home.recorder.flush()
    begin = clock.now() - 86_400_000 - 600_000
    points = [await home.store.points(f"m-{number}.energy_total", begin, clock.now()) for number in (1, 20)]
    assert [len(one) >= SLOTS_A_DAY - 1 for one in points] == [True, True]


async def test_a_day_on_a_good_wire_misses_nothing(hub, sim, clock):
    home = await hub(SITE + ENERGY)
    book = Book(home, sim)
    await clock.advance(86_400 + 600)
    assert (len(book.slots), book.wrong, sum(book.failed.values())) == (METERS * SLOTS_A_DAY, [], 0)


async def test_a_sweep_that_was_missed_is_caught_up_once_after_a_restart(hub, sim, clock):
    first = await hub(SITE + ENERGY)
    await clock.advance(1000)
    before = first.estate.entity("m-1.energy_total").shown
    await first.stop()
    await clock.advance(3000)
    second = await hub(SITE + ENERGY)
    restored = second.estate.entity("m-1.energy_total")
    assert restored.shown == before
    await clock.advance(60)
    assert clock.now() - restored.state.measured_ms < 60_000
    rows = await second.store.query("last_due", {"schedule": "sweep"})
    assert rows[0]["due_ms"] == clock.now() // 900_000 * 900_000
    assert second.schedules.last("sweep")[1] == {"asked": METERS, "answered": METERS, "failed": {}}
    assert sum(wire.collisions for wire in sim.wires.values()) == 0


async def test_a_meter_that_dies_says_since_when_and_comes_back(hub, sim, clock):
    home = await hub(SITE + ENERGY)
    await clock.advance(1000)
    meter = home.estate["m-7"]
    assert meter.status == "online"
    sim.silence("m-7")
    await clock.advance(900)
    assert meter.status == "no_answer" and "no answer" in meter.detail
    outcome = home.schedules.last("sweep")[1]
    assert (outcome["asked"], outcome["answered"], outcome["failed"]) == (METERS, METERS - 1, {"no_answer": 1})
    assert outcome["missing"] == {"m-7": "no answer in time, asked 3 times"}
    old = home.estate.entity("m-7.energy_total").state
    assert old.value is not None and clock.now() - old.measured_ms > 900_000, "the last value stays, with its age"
    sim.revive("m-7")
    await clock.advance(900)
    assert meter.status == "online"


async def test_an_action_during_a_sweep_jumps_ahead(hub, sim, clock):
    home = await hub(SITE + ALL)
    await clock.advance(905)
    line = home.field.lines["c1-a"]
    assert line.waiting > 10, "the sweep is under way"
    begin = clock.monotonic()
    run = await home.act("meter.open_circuit", "m-20", reason="a test")
    assert run.state == "confirmed" and run.result["read_back"]["relay"] is False
    assert clock.monotonic() - begin < 3
    assert line.waiting > 5, "the sweep goes on behind it"
    await clock.advance(300)
    assert home.schedules.last("sweep")[1]["answered"] == METERS


async def test_a_collector_that_is_cut_during_a_sweep_costs_the_rest_of_it_and_no_more(hub, sim, clock):
    home = await hub(SITE + ALL)
    await clock.advance(905)
    sim.hang_up("c1")
    await clock.advance(60)
    outcome = home.schedules.last("sweep")[1]
    assert outcome["asked"] == METERS and set(outcome["failed"]) == {"link_down"}
    assert outcome["answered"] + outcome["failed"]["link_down"] == METERS
    assert home.estate["c1"].status == "link_down"
    sim.dial_in("c1")
    await clock.advance(1200)
    assert home.schedules.last("sweep")[1] == {"asked": METERS, "answered": METERS, "failed": {}}


async def test_a_wire_that_is_cut_behind_its_collector(hub, sim, clock):
    home = await hub(SITE + ENERGY)
    sim.cut("c1-a")
    await clock.advance(1500)
    assert home.schedules.last("sweep")[1]["failed"] == {"no_answer": METERS}
    assert home.estate["c1"].status == "online"
    sim.mend("c1-a")
    await clock.advance(900)
    assert home.schedules.last("sweep")[1]["answered"] == METERS


async def test_a_site_of_a_file_with_a_plugin_beside_it(hub, sim, clock, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    home = await hub(folder / "site.yaml")
    assert (await home.act("meter.read", "m-3", {"entities": ["voltage"]})).state == "confirmed"
    assert not (folder / "data").exists(), "the test's data stay in its own folder"


async def test_a_wrong_site_is_told_as_by_check(hub):
    with pytest.raises(ConfigErrors, match="did you mean meters"):
        await hub(SITE.replace("meters:", "metres:"))

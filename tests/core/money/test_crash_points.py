"""The hub is stopped before and after every commit and every await on the way of money: nothing is short or doubled.

The stops are found by playing: wherever a scene (``crash_scenes``) goes, it is stopped, and started again; wherever it
goes after that and never was before, it is stopped once more. The last test looks for every ``await`` of the source
among them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from bank import Purse
from crash_scenes import SCENES
from stops import Stopped, StoppingStore, Stops, awaits, told
from till_house import Till
from whole_till import WholeTill

from meterhub.errors import MeterHubError
from meterhub.testing.clock import START_MS
from meterhub.testing.inline_store import InlineStore

WAITING = {
    "money/room: await self._clock.sleep(STORE_WAIT_S)",
    "money/outbox: await self._clock.sleep(STORE_WAIT_S)",
    "money/outbox: await self._woken(wait_s)",
    "money/outbox: await self._wake.wait()",
    "office/money_room: await run.done",
}
"""Where nothing happens but time passing: what goes on meanwhile is stopped at by itself."""
ELSEWHERE = {
    'money/proof: await asyncio.to_thread(self._seal.write, f"{day}", content.encode())': "files: tests of the seal",
    "actions: await result": "of a read that is kept nowhere",
    "actions: await self._journal.find(run_id)": "looks at a run",
    'action_journal: await self._store.query("run_by_id", {"id": run_id})': "looks at a run",
    'action_journal: await self._store.query("runs_of_target", {"target": target, "most": most})': "looks at runs",
}
"""Awaits beside the way of money."""
BUTTONS = "office/message_room: "
"""Its own buttons are one transaction each; the address of a message is on the way."""


@pytest.fixture
def folder(tmp_path):
    """In memory where that can be had: these stops are not the power's, and hundreds of folders are opened."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


class Stage:
    """A data folder with an account, from which a scene is played again and again, at the same time of the same day."""

    def __init__(self, folder, clock, scene):
        self.folder, self.clock, self.scene = folder, clock, scene
        self.begin_ms = START_MS + round(scene.at_s * 1000)
        self.runs = 0

    async def set_up(self):
        self._set_clock()
        till = await Till(self.folder / "template", self.clock).open(engine=InlineStore)
        await till.account(mode=self.scene.mode, counted=self.scene.counted)
        await till.real.transact(lambda tx: tx.execute("update money_accounts set phone = '+8613800000000'"))
        await till.close()
        return self

    def _set_clock(self):
        self.clock.jump((self.begin_ms - self.clock.now()) / 1000)

    async def play(self, *points):
        """Play it to its end, with a stop at each of the points, one after the other; returns till and stops, and
        what could be stopped at before the last point."""
        self._set_clock()
        run = self.folder / f"run{self.runs}"
        self.runs += 1
        shutil.copytree(self.folder / "template", run)
        stops = Stops(*points)
        till = (WholeTill if self.scene.whole else Till)(run, self.clock, trip=stops.trip)
        till.meters.purses["a-101"] = Purse(self.scene.counted)
        for _ in points:
            await self._until_stopped(till, stops)
            stops.heal()
        return till, stops

    async def _until_stopped(self, till, stops):
        try:
            await till.open(lambda store: StoppingStore(store, stops.trip), InlineStore)
            await self.scene.play(till)
            await till.until_quiet(1000)
        except Stopped:
            pass
        await asyncio.sleep(0)
        await till.close()
        assert stops.stopped, f"never came to {told(stops.at[0])}"
        till.errors = [(owner, error) for owner, error in till.errors if not isinstance(error, Stopped)]

    async def end(self, till, stops, where):
        """The rest of it, without a stop: everything must come right."""
        await till.open(lambda store: StoppingStore(store, stops.trip), InlineStore)
        try:
            order_no = await self.scene.play(till)
        except MeterHubError as error:
            pytest.fail(f"{where}: {error}")
        await till.until_quiet(4 * 3600 if self.runs > 1 else 1000)
        passed = list(stops.points)
        await check(self.scene, till, order_no, where)
        await till.close()
        assert till.errors == [], where
        shutil.rmtree(till.folder)
        return passed


@pytest.mark.parametrize("name", SCENES)
async def test_stopped_anywhere_money_is_neither_short_nor_doubled(name, folder, clock):
    stage = await Stage(folder, clock, SCENES[name]).set_up()
    till, stops = await stage.play()
    first = await stage.end(till, stops, name)
    known = {(place, label) for place, label, _ in first}
    waiting = [(point,) for point in dict.fromkeys(first)]
    assert len(waiting) > 20
    while waiting:
        points = waiting.pop()
        where = f"{name}, stopped at {', then at '.join(told(one) for one in points)}"
        till, stops = await stage.play(*points)
        for point in await stage.end(till, stops, where):
            place, label, _ = point
            if (place, label) not in known:  # only after a stop it comes here
                known.add((place, label))
                waiting.append((*points, point))
    print(f"{name}: {stage.runs - 1} stops")


async def check(scene, till, order_no, where):
    """Payments = ledger = meters, and nothing waits without a name."""
    books = await till.books()
    purse = till.meters.purses["a-101"]
    ours = [(number, fen) for number, fen in purse.ledger if fen != 700]
    deliveries = await till.rows("select * from deliveries where order_no = ? order by id", order_no)
    state, cases = await till.state(order_no), await till.cases()
    assert await till.real.query("ledger.unequal", {"operator": "main"}) == [], where
    assert sum(books.values()) == 0, where
    assert -sum(fen for book, fen in books.items() if book.startswith("clearing/acme")) == till.company.money(), where
    if deliveries and deliveries[-1]["state"] == "unknown":
        assert not purse.counted and cases == ["uncertain_delivery"], where
        assert len(ours) <= len(deliveries), where
        return
    assert cases == [] and state in scene.ends, f"{where}: {state}, {cases}"
    assert sum(fen for _, fen in ours) == books.get("meter/a-101-1", 0), where
    assert len(ours) == len([one for one in deliveries if one["state"] == "confirmed"]), where
    await check_what_follows(till, state, where)


async def check_what_follows(till, state, where):
    """Messages, the supply, and what still waits."""
    messages = {row["no"]: row["state"] for row in await till.rows("select no, state from messages")}
    sent = till.carrier.sent if isinstance(till, WholeTill) else []
    assert len(set(sent)) == len(sent), where
    assert {no for no, one in messages.items() if one == "delivered"} == set(sent), where
    in_doubt = sorted(no for no, one in messages.items() if one == "unknown")
    refused = sorted(no for no, one in messages.items() if one == "failed")
    assert len(messages) == len(sent) + len(in_doubt) + len(refused), where
    waiting = await till.rows("select kind, error from outbox where state = 'waiting' and kind <> 'proof'")
    assert [row["kind"] for row in waiting] == ["message"] * len(in_doubt), f"{where}: {waiting}"
    if isinstance(till, WholeTill):
        assert len(messages) == (state == "fulfilled"), where
    (account,) = await till.rows("select * from money_accounts where id = 'a-101-1'")
    if account["mode"] == "server" and account["supply"] and account["state"] == "open":
        credit = (await till.books()).get("prepaid/a-101-1", 0)
        assert till.meters.relays["a-101"] == account["supply"] == ("on" if credit > 0 else "off"), where


AFTER_A_STOP = ("after meter.credit", "before send", "after commit")


async def test_every_await_of_the_rooms_is_stopped_at(folder, clock):
    """Whoever adds an await adds a scene that comes by, or says here why nothing happens there."""
    passed = set()
    for number, (name, scene) in enumerate(SCENES.items()):
        stage = await Stage(folder / f"{number}", clock, scene).set_up()
        till, stops = await stage.play()
        first = await stage.end(till, stops, name)
        passed |= {place for point in first for place in point[0]}
        for label in AFTER_A_STOP if scene.whole else ():
            point = next(one for one in first if one[1] == label)
            till, stops = await stage.play(point)
            passed |= {place for point in await stage.end(till, stops, name) for place in point[0]}
    missed = {told for place, told in awaits().items() if place not in passed and not told.startswith(BUTTONS)}
    assert sorted(missed) == sorted(WAITING | set(ELSEWHERE))

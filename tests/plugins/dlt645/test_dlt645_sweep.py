"""How long a sweep over a full line takes on the wire, against the best plan: no time is lost between reads."""

from __future__ import annotations

import pytest
from dlt645_models import meter, protocol

from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import LinkFacts
from meterhub.sim.wire import Wire
from meterhub.sim.world import World

METERS = 64
TURNAROUND_S = 0.06
BLOCK = [f"energy_{key}" for key in ("total", "tariff_1", "tariff_2", "tariff_3", "tariff_4")]
KEYS = [*BLOCK, "voltage", "current", "power"]
REQUEST_BYTES = 16
ANSWER_BYTES = 4 + 12 + 4
"""Four FE, the frame around its data, the identifier."""
SIZES = {"energy": 4, "voltage": 2, "current": 3, "power": 3}


def best_s(*data_bytes):
    """The shortest that answers of so many bytes can take: request, turnaround and answer of each."""
    size = sum(REQUEST_BYTES + ANSWER_BYTES + one for one in data_bytes)
    return METERS * (size * 11 / 2400 + len(data_bytes) * TURNAROUND_S)


PLANNED_S = best_s(20, *(SIZES[key] for key in KEYS[5:]))
SINGLE_S = best_s(*(SIZES[key.split("_")[0]] for key in KEYS))


class Row:
    """64 meters on one wire of 2400 baud."""

    def __init__(self, clock, wire):
        world = World(clock, seed=3)
        far = Wire(world, "far")
        self.clock = clock
        self.speaker = protocol("2007")
        self.line = Line(LineConfig("l"), clock, {"dlt645-2007": self.speaker.codec}, facts=LinkFacts())
        self.meters = [meter(address=f"{number:012d}", preamble=0) for number in range(1, METERS + 1)]
        self.twins = [self.speaker.simulate(one, world) for one in self.meters]
        for twin in self.twins:
            twin.turnaround_s, twin.preamble = TURNAROUND_S, 4
            far.add(self.speaker, twin)
        wire.bridge(far).connect(self.line)
        self.ended = 0.0

    async def sweep(self, away=False):
        """Read eight quantities of each meter; (seconds until the last answer, requests). ``away``: none may come."""
        reports, began, tries = [], self.clock.monotonic(), self.line.figures.tries

        def done(report, error):
            assert away or (error is None and not report.failed and len(report.updated) == len(KEYS))
            reports.append(report)
            self.ended = self.clock.monotonic()

        for one in self.meters:
            points = [one.points[key] for key in KEYS]
            self.line.submit(
                Job(
                    one.id,
                    one.address,
                    "dlt645-2007",
                    lambda one=one, points=points: self.speaker.read(one, points),
                    done,
                    priority=Priority.SCHEDULED,
                )
            )
        await self.clock.advance(600)
        assert len(reports) == METERS
        return self.ended - began, self.line.figures.tries - tries


@pytest.fixture
def row(clock, wire):
    return Row(clock, wire)


async def test_a_sweep_takes_as_long_as_the_best_plan_and_no_longer(row):
    seconds, requests = await row.sweep()
    assert requests == METERS * 4
    assert seconds == pytest.approx(PLANNED_S, rel=0.001)
    assert seconds == pytest.approx(66, abs=1)
    assert SINGLE_S / seconds > 1.8


async def test_meters_that_refuse_blocks_are_known_after_one_sweep(row):
    for twin in row.twins:
        twin.no_blocks = True
    assert (await row.sweep())[1] == METERS * 9  # each refuses once
    seconds, requests = await row.sweep()
    assert requests == METERS * 8
    assert seconds == pytest.approx(SINGLE_S, rel=0.001)


async def test_one_meter_that_refuses_costs_the_others_nothing(row):
    row.twins[0].no_blocks = True
    await row.sweep()
    assert (await row.sweep())[1] == (METERS - 1) * 4 + 8


async def test_a_read_on_demand_waits_for_one_exchange_only_while_a_sweep_goes_on(row):
    waited = []
    one = row.meters[40]

    def submit():
        began = row.clock.monotonic()
        row.line.submit(
            Job(
                one.id,
                one.address,
                "dlt645-2007",
                lambda: row.speaker.read(one, [one.points["voltage"]]),
                lambda report, error: waited.append(row.clock.monotonic() - began),
                priority=Priority.OPERATOR,
            )
        )

    row.clock.call_later(20, submit)
    seconds, requests = await row.sweep()
    assert requests == METERS * 4 + 1
    longest_s, own_s = (best_s(size) / METERS for size in (20, SIZES["voltage"]))
    assert waited[0] <= longest_s + own_s + 0.001
    assert seconds == pytest.approx(PLANNED_S + own_s, rel=0.001)


async def test_meters_that_do_not_answer_blocks_are_read_whole_from_the_second_sweep_on(row):
    for twin in row.twins:
        twin.mute_blocks = True
    await row.sweep(away=True)
    for _ in range(2):
        await row.sweep()
    taken_s, tries = await row.sweep()
    assert tries == METERS * len(KEYS)
    assert taken_s <= SINGLE_S * 1.02


async def test_meters_that_are_away_cost_no_more_than_the_tries_of_one_question(row):
    for twin in row.twins:
        twin.silent = True
    for _ in range(2):
        _, tries = await row.sweep(away=True)
        assert tries == METERS * row.line.config.tries

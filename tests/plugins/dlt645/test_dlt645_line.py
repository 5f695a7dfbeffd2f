"""Meters on a simulated wire, read through a line as the hub does it."""

from __future__ import annotations

from dlt645_models import meter, protocol

from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import LinkFacts
from meterhub.sim.wire import Faults, Wire
from meterhub.sim.world import World

MODELS = ("dlt645-1997-single-phase", "dlt645-2007-single-phase", "dlt645-2007-three-phase")


def make_line(clock, wire, faults=None, **options):
    """A line with one meter of each shipped profile on its wire."""
    world = World(clock, seed=7)
    far = Wire(world, "far", faults=faults)
    speakers = {f"dlt645-{edition}": protocol(edition) for edition in ("2007", "1997")}
    codecs = {name: speaker.codec for name, speaker in speakers.items()}
    line = Line(LineConfig("l"), clock, codecs, facts=LinkFacts())
    wire.bridge(far).connect(line)
    meters = {}
    for number, name in enumerate(MODELS):
        one = meter(name, f"{number + 1:012d}", **options)
        meters[name] = one
        far.add(speakers[name[:11]], speakers[name[:11]].simulate(one, world))
    return line, speakers, meters


def submit(line, one, name, start, results, priority=Priority.SCHEDULED):
    line.submit(
        Job(
            one.id,
            one.address,
            name[:11],
            start,
            lambda report, error: results.append((report, error)),
            priority=priority,
        )
    )


async def test_three_models_on_one_wire(clock, wire):
    line, speakers, meters = make_line(clock, wire)
    results = []
    for name, one in meters.items():
        points = list(one.points.values())
        submit(line, one, name, lambda s=speakers[name[:11]], o=one, p=points: s.read(o, p), results)
    await clock.advance(60)
    assert len(results) == 3
    for (report, error), one in zip(results, meters.values(), strict=True):
        assert error is None and not report.failed
        assert len(report.updated) == len(one.points)


async def test_a_bad_wire_costs_time_but_no_truth(clock, wire):
    faults = Faults(drop=0.1, corrupt=0.1, noise=0.3, split=0.5, echo=True)
    line, speakers, meters = make_line(clock, wire, faults)
    one = meters["dlt645-2007-single-phase"]
    results = []
    for _ in range(30):
        keys = ("energy_total", "energy_tariff_1", "energy_tariff_2", "energy_tariff_3", "energy_tariff_4")
        points = [one.points[key] for key in keys]
        submit(line, one, "dlt645-2007", lambda p=points: speakers["dlt645-2007"].read(one, p), results)
        await clock.advance(20)
    good = [report for report, error in results if error is None and not report.failed]
    assert len(good) > 20
    for report in good:
        values = {index: value for index, value, _ in report.updated}
        assert values[0] == values[1] + values[2] + values[3] + values[4]


async def test_open_over_the_wire(clock, wire):
    line, speakers, meters = make_line(clock, wire, valid_until="2099-12-31T23:59:59")
    one = meters["dlt645-2007-three-phase"]
    results = []
    command = speakers["dlt645-2007"].command
    submit(line, one, "dlt645-2007", lambda: command(one, "meter.open_circuit", {}), results, Priority.OPERATOR)
    await clock.advance(10)
    [(reply, error)] = results
    assert error is None and reply.values == {"relay": False}

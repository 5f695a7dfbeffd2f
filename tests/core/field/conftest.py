"""Helpers of the field side's tests."""

from __future__ import annotations

import pytest
from toy import ToyCodec, read

from meterhub.field.line import Job, Line, LineConfig, Priority
from meterhub.field.link import LinkFacts


class Results(list):
    """Collects what jobs ended in, as ``(name, result or error)``."""

    def job(self, name, start, priority=Priority.SCHEDULED, meter_id=None, **more):
        def done(result, error):
            self.append((name, result if error is None else error))

        return Job(meter_id or name, "1", "toy", start, done, priority=priority, **more)

    def reading(self, name, address, *keys, priority=Priority.SCHEDULED, meter_id=None, ask=None, **more):
        return self.job(name, lambda: read(address, *keys, **(ask or {})), priority, meter_id or f"m-{address}", **more)

    @property
    def names(self):
        return [name for name, _ in self]


@pytest.fixture
def results():
    return Results()


@pytest.fixture
def make_line(clock):
    def make(facts=None, **config):
        config = {"id": "l", "timeout_s": 0.5, "tries": 2} | config
        return Line(LineConfig(**config), clock, {"toy": ToyCodec}, facts=facts or LinkFacts(latency_max_s=0.0))

    return make


@pytest.fixture
def line(make_line, wire):
    line = make_line()
    wire.connect(line)
    return line

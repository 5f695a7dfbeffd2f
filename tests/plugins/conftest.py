"""A whole site in real time over real sockets: the hub, and the twins of its collectors and meters in one process."""

from __future__ import annotations

import asyncio

import pytest

from meterhub.actions import System
from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import Hub
from meterhub.testing import ports
from meterhub.twins import run_twins


class LiveSite:
    """``hub`` runs, its twins live ``speed`` times as fast as real time."""

    def __init__(self, file, speed):
        self.site = load_site(file)
        self.hub = Hub(self.site, Clock())
        self._speed = speed

    async def start(self):
        await self.hub.start()
        self._twins = asyncio.create_task(run_twins(load_site(self.site.file), Clock(), speed=self._speed))

    async def stop(self):
        self._twins.cancel()
        await asyncio.gather(self._twins, return_exceptions=True)
        await self.hub.stop()

    async def act(self, name, target, **params):
        run = await self.hub.actions.call(name, target, params, actor=System())
        if run.done is not None:
            await run.done
        return run

    def value(self, entity):
        device, _, key = entity.partition(".")
        return next(one for one in self.hub.estate[device].entities if one.definition.key == key).value


@pytest.fixture
def free_port():
    return ports.free_port()


@pytest.fixture
def other_port():
    """A second one."""
    return ports.free_port()


@pytest.fixture
async def live_site(tmp_path):
    """``await live_site(text, speed=…)``: the site file's text; its data stand in a folder of the test."""
    started = []

    async def start(text, speed=20.0):
        file = tmp_path / "site.yaml"
        file.write_text(text, encoding="utf-8")
        one = LiveSite(file, speed)
        await one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        await one.stop()

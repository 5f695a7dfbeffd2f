"""The pytest plugin: fixtures for whoever tests MeterHub or a plugin for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest_asyncio

from meterhub.testing.clock import MovableClock
from meterhub.testing.wire import ScriptedWire

if TYPE_CHECKING:  # only tests that ask for a hub pay for its import
    from meterhub.testing.house import Sim, SimulatedHub


class StartHub(Protocol):
    """What the fixture ``hub`` gives: call and await it to start a hub."""

    async def __call__(
        self, site: str | Path, *, plugins: Iterable[Path] = (), profiles: Iterable[Path] = ()
    ) -> SimulatedHub:
        """A running hub of ``site``, the text of a site file or the path of one, with these plugins and profiles
        beside its own. Called again after ``stop()`` with the same site, it is the hub restarted on its data."""


@pytest_asyncio.fixture
async def clock() -> AsyncIterator[MovableClock]:
    """A movable clock, installed on the test's loop. Not for tests with real sockets."""
    movable = MovableClock()
    movable.install(asyncio.get_running_loop())
    yield movable
    movable.uninstall()


@pytest_asyncio.fixture
async def wire(clock: MovableClock) -> ScriptedWire:
    """A scripted wire on the movable clock; ``wire.connect(line)`` attaches it."""
    return ScriptedWire(clock)


@pytest_asyncio.fixture
async def sim(clock: MovableClock) -> Sim:
    """The world of simulated meters behind the fixture ``hub``: silence a meter, cut a line, add faults."""
    from meterhub.testing.house import Sim

    return Sim(clock)


@pytest_asyncio.fixture
async def hub(clock: MovableClock, sim: Sim, tmp_path: Path) -> AsyncIterator[StartHub]:
    """Starts real hubs on the movable clock, in ``tmp_path``, without web server and sockets; stops them at the end."""
    from meterhub.testing.house import SimulatedHub, make_site

    started: list[SimulatedHub] = []

    async def start(site: str | Path, *, plugins: Iterable[Path] = (), profiles: Iterable[Path] = ()) -> SimulatedHub:
        one = SimulatedHub(make_site(site, tmp_path, plugins, profiles), clock, sim)
        started.append(one)
        await one.start()
        return one

    yield start
    for one in started:
        await one.stop()

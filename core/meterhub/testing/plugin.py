"""The pytest plugin: fixtures for whoever tests MeterHub or a plugin for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from meterhub.testing.clock import MovableClock
from meterhub.testing.wire import ScriptedWire


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

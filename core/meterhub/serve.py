"""What ``run``, ``demo`` and ``simulate`` do: one loop, one hub, one web server, until a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.config.entries import Site
from meterhub.config.site import load_site
from meterhub.demo.history import remember
from meterhub.demo.money import open_accounts
from meterhub.demo.site import silent_meters, write_site
from meterhub.descriptors import raise_limit
from meterhub.hub import Hub
from meterhub.people.commands import Maintainer
from meterhub.sim.weather import WEATHERS
from meterhub.tasks import Tasks
from meterhub.twins import run_twins
from meterhub.watchdog import Blockage, Watchdog
from meterhub.web.app import build_app, start
from meterhub.web.pages import setup_pages
from meterhub.web.render import compile_templates

DISABLED = "METERHUB_DISABLED_PLUGINS"
DEMO_USER = "demo"
FIRST_SWEEP_S = 1.5


def run(config: Path) -> int:
    """Run a site until SIGINT or SIGTERM."""
    _log()
    return _loop(_serve(load_site(config)))


def demo(data: Path, meters: int, port: int, seed: int, speed: float) -> int:
    """The simulated estate: hub and twins in one process, a one-time login link on stdout."""
    _log(logging.WARNING)
    site = load_site(write_site(data, meters, port, "en"))
    return _loop(_serve(site, twins=(seed, speed)))


def simulate(config: Path, seed: int, speed: float, weather: str = "calm") -> int:
    """The twins of a site file, until SIGINT or SIGTERM."""
    _log()

    async def live() -> None:
        twins = run_twins(load_site(config), Clock(seed), seed=seed, speed=speed, weather=WEATHERS[weather])
        task = asyncio.ensure_future(twins)
        await _until_signal(task)

    return _loop(live())


def _log(level: int = logging.INFO) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _loop(main: Coroutine[Any, Any, None]) -> int:
    """Run on uvloop where it is installed, with as many connections as the system allows."""
    raise_limit()
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
        return 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
    return 0


async def _until_signal(task: asyncio.Future[Any] | None = None) -> None:
    """Wait for SIGINT, SIGTERM, or the end of ``task``, whose error comes out."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if task is None:
        await stop.wait()
        return
    task.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if task.done():
        task.result()
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _serve(site: Site, twins: tuple[int, float] | None = None) -> None:
    clock = Clock()
    hub = Hub(site, clock, disabled=os.environ.get(DISABLED, "").split(","))
    watchdog = Watchdog(clock, on_blocked=lambda one: _blame(hub, one), on_stuck=lambda one: _restart(hub, one))
    far_end = None if twins is None else site
    del site  # the hub keeps what it needs of it
    await hub.start()
    try:
        rooms = hub.rooms()

        def pages(app: web.Application) -> None:
            setup_pages(app, rooms)

        server = await start(build_app(rooms, pages), str(hub.site.web.listen), hub.site.web.where or "web.listen")
        hub.spawn("templates", asyncio.to_thread(compile_templates))
        watchdog.start()
        try:
            await _live(hub, server.port, far_end, twins)
        finally:
            watchdog.stop()
            await server.stop()
    finally:
        await hub.stop()


async def _live(hub: Hub, port: int, far_end: Site | None, twins: tuple[int, float] | None) -> None:
    """Say where it is, let the twins of ``far_end`` live beside it, until a signal comes."""
    address = f"http://{hub.site.web.listen.host}:{port}"
    if far_end is None or twins is None:
        sys.stdout.write(f"MeterHub runs {hub.site.hub.name} on {address}\n")
        sys.stdout.flush()
        await _until_signal()
        return
    seed, speed = twins
    tasks = Tasks(hub.clock)
    tasks.spawn("twins", run_twins(far_end, Clock(seed), seed=seed, speed=speed, silent=silent_meters(far_end)))
    tasks.spawn("demo", _begin(hub, address, seed if speed == 1 else None))
    sys.stdout.write(f"MeterHub shows {hub.site.hub.name} on {address}\n")
    sys.stdout.write(f"Log in once with {address}/login/link/{await _login_link(hub)}\n")
    sys.stdout.flush()
    try:
        await _until_signal()
    finally:
        await tasks.stop()


async def _begin(hub: Hub, address: str, seed: int | None) -> None:
    """A newcomer need not wait: open accounts and read all meters as soon as the collectors called, add a past."""
    fresh = {one.id for one in hub.estate.values() if not one.answered_ms}
    await hub.clock.sleep(FIRST_SWEEP_S)
    for link in await open_accounts(hub):
        sys.stdout.write(f"Pay as a tenant at {address}{link}\n")
        sys.stdout.flush()
    sweep = hub.actions.get("meter.read").many
    if seed is not None:
        await remember(hub, seed, fresh)
    if sweep is not None:
        await sweep(hub.select({"all": "meters"}), {}, Cause("start", "demo"), None)


async def _login_link(hub: Hub) -> str:
    """A link that logs the demo's owner in, once, within a quarter of an hour."""
    users = hub.people.users
    maintainer = Maintainer()
    if users.find(DEMO_USER) is None:
        await users.add(DEMO_USER, None, "owner", by=maintainer, operator=hub.site.hub.operator)
    return await hub.people.tokens.create_link(users.get(DEMO_USER), by=maintainer)


def _blame(hub: Hub, blockage: Blockage) -> None:
    """From the watchdog's thread: note at the plugin that it blocks the loop."""
    hub.plugins.blame(blockage.files, f"it blocked the loop at {blockage.where} in {blockage.function}")


def _restart(hub: Hub, blockage: Blockage) -> None:
    """From the watchdog's thread, when nothing else helps: the same process anew, without the plugin that blocks it."""
    plugin = hub.plugins.blame(blockage.files, f"it blocked the hub at {blockage.where} and was left out")
    if plugin is not None:
        os.environ[DISABLED] = ",".join(filter(None, [os.environ.get(DISABLED, ""), plugin.name]))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

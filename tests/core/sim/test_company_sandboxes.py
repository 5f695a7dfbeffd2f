"""What sandboxes of companies share: faults on demand, notices brought by a schedule, loopback only."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from meterhub.clock import Clock
from meterhub.config.types import HostPort
from meterhub.errors import BadInput, ConfigError
from meterhub.sim.courier import Letter
from meterhub.sim.faults import MOST, Fault, Faults
from meterhub.sim.gateway import SandboxGateway
from meterhub.sim.world import World
from meterhub.testing.conformance_payment import until


def test_faults_are_used_up_in_their_order():
    faults = Faults()
    faults.add("lost", "alipay.trade.*", times=2)
    faults.add("hang", seconds=3)
    assert faults.take("alipay.trade.query", Fault.HANG).seconds == 3
    assert faults.take("other", Fault.LOST) is None
    assert faults.planned("alipay.trade.pay", Fault.LOST)
    assert [bool(faults.take("alipay.trade.query", Fault.LOST)) for _ in range(3)] == [True, True, False]
    faults.add_from({"kind": "late", "operation": "payment", "times": 1, "seconds": 5})
    faults.clear()
    assert not faults.planned("payment", Fault.LATE)


def test_faults_are_bounded_and_known():
    faults = Faults()
    with pytest.raises(BadInput, match="no fault"):
        faults.add("explode")
    for _ in range(MOST):
        faults.add("hang")
    with pytest.raises(BadInput, match="already"):
        faults.add("hang")


class Desk:
    """Takes letters; the first ``deaf`` of them get a 500."""

    def __init__(self, deaf=0):
        self.deaf, self.bodies, self.url = deaf, [], ""

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.post("/", self._take)])
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/"
        self.gateway = SandboxGateway(World(Clock(), speed=1000), (15, 15, 30), lambda status, _: status == 200)
        return self

    async def __aexit__(self, *_):
        await self.gateway.stop()
        await self.runner.cleanup()

    async def _take(self, request):
        self.bodies.append((await request.read()).decode())
        self.deaf -= 1
        return web.Response(status=200 if self.deaf < 0 else 500)

    def send(self, name):
        self.gateway.courier.send("payment", name, lambda: Letter(self.url, {}, name.encode()))

    async def heard(self, count):
        await until(lambda: len(self.bodies) >= count and not self.gateway.tasks._tasks)
        return self.bodies


async def test_a_letter_comes_by_the_schedule_until_it_is_taken():
    async with Desk(deaf=2) as desk:
        desk.send("a")
        assert await desk.heard(3) == ["a", "a", "a"]
        assert [one.status for one in desk.gateway.courier.log] == [500, 500, 200]


async def test_a_letter_that_nobody_takes_is_given_up_after_the_last_gap():
    async with Desk(deaf=99) as desk:
        desk.send("a")
        await desk.heard(4)
        desk.url = "http://127.0.0.1:1/"
        desk.send("b")
        await desk.heard(4)
        assert [one.status for one in desk.gateway.courier.log] == [500] * 4 + [0] * 4


async def test_letters_are_swapped_late_doubled_or_lost():
    async with Desk() as desk:
        faults = desk.gateway.faults
        faults.add("swapped", "payment")
        desk.send("a")
        await asyncio.sleep(0)
        desk.send("b")
        assert await desk.heard(2) == ["b", "a"]
        faults.add("late", "payment", seconds=60)
        desk.send("c")
        await asyncio.sleep(0)
        desk.send("d")
        assert (await desk.heard(4))[2:] == ["d", "c"]
        faults.add("twice", "payment")
        desk.send("e")
        assert (await desk.heard(7))[4:] == ["e", "e", "e"]
        faults.add("dropped", "payment")
        desk.send("f")
        desk.send("g")
        assert (await desk.heard(8))[7:] == ["g"]


async def test_two_letters_that_wait_for_another_both_come():
    async with Desk() as desk:
        desk.gateway.faults.add("swapped", "payment", times=2, seconds=60_000)
        for name in ("a", "b", "c"):
            desk.send(name)
            await asyncio.sleep(0)
        assert sorted(await desk.heard(3)) == ["a", "b", "c"] and desk.bodies[0] == "c"
        desk.gateway.faults.add("swapped", "payment", seconds=60)
        desk.send("alone")
        assert (await desk.heard(4))[3:] == ["alone"]


async def test_a_letter_is_replayed_byte_for_byte():
    async with Desk() as desk:
        desk.gateway.faults.add("replayed", "payment", seconds=1)
        desk.send("a")
        assert await desk.heard(2) == ["a", "a"]
        assert [one.operation for one in desk.gateway.courier.log] == ["payment", "payment replayed"]


async def test_a_sandbox_that_tells_nothing_says_so():
    async with Desk() as desk:
        base = await desk.gateway.start(HostPort("127.0.0.1", 0))
        async with aiohttp.ClientSession() as session, session.post(f"{base}/sandbox/notice", json={}) as answer:
            assert answer.status == 404


async def test_a_sandbox_listens_to_this_machine_alone():
    gateway = SandboxGateway(World(Clock()), (), lambda status, _: True)
    with pytest.raises(ConfigError, match="loopback"):
        await gateway.start(HostPort("0.0.0.0", 0))
    task = asyncio.ensure_future(gateway.play(HostPort("127.0.0.1", 0)))
    await until(lambda: gateway.base_url)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gateway.base_url.startswith("http://127.0.0.1:")

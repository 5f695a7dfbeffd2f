"""A simulated company as a real server on this machine: its routes, its faults on demand, its notices.

Programs of the companies themselves can be pointed at it. It lives in the hub's own time, because signatures have one;
only the gaps between notices shrink with the world's speed. Whoever reaches it can do everything, so it listens on
loopback only. ``POST /sandbox/faults`` plans a fault, ``DELETE`` forgets those planned. ``POST /sandbox/notice`` with
``{"out_trade_no": …, "change": {…}}`` sends a notice of a payment with other fields in it, rightly signed all the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from meterhub.config.types import HostPort
from meterhub.errors import BadInput, ConfigError
from meterhub.money.amount import parse_yuan
from meterhub.sim.courier import Courier, Letter
from meterhub.sim.faults import Fault, Faults
from meterhub.sim.world import World
from meterhub.tasks import Tasks

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
LARGEST_REQUEST = 1 << 20
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.6rem 1.2rem;margin:.5rem .5rem 0 0}strong{font-size:2rem}"
)
log = logging.getLogger(__name__)


class SandboxGateway:
    """Base of the sandboxes. ``schedule_s`` and ``taken`` are those of ``Courier``."""

    def __init__(self, world: World, schedule_s: Sequence[float], taken: Callable[[int, bytes], bool]) -> None:
        self.world = world
        self.faults = Faults()
        self.tasks = Tasks(world.clock)
        self.courier = Courier(world, self.tasks, self.faults, schedule_s, taken)
        self.base_url = ""
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.AbstractRouteDef]:
        """The company's own routes."""
        return []

    def changed_notice(self, no: str, change: Mapping[str, object]) -> Letter | None:
        """A notice of the payment ``no`` with ``change`` in it, rightly signed; None when nothing can be told of it."""
        return None

    async def start(self, listen: HostPort) -> str:
        """Listen, and return the base address. Raises ``ConfigError`` where others could reach it or one listens."""
        if listen.host not in LOOPBACK:
            raise ConfigError(f"a sandbox listens on loopback only, not on {listen}", hint=f"127.0.0.1:{listen.port}")
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes(self.routes())
        app.add_routes([web.post("/sandbox/faults", self._plan), web.delete("/sandbox/faults", self._forget)])
        app.add_routes([web.post("/sandbox/notice", self._tell)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, listen.host, listen.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(f"a sandbox cannot listen on {listen}: {error.strerror}", hint="is it in use?") from None
        port = self._runner.addresses[0][1]
        self.base_url = f"http://{HostPort(listen.host, port)}"
        log.warning("a sandbox plays at %s; it moves no money", self.base_url)
        return self.base_url

    async def stop(self) -> None:
        """Stop listening; notices that were not taken are forgotten."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.tasks.stop()
        await self.courier.close()

    async def play(self, listen: HostPort) -> None:
        """``start``, and ``stop`` when cancelled."""
        await self.start(listen)
        try:
            while True:
                await self.world.clock.sleep(3600)
        finally:
            await self.stop()

    async def carried_out(
        self, request: web.Request, operation: str, work: Callable[[], Awaitable[web.Response]]
    ) -> web.StreamResponse:
        """Answer a request by ``work``, with the faults of the wire that are planned for ``operation``."""
        if (hang := self.faults.take(operation, Fault.HANG)) is not None:
            await self.world.clock.sleep(self.world.wait_s(hang.seconds))
            return web.Response(status=504)
        if self.faults.take(operation, Fault.ERROR):
            return web.Response(status=500, text="<html>500</html>", content_type="text/html")
        answer = await work()
        if (stuck := self.faults.take(operation, Fault.STUCK)) is not None:
            await self.world.clock.sleep(self.world.wait_s(stuck.seconds))
        if self.faults.take(operation, Fault.LOST):
            return _cut(request, answer)
        if self.faults.take(operation, Fault.TORN):
            return await _torn(request, answer)
        return answer

    async def _plan(self, request: web.Request) -> web.Response:
        try:
            self.faults.add_from(await _object(request))
        except BadInput as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({})

    async def _tell(self, request: web.Request) -> web.Response:
        try:
            content = await _object(request)
        except BadInput as error:
            return web.json_response({"error": str(error)}, status=400)
        no, change = str(content.get("out_trade_no", "")), content.get("change", {})
        letter = self.changed_notice(no, change) if isinstance(change, Mapping) else None
        if letter is None:
            return web.json_response({"error": f"nothing can be told of {no}"}, status=404)
        found = await self.courier.hand_over("told", no, letter)
        return web.json_response({"status": found.status, "taken": found.taken})

    async def _forget(self, _: web.Request) -> web.Response:
        self.faults.clear()
        return web.json_response({})


async def _object(request: web.Request) -> Mapping[str, object]:
    try:
        content = json.loads(await request.read())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, Mapping):
        raise BadInput("a JSON object is needed")
    return content


def page(title: str, body: str) -> web.Response:
    """A page of a sandbox; ``body`` is markup whose texts are escaped."""
    text = (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{body}</html>"
    )
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def _cut(request: web.Request, answer: web.Response) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return answer


async def _torn(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = answer.body if isinstance(answer.body, bytes) else b""
    torn = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(body) + 1)})
    await torn.prepare(request)
    await torn.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return torn


def coupon_of(wanted: Mapping[str, Any]) -> int:
    """The coupon (``"5.00"``) with which a request to pay wants to pay less, in fen; 0 without one."""
    try:
        return parse_yuan(str(wanted.get("coupon", "0.00")))
    except BadInput as error:
        raise web.HTTPBadRequest(text=str(error)) from None

"""``POST /messages/receipts/{notifier}/{secret}``: where companies tell what became of messages. No login, raw body."""

from __future__ import annotations

from aiohttp import web

from meterhub.clock import Clock
from meterhub.messages.desk import MessageDesk
from meterhub.money.provider import Notice
from meterhub.web.params import read_raw

MAX_BYTES = 256 * 1024


def set_up(app: web.Application, desk: MessageDesk, clock: Clock) -> None:
    """Add the route."""

    async def take(request: web.Request) -> web.Response:
        """Keep what is told of messages that exist; answer in the company's words."""
        body = await read_raw(request, clock, MAX_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        name, secret = request.match_info["notifier"], request.match_info["secret"]
        answer = await desk.take_receipts(name, secret, Notice(headers, body, clock.now()))
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    app.router.add_post("/messages/receipts/{notifier}/{secret}", take)

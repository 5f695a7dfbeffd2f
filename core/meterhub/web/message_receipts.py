"""``POST /messages/receipts/{notifier}/{secret}``: where companies tell what became of messages. No login, raw body."""

from __future__ import annotations

from aiohttp import web

from meterhub.clock import Clock
from meterhub.errors import TooLarge
from meterhub.messages.desk import MessageDesk
from meterhub.money.provider import Notice

MAX_BYTES = 256 * 1024


def set_up(app: web.Application, desk: MessageDesk, clock: Clock) -> None:
    """Add the route."""

    async def take(request: web.Request) -> web.Response:
        """Keep what is told of messages that exist; answer in the company's words."""
        body = await request.content.read(MAX_BYTES + 1)
        while len(body) <= MAX_BYTES and not request.content.at_eof():
            body += await request.content.read(MAX_BYTES + 1 - len(body))
        if len(body) > MAX_BYTES:
            raise TooLarge("a list of receipts is never so large")
        headers = {name.lower(): value for name, value in request.headers.items()}
        name, secret = request.match_info["notifier"], request.match_info["secret"]
        answer = await desk.take_receipts(name, secret, Notice(headers, body, clock.now()))
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    app.router.add_post("/messages/receipts/{notifier}/{secret}", take)

"""``POST /pay/notify/{provider}/{account}``: where payment companies tell what they know. No login, raw body.

Whatever cannot be proved is turned away without a trace in the books; forgeries are counted and logged within limits.
"""

from __future__ import annotations

import logging

from aiohttp import web

from meterhub.clock import Clock
from meterhub.errors import MeterHubError, NoticeRejected, TooLarge
from meterhub.money.provider import Notice
from meterhub.money.room import Money
from meterhub.web.params import read_raw

MAX_BYTES = 64 * 1024
LOG_EVERY_MS = 60_000
TRIES_AGAIN = 503

log = logging.getLogger(__name__)


class Notices:
    """The handler; ``money.turned_away`` counts what proved nothing, by why."""

    def __init__(self, money: Money, clock: Clock) -> None:
        self._money = money
        self._clock = clock
        self._logged_ms = 0

    async def take(self, request: web.Request) -> web.Response:
        """Verify, book in one transaction, answer in the company's words."""
        provider, account = request.match_info["provider"], request.match_info["account"]
        if (request.content_length or 0) > MAX_BYTES:
            raise TooLarge("a notice is never so large")
        body = await read_raw(request, self._clock, MAX_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        merchant = self._money.merchants.get(account, provider)
        try:
            answer = await self._money.notice(provider, account, Notice(headers, body, self._clock.now()))
        except NoticeRejected as error:
            self._turned_away(provider, account, error)
            answer = merchant.account.notice_answer(False)
        except MeterHubError as error:
            log.error("a notice of %s for %s could not be kept: %s", provider, account, error)
            return web.Response(status=TRIES_AGAIN)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    def _turned_away(self, provider: str, account: str, error: NoticeRejected) -> None:
        self._money.turned_away[error.why] += 1
        now_ms = self._clock.now()
        if now_ms - self._logged_ms >= LOG_EVERY_MS:
            self._logged_ms = now_ms
            log.warning("a notice of %s for %s was turned away (%s): %s", provider, account, error.why, error.message)


def set_up(app: web.Application, money: Money, clock: Clock) -> None:
    """Add the route."""
    app.router.add_post("/pay/notify/{provider}/{account}", Notices(money, clock).take)

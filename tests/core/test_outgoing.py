"""The shared HTTP session: opened with the first request, closed once, without cookies."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meterhub.clock import Clock
from meterhub.outgoing import Outgoing, is_confidential


async def test_all_share_one_session_until_it_is_closed():
    outgoing = Outgoing(Clock())
    await outgoing.close()
    session = outgoing()
    assert outgoing() is session and session.timeout.total == 15
    await outgoing.close()
    assert session.closed and outgoing() is not session
    await outgoing.close()


class Late(Clock):
    """A clock that is a day behind."""

    def now(self):
        return super().now() - 86_400_000


@pytest.mark.parametrize(("clock", "least", "most"), [(Late(), -86_460, -86_340), (Clock(), -60, 60)])
async def test_the_date_of_an_answer_shows_a_wrong_clock(clock, least, most):
    app = web.Application()
    app.router.add_get("/", lambda request: web.Response())
    outgoing = Outgoing(clock)
    async with TestServer(app) as server:
        async with outgoing().get(server.make_url("/")) as answer:
            assert answer.status == 200
        await outgoing.close()
    assert least <= outgoing.ahead_s <= most


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 30 Nov 99999 00:00:00 GMT"])
async def test_an_answer_without_a_date_says_nothing_of_the_clock(date):
    async def answer(request):
        return web.Response(headers={"Date": date})

    app = web.Application()
    app.router.add_get("/", answer)
    outgoing = Outgoing(Clock())
    async with TestServer(app) as server:
        async with outgoing().get(server.make_url("/")) as found:
            assert found.status == 200
        await outgoing.close()
    assert outgoing.ahead_s == 0


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://api.example", True),
        ("http://127.0.0.1:8701/gateway.do", True),
        ("http://[::1]:8701", True),
        ("http://api.example", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("http://", False),
        ("http://[::1", False),
        ("ftp://127.0.0.1", False),
    ],
)
def test_secrets_leave_the_machine_by_https_alone(url, answer):
    assert is_confidential(url) is answer

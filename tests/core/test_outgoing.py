"""The shared HTTP session: opened with the first request, closed once, without cookies."""

from __future__ import annotations

from meterhub.outgoing import Outgoing


async def test_all_share_one_session_until_it_is_closed():
    outgoing = Outgoing()
    await outgoing.close()
    session = outgoing()
    assert outgoing() is session and session.timeout.total == 15
    await outgoing.close()
    assert session.closed and outgoing() is not session
    await outgoing.close()

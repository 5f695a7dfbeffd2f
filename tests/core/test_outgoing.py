"""The shared HTTP session: opened with the first request, closed once, without cookies."""

from __future__ import annotations

import pytest

from meterhub.outgoing import Outgoing, is_confidential


async def test_all_share_one_session_until_it_is_closed():
    outgoing = Outgoing()
    await outgoing.close()
    session = outgoing()
    assert outgoing() is session and session.timeout.total == 15
    await outgoing.close()
    assert session.closed and outgoing() is not session
    await outgoing.close()


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

"""The house that API tests work with; pages have their own in ``pages_estate``."""

from __future__ import annotations

import pytest
import pytest_asyncio
from api_house import opened_house


@pytest_asyncio.fixture
async def house(tmp_path):
    async with opened_house(tmp_path / "data") as found:
        yield found


@pytest.fixture
def api(house):
    """``await api(user, method, path, **more)`` gives the status and the parsed body."""
    tokens = {}

    async def call(user, method, path, **more):
        if user and user not in tokens:
            tokens[user] = await house.token(user)
        headers = {**tokens.get(user, {}), **more.pop("headers", {})}
        async with house.client.request(method, path, headers=headers, **more) as answer:
            media = answer.content_type
            return answer.status, (await answer.json() if media == "application/json" else await answer.text())

    return call

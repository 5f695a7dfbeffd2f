"""A room of money on a real store and the movable clock."""

from __future__ import annotations

import pytest_asyncio
from till_house import Till


@pytest_asyncio.fixture
async def till(tmp_path, clock):
    one = await Till(tmp_path / "data", clock).open()
    yield one
    await one.close()
    assert one.errors == []

"""Whole processes: the fixture ``house``."""

from __future__ import annotations

import pytest
from process_house import House


@pytest.fixture
async def house(tmp_path):
    found = House(tmp_path)
    yield found
    await found.stop()

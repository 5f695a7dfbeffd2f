"""The spell book beside a store that fails for a while."""

from __future__ import annotations

import asyncio

from meterhub.bus import Bus
from meterhub.devices.states import Estate
from meterhub.errors import StoreError
from meterhub.estate.spell_book import ALIVE_EVERY_S, SpellBook


class FullAtFirst:
    """A store whose disk is full at the first two notes."""

    def __init__(self):
        self.asked = 0

    async def transact(self, fn):
        self.asked += 1
        if self.asked <= 2:
            raise StoreError("the disk is full")


async def test_a_full_disk_does_not_end_the_notes_that_the_hub_lives(clock):
    store, bus = FullAtFirst(), Bus()
    book = SpellBook(store, clock, bus, Estate(bus, clock), lambda owner, coroutine: coroutine.close())
    task = asyncio.ensure_future(book.keep_alive())
    await clock.advance(3 * ALIVE_EVERY_S)
    assert not task.done() and store.asked >= 3
    task.cancel()

"""Collectors for tests: plain sockets that do what collectors, and others, do on a port."""

from __future__ import annotations

import asyncio

from meterhub.testing.conformance_link import FarEnd


class Caller(FarEnd):
    """A TCP client."""

    def __init__(self, reader, writer):
        super().__init__()
        self.reader, self.writer = reader, writer
        self.closed = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def call(cls, link, first=b""):
        caller = cls(*await asyncio.open_connection(*link.address))
        if first:
            await caller.send(first)
        return caller

    async def _read(self):
        try:
            while data := await self.reader.read(65536):
                self.data += data
        except ConnectionError:
            pass
        self.closed = True

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self):
        self.writer.close()

    def abort(self):
        self.writer.transport.abort()

    def stop_reading(self):
        self._task.cancel()
        self.writer.transport.pause_reading()

"""Opening and closing a port without ever blocking the loop. The only place that knows pyserial and its asyncio part.

Opening runs in a thread, since a sleepy USB adapter takes its time. Closing drops unsent bytes and runs in a thread:
draining them would block the loop as long as the other end does not take them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import serial
from serial_asyncio import SerialTransport

from meterhub.clock import Clock

READ_S = 0.1
"""How long the reading thread waits for a byte before it looks whether it should end."""


def _open(url: str, settings: dict[str, Any]) -> Any:
    return serial.serial_for_url(url, timeout=READ_S, **settings)


async def open_serial(clock: Clock, url: str, settings: dict[str, Any], protocol: asyncio.Protocol) -> Any:
    """A transport for the port at ``url``. Raises whatever pyserial raises, mostly ``OSError``."""
    loop = asyncio.get_running_loop()
    with clock.outside():
        opening = loop.run_in_executor(None, _open, url, settings)
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
    if not _has_descriptor(port):
        return ThreadTransport(loop, protocol, port)
    _never_block(port)
    return SerialTransport(loop, protocol, port)


def _close_late(opening: asyncio.Future[Any]) -> None:
    """The port opened after nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        _in_thread(opening.result().close)


def _has_descriptor(port: Any) -> bool:
    try:
        return isinstance(port.fileno(), int)
    except (AttributeError, OSError):
        return False


def _in_thread(work: Callable[[], object]) -> None:
    """Run ``work`` in a thread of its own, which does not keep the process alive.

    pyserial's ports are closed once more when the interpreter ends, where a new thread never comes to life and to
    start one would wait for it for ever: there ``work`` is done at once.
    """
    if sys.is_finalizing():
        _quietly(work)
        return
    threading.Thread(target=_quietly, args=(work,), name="close serial port", daemon=True).start()


def _quietly(work: Callable[[], object]) -> None:
    with contextlib.suppress(OSError, serial.SerialException):
        work()


def _never_block(port: Any) -> None:
    """Make the transport's end harmless: no draining, and the close itself elsewhere."""
    drop, close = port.reset_output_buffer, port.close

    def drop_and_close() -> None:
        with contextlib.suppress(Exception):  # the device may be gone; termios.error is no OSError
            drop()
        close()

    port.flush = lambda: None
    port.close = lambda: _in_thread(drop_and_close)


LOOP_S = 60.0
"""So long the reading thread waits for a loop that may be gone."""
READ_AHEAD = 16 * 1024
"""Bytes that pyserial may take from an RFC 2217 server before they are asked for: a minute of 2400 baud."""


def bound(port: Any) -> None:
    """Let pyserial read no further ahead than that: its queue has no limit of its own. TCP does the rest."""
    queue = getattr(port, "_read_buffer", None)
    if queue is not None:
        queue.maxsize = READ_AHEAD


def unbound(port: Any) -> None:
    """Let pyserial's own thread end, which may wait for room in its queue."""
    queue = getattr(port, "_read_buffer", None)
    if queue is not None:
        with queue.mutex:
            queue.maxsize = 0
            queue.not_full.notify_all()


class ThreadTransport(asyncio.Transport):
    """For ports without a file descriptor (RFC 2217): a thread reads, and another writes.

    The reading one waits until the loop has taken what it read; while reading is paused the server is slowed by TCP.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, port: Any) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._port = port
        self._pending = 0
        self._closing = False
        self._to_write: list[bytes | int] = []
        """Bytes, and speeds to set before what follows."""
        self._more = threading.Condition()
        self._taken, self._going = threading.Event(), threading.Event()
        self._going.set()
        bound(port)
        loop.call_soon(protocol.connection_made, self)
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"serial {work.__name__}", daemon=True).start()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet written."""
        return self._pending

    def write(self, data: Any) -> None:
        """Hand bytes to the writing thread."""
        with self._more:
            self._pending += len(data)
            self._to_write.append(bytes(data))
            self._more.notify()

    def set_baud(self, baud: int) -> None:
        """Set the speed before what is written from now on: the server is asked for it and has to agree."""
        with self._more:
            self._to_write.append(baud)
            self._more.notify()

    def pause_reading(self) -> None:
        """Read nothing after what is under way."""
        self._going.clear()

    def resume_reading(self) -> None:
        """Read again."""
        self._going.set()

    def abort(self) -> None:
        """Close; what is not written yet is dropped."""
        self._end(None)

    close = abort

    def is_closing(self) -> bool:
        """Is it closed?"""
        return self._closing

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        with self._more:
            self._closing = True
            self._more.notify()
        self._going.set()
        self._taken.set()
        unbound(self._port)
        _in_thread(self._port.close)
        self._loop.call_soon(self._protocol.connection_lost, error)

    def _tell(self, callback: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(callback, *args)

    def _heard(self, data: bytes) -> None:
        self._taken.set()
        if not self._closing:
            self._protocol.data_received(data)

    def _read(self) -> None:
        try:
            while not self._closing:
                self._going.wait()
                data = self._port.read(max(1, min(self._port.in_waiting, 4096)))
                if data and not self._closing:
                    self._taken.clear()
                    self._tell(self._heard, data)
                    self._taken.wait(LOOP_S)
        except Exception as error:  # noqa: BLE001 - whatever the port's thread meets ends this connection
            self._tell(self._end, error)

    def _write(self) -> None:
        try:
            while True:
                with self._more:
                    self._more.wait_for(lambda: self._to_write or self._closing)
                    if self._closing:
                        return
                    data = self._to_write.pop(0)
                if isinstance(data, int):
                    self._port.baudrate = data
                    continue
                self._port.write(data)
                with self._more:
                    self._pending -= len(data)
        except Exception as error:  # noqa: BLE001 - whatever the port's thread meets ends this connection
            self._tell(self._end, error)

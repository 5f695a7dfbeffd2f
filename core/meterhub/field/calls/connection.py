"""One connection of a collector: first a caller, then the channel of whom it named. No task, no timer."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Protocol, cast

from meterhub.errors import LinkDown
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.registration import UNKNOWN, WAIT
from meterhub.field.causes import in_words
from meterhub.field.link import Channel, ChannelUser
from meterhub.texts import mark

if TYPE_CHECKING:
    from meterhub.field.calls.link import CallLink

UNREGISTERED_BYTES = 256
WRITE_LIMIT = 16 * 1024
"""Bytes not yet taken by the network; a collector that lets more pile up is cut."""


class Pipe(Protocol):
    """What a connection writes to: a transport of asyncio, or a peer behind the one socket of a UDP link."""

    def write(self, data: bytes) -> None:
        """Send, never wait."""

    def get_write_buffer_size(self) -> int:
        """Bytes not sent yet."""

    def pause_reading(self) -> None:
        """Take nothing more from the network."""

    def resume_reading(self) -> None:
        """Take again what comes."""

    def close(self) -> None:
        """End it when what is left is sent."""

    def abort(self) -> None:
        """End it at once."""


class Connection(asyncio.Protocol, Channel):
    """A caller, and after its registration the ``Channel`` of a collector. One that we called has ``known`` at once."""

    __slots__ = ("_cause", "_framing", "_known", "_link", "_pipe", "_start", "_user", "address", "paced", "peer")

    def __init__(self, link: CallLink, address: str, port: int, known: str = "") -> None:
        self.peer = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.address = address
        self.paced = False
        self._link = link
        self._known = known
        self._start = b""
        """What came before the registration was complete."""
        self._framing: Framing | None = None
        self._user: ChannelUser | None = None
        self._pipe: Pipe | None = None
        self._cause = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up."""
        self.use(cast(Pipe, transport))

    def use(self, pipe: Pipe) -> None:
        """Write to ``pipe`` from now on."""
        self._pipe = pipe
        if self._cause:
            pipe.close()
        elif self._known:
            self._attach(self._known, b"")

    def data_received(self, data: bytes) -> None:
        """Bytes came from the network."""
        if self._user is None:
            self._introduce(data)
        elif not self._cause:
            self._pass_on(data)

    def _introduce(self, data: bytes, final: bool = False) -> None:
        """Find out who calls."""
        if self._cause:
            return
        self._start += data
        found, packet, rest = self._link.recognise(self._start, final)
        if found == WAIT and len(self._start) <= UNREGISTERED_BYTES:
            self._link.hold(self)
        elif found in (UNKNOWN, WAIT):
            self.turn_away("unknown registration")
        else:
            self._start = b""
            self._attach(found, packet)
            if rest and not self._cause:
                self._pass_on(rest)

    def _attach(self, key: str, packet: bytes) -> None:
        framing = self._framing = self._link.frame(key, packet)
        self.paced = type(framing).pause_s is not Framing.pause_s
        self._link.named(self)
        self._user = self._link.attach(key, self)
        if self._cause:
            self._user.lost(self._cause)
        elif framing.talks:
            self._talk()

    def _pass_on(self, data: bytes, final: bool = False) -> None:
        framing, user = self._framing, self._user
        assert framing is not None and user is not None
        data, beats = framing.strip(data, final)
        if beats:
            user.alive()
        if framing.talks:
            framing.tell(user)
            self._talk()
        if data:
            user.received(data)
        if framing.held:
            self._link.hold(self)

    def _talk(self) -> None:
        """Send what the link itself has to say."""
        if self._framing is not None and self._pipe is not None and not self._cause:
            data = self._framing.answers()
            if data:
                self._pipe.write(data)

    def tick(self, now: float) -> None:
        """A second has passed."""
        if self._framing is not None and self._user is not None and not self._cause:
            self._framing.tick(now)
            self._framing.tell(self._user)
            self._talk()

    def release(self) -> None:
        """Nothing more came: what was held back because it might have been the beginning of a packet is data."""
        if self._user is None:
            if self._start.strip() and self._link.recognise(self._start, final=True)[0] != UNKNOWN:
                self._introduce(b"", final=True)
        elif self._framing is not None and self._framing.held and not self._cause:
            self._pass_on(b"", final=True)

    def turn_away(self, why: str) -> None:
        """Close the connection of somebody we do not know."""
        if self._cause:
            return
        self._link.stranger(self.peer, self._start, why)
        self._cause = "closed"
        self._link.named(self)
        if self._pipe is not None:
            self._pipe.abort()

    def pause_s(self, size: int) -> float:
        """How long to wait before so many bytes may be sent."""
        return 0.0 if self._framing is None else self._framing.pause_s(size)

    def set_speed(self, baud: int) -> bool:
        """Change the speed of the wire, where the framing knows how."""
        packet = None if self._framing is None else self._framing.speed(baud)
        if packet is None or self._pipe is None or self._cause:
            return False
        self._pipe.write(packet)
        return True

    def pause(self) -> bool:
        """Leave what comes to the kernel, which tells the sender when it has no more room."""
        if self._pipe is None or self._cause:
            return False
        self._pipe.pause_reading()
        return True

    def resume(self) -> None:
        """Read again."""
        if self._pipe is not None and not self._cause:
            self._pipe.resume_reading()

    def send(self, data: bytes) -> None:
        """Send bytes; raises ``LinkDown`` when the connection is closed or does not take any more."""
        if self._cause or self._pipe is None or self._framing is None:
            why = in_words(self._cause) or mark("it is not open yet")
            raise LinkDown(f"there is no connection: {why}", where=self.peer)
        if self._pipe.get_write_buffer_size() + len(data) > WRITE_LIMIT:
            self.close("overflow")
            raise LinkDown("the collector does not take what is sent to it", where=self.peer)
        self._pipe.write(self._framing.dress(data))

    def close(self, cause: str) -> None:
        """End the connection."""
        if self._cause:
            return
        self._cause = cause
        if self._pipe is not None:
            if cause in ("overflow", "silent"):
                self._pipe.abort()
            else:
                self._pipe.close()
        if self._user is not None:
            self._user.lost(cause)

    def eof_received(self) -> bool:
        """The other end hung up. True: it is closed by us, when its turn comes (never by TLS, which does not wait)."""
        if self._link.encrypted:
            return False
        self._link.hang_ups.do(self._hang_up)
        return True

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._pipe.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: closed by the other end, reset, or given up by the kernel."""
        self._pipe = None
        self._link.gone(self, self._known)
        if self._cause:
            return
        if exc is None:
            self._cause = "closed"
        else:
            self._cause = "silent" if getattr(exc, "errno", None) == errno.ETIMEDOUT else "reset"
        if self._user is not None:
            self._link.losses.do(self._say_lost)
        elif self._start:
            self._link.stranger(self.peer, self._start, "hung up before its registration was complete")

    def _say_lost(self) -> None:
        assert self._user is not None
        self._user.lost(self._cause)

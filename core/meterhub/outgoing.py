"""The one HTTP session with which plugins ask servers outside: payment and message companies."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meterhub.clock import Clock
from meterhub.errors import ProviderUnknown

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, TraceRequestEndParams

TIMEOUT_S = 15.0
MAX_CONNECTIONS = 50


class Outgoing:
    """``outgoing()`` is the shared session, opened with the first request. It keeps no cookies.

    A request has ``TIMEOUT_S`` seconds unless it says otherwise; redirects are the caller's to refuse. ``ahead_s``: how
    far the clock is ahead of that of whoever answered last, by the date of the answer; below zero when it is behind.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._session: ClientSession | None = None
        self.ahead_s = 0

    def __call__(self) -> ClientSession:
        if self._session is None:
            import aiohttp

            trace = aiohttp.TraceConfig()
            trace.on_request_end.append(self._compare_clocks)
            self._session = aiohttp.ClientSession(
                trace_configs=[trace],
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            )
        return self._session

    async def _compare_clocks(self, session: ClientSession, context: Any, answered: TraceRequestEndParams) -> None:
        try:
            theirs = parsedate_to_datetime(answered.response.headers.get("Date", ""))
            self.ahead_s = self._clock.now() // 1000 - int(theirs.timestamp())
        except (ValueError, OverflowError):
            return

    async def close(self) -> None:
        """Let its connections go."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def body_of(response: ClientResponse, most: int) -> bytes:
    """The body of an answer. Raises ``ProviderUnknown`` when it has more than ``most`` bytes."""
    found = bytearray()
    async for piece in response.content.iter_any():
        found += piece
        if len(found) > most:
            raise ProviderUnknown(f"the answer has more than {most} bytes")
    return bytes(found)


def is_confidential(url: str) -> bool:
    """Whether nobody on the way can read what is sent to ``url``: https, or this very machine by its address."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback)
    except ValueError:
        return False

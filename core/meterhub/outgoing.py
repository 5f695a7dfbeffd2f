"""The one HTTP session with which plugins ask servers outside: payment and message companies."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meterhub.errors import ProviderUnknown

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

TIMEOUT_S = 15.0
MAX_CONNECTIONS = 50


class Outgoing:
    """``outgoing()`` is the shared session, opened with the first request. It keeps no cookies.

    A request has ``TIMEOUT_S`` seconds unless it says otherwise; redirects are the caller's to refuse.
    """

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    def __call__(self) -> ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            )
        return self._session

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

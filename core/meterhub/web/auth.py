"""Who asks: the session cookie or the bearer token of a request, and whether a change may come from where it does.

After the guard every request carries ``request["actor"]`` (None: nobody is logged in) and ``request["session"]``
(None: none, or a token was used).
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from aiohttp import web

from meterhub.errors import NotAllowed, NotLoggedIn
from meterhub.web.addresses import is_https
from meterhub.web.rooms import Rooms

SECURE_COOKIE = "__Host-meterhub"
PLAIN_COOKIE = "meterhub"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
OPEN_PATHS = ("/healthz", "/static/", "/pay/notify/")
"""Paths that ask nobody who they are."""


async def identify(request: web.Request, rooms: Rooms) -> None:
    """Set ``actor`` and ``session``; raises ``NotLoggedIn`` for the API, ``NotAllowed`` for a forged change."""
    request["actor"] = request["session"] = None
    path = request.path
    if path.startswith(OPEN_PATHS):
        return
    header = request.headers.get("Authorization")
    if header is not None:
        await _by_token(request, rooms, header)
        return
    await _by_cookie(request, rooms)
    if request["actor"] is None and path.startswith("/api/"):
        raise NotLoggedIn("you are not logged in", hint="send Authorization: Bearer TOKEN, or log in at /login")
    if request.method not in SAFE_METHODS:
        await _check_origin(request, rooms)


async def _by_token(request: web.Request, rooms: Rooms, header: str) -> None:
    raise NotLoggedIn("the token is not known or no longer valid", hint="make one with: meterhub token create")


async def _by_cookie(request: web.Request, rooms: Rooms) -> None:
    return


async def _check_origin(request: web.Request, rooms: Rooms) -> None:
    """Changes come from our own pages only: the browser's word, the origin, and the session's own token."""
    if not same_origin(request, rooms):
        raise NotAllowed("this request comes from another site", where=request.path, hint="open the page here again")
    session = request["session"]
    if session is None:
        return
    given = request.headers.get("X-CSRF-Token", "")
    if not given and request.content_type in FORM_TYPES:
        given = str((await request.post()).get("csrf", ""))
    if not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise NotAllowed("this page is too old to change anything", where=request.path, hint="load it again")


def same_origin(request: web.Request, rooms: Rooms) -> bool:
    """Whether the browser says that this comes from our own pages. Callers that are no browser say nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    scheme = "https" if is_https(request, rooms.trusted_proxies) else "http"
    return parts.netloc.lower() == request.host.lower() and parts.scheme == scheme

"""Who asks: the session cookie or the bearer token of a request, and whether a change may come from where it does.

After the guard every request carries ``request["actor"]`` (None: nobody is logged in) and ``request["session"]``
(None: none, or a token was used).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from meterhub.errors import NotAllowed, NotLoggedIn
from meterhub.people.history import Visitor
from meterhub.people.keys import csrf_fits, csrf_token
from meterhub.people.sessions import Session
from meterhub.people.user import User
from meterhub.web.addresses import client_address, is_https
from meterhub.web.rooms import ROOMS, Rooms

SECURE_COOKIE = "__Host-meterhub"
PLAIN_COOKIE = "meterhub"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
OPEN_PATHS = ("/healthz", "/static/", "/pay/notify/")
"""Paths that ask nobody who they are."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The session of a request. ``csrf`` goes into every form of its pages."""

    id: int
    user: User
    csrf: str
    session: Session


async def identify(request: web.Request, rooms: Rooms) -> None:
    """Set ``actor`` and ``session``; raises ``NotLoggedIn`` for the API, ``NotAllowed`` for a forged change."""
    request["actor"] = request["session"] = None
    path = request.path
    if path.startswith(OPEN_PATHS):
        return
    header = request.headers.get("Authorization", "")
    if header[:7].lower() == "bearer ":
        request["actor"] = await rooms.people.tokens.find(header[7:].strip())
        return
    token = request.cookies.get(cookie_name(request, rooms), "")
    session = await _session(token, rooms) if token else None
    if session is None and path.startswith("/api/"):
        raise NotLoggedIn("you are not logged in", hint="send Authorization: Bearer TOKEN, or log in at /login")
    if request.method not in SAFE_METHODS:
        await _check_origin(request, session, token, rooms)
    if session is not None:
        if session.stale and not path.startswith("/api/"):
            session = await _renewed(request, session, rooms)
        _enter(request, session)


async def _session(token: str, rooms: Rooms) -> Session | None:
    try:
        return await rooms.people.sessions.find(token)
    except NotLoggedIn:
        return None


async def _renewed(request: web.Request, session: Session, rooms: Rooms) -> Session:
    """Rights changed since the login: the same session goes on under a new token."""
    renewed = await rooms.people.sessions.renew(session)
    if renewed is None:
        return session
    request["cookie"] = renewed.token
    return renewed


def _enter(request: web.Request, session: Session) -> None:
    request["actor"] = session.user
    request["session"] = LoggedIn(session.id, session.user, csrf_token(session.token), session)


def cookie_name(request: web.BaseRequest, rooms: Rooms) -> str:
    """The cookie that counts: over https only the one that no other host and no plain page can have set."""
    return SECURE_COOKIE if is_https(request, rooms.trusted_proxies) else PLAIN_COOKIE


def visitor(request: web.Request) -> Visitor:
    """Where the request came from, for the login history."""
    address = client_address(request, request.app[ROOMS].trusted_proxies)
    return Visitor(address, request.headers.get("User-Agent", "")[:500])


async def login(request: web.Request, name: str, password: str) -> LoggedIn:
    """Log in with a password; the answer to ``request`` sets the cookie. Raises ``NotLoggedIn`` or ``TooMany``."""
    rooms = request.app[ROOMS]
    old = request.cookies.get(cookie_name(request, rooms), "")
    return _begin(request, await rooms.people.logins.with_password(name, password, visitor(request), old))


async def login_with_link(request: web.Request, secret: str) -> LoggedIn:
    """Log in with a link that works once; as ``login``."""
    rooms = request.app[ROOMS]
    old = request.cookies.get(cookie_name(request, rooms), "")
    return _begin(request, await rooms.people.logins.with_link(secret, visitor(request), old))


def _begin(request: web.Request, session: Session) -> LoggedIn:
    request["cookie"] = session.token
    _enter(request, session)
    logged_in: LoggedIn = request["session"]
    return logged_in


async def logout(request: web.Request) -> None:
    """End the session of the request, if it has one; the answer takes the cookie away."""
    logged_in: LoggedIn | None = request["session"]
    if logged_in is not None:
        await request.app[ROOMS].people.sessions.end(logged_in.session)
    request["cookie"] = ""
    request["actor"] = request["session"] = None


def put_cookie(request: web.Request, answer: web.StreamResponse) -> None:
    """Set or take away the session's cookie, if the request logged in or out."""
    token = request.get("cookie")
    if token is None:
        return
    rooms = request.app[ROOMS]
    name, secure = cookie_name(request, rooms), is_https(request, rooms.trusted_proxies)
    if token:
        answer.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="Lax")
    else:
        answer.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


async def _check_origin(request: web.Request, session: Session | None, token: str, rooms: Rooms) -> None:
    """Changes come from our own pages only: the browser's word, the origin, and the session's own token."""
    if not same_origin(request, rooms):
        raise NotAllowed("this request comes from another site", where=request.path, hint="open the page here again")
    if session is None:
        return
    given = request.headers.get("X-CSRF-Token", "")
    if not given and request.content_type in FORM_TYPES:
        given = str((await request.post()).get("csrf", ""))
    if not csrf_fits(token, given):
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

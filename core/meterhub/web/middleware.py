"""The one pass around every request: who asks, is it theirs, and an error's words in the form the caller reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from meterhub.errors import BadInput, MeterHubError, NotFound, StoreError, TooLarge, TooMany
from meterhub.texts import mark
from meterhub.web import auth
from meterhub.web.rooms import ERROR_PAGE, ROOMS

MAX_IMPORT_BYTES = 64 * 1024 * 1024
"""The body limit of imports; every other body is held to ``app.MAX_BODY_BYTES``."""

SECURITY_HEADERS: CIMultiDict[str] = CIMultiDict(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
)

NOT_KEPT = mark("the system cannot keep anything just now")
TRY_LATER = mark("what was paid is not lost; try again in some minutes")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)


async def add_security_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers on whatever goes out, streams and sockets too."""
    answer.headers.extend(SECURITY_HEADERS)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the actor, refuse forged requests, call the handler, and turn errors into answers."""
    rooms = request.app[ROOMS]
    answer: web.StreamResponse
    try:
        if request.path.endswith("/import"):
            request = request.clone(client_max_size=MAX_IMPORT_BYTES)
        await auth.identify(request, rooms)
        answer = await handler(request)
    except MeterHubError as error:
        answer = await _answer(request, error, error.status)
    except web.HTTPException as error:
        if error.status < 400:
            auth.put_cookie(request, error)
            raise
        answer = await _answer(request, _from_aiohttp(request, error), error.status, error.headers)
    except Exception as error:  # noqa: BLE001 - the boundary of a request: the caller gets a code, the log the rest
        answer = await _unexpected(request, error, rooms.clock.random.getrandbits(40))
    if "cookie" in request:
        auth.put_cookie(request, answer)
    return answer


async def _unexpected(request: web.Request, error: Exception, number: int) -> web.StreamResponse:
    code = f"{number:010x}"
    log.error("request %s: %s %s failed: %r", code, request.method, request.path, error, exc_info=error)
    words = MeterHubError("something went wrong here", hint=f"quote the code {code}; it stands in the log too")
    return await _answer(request, words, 500, code=code)


async def _answer(
    request: web.Request, error: MeterHubError, status: int, headers: Any = None, code: str = ""
) -> web.StreamResponse:
    if request.get("actor") is None:
        error = for_strangers(error)
    draw = request.app.get(ERROR_PAGE)
    if draw is not None and not request.path.startswith("/api/") and wants_page(request):
        answer = await draw(request, error, code or error.code)
        answer.set_status(status)
    else:
        answer = web.Response(body=error_json(error), status=status, content_type="application/json", charset="utf-8")
    if headers is not None and "Allow" in headers:
        answer.headers["Allow"] = headers["Allow"]
    if isinstance(error, TooMany) and error.wait_s:
        answer.headers["Retry-After"] = str(error.wait_s)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def for_strangers(error: MeterHubError) -> MeterHubError:
    """What somebody who is not logged in reads: of a store that fails, nothing about this machine."""
    if isinstance(error, StoreError):
        return StoreError(NOT_KEPT, hint=TRY_LATER)
    return error


def error_json(error: MeterHubError) -> bytes:
    """An error as the API answers it."""
    words = {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}
    return json.dumps({"error": words}, ensure_ascii=False).encode()


def wants_page(request: web.Request) -> bool:
    """Whether the caller reads pages: a browser says ``text/html``."""
    return "text/html" in request.headers.get("Accept", "") or "HX-Request" in request.headers


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> MeterHubError:
    words: MeterHubError
    if error.status == 404:
        words = NotFound(f"there is nothing at {request.path[:200]}")
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        words = TooLarge("the body is too large", hint="1 MiB at most; imports 64 MiB")
    elif error.status == 405:
        words = BadInput(
            f"{request.method} does not work here", hint="allowed here: " + error.headers.get("Allow", "GET")
        )
        words.code = "wrong_method"
    else:
        words = BadInput(error.reason)
    return words

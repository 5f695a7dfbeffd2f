"""The WebSocket of the live socket: one task that listens to the client, one that writes to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import voluptuous as vol
from aiohttp import WSCloseCode, WSMsgType, web

from meterhub.errors import BadInput, NotAllowed, NotLoggedIn, TooMany
from meterhub.web.auth import LoggedIn, same_origin
from meterhub.web.live import MAX_SOCKETS, MAX_WATCHED, Live, Watcher
from meterhub.web.middleware import error_json
from meterhub.web.params import checked, parse_json, query_of, text_of
from meterhub.web.rooms import ROOMS, Rooms
from meterhub.web.routes import Route

LIVE = web.AppKey("live", Live)
OPEN: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("open sockets", set)

HEARTBEAT_S = 25.0
SEND_TIMEOUT_S = 20.0
CHECK_S = 30.0
"""How often a session is looked up anew while its socket is open."""
MAX_MESSAGE_BYTES = 256 * 1024
LOGGED_OUT = 4401
"""The close code that tells a page to load again: its session is over."""

WATCH = vol.Schema({vol.Required("watch"): vol.All([text_of(100)], vol.Length(max=MAX_WATCHED))})


async def live(request: web.Request) -> web.WebSocketResponse:
    """Send what changes of the things that the client names."""
    query_of(request, ())
    rooms, desk = request.app[ROOMS], request.app[LIVE]
    if not same_origin(request, rooms):
        raise NotAllowed("this socket is opened from another site", where=request.path)
    if desk.sockets >= MAX_SOCKETS:
        raise TooMany("too many live sockets are open", hint="close some pages")
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, timeout=5.0)
    if not socket.can_prepare(request):
        raise BadInput("this is a WebSocket", where=request.path, hint="connect with ws:// or wss://")
    await socket.prepare(request)
    watcher = desk.join(request["actor"])
    request.app[OPEN].add(socket)
    writer = rooms.spawn("live socket", _write(rooms, socket, watcher, request["session"], _token_of(request)))
    try:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            await _listen(desk, socket, watcher, message.data)
    finally:
        writer.cancel()
        desk.leave(watcher)
        request.app[OPEN].discard(socket)
    return socket


def _token_of(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    return header[7:].strip() if header[:7].lower() == "bearer " else ""


async def _listen(desk: Live, socket: web.WebSocketResponse, watcher: Watcher, text: str) -> None:
    """Take one message; a wrong one is answered by an error object, and the socket stays."""
    try:
        content = checked(parse_json(text), WATCH)
    except BadInput as error:
        await socket.send_str(error_json(error).decode())
        return
    await desk.watch(watcher, list(dict.fromkeys(content["watch"])))


async def _write(
    rooms: Rooms, socket: web.WebSocketResponse, watcher: Watcher, logged_in: LoggedIn | None, token: str
) -> None:
    """Send news as they come. While one is under way the newer ones replace each other in the watcher."""
    while not socket.closed:
        try:
            async with rooms.clock.timeout(CHECK_S):
                await watcher.ready.wait()
        except TimeoutError:
            pass
        if not await _still_in(rooms, logged_in, token):
            await socket.close(code=LOGGED_OUT, message=b"logged out")
            return
        if not watcher.ready.is_set():
            continue
        try:
            async with rooms.clock.timeout(SEND_TIMEOUT_S):
                await socket.send_str(watcher.take())
        except TimeoutError:
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow", drain=False)
            return
        except ConnectionError:
            return


async def _still_in(rooms: Rooms, logged_in: LoggedIn | None, token: str) -> bool:
    """Whether the session or token that opened the socket still lets its user in. What is known is in memory."""
    try:
        if logged_in is not None:
            await rooms.people.sessions.find(logged_in.session.token)
        elif token:
            await rooms.people.tokens.find(token)
    except NotLoggedIn:
        return False
    return True


async def close_all(app: web.Application) -> None:
    """At the stop: code 1012 tells clients to come back."""
    app[LIVE].close()
    opened: set[web.WebSocketResponse] = app[OPEN]
    sockets = list(opened)
    closing = [one.close(code=WSCloseCode.SERVICE_RESTART, message=b"the hub restarts") for one in sockets]
    await asyncio.gather(*closing, return_exceptions=True)


def routes() -> Sequence[Route]:
    """The routes of this module."""
    return [
        Route(
            "GET",
            "/api/v1/live",
            live,
            "WebSocket: what changes of the entities, devices and runs that are watched",
            status=101,
        )
    ]

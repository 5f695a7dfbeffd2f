"""What the web needs of the rest of the house: collaborators handed over once at start, never the Hub."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from aiohttp import web

from meterhub.actions import Actions
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.collections import Collection
from meterhub.devices.states import Estate
from meterhub.errors import MeterHubError
from meterhub.store.engine import Store


@dataclass(frozen=True, slots=True)
class Rooms:
    """The collaborators of pages and API.

    ``zone`` is the site's time zone, ``language`` its language (``zh-CN``, ``en``, ``ja``). ``lines()`` gives the lines
    by id, ``collectors()`` those of ``field.collector``; ``recorder`` has its counters; ``plugins()`` the records of
    ``meterhub.plugins``. ``trusted_proxies`` are the addresses or networks whose ``X-Forwarded-*`` headers are
    believed. ``people`` is ``meterhub.people``'s service: sessions, tokens, users.
    """

    clock: Clock
    bus: Bus
    estate: Estate
    actions: Actions
    collections: Mapping[str, Collection]
    people: Any
    spawn: Callable[[str, Coroutine[Any, Any, Any]], Any]
    zone: tzinfo
    name: str = "MeterHub"
    language: str = "en"
    version: str = ""
    started_ms: int = 0
    store: Store | None = None
    recorder: Any | None = None
    audit: Any | None = None
    journal: Any | None = None
    schedules: Any | None = None
    plugins: Callable[[], Iterable[Any]] = tuple
    lines: Callable[[], Mapping[str, Any]] = dict
    collectors: Callable[[], Iterable[Any]] = tuple
    trusted_proxies: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


ErrorPage = Callable[[web.Request, MeterHubError, str], Awaitable[web.StreamResponse]]
"""``error_page(request, error, code)``: an error as a page; ``code`` is what the person can quote."""

ROOMS = web.AppKey("rooms", Rooms)
ERROR_PAGE = web.AppKey[ErrorPage]("error_page", Callable)  # type: ignore[arg-type]

"""What the web needs of the rest of the house: collaborators handed over once at start, never the Hub."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from aiohttp import web

from meterhub.action_journal import StoredRuns
from meterhub.actions import Actions
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.collections import Collection
from meterhub.devices.states import Estate
from meterhub.errors import MeterHubError
from meterhub.field.collector import Collector
from meterhub.field.flow import Flow
from meterhub.field.line import Line
from meterhub.field.protocol import Protocol
from meterhub.messages.desk import MessageDesk
from meterhub.money.room import Money
from meterhub.people.people import People
from meterhub.plugins import Plugin
from meterhub.schedules import Schedules
from meterhub.store.engine import Store
from meterhub.store.recorder import Recorder


async def _no_spells(device_id: str, from_ms: int, to_ms: int) -> Sequence[Mapping[str, Any]]:
    return ()


@dataclass(frozen=True, slots=True)
class Rooms:
    """The collaborators of pages and API.

    ``zone`` is the site's time zone, ``language`` its language (``zh-CN``, ``en``, ``ja``), ``scope`` the operator at
    the root of its tree. ``lines()`` gives the lines by id, ``protocols()`` the protocols by name;
    ``spells(device, from_ms, to_ms)`` the rows of when a collector was online. ``trusted_proxies`` are the addresses or
    networks whose ``X-Forwarded-*`` headers are believed.
    """

    clock: Clock
    bus: Bus
    estate: Estate
    actions: Actions
    collections: Mapping[str, Collection]
    people: People
    spawn: Callable[[str, Coroutine[Any, Any, Any]], Any]
    zone: tzinfo
    name: str = "MeterHub"
    language: str = "en"
    version: str = ""
    started_ms: int = 0
    store: Store | None = None
    recorder: Recorder | None = None
    flow: Flow | None = None
    journal: StoredRuns | None = None
    schedules: Schedules | None = None
    plugins: Callable[[], Iterable[Plugin]] = tuple
    lines: Callable[[], Mapping[str, Line]] = dict
    protocols: Callable[[], Mapping[str, Protocol]] = dict
    collectors: Callable[[], Iterable[Collector]] = tuple
    spells: Callable[[str, int, int], Awaitable[Sequence[Mapping[str, Any]]]] = _no_spells
    trusted_proxies: tuple[str, ...] = ()
    scope: str = "main"
    money: Money | None = None
    messages: MessageDesk | None = None
    live_path: str = "/api/v1/live"
    ahead_s: Callable[[], int] = int

    def faults(self) -> Mapping[str, str]:
        """What does not work at present, with the reason; empty when all is well."""
        parts = {"readings": self.recorder, "store": self.store, "money": self.money}
        return {name: one.fault for name, one in parts.items() if one is not None and one.fault}


ErrorPage = Callable[[web.Request, MeterHubError, str], Awaitable[web.StreamResponse]]
"""``error_page(request, error, code)``: an error as a page; ``code`` is what the person can quote."""

ROOMS = web.AppKey("rooms", Rooms)
ERROR_PAGE = web.AppKey[ErrorPage]("error_page", Callable)  # type: ignore[arg-type]

"""What the site file says, checked: one frozen object per entry, each with ``where`` it stands (``site.yaml:42``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from meterhub.config.nodes import Map
from meterhub.config.types import HostPort


@dataclass(frozen=True, slots=True)
class HubConfig:
    """``hub:``. ``data`` is the folder of the database, absolute."""

    name: str
    time_zone: ZoneInfo
    language: str
    currency: str
    data: Path
    operator: str
    where: str


@dataclass(frozen=True, slots=True)
class WebConfig:
    """``web:``. ``public_url`` has no slash at its end, and is "" when there is none.

    ``https`` says when session cookies are marked secure: ``auto`` (as the request came) or ``always``.
    """

    listen: HostPort
    public_url: str
    https: str
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    where: str


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """One name under ``plugins:`` with its raw section, an empty one when nothing follows the colon."""

    name: str
    config: Any
    where: str


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """One of ``sites:``. Without that section there is one site, ``main``."""

    id: str
    name: str
    time_zone: ZoneInfo
    where: str


@dataclass(frozen=True, slots=True)
class EnvelopeEntry:
    """An envelope around the frames of a line; ``options`` are those of its type, not checked yet."""

    type: str
    options: Map
    where: str


@dataclass(frozen=True, slots=True)
class LineEntry:
    """One wire of a collector or link, ``parent``; the names of its settings are those of ``field.LineConfig``."""

    id: str
    parent: str
    name: str
    baud: int
    bits: int
    parity: str
    stop: int
    gap_s: float
    meter_gap_s: float
    timeout_s: float
    tries: int
    quiet_s: float
    envelopes: tuple[EnvelopeEntry, ...]
    channel: str
    where: str


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """One of ``links:``. ``options`` are the keys of its type, not checked yet; see ``site.check_options``."""

    id: str
    type: str
    name: str
    disabled: bool
    lines: tuple[LineEntry, ...]
    options: Map
    where: str


@dataclass(frozen=True, slots=True)
class CollectorEntry:
    """One of ``collectors:``. ``options`` are the keys that its link's type asks for, not checked yet."""

    id: str
    link: str
    name: str
    place: tuple[str, ...]
    site: str
    disabled: bool
    lines: tuple[LineEntry, ...]
    options: Map
    where: str


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """One of ``meters:``. ``options`` are those of its protocol, not checked yet."""

    id: str
    line: str
    profile: str
    address: str
    place: tuple[str, ...]
    name: str
    site: str
    disabled: bool
    options: Map
    where: str


@dataclass(frozen=True, slots=True)
class PaymentEntry:
    """One of ``payments:``. ``options`` are the keys of its company, not checked yet; see ``site.check_options``."""

    id: str
    type: str
    name: str
    site: str
    disabled: bool
    options: Map
    where: str


@dataclass(frozen=True, slots=True)
class MoneyConfig:
    """``money:``. Amounts in fen, ``order_time`` in seconds, hours of the hub's zone."""

    order_time: float
    least: int
    most: int
    tiles: tuple[int, ...]
    late: str
    no_cut_from: int
    no_cut_to: int
    no_cut_days: tuple[str, ...]
    most_cuts: int
    fresh: float
    two_people_over: int
    where: str


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One of ``schedules:``; one of ``cron``, ``every_s`` and ``at`` is set. ``params`` are checked by the action."""

    id: str
    name: str
    cron: str
    every_s: int
    at: datetime | None
    action: str
    target: Mapping[str, Any]
    params: Mapping[str, Any]
    catch_up: str
    enabled: bool
    where: str


@dataclass(frozen=True, slots=True)
class Site:
    """A whole site file. Relative paths, ``plugins/`` and ``profiles/`` start from ``folder``."""

    file: Path
    folder: Path
    hub: HubConfig
    web: WebConfig
    plugins: Mapping[str, PluginEntry]
    sites: tuple[SiteEntry, ...]
    links: tuple[LinkEntry, ...]
    collectors: tuple[CollectorEntry, ...]
    meters: tuple[MeterEntry, ...]
    schedules: tuple[ScheduleEntry, ...]
    payments: tuple[PaymentEntry, ...]
    money: MoneyConfig

    def lines(self) -> Iterator[LineEntry]:
        """The lines of all links and collectors."""
        for link in self.links:
            yield from link.lines
        for collector in self.collectors:
            yield from collector.lines

"""Figures for Prometheus, gathered when asked for. Labels are few and bounded: never a meter, line or user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meterhub.devices.device import Status
from meterhub.errors import NotAllowed, NotLoggedIn
from meterhub.web.addresses import is_loopback
from meterhub.web.live import Live
from meterhub.web.rooms import ROOMS, Rooms
from meterhub.web.visibility import may_anywhere

REGISTRY = web.AppKey("registry", CollectorRegistry)
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


class HubFigures(Collector):
    """What the hub knows of itself."""

    def __init__(self, rooms: Rooms, live: Live) -> None:
        self._rooms = rooms
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """All families of figures."""
        rooms = self._rooms
        yield _gauge("meterhub_up_seconds", "Seconds since the start", (rooms.clock.now() - rooms.started_ms) / 1000)
        info = GaugeMetricFamily("meterhub_info", "The version", labels=["version"])
        info.add_metric([rooms.version], 1)
        yield info
        faulty = GaugeMetricFamily("meterhub_faulty", "1 for what does not work at present", labels=["part"])
        yield from self._devices()
        yield from self._lines()
        yield from self._recorder()
        yield from self._flow()
        yield from self._notices()
        for part in ("readings", "store", "money"):
            faulty.add_metric([part], part in rooms.faults())
        yield faulty
        yield _gauge("meterhub_live_sockets", "Open live sockets", self._live.sockets)
        yield _gauge("meterhub_live_watched", "Things that live sockets watch", self._live.watched)
        plugins = GaugeMetricFamily("meterhub_plugins", "Plugins by state", labels=["state"])
        for state, count in Counter(str(one.state) for one in rooms.plugins()).items():
            plugins.add_metric([state], count)
        yield plugins

    def _devices(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("meterhub_devices", "Devices by kind and status", labels=["kind", "status"])
        counts = Counter((one.kind, one.status) for one in self._rooms.estate.values())
        for kind in {kind for kind, _ in counts}:
            for status in Status:
                family.add_metric([kind, status], counts[kind, status])
        yield family
        collectors = GaugeMetricFamily("meterhub_collectors", "Collectors by connection", labels=["state"])
        for state, count in Counter(one.state for one in self._rooms.collectors()).items():
            collectors.add_metric([state], count)
        yield collectors

    def _lines(self) -> Iterator[Metric]:
        lines = self._rooms.lines().values()
        yield _gauge("meterhub_lines", "Lines", len(lines))
        for name, text in (
            ("jobs", "Jobs that ended"),
            ("tries", "Requests sent"),
            ("answers", "Answers that matched"),
            ("timeouts", "Requests without an answer"),
            ("bytes_in", "Bytes received"),
            ("bytes_out", "Bytes sent"),
        ):
            yield _counter(f"meterhub_line_{name}", text, sum(getattr(one.figures, name) for one in lines))
        errors: Counter[str] = Counter()
        for line in lines:
            errors.update(line.figures.errors)
        family = CounterMetricFamily("meterhub_line_errors", "Jobs that failed, by error", labels=["code"])
        for code, count in errors.items():
            family.add_metric([code], count)
        yield family

    def _recorder(self) -> Iterable[Metric]:
        recorder = self._rooms.recorder
        if recorder is None:
            return
        yield _gauge("meterhub_readings_queued", "Readings that wait for the store", recorder.queued)
        yield _counter("meterhub_readings_written", "Readings stored", recorder.written)
        yield _counter("meterhub_readings_lost", "Readings given up", recorder.lost)

    def _flow(self) -> Iterable[Metric]:
        flow = self._rooms.flow
        if flow is None:
            return
        yield _gauge("meterhub_field_waiting", "Collectors and lines held back, because too much comes", flow.waiting)
        yield _counter("meterhub_field_held_seconds", "Seconds for which all waited for the store", flow.shut_s)
        yield _gauge("meterhub_field_flooded", "1 while more has come for long than can be taken", flow.lasting())
        waiting = sum(one.waiting_bytes for one in self._rooms.collectors())
        yield _gauge("meterhub_field_waiting_bytes", "Bytes that came and wait their turn", waiting)
        dropped = "Bytes given up for want of room, of senders that cannot be slowed down"
        yield _counter("meterhub_field_dropped_bytes", dropped, flow.dropped_bytes)
        lost = "Datagrams that came when the kernel had no room"
        yield _counter("meterhub_field_lost_datagrams", lost, flow.lost_datagrams)

    def _notices(self) -> Iterable[Metric]:
        money = self._rooms.money
        if money is None:
            return
        text = "Notices of payment companies that proved nothing, by why"
        family = CounterMetricFamily("meterhub_notices_turned_away", text, labels=["why"])
        for why, count in money.turned_away.items():
            family.add_metric([why], count)
        yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text)
    family.add_metric([], value)
    return family


def registry_for(rooms: Rooms, live: Live) -> CollectorRegistry:
    """A registry of this application's own, so that several hubs in one process stay apart."""
    registry = CollectorRegistry()
    registry.register(HubFigures(rooms, live))
    ProcessCollector(registry=registry)
    return registry


async def get_metrics(request: web.Request) -> web.Response:
    """Prometheus text, for this machine and for tokens of users who may see the system."""
    rooms, actor = request.app[ROOMS], request["actor"]
    if actor is None and not _local(request, rooms):
        raise NotLoggedIn("metrics are for this machine and for tokens", hint="send Authorization: Bearer TOKEN")
    if actor is not None and not may_anywhere(actor, "system.view"):
        raise NotAllowed("you may not see the system's figures", hint="it needs system.view")
    body = generate_latest(request.app[REGISTRY])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _local(request: web.Request, rooms: Rooms) -> bool:
    """From this machine itself, not through a proxy on it that nobody told us of."""
    proxied = any(name in request.headers for name in FORWARDED)
    return is_loopback(request, rooms.trusted_proxies) and (not proxied or bool(rooms.trusted_proxies))

"""What is known of a collector, its lines, its nodes, and of a meter on a line: for pages and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta, tzinfo
from itertools import pairwise
from typing import Any

from meterhub.clock import utc
from meterhub.config.types import packet_text
from meterhub.devices.device import Device
from meterhub.devices.states import Estate
from meterhub.field.collector import Collector, Node
from meterhub.field.line import Line
from meterhub.web.beats import ONLINE, UNKNOWN, Spell
from meterhub.web.rooms import Rooms

DAYS = 7
SLOWEST = 5
MOST_NODES = 500


def begin_of_days(now_ms: int, zone: tzinfo, days: int = DAYS) -> list[int]:
    """The beginnings of the last days in the site's zone, the oldest first, and now."""
    midnight = utc(now_ms).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [midnight - timedelta(days=back) for back in range(days - 1, -1, -1)]
    return [round(one.timestamp() * 1000) for one in starts] + [now_ms]


def seconds_per_day(spells: Sequence[Spell], now_ms: int, zone: tzinfo, days: int = DAYS) -> list[dict[str, Any]]:
    """Online, offline and unknown seconds of each day, the newest first; they add up to its length so far."""
    borders = begin_of_days(now_ms, zone, days)
    found = []
    for start, end in pairwise(borders):
        online, offline = 0, 0
        for state, since, until, _ in spells:
            shared = max(0, min(until, end) - max(since, start))
            online += shared if state == ONLINE else 0
            offline += shared if state not in (ONLINE, UNKNOWN) else 0
        total_s, online_s, offline_s = (end - start) // 1000, online // 1000, offline // 1000
        day = utc(start).astimezone(zone).strftime("%Y-%m-%d")
        found.append(
            {"day": day, "online_s": online_s, "offline_s": offline_s, "unknown_s": total_s - online_s - offline_s}
        )
    return found[::-1]


async def week_of(rooms: Rooms, device_id: str, now_ms: int) -> list[Spell]:
    """The spells of the last days; ``until_ms`` of the one that goes on is now."""
    rows = await rooms.spells(device_id, begin_of_days(now_ms, rooms.zone)[0], now_ms)
    return [(row["state"], row["since_ms"], row["until_ms"] or now_ms, row.get("cause") or "") for row in rows]


def connection_of(collector: Collector) -> dict[str, Any]:
    """The connection as it is now; None for what nobody knows. ``trip_ms`` is the usual round trip of its lines."""
    trips = [one.trip_s for one in collector.lines if one.trip_s]
    return {
        "state": collector.state,
        "cause": collector.cause,
        "since_ms": collector.since_ms,
        "trouble": collector.link_trouble or None,
        "peer": collector.peer or None,
        "alive_ms": collector.alive_ms,
        "heard_ms": collector.heard_ms,
        "meter_ms": collector.meter_ms,
        "signal_dbm": collector.signal_dbm,
        "connections": collector.spells,
        "waiting_bytes": collector.waiting_bytes,
        "dropped_bytes": collector.dropped_bytes,
        "lost_datagrams": collector.lost_on_link(),
        "queue": sum(one.waiting for one in collector.lines),
        "trip_ms": round(1000 * sum(trips) / len(trips)) if trips else None,
    }


def line_of(collector: Collector, number: int, now_s: float) -> dict[str, Any]:
    """One line's figures. ``success`` is the share of requests that were answered, in thousandths.

    ``channel`` and ``peer`` are None where the collector has one connection for all it has.
    """
    line = collector.lines[number]
    figures = line.figures
    session = collector.sessions[number] if collector.config.channels else None
    slow = sorted(((one.trip_s, meter) for meter, one in line.meters.items() if one.trip_s), reverse=True)
    return {
        "id": line.config.id,
        "connected": line.connected,
        "cause": line.down_cause or None,
        "channel": _channel_text(collector.config.channels[number]) if collector.config.channels else None,
        "peer": session.channel.peer if session is not None else None,
        "utilisation_permille": round(1000 * figures.utilisation(now_s)),
        "success_permille": round(1000 * figures.answers / figures.tries) if figures.tries else None,
        "tries": figures.tries,
        "answers": figures.answers,
        "timeouts": figures.timeouts,
        "queue": line.waiting,
        "trip_ms": round(1000 * line.trip_s) or None,
        "foreign": figures.foreign,
        "garbage_bytes": line.garbage_bytes,
        "errors": dict(sorted(figures.errors.items())),
        "slowest": [{"id": meter, "trip_ms": round(1000 * trip_s)} for trip_s, meter in slow[:SLOWEST]],
    }


def _channel_text(channel: Any) -> str:
    return packet_text(channel) if isinstance(channel, bytes) else str(channel)


def nodes_of(collector: Collector, estate: Estate, lines: Sequence[str]) -> list[dict[str, Any]]:
    """The nodes behind a collector with their meters, by address."""
    meters = {one.address[-12:]: one.id for one in estate.values() if one.kind == "meter" and one.parent in lines}
    shown = sorted(collector.nodes.items())[:MOST_NODES]
    return [
        {
            "address": address,
            "meter": meters.get(address),
            "online": node.facts.online,
            "since_ms": node.since_ms or None,
            "hops": node.facts.hops,
            "quality": node.facts.quality,
            "signal_dbm": node.facts.signal_dbm,
            "phase": node.facts.phase,
        }
        for address, node in shown
    ]


def node_of(device: Device, collectors: Iterable[Collector]) -> Node | None:
    """The node of a radio network that a meter is, or hangs on; None where there is none of its address."""
    for collector in collectors:
        if any(line.config.id == device.parent for line in collector.lines):
            return collector.nodes.get(device.address[-12:].zfill(12))
    return None


def standing_of(device: Device, lines: Mapping[str, Line]) -> dict[str, Any] | None:
    """How a meter has answered on its line; None before it was first asked."""
    line = lines.get(device.parent)
    standing = line.meters.get(device.id) if line is not None else None
    if standing is None:
        return None
    return {
        "last_good_ms": standing.last_good_ms,
        "failures": standing.failures,
        "last_error": standing.last_error or None,
        "trip_ms": round(1000 * standing.trip_s) or None,
    }


async def figures_of(rooms: Rooms, device: Device, may_see: Callable[[str], bool]) -> dict[str, Any]:
    """Everything above for one device, as JSON; ``may_see`` says which meters the asker may hear of."""
    if device.kind != "collector":
        return {"id": device.id, "standing": standing_of(device, rooms.lines())}
    collector = next((one for one in rooms.collectors() if one.id == device.id), None)
    if collector is None:
        return {"id": device.id, "connection": None, "days": [], "lines": [], "nodes": []}
    now_ms, now_s = rooms.clock.now(), rooms.clock.monotonic()
    lines = [line_of(collector, number, now_s) for number in range(len(collector.lines))]
    for one in lines:
        one["slowest"] = [slow for slow in one["slowest"] if may_see(slow["id"])]
    nodes = nodes_of(collector, rooms.estate, [one.config.id for one in collector.lines])
    for node in nodes:
        if node["meter"] is not None and not may_see(node["meter"]):
            node["meter"] = None
    return {
        "id": device.id,
        "connection": connection_of(collector),
        "days": seconds_per_day(await week_of(rooms, device.id, now_ms), now_ms, rooms.zone),
        "lines": lines,
        "nodes": nodes,
    }

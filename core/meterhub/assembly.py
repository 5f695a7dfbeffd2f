"""The assembly: makes lines, collectors, links and devices of what the site file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.entries import CollectorEntry, LineEntry, LinkEntry, MeterEntry, Site
from meterhub.config.schema import check
from meterhub.devices.device import Device, Status
from meterhub.devices.profile import Profile
from meterhub.devices.reader import Reader
from meterhub.devices.states import Estate
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.collector import Collector
from meterhub.field.envelope import Envelope, Stack
from meterhub.field.flow import Flow
from meterhub.field.line import Line
from meterhub.field.line_config import LineConfig
from meterhub.field.link import Link
from meterhub.field.link_desk import LinkDesk
from meterhub.link_plans import LinkPlan
from meterhub.plugins import Plugins
from meterhub.registry import Registry, flat

TRACE_LEAST, TRACE_PER_METER, TRACE_MOST = 100, 24, 1000

COLLECTOR = Profile("collector", "", {"en": "Transparent collector", "zh": "透传采集器", "ja": "透過型集約装置"})
PORT = Profile("port", "", {"en": "Serial port", "zh": "串口", "ja": "シリアルポート"})


@dataclass(slots=True)
class Field:
    """The field side as built: links with their desks, collectors and lines by id."""

    links: list[tuple[Link, LinkDesk]] = field(default_factory=list)
    collectors: dict[str, Collector] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)


def open_envelope(
    planned: Sequence[tuple[str, dict[str, Any]]], registry: Registry, plugins: Plugins
) -> Envelope | None:
    """The envelope of one line, None when its frames go as they are."""
    layers = [
        registry.envelopes[name].open(plugins.context(registry.envelope_owners[name]), options)
        for name, options in planned
    ]
    return None if not layers else layers[0] if len(layers) == 1 else Stack(layers)


def build_field(
    plans: list[LinkPlan],
    devices: Iterable[Device],
    registry: Registry,
    plugins: Plugins,
    clock: Clock,
    bus: Bus,
    flow: Flow | None = None,
) -> Field:
    """Open nothing yet: links, desks, collectors and lines, ready to be started."""
    flow = flow or Flow(clock)
    meters = Counter(device.parent for device in devices if device.kind == "meter")
    built = Field()
    codecs = {name: protocol.codec for name, (_, protocol) in registry.protocols.items()}
    for plan in plans:
        if plan.entry.disabled:
            continue
        kind = registry.links[plan.entry.type]
        link = kind.open(plugins.context(registry.owners[kind.name]), plan.options)
        heartbeat_s = plan.options.get("heartbeat", {}).get("every")
        collectors = []
        for config in plan.collectors:
            lines = [
                Line(
                    line_config(one, meters[one.id]),
                    clock,
                    codecs,
                    envelope=open_envelope(plan.envelopes.get(one.id, ()), registry, plugins),
                    facts=link.facts_of(config),
                    flow=flow,
                )
                for one in plan.lines[config.id]
            ]
            built.lines.update({line.config.id: line for line in lines})
            collectors.append(Collector(config, lines, clock, bus, heartbeat_s, flow))
        built.collectors.update({one.id: one for one in collectors})
        built.links.append((link, LinkDesk(plan.entry.id, collectors, clock, bus, flow)))
    return built


def line_config(entry: LineEntry, meters: int = 0) -> LineConfig:
    """The settings of a wire as the line wants them; its trace holds about one sweep of so many ``meters``."""
    return LineConfig(
        entry.id,
        baud=entry.baud,
        bits=entry.bits,
        parity=entry.parity,
        stop=entry.stop,
        gap_s=entry.gap_s,
        meter_gap_s=entry.meter_gap_s,
        timeout_s=entry.timeout_s,
        tries=entry.tries,
        quiet_s=entry.quiet_s,
        trace_size=min(TRACE_LEAST + TRACE_PER_METER * meters, TRACE_MOST),
    )


def build_devices(site: Site, registry: Registry) -> list[Device]:
    """Collectors and meters of the site file; raises ``ConfigErrors`` for addresses and options that do not fit."""
    operator = site.hub.operator
    devices = [_collector_device(one, operator) for one in site.collectors]
    ports = [one for one in site.links if one.type in registry.links and not registry.links[one.type].dial_in]
    devices += [_port_device(one, site, registry) for one in ports]
    reachable = set(lines_in_use(site))
    mistakes: list[ConfigError] = []
    for entry in site.meters:
        try:
            if entry.profile in registry.profiles:
                devices.append(meter_device(entry, registry, operator, entry.line in reachable))
            else:
                devices.append(orphan(entry, operator))
        except ConfigError as error:
            mistakes += flat(error)
    mistakes += _same_address(devices)
    if mistakes:
        raise ConfigErrors(mistakes)
    return devices


def _same_address(devices: Iterable[Device]) -> Iterator[ConfigError]:
    """Meters that would answer at the same time: a wire may have an address once."""
    first: dict[tuple[str, str], Device] = {}
    for one in devices:
        if one.kind != "meter" or one.status is Status.DISABLED:
            continue
        other = first.setdefault((one.parent, one.address), one)
        if other is not one:
            message = f"the line {one.parent} has the address {one.address} twice: {other.id} and {one.id}"
            hint = f"the first is at {other.origin}; a meter that was replaced can be disabled: true"
            yield ConfigError(message, where=one.origin, hint=hint)


def lines_in_use(site: Site) -> Iterator[str]:
    """The ids of lines whose link and collector are not disabled."""
    off = {one.id for one in site.links if one.disabled}
    for link in site.links:
        if not link.disabled:
            yield from (line.id for line in link.lines)
    for collector in site.collectors:
        if not collector.disabled and collector.link not in off:
            yield from (line.id for line in collector.lines)


def _collector_device(entry: CollectorEntry, operator: str) -> Device:
    return Device(
        entry.id,
        "collector",
        COLLECTOR,
        parent=entry.link,
        name=entry.name,
        place=entry.place,
        site=entry.site,
        operator=operator,
        origin=entry.where,
    )


def _port_device(entry: LinkEntry, site: Site, registry: Registry) -> Device:
    return Device(
        entry.id,
        "collector",
        PORT,
        owner=registry.owners[entry.type].name,
        name=entry.name,
        site=site.sites[0].id,
        operator=site.hub.operator,
        origin=entry.where,
    )


def orphan(entry: MeterEntry, operator: str) -> Device:
    """A meter whose profile or protocol a failed plugin would have brought: shown, but not read."""
    unknown = Profile(entry.profile, "", {"en": entry.profile})
    device = Device(
        entry.id,
        "meter",
        unknown,
        parent=entry.line,
        address=entry.address,
        name=entry.name,
        place=entry.place,
        site=entry.site,
        operator=operator,
        origin=entry.where,
    )
    device.status = Status.CONFIG_ERROR
    device.detail = f"the profile {entry.profile} is missing because a plugin failed; see the page Plugins"
    return device


def meter_device(entry: MeterEntry, registry: Registry, operator: str, reachable: bool) -> Device:
    """One configured meter; raises ``ConfigError`` for an address or options that do not fit."""
    profile = registry.profiles[entry.profile]
    kind, protocol = registry.protocols[profile.protocol]
    try:
        address = protocol.address(entry.address)
    except ConfigError as error:
        raise ConfigError(error.message, where=entry.where, hint=error.hint) from None
    options = None
    if entry.options:
        given = check(entry.options, kind.schema, where=entry.where, path=f"meters[{entry.id}].options")
        options = {**profile.options, **{name: given[name] for name in entry.options}}
    device = Device(
        entry.id,
        "meter",
        profile,
        owner=registry.owners[profile.protocol].name,
        parent=entry.line,
        address=address,
        name=entry.name,
        place=entry.place,
        site=entry.site,
        operator=operator,
        options=options,
        origin=entry.where,
    )
    if entry.disabled or not reachable:
        device.status = Status.DISABLED
        device.detail = "disabled in the site file" if entry.disabled else "its line is disabled in the site file"
    return device


def hand_on_unasked(estate: Estate, reader: Reader, lines: Mapping[str, Line]) -> None:
    """Let each line hand frames that nobody asked for to the meters on it."""
    by_line: dict[str, list[Device]] = {}
    for device in estate.values():
        if device.kind == "meter" and device.profile.protocol in reader.protocols:
            by_line.setdefault(device.parent, []).append(device)
    for line in lines.values():
        line.on_unsolicited = None
    for line_id, devices in by_line.items():
        if line_id in lines:
            line = lines[line_id]
            line.listen(devices[0].profile.protocol)
            line.on_unsolicited = partial(reader.hear, devices)

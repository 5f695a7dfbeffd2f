"""The plans of links: what the site file says of links, collectors and their wires, checked against the kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meterhub.config.base import Type, near_miss
from meterhub.config.cross import check_link_types, check_profiles
from meterhub.config.entries import LineEntry, LinkEntry, Site
from meterhub.config.schema import check
from meterhub.config.site import EMPTY, check_options
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.link import CollectorConfig, LinkType
from meterhub.plugins import Plugins
from meterhub.registry import Registry, flat

BARE = "none"
"""The envelope of a line whose frames go as they are, although its link has an envelope of its own."""


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link with what stands on it, all options checked. A link that is not dialled into is its own collector."""

    entry: LinkEntry
    options: dict[str, Any]
    collectors: tuple[CollectorConfig, ...]
    lines: Mapping[str, tuple[LineEntry, ...]]
    envelopes: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = field(default_factory=dict)
    """The envelopes of each line by its id, the innermost first: type and checked options."""


def plan_links(site: Site, registry: Registry, plugins: Plugins) -> list[LinkPlan]:
    """Check every link and collector against its kind; raises ``ConfigErrors`` with all that is wrong.

    What a plugin that failed would have brought is no mistake of the site file: its links are left out.
    """
    missing = check_link_types(site, registry.links, [plugin.name for plugin in plugins])
    missing += check_profiles(site, registry.profiles)
    mistakes = [] if plugins.broken() else missing
    plans = []
    for entry in site.links:
        if entry.type in registry.links:
            try:
                plans.append(_plan(entry, site, registry))
            except ConfigError as error:
                mistakes += flat(error)
    if mistakes:
        raise ConfigErrors(mistakes)
    return plans


def _plan(entry: LinkEntry, site: Site, registry: Registry) -> LinkPlan:
    kind = registry.links[entry.type]
    options = check_options(entry, kind.schema)
    channel = kind.channel(options)
    mistakes: list[ConfigError] = []
    configs = []
    if kind.dial_in:
        mine = [one for one in site.collectors if one.link == entry.id and not one.disabled]
        lines = {one.id: one.lines for one in mine}
        for one in mine:
            try:
                given = check_options(one, kind.collector_schema)
                configs.append(CollectorConfig(one.id, given, _channels(one.id, one.lines, entry.type, channel)))
            except ConfigError as error:
                mistakes += flat(error)
        mistakes += _alike(configs, kind.unique, {one.id: one.where for one in mine})
    else:
        options["lines"] = [_wire_settings(line) for line in entry.lines]
        lines = {entry.id: entry.lines}
        configs.append(CollectorConfig(entry.id, channels=_channels(entry.id, entry.lines, entry.type, channel)))
    mistakes += _same_channel(configs, lines)
    if mistakes:
        raise ConfigErrors(mistakes)
    return LinkPlan(entry, options, tuple(configs), lines, plan_envelopes(lines, kind, registry))


def _channels(owner: str, lines: Sequence[LineEntry], kind: str, channel: Type | None) -> tuple[Any, ...]:
    """What the lines of one collector, or link, say under ``channel:``; () for one wire that needs no name.

    Raises ``ConfigErrors`` for lines that cannot be told apart.
    """
    if channel is None:
        mistakes = [_one_wire_only(owner, kind, line) for line in lines if line.channel or line is not lines[0]]
    elif len(lines) > 1:
        hint = "each of several lines says which of the collector's ports it is"
        mistakes = [
            ConfigError(f"lines[{line.id}].channel is missing", where=line.where, hint=hint)
            for line in lines
            if not line.channel
        ]
    else:
        mistakes = []
    found = []
    for line in lines if channel is not None else ():
        if line.channel:
            try:
                schema = {"channel": channel}
                found.append(check({"channel": line.channel}, schema, where=line.where, path=f"lines[{line.id}]"))
            except ConfigError as error:
                mistakes += flat(error)
    if mistakes:
        raise ConfigErrors(mistakes)
    return tuple(one["channel"] for one in found)


def _one_wire_only(owner: str, kind: str, line: LineEntry) -> ConfigError:
    message = f"lines[{line.id}]: {owner} has one wire; its {kind} link knows no channels"
    hint = "put all its meters on one line"
    if line.channel:
        hint = "take channel: out; that of a radio belongs under envelope:"
    return ConfigError(message, where=line.where, hint=hint)


def _same_channel(
    configs: Iterable[CollectorConfig], lines: Mapping[str, Sequence[LineEntry]]
) -> Iterator[ConfigError]:
    """Lines of one link that say the same channel."""
    first: dict[Any, str] = {}
    for config in configs:
        for line, channel in zip(lines[config.id], config.channels, strict=False):  # one wire may say no channel
            other = first.setdefault(channel, line.id)
            if other != line.id:
                message = f"the lines {other} and {line.id} have the same channel"
                yield ConfigError(message, where=line.where, hint="give each line a channel of its own")


def _alike(configs: Iterable[CollectorConfig], keys: Iterable[str], places: Mapping[str, str]) -> Iterator[ConfigError]:
    """Collectors that have in common what must tell them apart."""
    for key in keys:
        first: dict[Any, str] = {}
        for one in configs:
            other = first.setdefault(one.options[key], one.id) if key in one.options else one.id
            if other != one.id:
                message = f"the collectors {other} and {one.id} have the same {key}"
                yield ConfigError(message, where=places[one.id], hint=f"give each collector a {key} of its own")


def _wire_settings(line: LineEntry) -> dict[str, Any]:
    return {"baud": line.baud, "bits": line.bits, "parity": line.parity, "stop": line.stop}


def plan_envelopes(
    lines: Mapping[str, tuple[LineEntry, ...]], kind: LinkType, registry: Registry
) -> dict[str, tuple[tuple[str, dict[str, Any]], ...]]:
    """The envelopes of each line, checked: those that it names, else the link's own. Raises ``ConfigErrors``."""
    planned: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {}
    mistakes: list[ConfigError] = []
    for line in (one for group in lines.values() for one in group):
        wanted = [(one.type, one.options, one.where) for one in line.envelopes]
        if [name for name, _, _ in wanted] == [BARE]:
            wanted = []
        elif not wanted and kind.envelope:
            wanted = [(kind.envelope, EMPTY, line.where)]
        try:
            planned[line.id] = tuple(_envelope(*one, line.id, registry) for one in wanted)
        except ConfigError as error:
            mistakes += flat(error)
    if mistakes:
        raise ConfigErrors(mistakes)
    return planned


def _envelope(name: str, options: Any, where: str, line_id: str, registry: Registry) -> tuple[str, dict[str, Any]]:
    kind = registry.envelopes.get(name)
    if kind is None:
        hint = near_miss(name, registry.envelopes) or f"there are: {', '.join(sorted(registry.envelopes)) or 'none'}"
        raise ConfigError(f"lines[{line_id}].envelope is {name}, which no listed plugin brings", where=where, hint=hint)
    return name, check(options, kind.schema, where=where, path=f"lines[{line_id}].envelope")

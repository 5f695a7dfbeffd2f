"""Checks across the entries of a site file: ids used twice, references to what is not there, kinds nobody brings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from meterhub.config.base import near_miss
from meterhub.config.entries import ScheduleEntry, Site
from meterhub.config.nodes import Map, Seq, told
from meterhub.errors import ConfigError

DEVICE_SECTIONS = ("links", "collectors", "meters")
MAX_HINTS = 200
"""Mistakes for which the near miss is looked for; with ten thousand meters it takes long."""


def check_ids(root: Map, errors: list[ConfigError]) -> None:
    """Links, collectors, lines and meters share one space of ids; sites and schedules have their own."""
    _unique((one for section in DEVICE_SECTIONS for one in _with_lines(root.get(section))), errors)
    for section in ("sites", "schedules", "payments"):
        _unique(_entries(root.get(section)), errors)


def check_references(root: Map, site: Site, errors: list[ConfigError]) -> None:
    """The link of a collector, the line of a meter, the sites, and what a schedule aims at must be in the file.

    Entries that are wrong otherwise count as being there, so that one mistake is told once.
    """
    links = _ids(root, "links")
    lines = {str(node.get("id")) for section in ("links", "collectors") for node in _lines(root.get(section))}
    sites = {one.id for one in site.sites} | _ids(root, "sites")
    for collector in site.collectors:
        _known("link", collector.link, links, f"collectors[{collector.id}]", collector.where, errors)
        _known("site", collector.site, sites, f"collectors[{collector.id}]", collector.where, errors)
    for meter in site.meters:
        if meter.line not in lines:
            _known("line", meter.line, lines, f"meters[{meter.id}]", meter.where, errors)
        if meter.site not in sites:
            _known("site", meter.site, sites, f"meters[{meter.id}]", meter.where, errors)
    for payment in site.payments:
        if payment.site:
            _known("site", payment.site, sites, f"payments[{payment.id}]", payment.where, errors)
    known = {
        "meters": _ids(root, "meters"),
        "collector": _ids(root, "collectors"),
        "line": lines,
        "site": sites,
    }
    for schedule in site.schedules:
        _check_target(schedule, known, errors)


def check_link_types(site: Site, types: Collection[str], found: Collection[str]) -> list[ConfigError]:
    """Every link must be of a kind that a listed plugin brings.

    ``types`` are the kinds that running plugins registered, ``found`` the names of all plugins there are. A plugin
    that is not listed is taken to bring the kind that is called like itself.
    """
    errors: list[ConfigError] = []
    for link in site.links:
        if link.type in types:
            continue
        message = f"links[{link.id}].type is {link.type}, which no listed plugin brings"
        if link.type in found and link.type not in site.plugins:
            message = f"links[{link.id}] is of type {link.type}, but the plugin {link.type} is not listed"
            hint = f"write {link.type}: under plugins:"
        else:
            hint = near_miss(link.type, types) or "listed plugins bring: " + (", ".join(sorted(types)) or "none")
        errors.append(ConfigError(message, where=link.where, hint=hint))
    return errors


def check_payment_types(site: Site, types: Collection[str], found: Collection[str]) -> list[ConfigError]:
    """Every merchant account must be of a company that a listed plugin brings; as ``check_link_types``."""
    errors: list[ConfigError] = []
    for payment in site.payments:
        if payment.type in types:
            continue
        message = f"payments[{payment.id}].type is {payment.type}, which no listed plugin brings"
        hint = near_miss(payment.type, types) or "listed plugins bring: " + (", ".join(sorted(types)) or "none")
        if payment.type in found and payment.type not in site.plugins:
            hint = f"write {payment.type}: under plugins:"
        errors.append(ConfigError(message, where=payment.where, hint=hint))
    return errors


def check_profiles(site: Site, profiles: Collection[str]) -> list[ConfigError]:
    """Every meter must name a profile that is there."""
    errors: list[ConfigError] = []
    for meter in site.meters:
        if meter.profile not in profiles:
            _known("profile", meter.profile, profiles, f"meters[{meter.id}]", meter.where, errors)
    return errors


def _check_target(schedule: ScheduleEntry, known: Mapping[str, Collection[str]], errors: list[ConfigError]) -> None:
    for kind, ids in known.items():
        wanted = schedule.target.get(kind, ())
        for one in [wanted] if isinstance(wanted, str) else wanted:
            _known(kind.removesuffix("s"), one, ids, f"schedules[{schedule.id}].target", schedule.where, errors)


def _known(what: str, name: str, known: Collection[str], path: str, where: str, errors: list[ConfigError]) -> None:
    if name not in known:
        hint = ""
        if len(errors) < MAX_HINTS:
            hint = near_miss(name, known)
            if not hint and len(known) <= 10:
                hint = f"there are: {', '.join(sorted(known)) or 'none'}"
        errors.append(ConfigError(f"{path}: there is no {what} {name}", where=where, hint=hint))


def _unique(nodes: Iterable[Map], errors: list[ConfigError]) -> None:
    first: dict[str, Map] = {}
    for node in nodes:
        name = node.get("id")
        if not isinstance(name, str):
            continue
        other = first.setdefault(name, node)
        if other is not node:
            message = f"the id {told(name)} is used twice; the first is at {other.where('id')}"
            errors.append(ConfigError(message, where=node.where("id"), hint="give one of them another id"))


def _entries(section: Any) -> Iterator[Map]:
    if isinstance(section, Seq):
        yield from (one for one in section if isinstance(one, Map))


def _with_lines(section: Any) -> Iterator[Map]:
    for entry in _entries(section):
        yield entry
        yield from _entries(entry.get("lines"))


def _lines(section: Any) -> Iterator[Map]:
    for entry in _entries(section):
        yield from _entries(entry.get("lines"))


def _ids(root: Map, section: str) -> set[str]:
    return {str(entry.get("id")) for entry in _entries(root.get(section))}

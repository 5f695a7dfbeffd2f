"""Loads and checks a whole site file. All mistakes are reported at once, each with the file and line it stands in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meterhub.config import site_schema
from meterhub.config.base import near_miss
from meterhub.config.cross import check_ids, check_references
from meterhub.config.entries import (
    CollectorEntry,
    EnvelopeEntry,
    HubConfig,
    LineEntry,
    LinkEntry,
    MeterEntry,
    MoneyConfig,
    PaymentEntry,
    PluginEntry,
    ScheduleEntry,
    Site,
    SiteEntry,
    WebConfig,
)
from meterhub.config.loader import in_order, load_document
from meterhub.config.nodes import Lost, Map, Seq, told
from meterhub.config.schema import Checker, item_name, shown
from meterhub.errors import ConfigError, ConfigErrors

MAX_ERRORS = 100
"""Mistakes told at once; the rest are counted."""

SITE = "main"
EMPTY = Map()


def load_site(path: Path) -> Site:
    """The checked content of a site file. Raises ``ConfigErrors`` with everything that is wrong.

    What only plugins know (keys of link types, profiles, options) is checked later: ``check_options``,
    ``cross.check_link_types``, ``cross.check_profiles``.
    """
    site, errors = read_site(path)
    if errors or site is None:
        raise ConfigErrors(bounded(errors))
    return site


def read_site(path: Path) -> tuple[Site | None, list[ConfigError]]:
    """The entries of a site file that are right, and all its mistakes. Raises nothing.

    None instead of the site when so much is missing that further checks would blame what is right.
    """
    document = load_document(path)
    errors = document.errors
    root = document.root
    site = None
    if isinstance(root, Map):
        complete = not errors
        check_ids(root, errors)
        site = _Reader(root, errors).site(path)
        if complete:
            check_references(root, site, errors)
        if not complete or isinstance(root.get("plugins"), Seq | str):
            site = None
    elif not isinstance(root, Lost):
        message = "the file is empty" if root is None else "a site file is a mapping"
        hint = "it begins with hub:, plugins:, links:"
        errors.append(ConfigError(message, where=f"{document.source.name}:1", hint=hint))
    return site, errors


GENERAL: Mapping[type, tuple[str, Mapping[Any, Any]]] = {
    LinkEntry: ("links", site_schema.LINK),
    CollectorEntry: ("collectors", site_schema.COLLECTOR),
    PaymentEntry: ("payments", site_schema.PAYMENT),
}


def check_options(entry: LinkEntry | CollectorEntry | PaymentEntry, schema: Mapping[Any, Any]) -> dict[str, Any]:
    """The keys of a link, collector or payment account that belong to its kind, checked by the kind's ``schema``.

    A misspelt key is compared with those of the kind and the general ones. Raises ``ConfigError`` or ``ConfigErrors``.
    """
    kind, general = GENERAL[type(entry)]
    checker = Checker(schema, also=[str(one) for one in general])
    return checker.check(entry.options, where=entry.where, path=f"{kind}[{entry.id}]")


def _or_empty(config: Any, node: Map, name: str) -> Any:
    return Map((), node.source, node.line_of(name)) if config is None else config


def bounded(errors: list[ConfigError]) -> list[ConfigError]:
    """The errors by file and line, each once; beyond ``MAX_ERRORS`` they are only counted."""
    errors = in_order(errors)
    if len(errors) <= MAX_ERRORS:
        return errors
    rest = ConfigError(f"there are {len(errors) - MAX_ERRORS} more mistakes", where=errors[MAX_ERRORS].where)
    return [*errors[:MAX_ERRORS], rest]


class _Reader:
    """Turns the nodes of one file into entries and notes what is wrong with them."""

    def __init__(self, root: Map, errors: list[ConfigError]) -> None:
        self._root = root
        self._errors = errors
        self._default_site = SITE

    def site(self, path: Path) -> Site:
        """All that could be read; worth something only when no error was noted."""
        self._unknown_sections()
        self._no_automations()
        hub = self._hub()
        sites = self._sites(hub)
        self._default_site = sites[0].id
        return Site(
            file=path.absolute(),
            folder=path.absolute().parent,
            hub=hub,
            web=self._web(),
            plugins=self._plugins(),
            sites=sites,
            links=tuple(self._link(*one) for one in self._entries("links", extra=True)),
            collectors=tuple(self._collector(*one) for one in self._entries("collectors", extra=True)),
            meters=tuple([self._meter(*one) for one in self._entries("meters")]),
            schedules=tuple(self._schedule(*one) for one in self._entries("schedules")),
            payments=tuple(self._payment(*one) for one in self._entries("payments", extra=True)),
            money=self._money(),
        )

    def _unknown_sections(self) -> None:
        for name in self._root:
            if name not in site_schema.SECTIONS:
                known = list(site_schema.SECTIONS)
                hint = near_miss(name, known) or "known keys: " + ", ".join(known)
                self._errors.append(
                    ConfigError(f"there is no key {told(name)}", where=self._root.where(name), hint=hint)
                )

    def _no_automations(self) -> None:
        node = self._root.get("automations")
        if node is None or isinstance(node, Lost) or node == []:
            return
        where = node.where(0) if isinstance(node, Seq) else self._root.where("automations")
        hint = "schedules: can call actions at fixed times"
        self._errors.append(ConfigError("automations are not available in this version", where=where, hint=hint))

    def _section(self, name: str) -> tuple[dict[str, Any], str]:
        """A section that is one mapping, with its defaults where it is wrong."""
        checker = Checker(site_schema.SECTIONS[name])
        nothing = Map((), self._root.source, self._root.line_of(name))
        node = self._root.get(name)
        usable = nothing if node is None or isinstance(node, Lost) else node
        checked = checker.collect(usable, self._errors, where=self._root.where(name), path=name)
        return checker.check(nothing) if checked is None else checked, self._root.where(name)

    def _hub(self) -> HubConfig:
        values, where = self._section("hub")
        return HubConfig(**values, where=where)

    def _web(self) -> WebConfig:
        values, where = self._section("web")
        return WebConfig(
            values["listen"], values["public_url"], values["https"], tuple(values["trusted_proxies"]), where
        )

    def _money(self) -> MoneyConfig:
        values, where = self._section("money")
        return MoneyConfig(
            **{**values, "tiles": tuple(values["tiles"]), "no_cut_days": tuple(values["no_cut_days"])}, where=where
        )

    def _plugins(self) -> dict[str, PluginEntry]:
        node = self._root.get("plugins")
        if isinstance(node, Map):
            return {
                name: PluginEntry(name, _or_empty(config, node, name), node.where(name))
                for name, config in node.items()
            }
        if node is not None and not isinstance(node, Lost):
            message = f"plugins is {shown(node)}; a mapping of names to settings is needed"
            where = self._root.where("plugins")
            self._errors.append(ConfigError(message, where=where, hint="write each as a name with a colon, not a dash"))
        return {}

    def _entries(self, section: str, *, extra: bool = False) -> list[tuple[dict[str, Any], Map]]:
        """The entries of a list that are right, each checked and as it stands."""
        node = self._root.get(section)
        if node is None or isinstance(node, Lost):
            return []
        if not isinstance(node, Seq):
            message = f"{section} is {shown(node)}; a list is needed"
            hint = "begin each entry with a dash"
            self._errors.append(ConfigError(message, where=self._root.where(section), hint=hint))
            return []
        collect = Checker(site_schema.SECTIONS[section], extra=extra).collect
        found = []
        for index, entry in enumerate(node):
            if not isinstance(entry, Map):
                self._not_an_entry(section, node, index)
                continue
            checked = collect(entry, self._errors, path=section + item_name(node, index))
            if checked is not None:
                found.append((checked, entry))
        return found

    def _not_an_entry(self, section: str, node: Seq, index: int) -> None:
        entry = node[index]
        if not isinstance(entry, Lost):
            message = f"{section}[#{index + 1}] is {shown(entry)}; a mapping with an id is needed"
            self._errors.append(ConfigError(message, where=node.where(index)))

    def _sites(self, hub: HubConfig) -> tuple[SiteEntry, ...]:
        sites = [
            SiteEntry(values["id"], values["name"], values.get("time_zone", hub.time_zone), entry.where())
            for values, entry in self._entries("sites")
        ]
        return tuple(sites) or (SiteEntry(SITE, hub.name, hub.time_zone, hub.where),)

    def _link(self, values: dict[str, Any], entry: Map) -> LinkEntry:
        lines = self._lines(values, entry)
        options = entry.without(str(one) for one in site_schema.LINK)
        return LinkEntry(
            values["id"], values["type"], values["name"], values["disabled"], lines, options, entry.where()
        )

    def _collector(self, values: dict[str, Any], entry: Map) -> CollectorEntry:
        return CollectorEntry(
            id=values["id"],
            link=values["link"],
            name=values["name"],
            place=values["place"],
            site=values["site"] or self._default_site,
            disabled=values["disabled"],
            lines=self._lines(values, entry),
            options=entry.without(str(one) for one in site_schema.COLLECTOR),
            where=entry.where(),
        )

    def _lines(self, values: dict[str, Any], entry: Map) -> tuple[LineEntry, ...]:
        nodes = entry.get("lines") or ()
        pairs = zip(values["lines"], nodes, strict=True)
        return tuple(self._line(line, node, values["id"]) for line, node in pairs)

    def _line(self, values: dict[str, Any], node: Map, parent: str) -> LineEntry:
        return LineEntry(
            id=values["id"],
            parent=parent,
            name=values["name"],
            baud=values["baud"],
            bits=values["data_bits"],
            parity=values["parity"],
            stop=values["stop_bits"],
            gap_s=values["gap"],
            meter_gap_s=values["meter_gap"],
            timeout_s=values["timeout"],
            tries=values["tries"],
            quiet_s=values["quiet"],
            envelopes=self._envelopes(values["envelope"], node),
            channel=values["channel"],
            where=node.where(),
        )

    def _envelopes(self, value: Any, line: Map) -> tuple[EnvelopeEntry, ...]:
        found = []
        for one in value if isinstance(value, list) else [value]:
            where = one.where() if isinstance(one, Map) else line.where("envelope")
            name = one if isinstance(one, str) else one.get("type")
            if isinstance(name, str):
                options = EMPTY if isinstance(one, str) else one.without(["type"])
                found.append(EnvelopeEntry(name, options, where))
            else:
                hint = "as in envelope: {type: mesh}"
                self._errors.append(ConfigError("the envelope does not tell its type", where=where, hint=hint))
        return tuple(found)

    def _meter(self, values: dict[str, Any], entry: Map) -> MeterEntry:
        return MeterEntry(
            values["id"],
            sys.intern(values["line"]),
            sys.intern(values["profile"]),
            values["address"],
            values["place"],
            values["name"],
            values["site"] or self._default_site,
            values["disabled"],
            values.get("options", EMPTY),
            f"{entry.source.name}:{entry.line}",
        )

    def _payment(self, values: dict[str, Any], entry: Map) -> PaymentEntry:
        options = entry.without(str(one) for one in site_schema.PAYMENT)
        return PaymentEntry(
            values["id"],
            values["type"],
            values["name"],
            values["site"],
            values["disabled"],
            options,
            entry.where(),
        )

    def _schedule(self, values: dict[str, Any], entry: Map) -> ScheduleEntry:
        path = f"schedules[{values['id']}]"
        given = [name for name in ("cron", "every", "at") if name in values]
        if len(given) != 1:
            message = f"{path} needs either cron or every or at" + (", not both" if given else "")
            hint = 'such as every: 15m, cron: "*/15 * * * *" or at: 2026-12-01 03:00'
            self._errors.append(ConfigError(message, where=entry.where("every"), hint=hint))
        target = dict(values.get("target", {"all": "meters"}))
        if not target:
            hint = "such as target: {all: meters}"
            self._errors.append(ConfigError(f"{path}.target names nothing", where=entry.where("target"), hint=hint))
        return ScheduleEntry(
            id=values["id"],
            name=values["name"],
            cron=values.get("cron", ""),
            every_s=values.get("every", 0),
            at=values.get("at"),
            action=values["action"],
            target=target,
            params=values.get("params", EMPTY),
            catch_up=values["catch_up"],
            enabled=values["enabled"],
            where=entry.where(),
        )

"""``meterhub check``: all mistakes of a site file at once, those that only plugins know among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from meterhub.assembly import build_devices
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.config.entries import Site
from meterhub.config.site import bounded, read_site
from meterhub.devices.reader import Reader
from meterhub.devices.states import Estate
from meterhub.devices.vectors import vector_mistakes
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.hub import load_registry, offered_actions
from meterhub.link_plans import plan_links
from meterhub.office.money_room import open_merchants
from meterhub.plugins import Plugins, PluginState
from meterhub.registry import Registry, flat
from meterhub.scheduled_actions import with_actions


def check_site(file: Path) -> str:
    """One sentence that the file is right; raises ``ConfigErrors`` with all that is wrong."""
    site, mistakes = read_site(file)
    if site is not None:
        mistakes += _beyond_the_file(site)
    if mistakes or site is None:
        raise ConfigErrors(bounded(mistakes))
    counts = f"{len(site.links)} links, {len(site.collectors)} collectors, {len(site.meters)} meters"
    return f"{file}: right; {counts}"


def _beyond_the_file(site: Site) -> Iterator[ConfigError]:
    """What only shows with the plugins loaded."""
    plugins, registry, mistakes = load_registry(site, Clock(), lambda owner, coroutine: coroutine.close())
    yield from mistakes
    plugins.call("register_notifiers")
    yield from _failures(plugins, {one.where for one in mistakes})
    yield from _raised_by(partial(plan_links, site, registry, plugins))
    yield from _raised_by(partial(build_devices, site, registry))
    yield from _raised_by(partial(open_merchants, site, registry, plugins))
    yield from _in_schedules(site, plugins)
    yield from _in_vectors(registry)


def _raised_by(step: Callable[[], object]) -> Iterator[ConfigError]:
    try:
        step()
    except ConfigError as error:
        yield from flat(error)


def _failures(plugins: Plugins, told: set[str]) -> Iterator[ConfigError]:
    """Plugins that failed for another reason than their settings, which are told already."""
    for plugin in plugins:
        if plugin.state is PluginState.FAILED and plugin.where not in told:
            hint = f"at {plugin.where}" if plugin.where else ""
            yield ConfigError(f"the plugin {plugin.name} failed: {plugin.reason}", where=plugin.listed_at, hint=hint)


def _in_schedules(site: Site, plugins: Plugins) -> list[ConfigError]:
    clock = Clock()
    offered = offered_actions(Reader(Estate(Bus(), clock), clock), lambda collector: (), plugins, clock)
    actions = [action for _, action in offered]
    return with_actions(site.schedules, actions, some_missing=plugins.broken())[1]


def _in_vectors(registry: Registry) -> Iterator[ConfigError]:
    for profile in registry.profiles.values():
        yield from vector_mistakes(profile, registry.protocols[profile.protocol][1])

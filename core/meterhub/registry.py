"""The registry: which protocols, links and profiles the running plugins brought, opened and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meterhub.config.loader import load
from meterhub.devices.profile import Profile
from meterhub.devices.profile_file import BaseMissing, build_profile
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.envelope import EnvelopeType
from meterhub.field.link import LinkType
from meterhub.field.protocol import Protocol, ProtocolType
from meterhub.money.merchants import Merchants
from meterhub.money.provider import PaymentType
from meterhub.plugins import Plugin, Plugins

Source = tuple[Any, Path | None, str]
"""A profile's file or content, the folder its includes are relative to, and where it came from."""


@dataclass(slots=True)
class Registry:
    """What can be named in a site file. ``owners`` maps a protocol or link type to the plugin that brought it,
    ``envelope_owners`` an envelope type. A payment type stands beside its plugin; ``merchants`` are the accounts that
    are open."""

    protocols: dict[str, tuple[ProtocolType, Protocol]] = field(default_factory=dict)
    links: dict[str, LinkType] = field(default_factory=dict)
    envelopes: dict[str, EnvelopeType] = field(default_factory=dict)
    payments: dict[str, tuple[PaymentType, Plugin]] = field(default_factory=dict)
    merchants: Merchants = field(default_factory=Merchants)
    profiles: dict[str, Profile] = field(default_factory=dict)
    owners: dict[str, Plugin] = field(default_factory=dict)
    envelope_owners: dict[str, Plugin] = field(default_factory=dict)

    def companies(self) -> dict[str, Mapping[str, str]]:
        """What the payment types are called."""
        return {name: kind.title for name, (kind, _) in self.payments.items()}


def build_registry(plugins: Plugins, profile_folder: Path | None) -> tuple[Registry, list[ConfigError]]:
    """Collect what the plugins register, then the deployer's own profiles; all mistakes in them are returned."""
    registry = Registry()
    mistakes: list[ConfigError] = []
    for plugin, kind in plugins.call("register_protocols"):
        if _new(registry.protocols, kind.name, "protocol", plugin, plugins):
            registry.protocols[kind.name] = (kind, kind.open(plugins.context(plugin), plugin.config))
            registry.owners[kind.name] = plugin
    for plugin, link_type in plugins.call("register_links"):
        if _new(registry.links, link_type.name, "link type", plugin, plugins):
            registry.links[link_type.name] = link_type
            registry.owners[link_type.name] = plugin
    for plugin, envelope_type in plugins.call("register_envelopes"):
        if _new(registry.envelopes, envelope_type.name, "envelope", plugin, plugins):
            registry.envelopes[envelope_type.name] = envelope_type
            registry.envelope_owners[envelope_type.name] = plugin
    for plugin, payment_type in plugins.call("register_payments"):
        if _new(registry.payments, payment_type.name, "payment type", plugin, plugins):
            registry.payments[payment_type.name] = (payment_type, plugin)
    sources: list[Source] = [
        (source, source.parent if isinstance(source, Path) else None, plugin.origin)
        for plugin, source in plugins.call("register_profiles")
    ]
    if profile_folder is not None:
        sources += [(path, profile_folder.parent, str(path)) for path in sorted(profile_folder.glob("*.yaml"))]
    add_profiles(registry, sources, mistakes)
    return registry, mistakes


def add_profiles(registry: Registry, sources: Sequence[Source], mistakes: list[ConfigError]) -> None:
    """Build profiles, those that extend another one after it."""
    while sources:
        waiting: list[tuple[Source, ConfigError]] = []
        for source in sources:
            try:
                _add_profile(registry, *source, mistakes)
            except BaseMissing as error:
                waiting.append((source, error))
        if len(waiting) == len(sources):
            mistakes += [error for _, error in waiting]
            return
        sources = [source for source, _ in waiting]


def _new(known: Mapping[str, Any], name: str, what: str, plugin: Plugin, plugins: Plugins) -> bool:
    """Whether the name is free; else the plugin that came second is told so."""
    if name not in known:
        return True
    plugins.fail(plugin, ConfigError(f"the {what} {name} is brought by another plugin already", where=plugin.origin))
    return False


def _add_profile(
    registry: Registry, source: Any, folder: Path | None, origin: str, mistakes: list[ConfigError]
) -> None:
    """Add one profile, a file or the same content as a mapping; what is wrong with it is added to ``mistakes``."""
    try:
        content = load(source, folder) if isinstance(source, Path) else source
        profile = build_profile(
            content, registry.protocols, origin="" if isinstance(source, Path) else origin, known=registry.profiles
        )
        if profile.id in registry.profiles:
            first = registry.profiles[profile.id].origin
            raise ConfigError(f"the profile {profile.id} is there already, in {first}", where=profile.origin)
        registry.profiles[profile.id] = profile
    except BaseMissing:
        raise
    except ConfigErrors as several:
        mistakes += several.errors
    except ConfigError as one:
        mistakes.append(one)


def flat(error: ConfigError) -> Iterable[ConfigError]:
    """The single mistakes within an error."""
    return error.errors if isinstance(error, ConfigErrors) else (error,)

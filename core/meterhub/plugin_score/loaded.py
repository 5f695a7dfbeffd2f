"""A plugin that was loaded to be scored: what it registers, and what went wrong."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from meterhub.clock import Clock
from meterhub.config.loader import load as load_yaml
from meterhub.devices.profile import Profile
from meterhub.errors import ConfigError
from meterhub.plugin_score.subject import Subject
from meterhub.plugins import Plugin, Plugins, PluginState, import_file
from meterhub.registry import Registry, add_profiles, build_registry


@dataclass(slots=True)
class Loaded:
    """``plugin`` is None for a profile alone; ``brought`` maps a hook to its objects, ``profiles`` are its own.

    ``mistakes`` are those of its profiles. ``registry`` also has what installed plugins bring.
    """

    subject: Subject
    plugin: Plugin | None = None
    registry: Registry = field(default_factory=Registry)
    mistakes: list[ConfigError] = field(default_factory=list)
    brought: dict[str, list[Any]] = field(default_factory=dict)
    profiles: list[Profile] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether it could be loaded and set up."""
        return self.plugin is None or self.plugin.state is PluginState.RUNNING

    def place(self, file: Path, line: int) -> str:
        """``file:line`` as people find it, from the path that was given."""
        root = self.subject.path if self.subject.path.is_dir() else self.subject.path.parent
        return f"{file.relative_to(root)}:{line}"


def load(subject: Subject) -> Loaded:
    """Import and set up the plugin among the installed ones, as a hub would."""
    plugins = Plugins(Clock(), Path("data"), lambda owner, coroutine: coroutine.close(), None)
    plugins.find()
    loaded = Loaded(subject)
    if subject.module is not None:
        loaded.plugin = Plugin(subject.name, str(subject.module), load=partial(_import, subject.module))
        plugins.take(loaded.plugin)
    plugins.set_up({one.name: (None, "") for one in plugins})
    loaded.registry, loaded.mistakes = build_registry(plugins, None)
    for hook in plugins.hook_names:
        if hook != "plugin_schema":
            loaded.brought[hook] = [one for plugin, one in plugins.call(hook) if plugin is loaded.plugin]
    _add_profiles(loaded)
    return loaded


def _add_profiles(loaded: Loaded) -> None:
    """Its own profiles: those it registers, and those beside a single file that are of its protocols."""
    mine = {one.name for one in loaded.brought.get("register_protocols", ())}
    for path in loaded.subject.profiles:
        try:
            content = load_yaml(path, path.parent)
        except ConfigError as error:
            loaded.mistakes.append(error)
            continue
        protocol = content.get("protocol") if isinstance(content, Mapping) else None
        if loaded.plugin is None or protocol in mine:
            add_profiles(loaded.registry, [(path, path.parent, str(path))], loaded.mistakes)
            loaded.profiles += [one for one in loaded.registry.profiles.values() if _is_of(one, path)]
    for source in loaded.brought.get("register_profiles", ()):
        try:
            content = load_yaml(source, source.parent) if isinstance(source, Path) else source
        except ConfigError:
            continue  # its mistakes are noted by the registry
        if isinstance(content, Mapping) and content.get("id") in loaded.registry.profiles:
            loaded.profiles.append(loaded.registry.profiles[content["id"]])


def _is_of(profile: Profile, path: Path) -> bool:
    return profile.origin.rpartition(":")[0] == path.name


def _import(module: Path) -> ModuleType:
    """Import a file as from a ``plugins/`` folder, a package under its own name."""
    if module.is_file():
        return import_file(module.stem, module)
    if str(module.parent) not in sys.path:
        sys.path.insert(0, str(module.parent))
    return importlib.import_module(module.name)

"""Plugin life: found, checked, configured, set up, running or failed, without hurting the others.

A plugin is found through the entry-point group ``meterhub.plugins`` or as a file or folder in the deployer's
``plugins/`` folder, and works only if the site file lists it. Hooks are called plugin by plugin, so that one that
fails is named with file and line while the others go on.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from meterhub import __version__, hookspecs
from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import ConfigError, Misuse
from meterhub.outgoing import Outgoing

API_VERSION = 1
"""A plugin may say ``requires_api = 1``; another number is refused with a sentence."""

GROUP = "meterhub.plugins"
log = logging.getLogger(__name__)


class PluginState(StrEnum):
    """Where a plugin is in its life."""

    FOUND = "found"
    RUNNING = "running"
    FAILED = "failed"
    DISABLED = "disabled"
    NOT_LISTED = "not_listed"


@dataclass(slots=True)
class Plugin:
    """One plugin as the plugins page shows it. ``registered`` maps a hook to the names that it brought."""

    name: str
    origin: str
    version: str = ""
    state: PluginState = PluginState.NOT_LISTED
    reason: str = ""
    where: str = ""
    last_error: str = ""
    seconds: float = 0.0
    registered: dict[str, list[str]] = field(default_factory=dict)
    listed_at: str = ""
    folder: str = ""
    module: ModuleType | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[], ModuleType] | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin gets of the hub: its log, the clock, owned tasks, its data folder, HTTP. Not the hub's insides.

    ``http()`` is the shared ``aiohttp.ClientSession``; the hub closes it.
    """

    name: str
    log: logging.Logger
    clock: Clock
    spawn: Callable[[Coroutine[Any, Any, Any]], Any]
    data_dir: Path
    http: Outgoing = field(default_factory=Outgoing)


class Plugins:
    """Finds plugins, sets up those that are listed, and keeps a record of each."""

    def __init__(
        self, clock: Clock, data_dir: Path, spawn: Callable[[str, Coroutine[Any, Any, Any]], Any], folder: Path | None
    ) -> None:
        self._clock = clock
        self._data_dir = data_dir
        self._spawn = spawn
        self._folder = folder
        self.http = Outgoing(clock)
        self._records: dict[str, Plugin] = {}
        self._unknown_listed = False
        self._specs = pluggy.PluginManager("meterhub")
        self._specs.add_hookspecs(hookspecs)
        self.hook_names = tuple(name for name in dir(self._specs.hook) if not name.startswith("_"))

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._records.values())

    def get(self, name: str) -> Plugin | None:
        """The record of a plugin, or None."""
        return self._records.get(name)

    def broken(self) -> bool:
        """Whether a listed plugin failed, was left out or is not there, so that what it would bring is missing."""
        return self._unknown_listed or any(
            one.state in (PluginState.FAILED, PluginState.DISABLED) for one in self._records.values()
        )

    def find(self) -> None:
        """Look at the entry points, then at the deployer's folder; imports nothing yet."""
        for entry in importlib.metadata.entry_points(group=GROUP):
            version = entry.dist.version if entry.dist is not None else ""
            self._add(Plugin(entry.name, f"package {entry.value}", version, load=entry.load))
        if self._folder is None or not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            file = path / "__init__.py" if path.is_dir() else path
            if file.suffix == ".py" and file.is_file() and not path.name.startswith(("_", ".")):
                self._add(Plugin(path.stem, str(path), load=lambda name=path.stem, file=file: import_file(name, file)))  # type: ignore[misc]

    def take(self, plugin: Plugin) -> None:
        """Put a plugin in that was found elsewhere, in place of one of its name."""
        self._records[plugin.name] = plugin

    def _add(self, plugin: Plugin) -> None:
        known = self._records.get(plugin.name)
        if known is None:
            self._records[plugin.name] = plugin
        else:
            known.last_error = f"a second plugin of this name was ignored: {plugin.origin}"
            log.error("plugin %s: %s", plugin.name, known.last_error)

    def set_up(self, listed: Mapping[str, tuple[Any, str]], disabled: Iterable[str] = ()) -> list[ConfigError]:
        """Import, check and configure the plugins that the site file lists.

        ``listed`` maps a name to its raw section and where it stands. A name that nobody provides, or a section that
        does not fit the plugin's schema, is a mistake of the configuration and is returned; a plugin that raises is
        marked failed and named in the log.
        """
        mistakes = []
        for name, (section, where) in listed.items():
            plugin = self._records.get(name)
            if plugin is None:
                self._unknown_listed = True
                mistakes.append(self._unknown(name, where))
                continue
            plugin.listed_at = where
            if name in disabled:
                plugin.state, plugin.reason = PluginState.DISABLED, "it blocked the hub and was left out at this start"
                continue
            try:
                self._load(plugin)
                plugin.config = self._configured(plugin, section, where)
            except ConfigError as error:
                plugin.state, plugin.reason, plugin.where = PluginState.FAILED, error.message, error.where
                mistakes.append(error)
            except Exception as error:  # noqa: BLE001 - the boundary to a plugin's import and set-up
                self.fail(plugin, error)
        return mistakes

    def call(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Call one hook of every running plugin; each object they return comes with its plugin."""
        found: list[tuple[Plugin, Any]] = []
        for plugin in self._records.values():
            implementation = self._implementation(plugin, hook)
            if plugin.state is not PluginState.RUNNING or implementation is None:
                continue
            began = self._clock.cpu_s()
            try:
                brought = list(self._invoke(plugin, implementation))
            except Exception as error:  # noqa: BLE001 - the boundary to a plugin's hook
                self.fail(plugin, error)
                continue
            plugin.seconds += self._clock.cpu_s() - began
            plugin.registered[hook] = [_name_of(one) for one in brought]
            found += [(plugin, one) for one in brought]
        return found

    def context(self, plugin: Plugin) -> Context:
        """What the plugin's hooks get as ``ctx``."""
        return Context(
            plugin.name,
            logging.getLogger(f"meterhub.plugin.{plugin.name}"),
            self._clock,
            lambda coroutine: self._spawn(f"plugin {plugin.name}", coroutine),
            self._data_dir / "plugins" / plugin.name,
            self.http,
        )

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """Mark a plugin as failed, with the file and line within its own code where it happened."""
        plugin.state = PluginState.FAILED
        plugin.reason = f"{type(error).__name__}: {error}" if not isinstance(error, Misuse) else error.message
        plugin.where = self.place_of(plugin, error) or getattr(error, "where", "")
        plugin.last_error = plugin.reason
        log.error("plugin %s failed at %s: %s", plugin.name, plugin.where or plugin.origin, plugin.reason)

    def blame(self, files: Iterable[str], text: str) -> Plugin | None:
        """Note an error at the plugin that owns the first of ``files`` that belongs to one; returns it."""
        for file in files:
            for plugin in self._records.values():
                if plugin.folder and file.startswith(plugin.folder):
                    plugin.last_error = text
                    return plugin
        return None

    def place_of(self, plugin: Plugin, error: BaseException) -> str:
        """``file:line`` of the innermost frame of ``error`` that lies in the plugin; also for a syntax error."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}:{error.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if plugin.folder and frame.filename.startswith(plugin.folder):
                return f"{frame.filename}:{frame.lineno}"
        return ""

    def _load(self, plugin: Plugin) -> None:
        began = self._clock.cpu_s()
        plugin.folder = plugin.origin if Path(plugin.origin).exists() else ""
        if plugin.load is None:
            raise Misuse(f"the plugin {plugin.name} has nothing to load", where=plugin.origin)
        plugin.module = plugin.load()
        file = plugin.module.__file__ or ""
        plugin.folder = str(Path(file).parent) if Path(file).name == "__init__.py" else file
        plugin.version = plugin.version or getattr(plugin.module, "__version__", "")
        self._check(plugin.module)
        self._specs.register(plugin.module, plugin.name)
        plugin.state = PluginState.RUNNING
        plugin.seconds = self._clock.cpu_s() - began

    def _check(self, module: ModuleType) -> None:
        wanted = getattr(module, "requires_api", API_VERSION)
        if wanted != API_VERSION:
            raise Misuse(f"it needs plugin API {wanted}; MeterHub {__version__} has {API_VERSION}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            marked = hasattr(function, "meterhub_impl")
            line = f"{inspect.getsourcefile(function)}:{function.__code__.co_firstlineno}"
            if marked and name not in self.hook_names:
                near = difflib.get_close_matches(name, self.hook_names, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise Misuse(f"there is no hook {name}{hint}", where=line)
            if not marked and function.__module__ == module.__name__:
                self._check_unmarked(name, line)
            if marked:
                self._check_arguments(name, function, line)

    def _check_unmarked(self, name: str, line: str) -> None:
        if name in self.hook_names:
            raise Misuse(f"{name} is a hook but is not marked with @hookimpl", where=line)
        near = difflib.get_close_matches(name, self.hook_names, 1, 0.85)
        if near:
            raise Misuse(f"{name} is no hook; did you mean {near[0]}, marked with @hookimpl?", where=line)

    def _check_arguments(self, name: str, function: Any, line: str) -> None:
        allowed = inspect.signature(getattr(hookspecs, name)).parameters
        for argument in inspect.signature(function).parameters:
            if argument not in allowed:
                raise Misuse(f"the hook {name} has no argument {argument}; it has {', '.join(allowed)}", where=line)

    def _configured(self, plugin: Plugin, section: Any, where: str) -> Mapping[str, Any]:
        implementation = self._implementation(plugin, "plugin_schema")
        schema: Any = implementation.function() if implementation is not None else {}
        return check(section if section is not None else {}, schema, where=where)

    def _implementation(self, plugin: Plugin, hook: str) -> pluggy.HookImpl | None:
        implementations = getattr(self._specs.hook, hook).get_hookimpls()
        return next((one for one in implementations if one.plugin is plugin.module), None)

    def _invoke(self, plugin: Plugin, implementation: pluggy.HookImpl) -> Iterable[Any]:
        offered = {"ctx": self.context(plugin), "config": plugin.config}
        brought = implementation.function(*[offered[name] for name in implementation.argnames])
        if not isinstance(brought, Iterable) or isinstance(brought, str | bytes | Mapping):
            what = implementation.function.__name__
            raise Misuse(f"{what} must return a list of objects, not {type(brought).__name__}")
        return brought

    def _unknown(self, name: str, where: str) -> ConfigError:
        near = difflib.get_close_matches(name, self._records, 1)
        hint = f"did you mean {near[0]}?" if near else "installed: " + ", ".join(sorted(self._records))
        return ConfigError(f"there is no plugin {name}", where=where, hint=hint)


def import_file(name: str, file: Path) -> ModuleType:
    """Import a plugin from the deployer's folder under a name of its own."""
    full_name = f"meterhub_site_plugin_{name}"
    spec = importlib.util.spec_from_file_location(
        full_name, file, submodule_search_locations=[str(file.parent)] if file.name == "__init__.py" else None
    )
    if spec is None or spec.loader is None:
        raise Misuse(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    spec.loader.exec_module(module)
    return module


def _name_of(brought: Any) -> str:
    if isinstance(brought, Path):
        return brought.stem
    if isinstance(brought, Mapping):
        return str(brought.get("id", "?"))
    return str(getattr(brought, "name", brought))

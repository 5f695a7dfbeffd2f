"""Checks a part of the configuration against a voluptuous mapping and reports all its mistakes at once.

Plugin authors write plain voluptuous mappings with the types of ``meterhub.config.types``; ``str``, ``int`` and
``bool`` stand for ``text``, ``whole`` and ``boolean``. Each mistake tells the file and line of the nearest node, the
key, the value got and what is needed; an unknown key and a wrong word name the near miss.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import voluptuous as vol

from meterhub.config.base import FOLDER, Wrong, near_miss
from meterhub.config.nodes import Lost, Map, Secret, Seq, told
from meterhub.config.types import boolean, decimal, text, whole
from meterhub.errors import ConfigError, ConfigErrors, Misuse

MAX_SHOWN = 60
"""Characters of a wrong value that an error repeats."""

_PLAIN = {str: text(empty=True), int: whole(), bool: boolean(), Decimal: decimal()}


class ListOf:
    """A list of which every item is checked, so that all mistakes are found; an empty value is an empty list.

    voluptuous' own list stops at the first item that is a wrong mapping. ``[item]`` in a schema means ``ListOf(item)``.
    """

    def __init__(self, item: Any, minimum: int = 0, maximum: int | None = None) -> None:
        self.item = item
        self.minimum = minimum
        self.maximum = maximum
        self._check = vol.Schema(_prepared(item))

    def __call__(self, value: Any) -> list[Any]:
        """The checked items; raises ``MultipleInvalid``."""
        items = [] if value is None else value
        if not isinstance(items, list):
            raise Wrong("a list is needed")
        if len(items) < self.minimum or (self.maximum is not None and len(items) > self.maximum):
            at_most = "" if self.maximum is None else f" and at most {self.maximum}"
            raise Wrong(f"a list of at least {self.minimum}{at_most} items is needed")
        checked: list[Any] = []
        mistakes: list[vol.Invalid] = []
        for index, item in enumerate(items):
            try:
                checked.append(self._check(item))
            except vol.MultipleInvalid as several:
                several.prepend([index])
                mistakes += several.errors
        if mistakes:
            raise vol.MultipleInvalid(mistakes)
        return checked


class Checker:
    """A schema that is compiled once and checks many values.

    ``extra`` lets keys pass that the schema does not know; ``also`` are further keys to suggest for a misspelt one.
    """

    def __init__(self, schema: Mapping[Any, Any], *, extra: bool = False, also: Iterable[str] = ()) -> None:
        self.schema = dict(schema)
        self.also = tuple(also)
        self._check = vol.Schema(_prepared(self.schema), extra=vol.ALLOW_EXTRA if extra else vol.PREVENT_EXTRA)

    def check(self, value: Any, *, where: str = "", path: str = "") -> dict[str, Any]:
        """The value with defaults filled in and everything converted; an empty value is an empty mapping.

        ``where`` is told for what came from no file, ``path`` stands before the keys in messages.
        Raises ``ConfigError`` for one mistake, ``ConfigErrors`` for several.
        """
        errors: list[ConfigError] = []
        checked = self.collect(value, errors, where=where, path=path)
        if errors:
            raise errors[0] if len(errors) == 1 else ConfigErrors(errors)
        return {} if checked is None else checked

    def collect(
        self, value: Any, errors: list[ConfigError], *, where: str = "", path: str = ""
    ) -> dict[str, Any] | None:
        """As ``check``, but adds the mistakes to ``errors`` and then returns None."""
        if value is None:
            value = {}
        token = FOLDER.set(value.source.folder) if isinstance(value, Map) and value.line else None
        try:
            return self._check(value)  # type: ignore[no-any-return]
        except vol.MultipleInvalid as several:
            told = [_explain(one, value, self, where, path) for one in several.errors]
            errors += [error for error in told if error is not None]
            return None
        finally:
            if token is not None:
                FOLDER.reset(token)


def check(section: Any, schema: Mapping[Any, Any], *, where: str = "", path: str = "") -> dict[str, Any]:
    """Check one value once; see ``Checker.check``."""
    return Checker(schema).check(section, where=where, path=path)


def shown(value: Any) -> str:
    """A wrong value as an error repeats it: short, escaped, secrets hidden."""
    if value is None:
        return "empty"
    if isinstance(value, Secret):
        return "a secret"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    words = str(value)
    quoted = repr(words[:MAX_SHOWN]) if isinstance(value, str) else words[:MAX_SHOWN]
    return quoted + "…" if len(words) > MAX_SHOWN else quoted


def item_name(items: Any, index: int) -> str:
    """``[a-101]`` for an item with an id, else ``[#3]``, counted from one."""
    item = items[index] if isinstance(items, list) and index < len(items) else None
    name = item.get("id") if isinstance(item, Mapping) else None
    return f"[{name[:MAX_SHOWN]}]" if isinstance(name, str) and name.isprintable() else f"[#{index + 1}]"


def _prepared(schema: Any) -> Any:
    """The schema with plain Python types and lists replaced by ours, all the way down."""
    if isinstance(schema, type):
        if schema is float:
            raise Misuse("float is no type for configuration", hint="use decimal() or seconds()")
        return _PLAIN.get(schema, schema)
    if isinstance(schema, Mapping):
        return {_prepared_key(key): _prepared(value) for key, value in schema.items()}
    if isinstance(schema, list) and schema:
        return ListOf(schema[0] if len(schema) == 1 else vol.Any(*schema))
    if isinstance(schema, vol.Any | vol.All):
        prepared = copy.copy(schema)
        prepared.validators = tuple(_prepared(one) for one in schema.validators)
        return prepared
    return schema


def _prepared_key(key: Any) -> Any:
    return _prepared(key) if isinstance(key, type) else key


def _explain(problem: vol.Invalid, root: Any, checker: Checker, where: str, path: str) -> ConfigError | None:
    """One mistake in words; None when its value could not be loaded, which has been told already."""
    node = root
    if isinstance(root, Map | Seq):
        where = root.where() or where
    for part in problem.path:
        name = str(part) if isinstance(part, vol.Marker) else part
        if isinstance(name, int):
            path += item_name(node, name)
        else:
            path += ("." if path else "") + told(str(name))
        if isinstance(node, Map | Seq):
            where = node.where(name) or where
        node = _child(node, name)
    if isinstance(node, Lost):
        return None
    message, hint = _words(problem, node, path, checker)
    return ConfigError(message, where=where, hint=hint)


def _child(node: Any, name: Any) -> Any:
    if isinstance(node, Mapping):
        return node.get(name)
    return node[name] if isinstance(node, list) and isinstance(name, int) and name < len(node) else None


def _words(problem: vol.Invalid, node: Any, path: str, checker: Checker) -> tuple[str, str]:
    if isinstance(problem, Wrong):
        return f"{path} is {shown(node)}; {problem.error_message}", problem.hint
    if isinstance(problem, vol.RequiredFieldInvalid):
        return f"the key {path} is missing", ""
    if isinstance(problem, vol.DictInvalid):
        what = f"{path} is {shown(node)}; a mapping is needed"
        return what if path else f"a mapping is expected here, not {shown(node)}", ""
    if problem.error_message != "extra keys not allowed":
        return f"{path}: {problem.error_message}", ""
    known = sorted(_known_keys(checker.schema, problem.path[:-1]))
    known += checker.also if len(problem.path) == 1 else ()
    hint = near_miss(problem.path[-1], known) or ("known keys: " + ", ".join(known) if known else "it takes no keys")
    return f"there is no key {path}", hint


def _known_keys(schema: Any, path: Iterable[Any]) -> set[str]:
    """The keys that the schema knows at ``path``."""
    for part in path:
        if isinstance(schema, list | ListOf):
            schema = schema[0] if isinstance(schema, list) and schema else getattr(schema, "item", None)
        elif isinstance(schema, Mapping):
            schema = next((value for key, value in schema.items() if str(key) == str(part)), None)
    while isinstance(schema, vol.All | vol.Any):
        schema = next((one for one in schema.validators if isinstance(one, Mapping)), None)
    return {str(key) for key in schema if not isinstance(key, type)} if isinstance(schema, Mapping) else set()

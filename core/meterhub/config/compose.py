"""From YAML text to nodes, on the events of PyYAML's parser (the C one where there is one).

Nothing is resolved: ``000000012345``, ``12:30:00``, ``no`` and ``1e3`` stay the text that stands in the file.
PyYAML's own composer is left out because it would build an object with two marks per scalar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from meterhub.config.nodes import Map, Seq, Source, told
from meterhub.config.reading import syntax_error
from meterhub.errors import ConfigError

MAX_DEPTH = 40
"""Levels of nesting; a site file needs five."""
MAX_NODES = 4_000_000
"""Values in all files of one configuration, each use of an anchor counted in full."""

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Tagged = Callable[[str, str, str], Any]
"""``tagged(tag, text, where)``: the value of a scalar with a tag of ours."""


class Budget:
    """How many values were made so far, over all files of one configuration."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes = 0

    def take(self, count: int, where: str) -> None:
        """Count values; raises ``ConfigError`` beyond the limit."""
        self.nodes += count
        if self.nodes > MAX_NODES:
            raise ConfigError(f"the configuration has more than {MAX_NODES:,} values", where=where)


class Composer:
    """Composes one document. Mistakes that do not stop it (a key that stands twice) go to ``errors``."""

    def __init__(self, text: str, source: Source, budget: Budget, errors: list[ConfigError], tagged: Tagged) -> None:
        self._text = text
        self._source = source
        self._budget = budget
        self._errors = errors
        self._tagged = tagged
        self._anchors: dict[str, tuple[Any, int]] = {}

    def compose(self) -> Any:
        """The root: ``Map``, ``Seq``, text or None. Raises ``ConfigError`` when the text is not one YAML document."""
        try:
            parser = PARSER(self._text)
            try:
                self._next: Callable[[], Any] = parser.get_event
                return self._document()
            finally:
                parser.dispose()
        except yaml.YAMLError as error:
            raise syntax_error(error, self._text, self._source.name) from None

    def _document(self) -> Any:
        self._next()  # the start of the stream
        event = self._next()
        if type(event) is StreamEndEvent:
            return None
        root = self._node(self._next(), 0)
        while type(event := self._next()) is DocumentEndEvent:
            pass
        if type(event) is not StreamEndEvent:
            raise ConfigError("a second document begins here", where=self._where(event), hint="use one file for each")
        return root

    def _node(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event)
        before = self._budget.nodes
        self._budget.nodes = before + 1
        if before >= MAX_NODES:
            self._budget.take(1, self._where(event))
        if kind is ScalarEvent:
            node = self._scalar(event)
        else:
            if depth >= MAX_DEPTH:
                raise ConfigError(f"more than {MAX_DEPTH} levels of nesting", where=self._where(event))
            if event.tag is not None:
                raise self._unknown_tag(event)
            node = self._mapping(event, depth) if kind is MappingStartEvent else self._sequence(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._budget.nodes - before)
        return node

    def _scalar(self, event: Any) -> Any:
        if event.tag is not None:
            if event.tag not in ("!include", "!secret"):
                raise self._unknown_tag(event)
            return self._tagged(event.tag, event.value, self._where(event))
        if event.implicit[0] and event.value in NULLS:
            return None
        return event.value

    def _mapping(self, start: Any, depth: int) -> Map:
        node = Map((), self._source, start.start_mark.line + 1)
        merges: list[tuple[int, Any]] = []
        following = self._next
        while type(event := following()) is not MappingEndEvent:
            line = event.start_mark.line + 1
            key = self._key(event)
            value = self._node(following(), depth + 1)
            if key == "<<" and event.implicit[0]:
                merges.append((line, value))
                continue
            if key in node:
                self._repeated(node, key, line)
                continue
            node[key] = value
            if node.lines is not None:
                node.lines[key] = line
            elif line != node.line:
                node.lines = dict.fromkeys(node, node.line)
                node.lines[key] = line
        for line, value in merges:
            self._merge(node, value, line)
        return node

    def _key(self, event: Any) -> str:
        if type(event) is not ScalarEvent or event.tag is not None:
            raise ConfigError("a key must be a plain word", where=self._where(event))
        if event.implicit[0] and event.value in NULLS:
            raise ConfigError("a key is missing before the colon", where=self._where(event))
        return sys.intern(str(event.value))

    def _sequence(self, start: Any, depth: int) -> Seq:
        node = Seq((), self._source, start.start_mark.line + 1)
        following = self._next
        while type(event := following()) is not SequenceEndEvent:
            node.lines.append(event.start_mark.line + 1)
            node.append(self._node(event, depth + 1))
        return node

    def _alias(self, event: Any) -> Any:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise ConfigError(f"there is no anchor &{told(event.anchor)} above", where=self._where(event))
        node, size = known
        self._budget.take(size, self._where(event))
        return node

    def _merge(self, node: Map, value: Any, line: int) -> None:
        """Take over what the merge key ``<<`` brings: keys that the mapping has itself win."""
        for other in value if isinstance(value, Seq) else (value,):
            if not isinstance(other, Map):
                where = f"{self._source.name}:{line}"
                raise ConfigError("<< takes over a mapping; this is none", where=where, hint="as in <<: *defaults")
            self._budget.take(len(other), f"{self._source.name}:{line}")
            if node.lines is None:
                node.lines = dict.fromkeys(node, node.line)
            for key, brought in other.items():
                if key not in node:
                    node[key] = brought
                    node.lines[key] = other.line_of(key) if other.source is self._source else line

    def _repeated(self, node: Map, key: str, line: int) -> None:
        message = f"the key {told(key)} stands twice in this mapping; the first is in line {node.line_of(key)}"
        self._errors.append(ConfigError(message, where=f"{self._source.name}:{line}", hint="delete one of them"))

    def _unknown_tag(self, event: Any) -> ConfigError:
        tag = told(event.tag.replace("tag:yaml.org,2002:", "!!"))
        return ConfigError(
            f"the tag {tag} is not known", where=self._where(event), hint="there are !include FILE and !secret NAME"
        )

    def _where(self, event: Any) -> str:
        return f"{self._source.name}:{event.start_mark.line + 1}"

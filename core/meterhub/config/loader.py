"""Reads YAML so that every plain scalar stays the text that was written, with its file and line.

``000000012345`` stays an address, ``12:30:00`` a text, ``no`` a word: what a value means is decided by the schema's
type, never by the parser. ``!include other.yaml`` is relative to the file that says it; ``!secret name`` looks into
``secrets.yaml`` beside the first file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from meterhub.errors import ConfigError

MAX_BYTES = 20_000_000
"""Size of one file; ten thousand meters take about two million."""
MAX_NODES = 2_000_000
"""Values in all files together, aliases counted each time they are used."""
MAX_DEPTH = 50
NULLS = ("", "~", "null")
Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Section(dict[str, Any]):
    """A mapping of the configuration; ``lines`` has the line of each key."""

    __slots__ = ("file", "line", "lines")

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.file = file
        self.line = line
        self.lines: dict[str, int] = {}

    def where(self, key: str | None = None) -> str:
        """``file:line`` of a key, or of the mapping itself."""
        return f"{self.file}:{self.lines.get(key, self.line) if key is not None else self.line}"


class Items(list[Any]):
    """A sequence of the configuration; ``lines`` has the line of each item."""

    __slots__ = ("file", "line", "lines")

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.file = file
        self.line = line
        self.lines: list[int] = []


class Secret(str):
    """A secret text: it works as text and never shows itself in a log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def load(path: Path) -> Any:
    """The content of a YAML file: ``Section``, ``Items``, text, or None for nothing.

    Raises ``ConfigError`` with ``file:line`` for broken YAML, a duplicate key, an include loop, a missing file or
    secret, an unknown tag, or a file that is too large.
    """
    return _Reading(path.parent / "secrets.yaml").file(path, ())


class _Reading:
    """One reading of a file and all that it includes."""

    def __init__(self, secrets: Path) -> None:
        self._secrets_path = secrets
        self._secrets: Section | None = None
        self._nodes = 0

    def file(self, path: Path, within: tuple[Path, ...], where: str = "") -> Any:
        """Read one file; ``within`` are the files that include it."""
        real = path.resolve()
        if real in within:
            loop = " -> ".join(one.name for one in (*within[within.index(real) :], real))
            raise ConfigError(f"the files include each other in a circle: {loop}", where=where)
        node = _compose(path, where)
        return None if node is None else self._value(node, path, (*within, real), 0)

    def _value(self, node: yaml.Node, path: Path, within: tuple[Path, ...], depth: int) -> Any:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError("the configuration is too large or too deep", where=f"{path}:{line}")
        if node.tag.startswith("!"):
            return self._tagged(node, path, within, f"{path}:{line}")
        if isinstance(node, yaml.MappingNode):
            return self._section(node, path, within, depth)
        if isinstance(node, yaml.SequenceNode):
            items = Items(str(path), line)
            for one in node.value:
                items.append(self._value(one, path, within, depth + 1))
                items.lines.append(one.start_mark.line + 1)
            return items
        plain = not getattr(node, "style", None)  # the C parser says "" and the Python parser None
        return None if plain and node.value in NULLS else node.value

    def _section(self, node: yaml.MappingNode, path: Path, within: tuple[Path, ...], depth: int) -> Section:
        section = Section(str(path), node.start_mark.line + 1)
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError("a key must be a plain word", where=f"{path}:{line}")
            if key in section.lines:
                raise ConfigError(f"the key {key} stands in line {section.lines[key]} already", where=f"{path}:{line}")
            section.lines[key] = line
            section[key] = self._value(value_node, path, within, depth + 1)
        return section

    def _tagged(self, node: yaml.Node, path: Path, within: tuple[Path, ...], where: str) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in ("!include", "!secret"):
            raise ConfigError(
                f"the tag {node.tag} is not known", where=where, hint="known: !include FILE, !secret NAME"
            )
        if node.tag == "!include":
            return self.file(path.parent / node.value, within, where)
        return self._secret(node.value, where)

    def _secret(self, name: str, where: str) -> Secret:
        if self._secrets is None:
            content = self.file(self._secrets_path, (), where)
            self._secrets = content if isinstance(content, Section) else Section(str(self._secrets_path), 1)
        if self._secrets.get(name) is None:
            raise ConfigError(f"there is no secret {name}", where=where, hint=f"add it to {self._secrets_path}")
        return Secret(self._secrets[name])


def _compose(path: Path, where: str) -> yaml.Node | None:
    """The node tree of one file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB", where=where)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", where=where) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})", where=where, hint="save it as UTF-8") from None
    try:
        return yaml.compose(text, Loader=Parser)
    except (yaml.YAMLError, RecursionError) as error:
        raise _broken(error, path, text) from None


def _broken(error: Exception, path: Path, text: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    tab = mark is not None and mark.line < len(lines) and "\t" in lines[mark.line]
    place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    hint = "indent with spaces, not with tabs" if tab else ""
    return ConfigError(f"this is not valid YAML: {problem}", where=place, hint=hint)

"""What a YAML file becomes: mappings and lists that know their file and lines, and scalars as source text.

Positions live in the containers, so that a scalar is a plain ``str`` (or None for an empty value, ``~`` and
``null``) and ten thousand meters stay cheap. The type in the schema decides what a scalar means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``name`` is shown to people (relative to ``folder``, the folder of the site file)."""

    name: str
    folder: Path


NOWHERE = Source("", Path())
MAX_TOLD = 64
"""Characters of a word of the file that an error repeats."""


class Map(dict[str, Any]):
    """A mapping. ``lines`` maps a key to its line; None when all keys stand on ``line``."""

    __slots__ = ("line", "lines", "source")

    def __init__(self, items: Iterable[Any] = (), source: Source = NOWHERE, line: int = 0) -> None:
        super().__init__(items)
        self.source = source
        self.line = line
        self.lines: dict[str, int] | None = None

    def line_of(self, key: object) -> int:
        """The line of ``key``, or of the mapping when it has no such key."""
        return self.line if self.lines is None else self.lines.get(key, self.line)  # type: ignore[call-overload]

    def where(self, key: object = None) -> str:
        """``file:line`` of ``key``, or of the mapping; '' for one that came from no file."""
        return f"{self.source.name}:{self.line_of(key)}" if self.line else ""

    def without(self, keys: Iterable[str]) -> Map:
        """The rest of this mapping, with the same positions."""
        taken = frozenset(keys)
        rest = Map(((key, value) for key, value in self.items() if key not in taken), self.source, self.line)
        rest.lines = self.lines
        return rest


class Seq(list[Any]):
    """A list. ``lines`` has the line of each item."""

    __slots__ = ("line", "lines", "source")

    def __init__(self, items: Iterable[Any] = (), source: Source = NOWHERE, line: int = 0) -> None:
        super().__init__(items)
        self.source = source
        self.line = line
        self.lines: list[int] = []

    def where(self, index: Any = None) -> str:
        """``file:line`` of an item, or of the list; '' for one that came from no file."""
        if not self.line:
            return ""
        known = isinstance(index, int) and 0 <= index < len(self.lines)
        return f"{self.source.name}:{self.lines[index] if known else self.line}"


class Secret(str):
    """A text that must not be shown: ``str()``, ``repr()``, f-strings and logging give ``***``.

    As a ``str`` it compares, encodes and concatenates with its real value; ``reveal()`` gives it plain.
    """

    __slots__ = ()

    def reveal(self) -> str:
        """The plain text."""
        return self[:]

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


def told(word: str) -> str:
    """A word of the file as errors repeat it: short, and without characters that would disturb a terminal or log."""
    short = word if len(word) <= MAX_TOLD else word[:MAX_TOLD] + "…"
    return short if short.isprintable() else ascii(short)[1:-1]


class Lost(str):
    """Stands for a value that could not be loaded; its error is noted already, so nothing more is said about it."""

    __slots__ = ()

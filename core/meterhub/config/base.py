"""What every type of configuration value has: a name, a conversion, and a sentence when a value does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import voluptuous as vol

FOLDER: ContextVar[Path] = ContextVar("folder", default=Path())
"""The folder that relative paths start from; set by the schema while it checks a node."""

LONGEST_GUESS = 100
"""A longer word is not compared with the known ones."""


class Wrong(vol.Invalid):
    """A value does not fit. ``message`` says what is needed, such as "a whole number is needed"."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Type:
    """One type: ``convert`` turns a value into what the program uses, or raises ``ValueError`` or ``Wrong``.

    ``name`` is the word for forms and docs; ``needed`` completes the sentence "… is needed".
    """

    name: str
    needed: str
    convert: Callable[[Any], Any]
    choices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None
    unit: str = ""
    secret: bool = False

    def __call__(self, value: Any) -> Any:
        """The converted value; raises ``Wrong``."""
        if value is None:
            raise Wrong(f"{self.needed} is needed")
        try:
            return self.convert(value)
        except (ValueError, TypeError):
            raise Wrong(f"{self.needed} is needed") from None


def words_of(value: Any) -> str:
    """The text itself; raises ``ValueError`` for anything else."""
    if not isinstance(value, str):
        raise ValueError
    return value


def limits_text(low: Any, high: Any, unit: str = "") -> str:
    """`` from 1 to 9``, `` of at least 1``, `` of at most 9`` or nothing, to follow the word for the value."""
    low_text, high_text = (f"{limit} {unit}".strip() for limit in (low, high))
    if low is not None and high is not None:
        return f" from {low_text} to {high_text}"
    return f" of at least {low_text}" if low is not None else f" of at most {high_text}" if high is not None else ""


def within(value: Any, low: Any, high: Any) -> Any:
    """The value when it lies within the limits (None: no limit); else raises ``ValueError``."""
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError
    return value


def near_miss(value: Any, words: Iterable[str]) -> str:
    """``did you mean …?`` for a word close to ``value``, or ''."""
    known = list(words)
    if not isinstance(value, str) or len(value) > LONGEST_GUESS:
        return ""
    near = difflib.get_close_matches(value, known, 1) or difflib.get_close_matches(value.lower(), known, 1)
    return f"did you mean {near[0]}?" if near else ""

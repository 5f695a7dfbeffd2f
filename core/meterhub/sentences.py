"""Sentences that the program makes, in another language: recognised by the English they were made of.

An error is raised with an English sentence, often an f-string, and that sentence goes everywhere: into logs, API
answers, stored runs, the details of devices. Only a page turns it into its reader's language. The catalogues hold the
f-string as ``there is no device {device}``; a sentence that fits it is that text with values, and the values are put
into the translation. What fits no text stays English (docs/decisions/0040).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
"""A value within a text. Other braces, as in an example of JSON, are just braces."""

ERROR = re.compile(r"(?P<where>(?:[^\s:]+: )?)(?P<message>.+?)(?: \((?P<hint>.+)\))?", re.DOTALL)
"""How ``str(error)`` puts a place before an error's sentence and its hint behind it."""

MAX_SENTENCE = 2000
"""Longer texts are no sentences of ours, and not searched."""
MAX_KNOWN = 5000
"""Sentences kept with their translation; then all are forgotten."""


class Pattern(NamedTuple):
    """A text of the catalogue with values: its longest fixed part, its whole form, and its translation."""

    part: str
    form: re.Pattern[str]
    translation: str
    fixed: int
    """How many characters of it are fixed: of several that fit, the one that says most is meant."""


class Sentences:
    """The sentences of one language, from its catalogue: English texts and their translations."""

    def __init__(self, catalogue: Mapping[str, str]) -> None:
        self._exact = catalogue
        found = [_pattern(text, catalogue[text]) for text in catalogue if FIELD.search(text)]
        self._patterns = sorted(found, key=lambda one: -one.fixed)
        self._known: dict[str, str] = {}

    def __call__(self, sentence: str) -> str:
        """The sentence in this language, with its values; as it is when no text of the catalogue fits."""
        known = self._known.get(sentence)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[sentence] = self._told(sentence)
        return known

    def _told(self, sentence: str) -> str:
        """A sentence of the catalogue, or an error's with its place and its hint."""
        found = ERROR.fullmatch(sentence) if sentence not in self._exact and len(sentence) <= MAX_SENTENCE else None
        if found is None or not (found["where"] or found["hint"]):
            return self._translated(sentence)
        message = self._translated(found["message"])
        if message == found["message"]:
            return self._translated(sentence)
        return f"{found['where']}{message}" + (f" ({self._translated(found['hint'])})" if found["hint"] else "")

    def _translated(self, sentence: str) -> str:
        exact = self._exact.get(sentence)
        if exact is not None or len(sentence) > MAX_SENTENCE:
            return exact or sentence
        for one in self._patterns:
            if one.part in sentence and (match := one.form.fullmatch(sentence)):
                return self._filled(one.translation, match.groupdict())
        return sentence

    def _filled(self, translation: str, values: Mapping[str, str]) -> str:
        return FIELD.sub(lambda field: self._value(values[field[1]]), translation)

    def _value(self, value: str) -> str:
        """A value may be a sentence too, such as a cause, or a list of them. It is always shorter than the whole."""
        whole = self._translated(value)
        if whole != value or ", " not in value:
            return whole
        return ", ".join(map(self._translated, value.split(", ")))


def _pattern(text: str, translation: str) -> Pattern:
    parts = FIELD.split(text)  # fixed, name, fixed, name, … fixed
    fixed = parts[::2]
    form = "".join(f"(?P<{part}>.*?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return Pattern(max(fixed, key=len), re.compile(form, re.DOTALL), translation, sum(map(len, fixed)))
